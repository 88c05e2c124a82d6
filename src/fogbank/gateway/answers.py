"""The form of the answers of the server's own paths: JSON documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.core.http import HttpResponse


def answer(status: int, document: Mapping[str, Any]) -> HttpResponse:
    """A JSON document."""
    return HttpResponse(status, (("content-type", "application/json"),), msgspec.json.encode(document))


def problem(status: int, message: str) -> HttpResponse:
    """What is wrong with a request to one of the server's own paths."""
    return answer(status, {"message": message})
