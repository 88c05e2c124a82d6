"""The layers of a function: looked up, checked, and noted in its configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fogbank.core.scope import Scope
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._rules import MAX_LAYERS
from fogbank.services.lambda_.errors import InvalidParameterValueError
from fogbank.storage import Tx

_ARN = re.compile(r"arn:[^:]+:lambda:([^:]+):(\d{12}):layer:([a-zA-Z0-9-_]+)(?::(\d+))?")


def parse_layer(text: str) -> tuple[Scope, str, int | None]:
    """The scope, name and number of a layer's ARN, with or without the version."""
    match = _ARN.fullmatch(text)
    if match is None:
        raise InvalidParameterValueError(f"Layer version {text} does not exist.")
    region, account, name, number = match.groups()
    return Scope(account, region), name, int(number) if number else None


async def layer_settings(tx: Tx, scope: Scope, arns: Sequence[str] | None) -> dict[str, Any]:
    """The settings that name a function's layers: what clients see, and the digests that are unpacked."""
    if arns is None:
        return {}
    if not arns:
        return {"Layers": None, "LayerDigests": None}
    if len(arns) > MAX_LAYERS:
        raise InvalidParameterValueError(f"Cannot reference more than {MAX_LAYERS} layers.")
    shown: list[dict[str, Any]] = []
    digests: list[str] = []
    seen: set[str] = set()
    for arn in arns:
        owner, name, number = parse_layer(arn)
        if owner.region != scope.region:
            raise InvalidParameterValueError(
                "Layers are not in the same region as the function. "
                f"Layers are expected to be in region {scope.region}."
            )
        layer = await rows.find_layer(tx, owner, name, number or 0)
        if layer is None:
            raise InvalidParameterValueError(f"Layer version {arn} does not exist.")
        if layer.arn in seen:
            raise InvalidParameterValueError(
                "Two different versions of the same layer are not allowed to be referenced in the same function. "
                f"{next(item['Arn'] for item in shown if item['Arn'].startswith(layer.arn + ':'))} and {arn} "
                "are versions of the same layer."
            )
        seen.add(layer.arn)
        shown.append({"Arn": layer.version_arn, "CodeSize": layer.code.size})
        digests.append(layer.code.digest)
    return {"Layers": shown, "LayerDigests": digests}
