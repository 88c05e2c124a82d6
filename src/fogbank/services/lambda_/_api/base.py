"""What the operations share: the parts that the service is made of, and the questions that many of them ask."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, TypeVar

from fogbank.core.errors import ApiError, ValidationError
from fogbank.core.models import OperationModel
from fogbank.core.paging import InvalidTokenError, decode_token, encode_token
from fogbank.core.validation import Problem, describe
from fogbank.services.kit import Kit, Service
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._code import CodeStore
from fogbank.services.lambda_._concurrency import Concurrency
from fogbank.services.lambda_._logs import LogBuffer
from fogbank.services.lambda_._names import (
    LATEST,
    FunctionRef,
    is_version,
    version_number,
)
from fogbank.services.lambda_._targets import Targets
from fogbank.services.lambda_._warm.provisioner import Provisioner
from fogbank.services.lambda_._warm.snapshots import SnapshotTaker
from fogbank.services.lambda_.errors import (
    FunctionNotFoundError,
    InvalidParameterValueError,
    PreconditionFailedError,
    ResourceNotFoundError,
)
from fogbank.services.lambda_.model import Alias, Code, Function, Version
from fogbank.storage import Tx

T = TypeVar("T")
CODE_PATH = "/_fogbank/lambda/code/"
"""Where packages can be downloaded from, by digest."""
_ALIAS_NAME = re.compile(r"(?!\d+\Z)[a-zA-Z0-9-_]+")
_NOT_NULL = re.compile(
    r"(at '(?:architectures|layers|routingConfig\.additionalVersionWeights)' failed to satisfy constraint: "
    r"(?:Member|Map keys|Map value) must satisfy constraint: \[.*)\]",
    re.DOTALL,
)
"""Refusals of these members, which Lambda ends as it ends no others; recorded by the LocalStack project on AWS."""
_ENUM = re.compile(r"Member must satisfy enum value set: (\[.*\])", re.DOTALL)


class LambdaBase(Service):
    """The service's parts."""

    name: ClassVar[str] = "lambda"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._code = CodeStore(kit.blobs, kit.config.data / "lambda")
        self._concurrency = Concurrency(kit.storage, kit.config.max_environments)
        self._targets = Targets(kit.storage, self._code, self._concurrency)
        self._logs = LogBuffer(kit.cloud, kit.clock)
        self._snapshots = SnapshotTaker(kit, self._targets)
        self._provisioner = Provisioner(kit, self._targets, self._concurrency)

    def _location(self, code: Code) -> str:
        """The URL of a package."""
        return f"{self.kit.config.endpoint}{CODE_PATH}{code.digest}"

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError:  # noqa: ARG002
        """Lambda words a bad runtime in its own way; everything else as AWS's services do."""
        text = describe(problems)
        if len(problems) == 1 and "at 'runtime' failed to satisfy constraint" in text:
            found = _ENUM.search(text)
            if found:
                value = text.partition("Value '")[2].partition("'")[0]
                return InvalidParameterValueError(
                    f"Value {value} at 'runtime' failed to satisfy constraint: "
                    f"Member must satisfy enum value set: {found[1]} or be a valid ARN"
                )
        return ValidationError(_NOT_NULL.sub(r"\1, Member must not be null]", text))


async def need_function(tx: Tx, ref: FunctionRef) -> Function:
    """The function, or `FunctionNotFoundError`."""
    found = await rows.find_function(tx, ref)
    if found is None:
        raise FunctionNotFoundError(ref.qualified_arn)
    return found


async def need_version(tx: Tx, ref: FunctionRef) -> Version:
    """The version that a reference leads to, through an alias if it names one."""
    name = ref.qualifier or LATEST
    if not is_version(name):
        alias = await rows.find_alias(tx, ref, name)
        if alias is None:
            raise FunctionNotFoundError(ref.qualified_arn)
        name = alias.version
    found = await rows.find_version(tx, ref, version_number(name))
    if found is None:
        raise FunctionNotFoundError(ref.qualified_arn)
    return found


def _named(qualifier: str) -> bool:
    """Whether a qualifier has the form of an alias's name; others are looked up as versions, and are not found."""
    return _ALIAS_NAME.fullmatch(qualifier) is not None


async def need_resource(tx: Tx, ref: FunctionRef) -> Version | Alias:
    """What a policy or provisioned concurrency belongs to: the alias itself, the version, or $LATEST."""
    if ref.qualifier is not None and _named(ref.qualifier):
        found = await rows.find_alias(tx, ref, ref.qualifier)
        if found is None:
            raise ResourceNotFoundError(f"Cannot find alias arn: {ref.qualified_arn}")
        return found
    if ref.qualifier is not None and not is_version(ref.qualifier):
        raise FunctionNotFoundError(ref.qualified_arn)
    return await need_version(tx, ref)


async def touch(tx: Tx, resource: Version | Alias, revision: str) -> None:
    """Give a version or alias a new revision: something that belongs to it has changed."""
    if isinstance(resource, Alias):
        await rows.touch_alias(tx, resource.ref, resource.name, revision)
    else:
        await rows.touch_version(tx, resource.ref, resource.number, revision)


async def need_alias(tx: Tx, ref: FunctionRef, name: str) -> Alias:
    """The alias, or `ResourceNotFoundError`."""
    await need_function(tx, ref)
    found = await rows.find_alias(tx, ref, name)
    if found is None:
        raise ResourceNotFoundError(f"Cannot find alias arn: {ref.arn}:{name}")
    return found


def check_revision(given: str | None, latest: str) -> None:
    """The caller's idea of the latest revision must be right, if it has one."""
    if given is not None and given != latest:
        raise PreconditionFailedError


def marker_of(token: str | None, kind: type[T], beginning: T) -> T:
    """Where a listing goes on."""
    if not token:
        return beginning
    try:
        return decode_token(token, kind)
    except InvalidTokenError:
        raise InvalidParameterValueError("Marker is not valid.") from None


def next_marker(position: object, *, more: bool) -> str | None:
    """The token of the next page, if there is one."""
    return encode_token(position) if more else None
