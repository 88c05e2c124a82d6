"""Public methods say what they do; those that override take their text from what they override."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tests.tidy.source import ROOT, Finding, check, place

import fogbank

pytestmark = pytest.mark.xdist_group("tidy")  # one worker, so that every file is parsed once

GUEST = "fogbank.runtime.guest"
"""Runs in the functions' processes, with their imports."""
PARSER_EVENTS = {
    "on_body",
    "on_header",
    "on_headers_complete",
    "on_message_begin",
    "on_message_complete",
    "on_url",
}
"""What httptools calls; its own documentation says when."""


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(fogbank.__path__, "fogbank."):
        if not found.name.startswith(GUEST) and not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def protocol_members() -> set[str]:
    """The documented members of protocols: who implements one has its text there."""
    return {
        member
        for module in modules()
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if getattr(kind, "_is_protocol", False) and kind.__module__.startswith("fogbank.")
        for member, value in vars(kind).items()
        if inspect.isfunction(value) and value.__doc__
    }


def test_public_methods_are_documented() -> None:
    """Each says what it does, or is described where it is declared: by a base class or a protocol."""
    declared = PARSER_EVENTS | protocol_members()
    findings: list[Finding] = []
    for module in modules():
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ != module.__name__ or name.startswith("_"):
                continue
            for member, value in vars(kind).items():
                if member.startswith("_") or member in declared or not inspect.isfunction(value):
                    continue
                if inspect.getdoc(getattr(kind, member)) is None:
                    path = place(ROOT / Path(str(module.__file__)).relative_to(ROOT))
                    findings.append((path, value.__code__.co_firstlineno, f"{name}.{member}"))
    check("undocumented methods", findings)
