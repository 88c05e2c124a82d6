"""Tags of buses and rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fogbank.services.events.errors import LimitExceededError, ValidationError
from fogbank.services.events.model import MAX_TAGS


def check_tags(
    tags: Mapping[str, str], added: Iterable[str] | None = None, *, by_service: bool = False
) -> Mapping[str, str]:
    """The tags, if they keep to the limits of tagging; `added` are the keys that are new, all if nothing else is said.

    AWS's own tags can be added by its services only.
    """
    if len(tags) > MAX_TAGS:
        raise LimitExceededError
    for key in () if by_service else tags if added is None else added:
        if key.lower().startswith("aws:"):
            raise ValidationError(f"Tag key {key} is not valid. Reason: The prefix aws: is reserved.")
    return tags
