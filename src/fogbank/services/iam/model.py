"""The semantics of IAM: what the entities are, their quotas, and the texts that name them.

    account ─┬─ role ───── trust policy ─┐
             ├─ user ───── access keys   ├─ inline policies, attached managed policies, boundary, tags
             ├─ group ──── users ────────┘  (a group has neither boundary nor tags)
             ├─ instance profile ── at most one role
             └─ managed policy ──── up to five versions, one of them the default

Times are milliseconds since the epoch. Pure: no I/O, no clock.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from fogbank.services.iam._catalogue import known_documents
from fogbank.services.iam.errors import (
    EntityAlreadyExistsError,
    InvalidInputError,
    LimitExceededError,
    NoSuchEntityError,
)

if TYPE_CHECKING:
    from types_boto3_iam.type_defs import TagTypeDef

    from fogbank.core.scope import Scope

MAX_VERSIONS = 5
MAX_TAGS = 50
MAX_ACCESS_KEYS = 2
MAX_GROUPS_PER_USER = 10
MAX_ATTACHED = 10
MAX_MANAGED_SIZE = 6144
MAX_TRUST_SIZE = 2048
MAX_POLICIES = 1500
DEFAULT_MAX_SESSION = 3600

_AWS_POLICY = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::aws:policy((?:/[\w.,+@=-]+)*/)([\w+=,.@-]{1,128})")
_POLICY = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+")
_SPACE = re.compile(r"\s+")


class Kind(StrEnum):
    """What an entity is."""

    ROLE = "role"
    USER = "user"
    GROUP = "group"
    PROFILE = "instance-profile"


@dataclass(frozen=True, slots=True)
class KindRules:
    """What differs between the kinds."""

    id_prefix: str
    quota_name: str
    quota: int
    inline_size: int


RULES: Mapping[Kind, KindRules] = {
    Kind.ROLE: KindRules("AROA", "RolesPerAccount", 1000, 10_240),
    Kind.USER: KindRules("AIDA", "UsersPerAccount", 5000, 2_048),
    Kind.GROUP: KindRules("AGPA", "GroupsPerAccount", 300, 5_120),
    Kind.PROFILE: KindRules("AIPA", "InstanceProfilesPerAccount", 1000, 0),
}


@dataclass(frozen=True, slots=True)
class Entity:
    """A role, user, group or instance profile. `trust_policy`, `description` and `max_session` are a role's."""

    kind: Kind
    name: str
    id: str
    path: str
    created_at: int
    description: str | None
    trust_policy: str | None
    max_session: int
    boundary: str | None
    tags: Mapping[str, str]

    def arn(self, scope: Scope) -> str:
        """Its ARN: path and name."""
        return scope.global_arn("iam", f"{self.kind}{self.path}{self.name}")


@dataclass(frozen=True, slots=True)
class Policy:
    """A managed policy."""

    name: str
    arn: str
    id: str
    path: str
    description: str | None
    default_version: int
    last_version: int
    created_at: int
    updated_at: int
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a managed policy."""

    number: int
    document: str
    created_at: int


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A user's access key."""

    id: str
    account: str
    user: str
    secret: str
    status: str
    created_at: int


@dataclass(frozen=True, slots=True)
class LoginProfile:
    """That a user has a password, and whether it must be replaced. The password itself is not kept: there is
    no console to sign in to.
    """

    created_at: int
    must_reset: bool


def missing(kind: Kind, name: str) -> NoSuchEntityError:
    """The error for an entity that is not there."""
    if kind is Kind.PROFILE:
        return NoSuchEntityError(f"Instance Profile {name} cannot be found.")
    return NoSuchEntityError(f"The {kind} with name {name} cannot be found.")


def taken(kind: Kind, name: str) -> EntityAlreadyExistsError:
    """The error for a name that is in use."""
    if kind is Kind.PROFILE:
        return EntityAlreadyExistsError(f"Instance Profile {name} already exists.")
    return EntityAlreadyExistsError(f"{kind.capitalize()} with name {name} already exists.")


def quota(name: str, limit: int) -> LimitExceededError:
    """The error for a quota that is used up."""
    return LimitExceededError(f"Cannot exceed quota for {name}: {limit}")


def policy_size(document: str) -> int:
    """The size of a document as quotas count it: without white space."""
    return len(_SPACE.sub("", document))


def check_managed_size(document: str) -> None:
    """A managed policy has at most 6,144 characters."""
    if policy_size(document) > MAX_MANAGED_SIZE:
        raise quota("PolicySize", MAX_MANAGED_SIZE)


def check_trust_size(document: str) -> None:
    """A trust policy has at most 2,048 characters."""
    if policy_size(document) > MAX_TRUST_SIZE:
        raise quota("ACLSizePerRole", MAX_TRUST_SIZE)


def check_inline_size(kind: Kind, name: str, documents: Sequence[str]) -> None:
    """The inline policies of an entity have a common limit, which depends on its kind."""
    limit = RULES[kind].inline_size
    if sum(map(policy_size, documents)) > limit:
        raise LimitExceededError(f"Maximum policy size of {limit} bytes exceeded for {kind} {name}")


def tags_of(tags: Sequence[Mapping[str, Any] | TagTypeDef], onto: Mapping[str, str] | None = None) -> dict[str, str]:
    """Tags as a mapping, added to those that are there. Keys are the same without regard to case."""
    keys = [tag["Key"].lower() for tag in tags]
    if len(keys) != len(set(keys)):
        raise InvalidInputError("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    _check_reserved(keys)
    merged = {key: value for key, value in (onto or {}).items() if key.lower() not in keys}
    merged |= {tag["Key"]: tag["Value"] for tag in tags}
    return _limited(merged)


def exact_tags_of(
    tags: Sequence[Mapping[str, Any] | TagTypeDef], onto: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The same where keys that differ in case are different: the tags of policies and identity providers."""
    added = {tag["Key"]: tag["Value"] for tag in tags}
    if len(added) != len(tags):
        raise InvalidInputError("Duplicate tag keys found.")
    _check_reserved(added)
    return _limited({**(onto or {}), **added})


def _limited(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > MAX_TAGS:
        raise LimitExceededError("The number of tags has reached the maximum limit.")
    return tags


def _check_reserved(keys: Iterable[str]) -> None:
    if any(key.lower().startswith("aws:") for key in keys):
        raise InvalidInputError("Tag keys that start with aws: are reserved for AWS.")


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags in the shape of the API."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def aws_policy(arn: str) -> Policy | None:
    """A policy of AWS's own, by its ARN. Any that is well formed counts as there: there is no catalogue here."""
    match = _AWS_POLICY.fullmatch(arn)
    if match is None:
        return None
    newest = max(1, len(known_documents(match[2], match[3])))
    digest = hashlib.sha256(arn.encode()).hexdigest().upper()[:17]
    return Policy(
        name=match[3],
        arn=arn,
        id=f"ANPA{digest}",
        path=match[2],
        description=None,
        default_version=newest,
        last_version=newest,
        created_at=0,
        updated_at=0,
        tags={},
    )


def aws_versions(policy: Policy) -> list[Version]:
    """The versions of a policy of AWS's own, newest first; the document of one that is not known here is empty."""
    documents = known_documents(policy.path, policy.name) or [""]
    return [Version(number, document, 0) for number, document in enumerate(documents, 1)][::-1]


def is_policy_arn(arn: str) -> bool:
    """Whether an ARN is one that a managed policy could have."""
    return _POLICY.fullmatch(arn) is not None


def version_id(number: int) -> str:
    """`v1`, `v2`, …"""
    return f"v{number}"


def version_number(text: str) -> int:
    """The number in `v3`; 0 for what no version is called."""
    digits = text.removeprefix("v")
    return int(digits) if digits.isdigit() else 0


def fits_path(path: str, prefix: Any) -> bool:
    """Whether a path is below a prefix; no prefix is below which all are."""
    return path.startswith(prefix or "/")
