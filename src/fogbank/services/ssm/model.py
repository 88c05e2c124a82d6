"""The semantics of Parameter Store: names, selectors, versions, tiers, labels.

    parameter ── versions 1, 2, … (the newest 100) ── labels: each on one version, ten a version
    /path/to/name:3        a version            /path/to/name:production      a label

Times are milliseconds since the epoch. Pure: no I/O, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.services.ssm.errors import (
    AccessDeniedError,
    HierarchyLevelError,
    HierarchyTypeError,
    InvalidRequestError,
    LabelLimitError,
    TooManyTagsError,
    VersionLimitError,
)

if TYPE_CHECKING:
    from fogbank.core.scope import Scope

MAX_PARAMETERS = 10_000
MAX_VERSIONS = 100
MAX_LABELS = 10
MAX_TAGS = 50
MAX_LEVELS = 15
MAX_NAME = 1011
"""Characters of a parameter's ARN."""
STANDARD_SIZE = 4096
ADVANCED_SIZE = 8192
DEFAULT_KEY = "alias/aws/ssm"

NAME_RULE = (
    'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of '
    "sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following "
    "3 symbols .-_"
)
PATH_RULE = (
    "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "
    '"/". It can\'t be prefixed with \\"aws\\" or \\"ssm\\" (case-insensitive). It must use only letters, numbers, or '
    "the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, "
    'if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.'
)

_NAME = re.compile(r"(/[A-Za-z0-9._-]+)+|[A-Za-z0-9._-]+")
_PATH = re.compile(r"/|(/[A-Za-z0-9._-]+)+/?")
_LABEL = re.compile(r"[A-Za-z._-][A-Za-z0-9._-]{0,99}")
_REFERENCE = re.compile(r"\{\{.*?\}\}", re.DOTALL)


class Tier(StrEnum):
    """What a parameter costs and holds on AWS."""

    STANDARD = "Standard"
    ADVANCED = "Advanced"
    INTELLIGENT = "Intelligent-Tiering"


class Type(StrEnum):
    """What a value is."""

    STRING = "String"
    STRING_LIST = "StringList"
    SECURE_STRING = "SecureString"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a parameter."""

    number: int
    type: Type
    value: str
    sealed: str | None
    key_id: str | None
    description: str | None
    allowed_pattern: str | None
    tier: Tier
    data_type: str
    labels: Sequence[str]
    modified_at: int
    modified_by: str

    def shown(self, *, decrypt: bool) -> str:
        """The value as it is told: a SecureString only to who asks for decryption."""
        return self.value if decrypt or self.sealed is None else self.sealed


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter, with one of its versions: the latest unless another was selected."""

    id: int
    name: str
    latest: int
    tags: Mapping[str, str]
    version: Version


@dataclass(frozen=True, slots=True)
class Selector:
    """What a request names: a parameter and perhaps a version or label. `text` is `:3` or `:label`."""

    name: str
    text: str

    @property
    def version(self) -> int | None:
        """The version that is selected by number."""
        return int(self.text[1:]) if self.text[1:].isdigit() else None

    @property
    def label(self) -> str | None:
        """The label that is selected."""
        return self.text[1:] if self.text and self.version is None else None


def arn_of(scope: Scope, name: str) -> str:
    """The ARN of a parameter: a leading slash of its name is the one after `parameter`."""
    return scope.arn("ssm", f"parameter/{name.removeprefix('/')}")


def check_new_name(name: str, scope: Scope) -> None:
    """The rules of PutParameter for names."""
    bare = name.removeprefix("/").lower()
    if bare.startswith("aws"):
        raise AccessDeniedError(f"No access to reserved parameter name: {name}.")
    if not _NAME.fullmatch(name) or bare.startswith("ssm"):
        raise InvalidRequestError(NAME_RULE)
    if name.count("/") > MAX_LEVELS:
        raise HierarchyLevelError
    length = len(arn_of(scope, name))
    if length > MAX_NAME:
        raise InvalidRequestError(
            f"Parameter name: the name with its ARN prefix can have a maximum of {MAX_NAME} characters, got {length}"
        )


def parse_name(text: str) -> str:
    """The name of a parameter without a selector."""
    selector = parse_selector(text)
    if selector.text:
        raise InvalidRequestError(NAME_RULE)
    return selector.name


def parse_selector(text: str) -> Selector:
    """Take `name`, `name:3`, `name:label` or an ARN of these apart."""
    text = text.strip()
    if text.startswith("arn:"):
        try:
            resource = Arn.parse(text).resource
        except MalformedArnError:
            raise InvalidRequestError(NAME_RULE) from None
        if not resource.startswith("parameter/"):
            raise InvalidRequestError(NAME_RULE)
        text = resource.removeprefix("parameter")
    name, _, selector = text.partition(":")
    if not _NAME.fullmatch(name) or name.removeprefix("/").lower().startswith("ssm") or ":" in selector:
        raise InvalidRequestError(NAME_RULE)
    return Selector(name, f":{selector}" if selector else "")


def check_path(path: str) -> str:
    """The path of GetParametersByPath, without a slash at its end."""
    if not _PATH.fullmatch(path) or path.lower().startswith("/ssm"):
        raise InvalidRequestError(PATH_RULE)
    if path.count("/") > MAX_LEVELS:
        raise HierarchyLevelError
    return path.rstrip("/")


def is_below(name: str, path: str, *, recursive: bool) -> bool:
    """Whether a parameter is below a path (without a slash at its end), or directly so."""
    full = name if name.startswith("/") else f"/{name}"
    if not full.startswith(f"{path}/"):
        return False
    return recursive or "/" not in full[len(path) + 1 :]


def choose_tier(asked: str | None, size: int, current: Tier | None) -> Tier:
    """The tier of a new version of `size` characters."""
    tier = Tier(asked) if asked is not None else current or Tier.STANDARD
    if tier is Tier.INTELLIGENT:
        tier = Tier.ADVANCED if size > STANDARD_SIZE or current is Tier.ADVANCED else Tier.STANDARD
    if current is Tier.ADVANCED and tier is Tier.STANDARD:
        raise InvalidRequestError(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the "
            "advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced "
            "parameter and recreate it as a standard parameter."
        )
    if tier is Tier.STANDARD and size > STANDARD_SIZE:
        raise InvalidRequestError(
            f"Standard tier parameters support a maximum parameter value of {STANDARD_SIZE} characters. To create a "
            "larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, "
            "see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
        )
    if size > ADVANCED_SIZE:
        raise InvalidRequestError(
            f"Advanced tier parameters support a maximum parameter value of {ADVANCED_SIZE} characters."
        )
    return tier


def check_value(value: str) -> None:
    """A value is not empty and holds no references."""
    if not value:
        raise InvalidRequestError(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1."
        )
    if _REFERENCE.search(value):
        raise InvalidRequestError('Parameter value can\'t nest another parameter. Do not use "{{}}" in the value.')


def next_type(asked: str | None, current: Type | None) -> Type:
    """The type of a new version: the parameter's own, which cannot change."""
    if current is None:
        if asked is None:
            raise InvalidRequestError("A parameter type is required when you create a parameter.")
        return Type(asked)
    if asked is not None and asked != current:
        raise HierarchyTypeError
    return current


def next_version(previous: Version | None, request: Mapping[str, Any], key_id: str | None) -> Version:
    """The version that a PutParameter makes. What it leaves out stays as it was; value, time and user are set
    after.
    """
    value = request["Value"]
    check_value(value)
    kind = next_type(request.get("Type"), previous.type if previous else None)
    if key_id is not None and kind is not Type.SECURE_STRING:
        raise InvalidRequestError("KeyId is required for SecureString type parameter only.")
    tier = choose_tier(request.get("Tier"), len(value.encode()), previous.tier if previous else None)
    base = previous or Version(0, kind, "", None, None, None, None, tier, "text", (), 0, "")
    return replace(
        base,
        number=base.number + 1,
        type=kind,
        value=value,
        sealed=None,
        key_id=(key_id or DEFAULT_KEY) if kind is Type.SECURE_STRING else None,
        description=request.get("Description", base.description),
        allowed_pattern=request.get("AllowedPattern", base.allowed_pattern) or None,
        tier=tier,
        data_type=request.get("DataType") or base.data_type,
        labels=(),
    )


def version_to_drop(name: str, versions: Sequence[Version]) -> int | None:
    """The oldest version, if it must make room for another; it cannot while it has a label."""
    if len(versions) < MAX_VERSIONS:
        return None
    oldest = min(versions, key=lambda version: version.number)
    if oldest.labels:
        raise VersionLimitError(name, oldest.number)
    return oldest.number


def is_label(text: str) -> bool:
    """Whether a text can be a label."""
    return bool(_LABEL.fullmatch(text)) and not text.lower().startswith(("aws", "ssm"))


def move_labels(versions: Sequence[Version], number: int, labels: Sequence[str]) -> list[Version]:
    """The versions whose labels change when version `number` gets `labels`: each label is on one version
    only.
    """
    changed = []
    for version in versions:
        kept = [label for label in version.labels if label not in labels]
        if version.number == number:
            kept += dict.fromkeys(labels)
        if len(kept) > MAX_LABELS:
            raise LabelLimitError
        if kept != list(version.labels):
            changed.append(replace(version, labels=kept))
    return changed


def merge_tags(tags: Mapping[str, str], added: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The tags with others over them."""
    merged = {**tags, **{tag["Key"]: tag["Value"] for tag in added}}
    if len(merged) > MAX_TAGS:
        raise TooManyTagsError
    return merged
