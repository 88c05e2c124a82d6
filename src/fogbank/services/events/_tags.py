"""Tags of buses and rules."""

from __future__ import annotations

from collections.abc import Mapping

from fogbank.services.events.errors import LimitExceededError, ValidationError
from fogbank.services.events.model import MAX_TAGS


def check_tags(tags: Mapping[str, str]) -> Mapping[str, str]:
    """The tags, if they keep to the limits of tagging."""
    if len(tags) > MAX_TAGS:
        raise LimitExceededError
    for key in tags:
        if key.lower().startswith("aws:"):
            raise ValidationError(f"Tag key {key} is not valid. Reason: The prefix aws: is reserved.")
    return tags
