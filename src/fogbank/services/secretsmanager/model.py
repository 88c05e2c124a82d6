"""Secrets, their versions, and the labels that move between these.

    CreateSecret ──▶ there ──DeleteSecret──▶ marked ──the window ends──▶ gone
                      ▲ ◀──RestoreSecret──────┘
                      └──DeleteSecret, forced ─────────────────────────▶ gone

A version is known by its id, which is the ClientRequestToken of the request that made it. A staging label is on one
version at a time; when AWSCURRENT moves, AWSPREVIOUS goes to the version that had it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.errors import NotImplementedByFogbank, ValidationError
from fogbank.core.scope import Scope
from fogbank.services.secretsmanager.errors import InvalidParameterError, SecretNotFoundError

CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
DAY = 86_400_000
"""Milliseconds."""
MAX_VALUE = 65_536
"""Bytes of a secret's value."""
KEPT_VERSIONS = 100
"""Versions without labels that are kept, and those of the last day whatever their number."""
MAX_LABELS = 20
"""Labels of one version."""
MAX_TAGS = 50
DEFAULT_KEY = "alias/aws/secretsmanager"
SUFFIX = 6
"""Random characters at the end of an ARN."""

_NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}")
_TOKEN_LENGTHS = range(32, 65)


class SecretKey(NamedTuple):
    """Where a name is looked up."""

    account: str
    region: str
    name: str

    @property
    def scope(self) -> Scope:
        """The secret's account and region."""
        return Scope(self.account, self.region)


@dataclass(frozen=True, slots=True)
class Rotation:
    """How a secret is rotated. `rules` are RotationRules; moments are milliseconds."""

    enabled: bool = False
    function: str = ""
    rules: Mapping[str, Any] = field(default_factory=dict)
    rotated: int | None = None
    due: int | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret without its values. Moments are milliseconds; `accessed` is the beginning of a day."""

    id: int
    key: SecretKey
    arn: str
    description: str | None
    kms_key: str | None
    tags: Mapping[str, str]
    policy: str | None
    created: int
    changed: int
    accessed: int | None
    deleted: int | None
    """When it was marked for deletion; `purged` is when it goes."""
    purged: int | None
    rotation: Rotation

    @property
    def name(self) -> str:
        """Its name."""
        return self.key.name


@dataclass(frozen=True, slots=True)
class Version:
    """A version. `sealed` is its encrypted value; a rotation begins with a version that has none."""

    id: str
    stages: tuple[str, ...]
    sealed: bytes | None
    binary: bool
    created: int
    accessed: int | None = None


class Value(NamedTuple):
    """A secret's value in the clear."""

    data: bytes
    binary: bool


def check_name(name: str) -> str:
    """A new secret's name."""
    if not _NAME.fullmatch(name):
        raise ValidationError(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"
        )
    return name


def check_token(token: str) -> str:
    """A ClientRequestToken, which becomes a version's id."""
    if len(token) not in _TOKEN_LENGTHS:
        raise InvalidParameterError("ClientRequestToken must be 32-64 characters long.")
    return token


def value_of(request: Mapping[str, Any]) -> Value | None:
    """The value that a request gives; `None` if it gives none."""
    text, data = request.get("SecretString"), request.get("SecretBinary")
    if text is not None and data is not None:
        raise InvalidParameterError(
            "You can't specify both a binary secret value and a string secret value in the same secret."
        )
    if text is not None:
        found = Value(text.encode("utf-8", "surrogatepass"), binary=False)
    elif data is not None:
        found = Value(data, binary=True)
    else:
        return None
    if len(found.data) > MAX_VALUE:
        raise ValidationError(f"The secret value must be at most {MAX_VALUE} bytes long.")
    return found


def check_key(key: str | None) -> str | None:
    """The KMS key: the account's default one. Others would be KMS's, which Fogbank does not have."""
    if key and key != DEFAULT_KEY and not key.endswith(f":{DEFAULT_KEY}"):
        raise NotImplementedByFogbank(
            f"Fogbank does not implement KMS keys yet; a secret has the key {DEFAULT_KEY}, got {key!r}"
        )
    return key or None


# -- finding --------------------------------------------------------------------------------------------------------


def locate(secret_id: str, scope: Scope) -> tuple[SecretKey, str]:
    """Where a SecretId leads: the place of the name, and the ARN if it is a whole or partial one (else empty).

    A partial ARN lacks the six random characters; what looks like them may be the end of a name.
    """
    if not secret_id.startswith("arn:"):
        return SecretKey(scope.account, scope.region, secret_id), ""
    try:
        arn = Arn.parse(secret_id)
    except MalformedArnError:
        raise SecretNotFoundError from None
    if arn.service != "secretsmanager" or not arn.resource.startswith("secret:") or arn.region != scope.region:
        raise SecretNotFoundError
    return SecretKey(arn.account, arn.region, arn.resource.removeprefix("secret:")), secret_id


def whole_name(name: str) -> str | None:
    """The name within the last part of a whole ARN: without a hyphen and six characters; `None` if there are none."""
    head, hyphen, tail = name.rpartition("-")
    return head if hyphen and head and len(tail) == SUFFIX else None


# -- labels ---------------------------------------------------------------------------------------------------------


def place(versions: Sequence[Version], version: Version, labels: Sequence[str]) -> list[Version]:
    """All versions after `version` (new, or one of them) got `labels`: what changed, and what did not.

    A label that another has is taken from it. When AWSCURRENT is, that one gets AWSPREVIOUS.
    """
    wanted = set(labels)
    moved = {each.id: set(each.stages) for each in versions if each.id != version.id}
    current = next((each.id for each in versions if CURRENT in each.stages and each.id != version.id), None)
    mine = set(version.stages) | wanted
    for stages in moved.values():
        stages -= wanted
    if CURRENT in wanted and current is not None:
        for stages in moved.values():
            stages.discard(PREVIOUS)
        mine.discard(PREVIOUS)
        moved[current].add(PREVIOUS)
    kept = [replace(each, stages=tuple(sorted(moved[each.id]))) for each in versions if each.id != version.id]
    return [*kept, replace(version, stages=tuple(sorted(mine)))]


def move(versions: Sequence[Version], label: str, source: str | None, target: str | None) -> list[Version]:
    """The versions after UpdateSecretVersionStage; refuses what AWS refuses."""
    by_id = {version.id: version for version in versions}
    holder = next((version.id for version in versions if label in version.stages), None)
    for version_id in (source, target):
        if version_id is not None and version_id not in by_id:
            raise SecretNotFoundError(f"VersionId: {version_id}")
    if source is None and target is None:
        raise InvalidParameterError("You must specify either RemoveFromVersionId or MoveToVersionId, or both.")
    if source is not None and holder != source:
        raise InvalidParameterError(f"Staging label {label} is not currently attached to version {source}.")
    if target is None:
        if label == CURRENT:
            raise InvalidParameterError(
                "You can only move staging label AWSCURRENT to a different secret version. It can't be completely "
                "removed."
            )
        return [
            replace(each, stages=tuple(stage for stage in each.stages if stage != label)) if each.id == source else each
            for each in versions
        ]
    if holder is not None and holder != target and source is None:
        raise InvalidParameterError(
            f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version "
            f"{holder}, so you must explicitly reference that version in RemoveFromVersionId."
        )
    return place(versions, by_id[target], [label])


def outdated(versions: Sequence[Version], now: int) -> list[Version]:
    """Versions that are dropped: without labels, older than a day, and past the hundred that are kept."""
    bare = sorted((each for each in versions if not each.stages), key=lambda each: each.created, reverse=True)
    return [each for each in bare[KEPT_VERSIONS:] if each.created < now - DAY]


# -- tags -----------------------------------------------------------------------------------------------------------


def tags_of(given: Sequence[Mapping[str, Any]], *, reserved: bool = False) -> dict[str, str]:
    """Tags as a mapping. `reserved`: names of AWS's own may be among them."""
    tags = {tag.get("Key", ""): tag.get("Value", "") for tag in given}
    for key in tags:
        if not key:
            raise InvalidParameterError("Tag keys must have at least one character.")
        if key.lower().startswith("aws:") and not reserved:
            raise InvalidParameterError("Tag keys must not begin with the reserved prefix aws:.")
    return tags


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Refuse more tags than a secret may have."""
    if sum(not key.startswith("aws:") for key in tags) > MAX_TAGS:
        raise InvalidParameterError(f"A secret has {MAX_TAGS} tags at most.")
    return dict(tags)
