"""What the operations share: names, tokens of pages, tags."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from fogbank.core.errors import ApiError, NotImplementedByFogbank, ValidationError
from fogbank.core.paging import InvalidTokenError as BadToken
from fogbank.core.paging import decode_token, encode_token
from fogbank.core.validation import Problem, describe
from fogbank.services.kit import Kit, Service
from fogbank.services.states._resolve import Resolver
from fogbank.services.states.errors import InvalidNameError, InvalidTokenError, TooManyTagsError
from fogbank.services.states.model import MAX_TAGS
from fogbank.services.states.worker import Runner

if TYPE_CHECKING:
    from fogbank.core.models import OperationModel

T = TypeVar("T")
PAGE = 100
_FORBIDDEN = re.compile(r"[\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Frame(Service):
    """The parts of the service that every group of operations uses."""

    name = "stepfunctions"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._resolver = Resolver(kit)
        self._runner = Runner(kit, self._resolver.program)

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError | None:  # noqa: ARG002
        """Step Functions words broken constraints as most services do."""
        return ValidationError(describe(problems))


def check_name(name: str) -> None:
    """Refuse a name with a character that names do not have."""
    if not name or len(name) > 80 or _FORBIDDEN.search(name):
        raise InvalidNameError(f"Invalid Name: '{name}'")


def decode_position(token: str | None, kind: type[T], start: T) -> T:
    """Where a page begins."""
    if token is None:
        return start
    try:
        return decode_token(token, kind)
    except BadToken:
        raise InvalidTokenError("Invalid Token: 'Invalid token'") from None


def page_of(found: Sequence[T], limit: int, key: Any) -> tuple[Sequence[T], str | None]:
    """A page out of `limit + 1` rows, and the token of the next."""
    page = found[:limit]
    return page, encode_token(key(page[-1])) if len(found) > limit else None


def page_size(request: Mapping[str, Any] | Any) -> int:
    """How many results are asked for; 0 means the default."""
    return request.get("maxResults") or PAGE


def tags_of(given: Sequence[Mapping[str, str]] | Any) -> dict[str, str]:
    """Tags as a mapping."""
    tags = {tag.get("key", ""): tag.get("value", "") for tag in given}
    check_tags(tags)
    return tags


def check_tags(tags: Mapping[str, str]) -> None:
    """Refuse more tags than a resource may have."""
    if len(tags) > MAX_TAGS:
        raise TooManyTagsError(f"The number of tags exceeds the limit of {MAX_TAGS}")


def refuse_keys(request: Mapping[str, Any] | Any, operation: str) -> None:
    """Customer managed keys are not there."""
    if request.get("encryptionConfiguration", {}).get("type", "AWS_OWNED_KEY") != "AWS_OWNED_KEY":
        raise NotImplementedByFogbank(
            f"Fogbank does not implement the encryptionConfiguration of stepfunctions.{operation} yet"
        )
