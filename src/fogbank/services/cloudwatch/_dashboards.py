"""What a dashboard's body may be. Pure.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from fogbank.services.cloudwatch.errors import DashboardInvalidError

MAX_BODY = 1024 * 1024
MAX_WIDGETS = 500
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TYPES = frozenset({"metric", "text", "log", "alarm", "explorer", "custom"})
_SIZES = {"x": (0, 23), "y": (0, 100_000), "width": (1, 24), "height": (1, 1000)}
_NEEDS = {"metric": (), "text": ("markdown",), "log": ("query",), "alarm": ("alarms",), "custom": ("endpoint",)}

Problem = tuple[str, str]
"""(data path, message)."""


def check_name(name: str) -> None:
    """A dashboard's name."""
    if not _NAME.fullmatch(name):
        raise _invalid([("/", f"The value {name} for field DashboardName contains invalid characters.")])


def check_body(body: str) -> None:
    """A dashboard's body; `DashboardInvalidError` tells all that is wrong in it."""
    if len(body.encode()) > MAX_BODY:
        raise _invalid([("/", "The dashboard body must be at most 1 MB.")])
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        text = "The field DashboardBody must be a valid JSON object"
        raise DashboardInvalidError(text, dashboardValidationMessages=[{"DataPath": "/", "Message": text}])
    problems = list(_problems(document))
    if problems:
        raise _invalid(problems)


def _invalid(problems: list[Problem]) -> DashboardInvalidError:
    messages = [{"DataPath": path, "Message": text} for path, text in problems]
    shown = json.dumps([{"dataPath": path, "message": text} for path, text in problems], indent=2)
    return DashboardInvalidError(
        f"The dashboard body is invalid, there are {len(problems)} validation errors: {shown}",
        dashboardValidationMessages=messages,
    )


def _problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    widgets = document.get("widgets")
    if not isinstance(widgets, list):
        yield "/", "The dashboard body should have required property 'widgets', an array"
        return
    if len(widgets) > MAX_WIDGETS:
        yield "/widgets", f"Should not have more than {MAX_WIDGETS} items"
    for number, widget in enumerate(widgets):
        path = f"/widgets/{number}"
        if not isinstance(widget, dict):
            yield path, "Should be object"
            continue
        yield from _widget_problems(path, widget)


def _widget_problems(path: str, widget: Mapping[str, Any]) -> Iterator[Problem]:
    kind = widget.get("type")
    if kind is None:
        yield path, "Should have required property 'type'"
    elif kind not in _TYPES:
        yield f"{path}/type", "Should be equal to one of the allowed values"
    for name, (least, most) in _SIZES.items():
        value = widget.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most):
            yield f"{path}/{name}", f"Should be an integer from {least} to {most}"
    properties = widget.get("properties")
    if not isinstance(properties, dict):
        yield path, "Should have required property 'properties', an object"
        return
    for name in _NEEDS.get(str(kind), ()):
        if name not in properties:
            yield f"{path}/properties", f"Should have required property '{name}'"
    if kind == "metric" and "metrics" not in properties and "annotations" not in properties:
        yield f"{path}/properties", "Should match exactly one schema in oneOf: metrics, or annotations with alarms"
    if kind == "metric" and "metrics" in properties and not isinstance(properties["metrics"], list):
        yield f"{path}/properties/metrics", "Should be array"
