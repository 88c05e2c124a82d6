"""What the loader asks of every kind of field: its type, its bounds, its paths and expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fogbank.services.states._language.definition import Catcher, Problem, Retrier, State
from fogbank.services.states._language.paths import INPUT, InvalidPathError, Path, parse_path
from fogbank.services.states._language.templates import (
    Query,
    Template,
    TemplateError,
    compile_dynamic,
    compile_query,
    compile_template,
)

Json = Any
SCHEMA = "SCHEMA_VALIDATION_FAILED"
TRANSITION = "MISSING_TRANSITION_TARGET"
MAX_SECONDS = 99_999_999


_RETRY = frozenset(
    {"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy", "Comment"}
)
_CATCH_JSONPATH = frozenset({"ErrorEquals", "Next", "ResultPath", "Assign", "Comment"})
_CATCH_JSONATA = frozenset({"ErrorEquals", "Next", "Output", "Assign", "Comment"})
_ERRORS = frozenset(
    f"States.{name}"
    for name in (
        "ALL",
        "BranchFailed",
        "DataLimitExceeded",
        "ExceedToleratedFailureThreshold",
        "HeartbeatTimeout",
        "Http.Socket",
        "IntrinsicFailure",
        "ItemReaderFailed",
        "NoChoiceMatched",
        "ParameterPathFailure",
        "Permissions",
        "QueryEvaluationError",
        "ResultPathMatchFailure",
        "ResultWriterFailed",
        "Runtime",
        "TaskFailed",
        "Timeout",
    )
)

_STATUS = re.compile(r"States\.Http\.StatusCode\.[1-5]\d\d")
"""Errors of HTTP tasks."""


class Checks:
    """Collects what is wrong with a definition, and reads the fields that many states have."""

    def __init__(self, *, express: bool, known: Callable[[str, str], bool]) -> None:
        self.express = express
        self.known = known
        self.problems: list[Problem] = []
        self.names: set[str] = set()
        self.labels: set[str] = set()
        self.depth = 0

    def wrong(self, message: str, location: str, code: str = SCHEMA) -> None:
        """Note a problem."""
        self.problems.append(Problem(code, message, location or "/"))

    def one_of(self, value: Json, location: str, *names: str) -> None:
        """Refuse a value that is none of these."""
        if not isinstance(value, str) or value not in names:
            self.wrong(f"Value is not one of [{', '.join(names)}]", location)

    def data_path(self, document: Mapping[str, Json], name: str, at: str) -> tuple[Path | None, bool]:
        """A path that may be null: the path, and whether it is null."""
        if name not in document:
            return None, False
        if document[name] is None:
            return None, True
        return self.path(document[name], f"{at}/{name}"), False

    def place(self, document: Mapping[str, Json], at: str) -> tuple[Path | None, bool]:
        """A ResultPath: the reference path, or that the result is dropped."""
        found, dropped = self.data_path(document, "ResultPath", at)
        if found is not None and (not found.is_reference or found.root != INPUT):
            self.wrong("Value is not a Reference Path", f"{at}/ResultPath")
        return (None if found is None or not found.steps else found), dropped

    def path(self, text: Json, at: str) -> Path | None:
        """A JSONPath."""
        if isinstance(text, str):
            try:
                return parse_path(text)
            except InvalidPathError:
                pass
        self.wrong("Value is not a valid JSONPath", at)
        return None

    def template(self, document: Mapping[str, Json], name: str, at: str) -> Template | None:
        """A payload template."""
        try:
            return compile_template(document[name])
        except TemplateError as error:
            self.wrong(error.message, f"{at}/{name}{error.location}")
            return None

    def query(
        self, document: Mapping[str, Json], name: str, at: str, *expected: str, label: str | None = None
    ) -> Query | None:
        """A JSONata expression or a template of them; `expected` are the types of its value."""
        try:
            return compile_query(document[name], label or name, expected)
        except TemplateError as error:
            self.wrong(error.message, f"{at}/{error.location}")
            return None

    def dynamic(self, document: Mapping[str, Json], name: str, at: str) -> Template | None:
        """A path or an intrinsic function."""
        try:
            return compile_dynamic(document[name], name)
        except TemplateError as error:
            self.wrong(error.message, f"{at}/{name}")
            return None

    def assignment(self, document: Mapping[str, Json], at: str, *, jsonata: bool) -> Template | Query | None:
        """Assign: variables by name."""
        value = document["Assign"]
        if not isinstance(value, dict):
            self.wrong("Expected value of type Object", f"{at}/Assign")
            return None
        for name in value:
            plain = name if jsonata else name.removesuffix(".$")
            if re.fullmatch(r"[^\W\d]\w{0,79}", plain) is None or plain == "states":
                self.wrong(f"Variable name '{plain}' is invalid", f"{at}/Assign/{name}")
        return self.query(document, "Assign", at) if jsonata else self.template(document, "Assign", at)

    def integer(
        self, document: Mapping[str, Json], name: str, at: str, *, least: int = 0, most: int = MAX_SECONDS
    ) -> int | None:
        """A whole number within bounds."""
        value = document[name]
        if not isinstance(value, int) or isinstance(value, bool):
            self.wrong("Expected value of type Integer", f"{at}/{name}")
            return None
        if not least <= value <= most:
            self.wrong(f"Value must be between {least} and {most}", f"{at}/{name}")
        return value

    def number(self, document: Mapping[str, Json], name: str, at: str, *, least: float, most: float) -> float | None:
        """A number within bounds."""
        value = document[name]
        if not isinstance(value, int | float) or isinstance(value, bool):
            self.wrong("Expected value of type Number", f"{at}/{name}")
            return None
        if not least <= value <= most:
            self.wrong(f"Value must be between {least:g} and {most:g}", f"{at}/{name}")
        return float(value)

    def exclusive(self, document: Mapping[str, Json], at: str, *names: str) -> list[str]:
        """Which of some fields are given: at most one."""
        given = [name for name in names if name in document]
        if len(given) > 1:
            self.wrong(f"You cannot specify more than one of the following fields: [{', '.join(given)}]", at)
        return given

    def errors(self, document: Mapping[str, Json], at: str, *, last: bool) -> tuple[str, ...]:
        """ErrorEquals of a Retrier or Catcher."""
        names = document.get("ErrorEquals")
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            self.wrong("The field 'ErrorEquals' must be a non-empty array of strings", f"{at}/ErrorEquals")
            return ()
        if "States.ALL" in names and (len(names) > 1 or not last):
            self.wrong("'States.ALL' must appear alone and in the last Retrier or Catcher", f"{at}/ErrorEquals")
        for name in names:
            if name.startswith("States.") and name not in _ERRORS and not _STATUS.fullmatch(name):
                self.wrong(f"Unknown error name: {name}", f"{at}/ErrorEquals")
        return tuple(names)

    def entries(self, value: Json, at: str) -> Iterable[tuple[int, dict[str, Json]]]:
        """The objects of an array, with their positions."""
        if not isinstance(value, list):
            self.wrong("Expected value of type Array", at)
            return
        for index, entry in enumerate(value):
            if isinstance(entry, dict):
                yield index, entry
            else:
                self.wrong("Expected value of type Object", f"{at}[{index}]")

    def retriers(self, value: Json, at: str) -> Iterable[Retrier]:
        """Retry."""
        for index, entry in self.entries(value, at):
            place = f"{at}[{index}]"
            errors = self.errors(entry, place, last=index == len(value) - 1)
            for name in entry.keys() - _RETRY:
                self.wrong(f"Field '{name}' is not supported", place)
            interval = self.integer(entry, "IntervalSeconds", place, least=1) if "IntervalSeconds" in entry else 1
            attempts = self.integer(entry, "MaxAttempts", place) if "MaxAttempts" in entry else 3
            rate = self.number(entry, "BackoffRate", place, least=1, most=1e9) if "BackoffRate" in entry else 2.0
            ceiling = None
            if "MaxDelaySeconds" in entry:
                ceiling = self.integer(entry, "MaxDelaySeconds", place, least=1, most=31_622_400)
                if ceiling is not None and ceiling <= (interval or 1):
                    self.wrong("MaxDelaySeconds must be greater than IntervalSeconds", f"{place}/MaxDelaySeconds")
            jitter = entry.get("JitterStrategy", "NONE")
            self.one_of(jitter, f"{place}/JitterStrategy", "NONE", "FULL")
            yield Retrier(
                errors, interval or 1, 3 if attempts is None else attempts, rate or 2.0, ceiling, jitter == "FULL"
            )

    def catchers(self, state: State, value: Json, at: str) -> Iterable[Catcher]:
        """Catch."""
        allowed = _CATCH_JSONATA if state.jsonata else _CATCH_JSONPATH
        for index, entry in self.entries(value, at):
            place = f"{at}[{index}]"
            errors = self.errors(entry, place, last=index == len(value) - 1)
            for name in entry.keys() - allowed:
                self.wrong(f"Field '{name}' is not supported", place)
            target = entry.get("Next")
            if not isinstance(target, str):
                self.wrong("The field 'Next' is required but was missing", place)
                continue
            result_path, dropped = (None, False) if state.jsonata else self.place(entry, place)
            output = None
            if state.jsonata and "Output" in entry:
                output = self.query(entry, "Output", place, label=f"Catch[{index}]/Output")
            assign = self.assignment(entry, place, jsonata=state.jsonata) if "Assign" in entry else None
            yield Catcher(errors, target, result_path, dropped, output, assign)
