"""Parameters that stand for secrets: `/aws/reference/secretsmanager/NAME` is read from Secrets Manager.

Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/integration-ps-secretsmanager.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from fogbank.core.call import Call, Cloud, Reply
from fogbank.core.errors import ApiError
from fogbank.services.ssm.errors import InvalidRequestError, ParameterNotFoundError

SECRETS = "/aws/reference/secretsmanager/"


async def referred(cloud: Cloud, call: Call, request: Mapping[str, Any]) -> Reply:
    """The parameter that a secret looks like; a label after a colon is a staging label or the id of a version."""
    if not request.get("WithDecryption"):
        raise InvalidRequestError("WithDecryption flag must be True for retrieving a Secret Manager secret.")
    name: str = request["Name"]
    secret, _, label = name.removeprefix(SECRETS).partition(":")
    wanted = {"VersionId" if len(label) >= 32 else "VersionStage": label} if label else {}
    try:
        reply = await cloud.call(
            call.scope,
            "secretsmanager",
            "GetSecretValue",
            {"SecretId": secret, **wanted},
            trace=call.trace,
            principal=call.principal,
        )
    except ApiError as error:
        if error.code == "ResourceNotFoundException":
            raise ParameterNotFoundError from None
        raise
    binary = reply.pop("SecretBinary", None)
    if binary is not None:
        reply["SecretBinary"] = base64.b64encode(binary).decode()
    return {
        "Name": name,
        "Type": "SecureString",
        "Value": reply.get("SecretString", reply.get("SecretBinary")),
        "Version": 0,
        "SourceResult": json.dumps(reply),
        "LastModifiedDate": reply["CreatedDate"],
        "ARN": reply["ARN"],
    }
