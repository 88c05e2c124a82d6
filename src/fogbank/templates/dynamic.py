"""Dynamic references: `{{resolve:ssm:name:version}}`, `{{resolve:secretsmanager:id:SecretString:key:stage:version}}`.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from fogbank.core.call import Cloud
from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope
from fogbank.templates.errors import TemplateError, UnsupportedError
from fogbank.templates.objects import PRINCIPAL

_DYNAMIC = re.compile(r"\{\{resolve:([a-z-]+):([^{}]*)\}\}")
_ARN_COLONS = 6


async def with_dynamic_references(cloud: Cloud, scope: Scope, value: Any) -> Any:
    """A value with every reference in it resolved, all the way down."""
    if isinstance(value, dict):
        return {key: await with_dynamic_references(cloud, scope, child) for key, child in value.items()}
    if isinstance(value, list):
        return [await with_dynamic_references(cloud, scope, child) for child in value]
    if not isinstance(value, str) or "{{resolve:" not in value:
        return value
    for match in list(_DYNAMIC.finditer(value)):
        value = value.replace(match[0], await _resolve(cloud, scope, match[1], match[2]))
    return value


async def _resolve(cloud: Cloud, scope: Scope, service: str, reference: str) -> str:
    match service:
        case "ssm":
            return await _parameter(cloud, scope, reference)
        case "secretsmanager":
            return await _secret(cloud, scope, reference)
    raise UnsupportedError(f"Fogbank does not implement dynamic references to {service} ({{{{resolve:{service}}}}})")


async def _parameter(cloud: Cloud, scope: Scope, reference: str) -> str:
    name = reference
    head, found, version = reference.rpartition(":")
    if found and version.isdigit():
        name = f"{head}:{version}"
    try:
        reply = await cloud.call(scope, "ssm", "GetParameter", {"Name": name}, principal=PRINCIPAL)
    except ApiError as error:
        raise TemplateError(
            f"Parameters: [ssm:{name}] cannot be found." if "NotFound" in error.code else error.message
        ) from error
    parameter = reply["Parameter"]
    if parameter.get("Type") == "SecureString":
        raise TemplateError(f"SSM Secure reference is not supported in: [{name}]")
    text: str = parameter["Value"]
    return text


async def _secret(cloud: Cloud, scope: Scope, reference: str) -> str:
    """The whole value of a secret, or one member of the JSON that it holds."""
    parts = reference.split(":")
    if reference.startswith("arn:"):
        parts = [":".join(parts[: _ARN_COLONS + 1]), *parts[_ARN_COLONS + 1 :]]
    name, kind, key, stage, version = (*parts, "", "", "", "")[:5]
    if not name or len(parts) > 5 or kind not in ("", "SecretString") or (stage and version):
        raise TemplateError(f"Incorrect format is used in the following SSM/Secrets Manager reference: [{reference}]")
    request = {"SecretId": name, "VersionStage": stage, "VersionId": version}
    try:
        reply = await cloud.call(
            scope,
            "secretsmanager",
            "GetSecretValue",
            {member: value for member, value in request.items() if value},
            principal=PRINCIPAL,
        )
    except ApiError as error:
        raise TemplateError(error.message) from error
    text = reply.get("SecretString")
    if text is None:
        raise TemplateError(f"Secrets Manager can't find a SecretString in the secret [{name}]")
    return _member(text, key) if key else str(text)


def _member(text: str, key: str) -> str:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise TemplateError("Could not parse SecretString JSON") from None
    if not isinstance(document, dict) or key not in document:
        raise TemplateError(f"Could not find a value associated with JSONKey in SecretString: [{key}]")
    value = document[key]
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
