"""The operations of Parameter Store; Systems Manager's others say by name that they are missing."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.core.paging import InvalidTokenError, cut_page, decode_token, encode_token
from fogbank.services.kit import Service
from fogbank.services.ssm import storage
from fogbank.services.ssm._filters import describe_filters, old_filters, path_filters, path_labels
from fogbank.services.ssm._matching import check_allowed
from fogbank.services.ssm._references import SECRETS, referred
from fogbank.services.ssm.errors import (
    InvalidNextTokenError,
    InvalidRequestError,
    InvalidResourceIdError,
    ParameterExistsError,
    ParameterLimitError,
    ParameterNotFoundError,
    ParameterVersionNotFoundError,
)
from fogbank.services.ssm.model import (
    DEFAULT_KEY,
    MAX_PARAMETERS,
    Parameter,
    Selector,
    Type,
    Version,
    arn_of,
    check_new_name,
    check_path,
    is_below,
    is_label,
    merge_tags,
    move_labels,
    next_version,
    parse_name,
    parse_selector,
    version_to_drop,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from types_boto3_ssm import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.core.scope import Scope
    from fogbank.storage import Tx

T = TypeVar("T")

_SCAN = 500
_SEAL_BYTES = 96


class Ssm(Service):
    """Systems Manager: Parameter Store."""

    name = "ssm"

    async def put_parameter(self, call: Call, request: t.PutParameterRequestTypeDef) -> Reply:
        """Create a parameter, or a new version of one."""
        name = request["Name"].strip()
        check_new_name(name, call.scope)
        overwrite, tags = request.get("Overwrite", False), request.get("Tags", [])
        if overwrite and tags:
            raise InvalidRequestError(
                "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please "
                "remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or "
                "RemoveTagsFromResource."
            )
        key_id = _key(request)
        _check_left_out(request)
        previous = await self._find(call.scope, name)
        draft = next_version(previous.version if previous else None, request, key_id)
        if draft.allowed_pattern is not None:
            await check_allowed(draft.allowed_pattern, draft.value)
        author = await self._author(call)

        async def body(tx: Tx) -> Version:
            parameter = await storage.find(tx, call.scope, name)
            if parameter is not None and not overwrite:
                raise ParameterExistsError
            made = next_version(parameter.version if parameter else None, request, key_id)
            version = self._finish(made, author)
            if parameter is None:
                if await storage.count(tx, call.scope) >= MAX_PARAMETERS:
                    raise ParameterLimitError
                await storage.insert(tx, call.scope, name, version, merge_tags({}, tags))
                return version
            oldest = version_to_drop(name, await storage.versions(tx, parameter.id))
            if oldest is not None:
                await storage.drop_version(tx, parameter.id, oldest)
            await storage.add_version(tx, parameter, version)
            return version

        version = await self.kit.storage.transact(body)
        return {"Version": version.number, "Tier": version.tier}

    def _finish(self, version: Version, author: str) -> Version:
        """Set when, by whom, and what of a secret is shown to those who may not see it."""
        sealed = None
        if version.type is Type.SECURE_STRING:
            sealed = base64.b64encode(self.kit.ids.bytes(_SEAL_BYTES)).decode()
        return replace(version, sealed=sealed, modified_at=self.kit.clock.millis(), modified_by=author)

    async def _author(self, call: Call) -> str:
        """The ARN of who calls."""
        reply = await self.kit.cloud.call(
            call.scope, "sts", "GetCallerIdentity", {}, trace=call.trace, principal=call.principal
        )
        return str(reply["Arn"])

    async def get_parameter(self, call: Call, request: t.GetParameterRequestTypeDef) -> Reply:
        """A parameter: its latest version, or the one that the name selects; or a secret that it refers to."""
        if request["Name"].startswith(SECRETS):
            return {"Parameter": await referred(self.kit.cloud, call, request)}
        selector = parse_selector(request["Name"])
        decrypt = request.get("WithDecryption", False)

        async def body(tx: Tx) -> Parameter:
            return await _select(tx, call.scope, selector)

        parameter = await self.kit.storage.read(body)
        return {"Parameter": _describe(call.scope, parameter, decrypt=decrypt, selector=selector)}

    async def get_parameters(self, call: Call, request: t.GetParametersRequestTypeDef) -> Reply:
        """Up to ten parameters by their names; those that are not there are listed."""
        if any(name.startswith(SECRETS) for name in request["Names"]):
            raise _lacking("GetParameters", f"Names with {SECRETS}…")
        selectors = [parse_selector(name) for name in request["Names"]]
        decrypt = request.get("WithDecryption", False)

        async def body(tx: Tx) -> tuple[list[Reply], list[str]]:
            found, missing = {}, []
            for selector, text in zip(selectors, request["Names"], strict=True):
                try:
                    parameter = await _select(tx, call.scope, selector)
                except (ParameterNotFoundError, ParameterVersionNotFoundError):
                    missing.append(text)
                    continue
                found[text] = _describe(call.scope, parameter, decrypt=decrypt, selector=selector)
            return [found[text] for text in sorted(found)], missing

        found, missing = await self.kit.storage.read(body)
        return {"Parameters": found, "InvalidParameters": missing}

    async def get_parameters_by_path(self, call: Call, request: t.GetParametersByPathRequestTypeDef) -> Reply:
        """The parameters below a path."""
        path = check_path(request["Path"])
        recursive, decrypt = request.get("Recursive", False), request.get("WithDecryption", False)
        filters = request.get("ParameterFilters", [])
        predicates, labels = path_filters(filters), path_labels(filters)

        def keep(parameter: Parameter) -> bool:
            return is_below(parameter.name, path, recursive=recursive) and all(p(parameter) for p in predicates)

        async def body(tx: Tx) -> tuple[Sequence[Reply], str | None]:
            limit = request.get("MaxResults", 10)
            found, token = await _list(tx, call.scope, request, keep, limit)
            if labels:
                found = [each for parameter in found for each in await _labelled(tx, parameter, labels)]
            return [_describe(call.scope, each, decrypt=decrypt) for each in found], token

        found, token = await self.kit.storage.read(body)
        return {"Parameters": found, "NextToken": token}

    async def get_parameter_history(self, call: Call, request: t.GetParameterHistoryRequestTypeDef) -> Reply:
        """The versions of a parameter, oldest first."""
        name = parse_name(request["Name"])
        decrypt = request.get("WithDecryption", False)

        async def body(tx: Tx) -> tuple[Parameter, list[Version]]:
            parameter = await _parameter(tx, call.scope, name)
            return parameter, await storage.versions(tx, parameter.id)

        parameter, versions = await self.kit.storage.read(body)
        after = _after(request, int) or 0
        rest = [version for version in versions if version.number > after]
        page, more = cut_page(rest, request.get("MaxResults", 50))
        return {
            "Parameters": [
                _metadata(call.scope, parameter, version, with_arn=False)
                | {"Value": version.shown(decrypt=decrypt), "Labels": list(version.labels)}
                for version in page
            ],
            "NextToken": encode_token(page[-1].number) if more else None,
        }

    async def describe_parameters(self, call: Call, request: t.DescribeParametersRequestTypeDef) -> Reply:
        """List parameters without their values."""
        if request.get("Shared"):
            raise _lacking("DescribeParameters", "Shared")
        filters, old = request.get("ParameterFilters", []), request.get("Filters", [])
        if filters and old:
            raise InvalidRequestError("You can use either Filters or ParameterFilters in a single request.")
        predicates = old_filters(old) + describe_filters(filters)

        def keep(parameter: Parameter) -> bool:
            return all(predicate(parameter) for predicate in predicates)

        async def body(tx: Tx) -> tuple[Sequence[Parameter], str | None]:
            return await _list(tx, call.scope, request, keep, request.get("MaxResults", 10))

        found, token = await self.kit.storage.read(body)
        return {
            "Parameters": [_metadata(call.scope, each, each.version, with_arn=True) for each in found],
            "NextToken": token,
        }

    async def delete_parameter(self, call: Call, request: t.DeleteParameterRequestTypeDef) -> Reply:
        """Delete a parameter with all of its versions."""
        name = parse_name(request["Name"])

        async def body(tx: Tx) -> None:
            await storage.delete(tx, (await _parameter(tx, call.scope, name)).id)

        await self.kit.storage.transact(body)
        return {}

    async def delete_parameters(self, call: Call, request: t.DeleteParametersRequestTypeDef) -> Reply:
        """Delete up to ten parameters; those that are not there are listed."""
        names = [parse_name(name) for name in request["Names"]]

        async def body(tx: Tx) -> Reply:
            deleted, missing = [], []
            for name in names:
                parameter = await storage.find(tx, call.scope, name)
                if parameter is None:
                    missing.append(name)
                else:
                    await storage.delete(tx, parameter.id)
                    deleted.append(name)
            return {"DeletedParameters": deleted, "InvalidParameters": missing}

        return await self.kit.storage.transact(body)

    # -- labels -------------------------------------------------------------------------------------------

    async def label_parameter_version(self, call: Call, request: t.LabelParameterVersionRequestTypeDef) -> Reply:
        """Put labels on a version, taking them from any other; those that cannot be labels are listed."""
        name = parse_name(request["Name"])
        labels = [label for label in request["Labels"] if is_label(label)]

        async def body(tx: Tx) -> int:
            parameter = await _parameter(tx, call.scope, name)
            number = request.get("ParameterVersion", parameter.latest)
            versions = await storage.versions(tx, parameter.id)
            _version_of(name, versions, number)
            for version in move_labels(versions, number, labels):
                await storage.set_labels(tx, parameter.id, version)
            return number

        number = await self.kit.storage.transact(body)
        invalid = [label for label in request["Labels"] if not is_label(label)]
        return {"InvalidLabels": invalid, "ParameterVersion": number}

    async def unlabel_parameter_version(self, call: Call, request: t.UnlabelParameterVersionRequestTypeDef) -> Reply:
        """Take labels off a version; those that it does not have are listed."""
        name, labels = parse_name(request["Name"]), request["Labels"]

        async def body(tx: Tx) -> Reply:
            parameter = await _parameter(tx, call.scope, name)
            versions = await storage.versions(tx, parameter.id)
            version = _version_of(name, versions, request["ParameterVersion"])
            kept = [label for label in version.labels if label not in labels]
            await storage.set_labels(tx, parameter.id, replace(version, labels=kept))
            return {
                "RemovedLabels": [label for label in labels if label in version.labels],
                "InvalidLabels": [label for label in labels if label not in version.labels],
            }

        return await self.kit.storage.transact(body)

    # -- tags ---------------------------------------------------------------------------------------------

    async def add_tags_to_resource(self, call: Call, request: t.AddTagsToResourceRequestTypeDef) -> Reply:
        """Add or replace tags of a parameter."""
        await self._change_tags(call, request, lambda tags: merge_tags(tags, request["Tags"]))
        return {}

    async def remove_tags_from_resource(self, call: Call, request: t.RemoveTagsFromResourceRequestTypeDef) -> Reply:
        """Remove tags of a parameter."""
        keys = set(request["TagKeys"])
        await self._change_tags(
            call, request, lambda tags: {key: value for key, value in tags.items() if key not in keys}
        )
        return {}

    async def list_tags_for_resource(self, call: Call, request: t.ListTagsForResourceRequestTypeDef) -> Reply:
        """The tags of a parameter."""
        name = _tagged(request)

        async def body(tx: Tx) -> Mapping[str, str]:
            return (await _tagged_parameter(tx, call.scope, name)).tags

        tags = await self.kit.storage.read(body)
        return {"TagList": [{"Key": key, "Value": value} for key, value in tags.items()]}

    async def _change_tags(
        self, call: Call, request: Mapping[str, Any], change: Callable[[Mapping[str, str]], dict[str, str]]
    ) -> None:
        name = _tagged(request)

        async def body(tx: Tx) -> None:
            parameter = await _tagged_parameter(tx, call.scope, name)
            await storage.set_tags(tx, parameter.id, change(parameter.tags))

        await self.kit.storage.transact(body)

    async def _find(self, scope: Scope, name: str) -> Parameter | None:
        async def body(tx: Tx) -> Parameter | None:
            return await storage.find(tx, scope, name)

        return await self.kit.storage.read(body)


async def _parameter(tx: Tx, scope: Scope, name: str) -> Parameter:
    """The parameter of a name. An ARN does not tell whether the name begins with a slash: the other is tried
    too.
    """
    parameter = await storage.find(tx, scope, name)
    if parameter is None and name.startswith("/") and name.count("/") == 1:
        parameter = await storage.find(tx, scope, name[1:])
    if parameter is None:
        raise ParameterNotFoundError
    return parameter


async def _select(tx: Tx, scope: Scope, selector: Selector) -> Parameter:
    parameter = await _parameter(tx, scope, selector.name)
    if not selector.text:
        return parameter
    versions = await storage.versions(tx, parameter.id)
    if selector.version is not None:
        return replace(parameter, version=_version_of(parameter.name, versions, selector.version))
    for version in versions:
        if selector.label in version.labels:
            return replace(parameter, version=version)
    raise ParameterVersionNotFoundError(
        f"Systems Manager could not find version {selector.label} of {parameter.name}. "
        "Verify the version and try again."
    )


def _version_of(name: str, versions: Sequence[Version], number: int) -> Version:
    for version in versions:
        if version.number == number:
            return version
    raise ParameterVersionNotFoundError(
        f"Systems Manager could not find version {number} of {name}. Verify the version and try again."
    )


async def _labelled(tx: Tx, parameter: Parameter, labels: Sequence[str]) -> list[Parameter]:
    versions = await storage.versions(tx, parameter.id)
    return [replace(parameter, version=version) for version in versions if set(labels) & set(version.labels)]


async def _list(
    tx: Tx, scope: Scope, request: Mapping[str, Any], keep: Callable[[Parameter], bool], limit: int
) -> tuple[list[Parameter], str | None]:
    """A page of the parameters that `keep` wants, and the token of the next."""
    after = _after(request, str) or ""
    found: list[Parameter] = []
    while len(found) <= limit:
        rows = await storage.list_after(tx, scope, after, _SCAN)
        found += filter(keep, rows)
        if len(rows) < _SCAN:
            break
        after = rows[-1].name
    page, more = cut_page(found, limit)
    return list(page), encode_token(page[-1].name) if more else None


def _after(request: Mapping[str, Any], kind: type[T]) -> T | None:
    token = request.get("NextToken")
    if not token:
        return None
    try:
        return decode_token(token, kind)
    except InvalidTokenError:
        raise InvalidNextTokenError from None


def _describe(scope: Scope, parameter: Parameter, *, decrypt: bool, selector: Selector | None = None) -> Reply:
    version = parameter.version
    return {
        "Name": parameter.name,
        "Type": version.type,
        "Value": version.shown(decrypt=decrypt),
        "Version": version.number,
        "Selector": selector.text or None if selector else None,
        "LastModifiedDate": version.modified_at / 1000,
        "ARN": arn_of(scope, parameter.name),
        "DataType": version.data_type,
    }


def _metadata(scope: Scope, parameter: Parameter, version: Version, *, with_arn: bool) -> Reply:
    return {
        "Name": parameter.name,
        "ARN": arn_of(scope, parameter.name) if with_arn else None,
        "Type": version.type,
        "KeyId": version.key_id,
        "LastModifiedDate": version.modified_at / 1000,
        "LastModifiedUser": version.modified_by,
        "Description": version.description,
        "AllowedPattern": version.allowed_pattern,
        "Version": version.number,
        "Tier": version.tier,
        "Policies": [],
        "DataType": version.data_type,
    }


def _key(request: t.PutParameterRequestTypeDef) -> str | None:
    """The key of a SecureString: the account's default one. Others would be KMS's, which Fogbank does not
    have.
    """
    key = request.get("KeyId")
    if key is not None and key != DEFAULT_KEY and request.get("Type", Type.SECURE_STRING) == Type.SECURE_STRING:
        raise NotImplementedByFogbank(
            f"Fogbank does not implement KMS keys yet; a SecureString has the key {DEFAULT_KEY}, got {key!r}"
        )
    return key


def _check_left_out(request: t.PutParameterRequestTypeDef) -> None:
    if request.get("Policies", "[]").strip() not in ("[]", "{}"):
        raise _lacking("PutParameter", "Policies")
    data_type = request.get("DataType", "text")
    if data_type in ("", "text"):
        return
    if data_type in _DATA_TYPES:
        raise NotImplementedByFogbank(f"Fogbank does not implement the data type {data_type} yet, only text")
    raise InvalidRequestError(
        f"The following data type is not supported: {data_type} (Data type names are all lowercase.)"
    )


_DATA_TYPES = frozenset(
    {
        "aws:account:id",
        "aws:ec2:image",
        "aws:region",
        "aws:ssm:integration",
        "binary",
        "boolean",
        "email",
        "float",
        "hostname",
        "integer",
        "ipv4-address",
        "ipv6-address",
        "json",
        "jsonc",
        "url",
    }
)


def _lacking(operation: str, parameter: str) -> NotImplementedByFogbank:
    return NotImplementedByFogbank(f"Fogbank does not implement the parameter {parameter} of ssm.{operation} yet")


def _tagged(request: Mapping[str, Any]) -> str:
    kind = request["ResourceType"]
    if kind != "Parameter":
        raise NotImplementedByFogbank(f"Fogbank does not implement the tags of {kind} resources yet")
    return str(request["ResourceId"])


async def _tagged_parameter(tx: Tx, scope: Scope, name: str) -> Parameter:
    parameter = await storage.find(tx, scope, name)
    if parameter is None:
        raise InvalidResourceIdError
    return parameter
