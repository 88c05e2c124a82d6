"""Reads a definition: its text becomes a `Program`, or a list of all that is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fogbank.services.states._language import _rules
from fogbank.services.states._language.choice import compile_rule, timestamp_of
from fogbank.services.states._language.definition import Catcher, Kind, Problem, Program, Retrier, Rule, State
from fogbank.services.states._language.intrinsics import InvalidIntrinsicError, parse_intrinsic
from fogbank.services.states._language.jsonata import JsonataSyntaxError, expression_text, parse_expression
from fogbank.services.states._language.paths import CONTEXT, INPUT, InvalidPathError, Path, parse_path
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
MAX_NAME = 80
MAX_DEFINITION = 1_048_576
MAX_SECONDS = 99_999_999
MAX_DEPTH = 60
_TOKEN = re.compile(r"[\w$]+")
_LABEL = re.compile(r"[^\s?*<>{}\[\]\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]*")
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/.+")
_LAMBDA = re.compile(r"arn:aws[\w-]*:lambda:[\w-]+:[\w-]+:function:[\w$:-]+")
_ACTIVITY = re.compile(r"arn:aws[\w-]*:states:[\w-]+:\d{12}:activity:.+")
_STATES = re.compile(r"arn:aws[\w-]*:states:[\w-]*:\d{0,12}:([\w-]+):([\w:.\-]+)")
_SDK = re.compile(r"([\w-]+):([a-z]\w*)(\.waitForTaskToken)?")


class InvalidDefinitionError(ValueError):
    """All problems of a definition that is no program."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(", ".join(map(str, problems)))
        self.problems = problems


def load(text: str, *, express: bool = False, known: Callable[[str, str], bool] = lambda _s, _o: True) -> Program:
    """The program of a definition; `InvalidDefinitionError` has all of its problems.

    `known(service, operation)` says whether an SDK integration names an operation that exists.
    """
    document = parse_document(text)
    loader = _Loader(express=express, known=known)
    program = loader.machine(document, "", jsonata=False, top=True)
    if loader.problems:
        raise InvalidDefinitionError(loader.problems)
    return program


def load_state(document: Json, *, name: str, jsonata: bool = False) -> State:
    """One state on its own (`TestState`): where it leads is not checked."""
    loader = _Loader(express=False, known=lambda _s, _o: True)
    state = loader.state(name, document, "", jsonata=jsonata)
    if loader.problems or state is None:
        raise InvalidDefinitionError(loader.problems)
    return state


def parse_document(text: str) -> dict[str, Json]:
    """The JSON object of a definition's text."""
    if not text.strip():
        raise InvalidDefinitionError([Problem(SCHEMA, "Definition must be a valid JSON object")])
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidDefinitionError([_not_json(text, error)]) from None
    except RecursionError:
        raise InvalidDefinitionError([Problem(SCHEMA, "Definition is nested too deeply")]) from None
    if not isinstance(document, dict):
        raise InvalidDefinitionError([Problem(SCHEMA, "Definition must be a valid JSON object")])
    return document


def _not_json(text: str, error: json.JSONDecodeError) -> Problem:
    token = _TOKEN.match(text, error.pos)
    if token is not None:
        column, what = error.colno + len(token[0]), f"Unrecognized token '{token[0]}'"
        what += ": was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
    else:
        column, what = error.colno, f"Unexpected character or end-of-input: {error.msg}"
    place = f'[Source: (String)"{text[:500]}"; line: {error.lineno}, column: {column}]'
    return Problem("INVALID_JSON_DESCRIPTION", f"{what}\n at {place}", place)


class _Loader:
    def __init__(self, *, express: bool, known: Callable[[str, str], bool]) -> None:
        self.express = express
        self.known = known
        self.problems: list[Problem] = []
        self.names: set[str] = set()
        self.depth = 0

    def wrong(self, message: str, location: str, code: str = SCHEMA) -> None:
        self.problems.append(Problem(code, message, location or "/"))

    # -- machines

    def machine(self, document: Mapping[str, Json], at: str, *, jsonata: bool, top: bool = False) -> Program:
        program = Program(document.get("StartAt", ""), {})
        missing = [name for name in ("States", "StartAt") if name not in document]
        if missing:
            self.wrong(f"These fields are required: [{', '.join(missing)}]", at)
        language = document.get("QueryLanguage", "JSONata" if jsonata else "JSONPath")
        if language not in {"JSONata", "JSONPath"}:
            self.wrong("Value is not one of [JSONPath, JSONata]", f"{at}/QueryLanguage")
        jsonata = language == "JSONata"
        if top and "Version" in document and document["Version"] != "1.0":
            self.wrong("Version must be 1.0", f"{at}/Version")
        if "TimeoutSeconds" in document:
            program.timeout = self.integer(document, "TimeoutSeconds", at, least=1)
        states = document.get("States")
        if "States" in document and (not isinstance(states, dict) or not states):
            self.wrong("The field 'States' must be a non-empty object", f"{at}/States")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.wrong("Definition is nested too deeply", at)
        elif isinstance(states, dict):
            self.states(program, states, at, jsonata=jsonata)
        self.depth -= 1
        return program

    def states(self, program: Program, states: dict[str, Json], at: str, *, jsonata: bool) -> None:
        for name, document in states.items():
            place = f"{at}/States/{name}"
            if len(name) > MAX_NAME:
                self.wrong(f"State name must be no longer than {MAX_NAME} characters", place)
            if name in self.names:
                self.wrong(f"Duplicate State name: {name}", place, "DUPLICATE_STATE_NAME")
            self.names.add(name)
            state = self.state(name, document, place, jsonata=jsonata)
            if state is not None:
                program.states[name] = state
        if program.start and program.start not in states:
            self.wrong(f"Missing 'Next' target: {program.start}", f"{at}/StartAt", TRANSITION)
        if len(program.states) == len(states):
            self.transitions(program, at)

    def transitions(self, program: Program, at: str) -> None:
        reached: set[str] = set()
        waiting = [program.start] if program.start in program.states else []
        while waiting:
            name = waiting.pop()
            if name in reached:
                continue
            reached.add(name)
            for target, place in _targets(program.states[name]):
                if target in program.states:
                    waiting.append(target)
                else:
                    self.wrong(f"Missing 'Next' target: {target}", f"{at}/States/{name}{place}", TRANSITION)
        for name in program.states:
            if name not in reached:
                self.wrong(f'State "{name}" is not reachable.', f"{at}/States/{name}", TRANSITION)

    # -- states

    def state(self, name: str, document: Json, at: str, *, jsonata: bool) -> State | None:
        if not isinstance(document, dict):
            self.wrong("Expected value of type Object", at)
            return None
        kinds = [kind.value for kind in Kind]
        if "Type" not in document:
            self.wrong("These fields are required: [Type]", at)
            return None
        if document["Type"] not in kinds:
            self.wrong(f"Value is not one of [{', '.join(kinds)}]", f"{at}/Type")
            return None
        kind = Kind(document["Type"])
        language = document.get("QueryLanguage", "JSONata" if jsonata else "JSONPath")
        if language not in {"JSONata", "JSONPath"}:
            self.wrong("Value is not one of [JSONPath, JSONata]", f"{at}/QueryLanguage")
        elif jsonata and language == "JSONPath":
            self.wrong("'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine", at)
        jsonata = language == "JSONata"
        self.fields(kind, document, at, jsonata=jsonata)
        state = State(name, kind, jsonata, document=document)
        if kind in _rules.TRANSITIONS:
            self.flow(state, document, at)
        self.data(state, document, at)
        if "Retry" in document and kind in {Kind.TASK, Kind.PARALLEL, Kind.MAP}:
            state.retry = tuple(self.retriers(document["Retry"], f"{at}/Retry"))
        if "Catch" in document and kind in {Kind.TASK, Kind.PARALLEL, Kind.MAP}:
            state.catch = tuple(self.catchers(state, document["Catch"], f"{at}/Catch"))
        _READERS[kind](self, state, document, at)
        return state

    def fields(self, kind: Kind, document: Mapping[str, Json], at: str, *, jsonata: bool) -> None:
        mine, other = (_rules.JSONATA, _rules.JSONPATH) if jsonata else (_rules.JSONPATH, _rules.JSONATA)
        for name in document:
            if name in mine[kind] or name in _rules.ANY:
                continue
            if name in other[kind]:
                wrong, right = ("JSONPath", "JSONata") if jsonata else ("JSONata", "JSONPath")
                self.wrong(
                    f'The {wrong} field \'{name}\' is only supported when the QueryLanguage is set to "{wrong}", not "{right}"',
                    f"{at}/{name}",
                )
            else:
                self.wrong(f"Field '{name}' is not supported", f"{at}/{name}")

    def flow(self, state: State, document: Mapping[str, Json], at: str) -> None:
        ends = document.get("End")
        if "End" in document and not isinstance(ends, bool):
            self.wrong("Expected value of type Boolean", f"{at}/End")
        following = document.get("Next")
        if following is not None and not isinstance(following, str):
            self.wrong("Expected value of type String", f"{at}/Next")
            following = None
        if ends and "Next" in document:
            self.wrong("Only one of 'Next' or 'End' may be specified", at)
        elif not ends and "Next" not in document:
            self.wrong("Must specify either 'Next' or 'End'", at)
        state.next = following

    def data(self, state: State, document: Mapping[str, Json], at: str) -> None:
        if state.jsonata:
            if "Output" in document:
                state.output = self.query(document, "Output", at)
            if "Arguments" in document:
                state.arguments = self.query(document, "Arguments", at)
        else:
            state.input_path, state.drop_input = self.data_path(document, "InputPath", at)
            state.output_path, state.drop_output = self.data_path(document, "OutputPath", at)
            state.result_path, state.drop_result = self.place(document, at)
            if "Parameters" in document:
                state.parameters = self.template(document, "Parameters", at)
            if "ResultSelector" in document:
                state.selector = self.template(document, "ResultSelector", at)
        if "Assign" in document:
            state.assign = self.assignment(document, at, jsonata=state.jsonata)

    def data_path(self, document: Mapping[str, Json], name: str, at: str) -> tuple[Path | None, bool]:
        if name not in document:
            return None, False
        if document[name] is None:
            return None, True
        return self.path(document[name], f"{at}/{name}"), False

    def place(self, document: Mapping[str, Json], at: str) -> tuple[Path | None, bool]:
        found, dropped = self.data_path(document, "ResultPath", at)
        if found is not None and (not found.is_reference or found.root != INPUT):
            self.wrong("Value is not a Reference Path", f"{at}/ResultPath")
        return (None if found is None or not found.steps else found), dropped

    def path(self, text: Json, at: str) -> Path | None:
        if isinstance(text, str):
            try:
                return parse_path(text)
            except InvalidPathError:
                pass
        self.wrong("Value is not a valid JSONPath", at)
        return None

    def template(self, document: Mapping[str, Json], name: str, at: str) -> Template | None:
        try:
            return compile_template(document[name])
        except TemplateError as error:
            self.wrong(error.message, f"{at}/{name}{error.location}")
            return None

    def query(
        self, document: Mapping[str, Json], name: str, at: str, *expected: str, label: str | None = None
    ) -> Query | None:
        try:
            return compile_query(document[name], label or name, expected)
        except TemplateError as error:
            self.wrong(error.message, f"{at}/{error.location}")
            return None

    def assignment(self, document: Mapping[str, Json], at: str, *, jsonata: bool) -> Template | Query | None:
        value = document["Assign"]
        if not isinstance(value, dict):
            self.wrong("Expected value of type Object", f"{at}/Assign")
            return None
        for name in value:
            plain = name if jsonata else name.removesuffix(".$")
            if re.fullmatch(r"[^\W\d]\w{0,79}", plain) is None or plain == "states":
                self.wrong(f"Variable name '{plain}' is invalid", f"{at}/Assign/{name}")
        return self.query(document, "Assign", at) if jsonata else self.template(document, "Assign", at)

    # -- values

    def integer(
        self, document: Mapping[str, Json], name: str, at: str, *, least: int = 0, most: int = MAX_SECONDS
    ) -> int | None:
        value = document[name]
        if not isinstance(value, int) or isinstance(value, bool):
            self.wrong("Expected value of type Integer", f"{at}/{name}")
            return None
        if not least <= value <= most:
            self.wrong(f"Value must be between {least} and {most}", f"{at}/{name}")
        return value

    def number(self, document: Mapping[str, Json], name: str, at: str, *, least: float, most: float) -> float | None:
        value = document[name]
        if not isinstance(value, int | float) or isinstance(value, bool):
            self.wrong("Expected value of type Number", f"{at}/{name}")
            return None
        if not least <= value <= most:
            self.wrong(f"Value must be between {least:g} and {most:g}", f"{at}/{name}")
        return float(value)

    def exclusive(self, document: Mapping[str, Json], at: str, *names: str) -> list[str]:
        given = [name for name in names if name in document]
        if len(given) > 1:
            self.wrong(f"You cannot specify more than one of the following fields: [{', '.join(given)}]", at)
        return given

    def errors(self, document: Mapping[str, Json], at: str, *, last: bool) -> tuple[str, ...]:
        names = document.get("ErrorEquals")
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            self.wrong("The field 'ErrorEquals' must be a non-empty array of strings", f"{at}/ErrorEquals")
            return ()
        if "States.ALL" in names and (len(names) > 1 or not last):
            self.wrong("'States.ALL' must appear alone and in the last Retrier or Catcher", f"{at}/ErrorEquals")
        for name in names:
            if name.startswith("States.") and name not in _ERRORS:
                self.wrong(f"Unknown error name: {name}", f"{at}/ErrorEquals")
        return tuple(names)

    def entries(self, value: Json, at: str) -> Iterable[tuple[int, dict[str, Json]]]:
        if not isinstance(value, list):
            self.wrong("Expected value of type Array", at)
            return
        for index, entry in enumerate(value):
            if isinstance(entry, dict):
                yield index, entry
            else:
                self.wrong("Expected value of type Object", f"{at}[{index}]")

    def retriers(self, value: Json, at: str) -> Iterable[Retrier]:
        for index, entry in self.entries(value, at):
            place = f"{at}[{index}]"
            errors = self.errors(entry, place, last=index == len(value) - 1)
            for name in entry.keys() - _RETRY:
                self.wrong(f"Field '{name}' is not supported", f"{place}/{name}")
            interval = self.integer(entry, "IntervalSeconds", place, least=1) if "IntervalSeconds" in entry else 1
            attempts = self.integer(entry, "MaxAttempts", place) if "MaxAttempts" in entry else 3
            rate = self.number(entry, "BackoffRate", place, least=1, most=1e9) if "BackoffRate" in entry else 2.0
            ceiling = None
            if "MaxDelaySeconds" in entry:
                ceiling = self.integer(entry, "MaxDelaySeconds", place, least=1, most=31_622_400)
                if ceiling is not None and ceiling <= (interval or 1):
                    self.wrong("MaxDelaySeconds must be greater than IntervalSeconds", f"{place}/MaxDelaySeconds")
            jitter = entry.get("JitterStrategy", "NONE")
            if jitter not in {"NONE", "FULL"}:
                self.wrong("Value is not one of [NONE, FULL]", f"{place}/JitterStrategy")
            yield Retrier(
                errors, interval or 1, 3 if attempts is None else attempts, rate or 2.0, ceiling, jitter == "FULL"
            )

    def catchers(self, state: State, value: Json, at: str) -> Iterable[Catcher]:
        allowed = _CATCH_JSONATA if state.jsonata else _CATCH_JSONPATH
        for index, entry in self.entries(value, at):
            place = f"{at}[{index}]"
            errors = self.errors(entry, place, last=index == len(value) - 1)
            for name in entry.keys() - allowed:
                self.wrong(f"Field '{name}' is not supported", f"{place}/{name}")
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

    # -- types

    def read_pass(self, state: State, document: Mapping[str, Json], at: str) -> None:  # noqa: ARG002
        state.has_result = "Result" in document
        state.result = document.get("Result")

    def read_succeed(self, state: State, document: Mapping[str, Json], at: str) -> None: ...

    def read_fail(self, state: State, document: Mapping[str, Json], at: str) -> None:
        for name in ("Error", "Cause"):
            self.exclusive(document, at, name, f"{name}Path")
            given = document.get(name)
            if name in document and not isinstance(given, str):
                self.wrong("Expected value of type String", f"{at}/{name}")
                continue
            if state.jsonata and expression_text(given) is not None:
                made: Template | Query | None = self.query(document, name, at, "string")
            elif f"{name}Path" in document:
                made = self.dynamic(document, f"{name}Path", at)
            else:
                setattr(state, name.lower(), given)
                continue
            setattr(state, f"{name.lower()}_of", made)

    def dynamic(self, document: Mapping[str, Json], name: str, at: str) -> Template | None:
        try:
            return compile_dynamic(document[name], name)
        except TemplateError as error:
            self.wrong(error.message, f"{at}/{name}")
            return None

    def read_wait(self, state: State, document: Mapping[str, Json], at: str) -> None:
        given = self.exclusive(document, at, "Seconds", "SecondsPath", "Timestamp", "TimestampPath")
        if not given:
            self.wrong("Exactly one of these fields is required: [Seconds, SecondsPath, Timestamp, TimestampPath]", at)
            return
        name = given[0]
        state.wait_field = name
        value = document[name]
        if name.endswith("Path"):
            state.wait_path = self.path(value, f"{at}/{name}")
        elif state.jsonata and expression_text(value) is not None:
            state.wait_query = self.query(document, name, at, "integer" if name == "Seconds" else "string")
        elif name == "Seconds":
            state.seconds = self.integer(document, name, at)
        elif not isinstance(value, str) or timestamp_of(value) is None:
            self.wrong("String does not match RFC3339 timestamp", f"{at}/{name}")
        else:
            state.timestamp = value

    def read_choice(self, state: State, document: Mapping[str, Json], at: str) -> None:
        default = document.get("Default")
        if default is not None and not isinstance(default, str):
            self.wrong("Expected value of type String", f"{at}/Default")
        else:
            state.default = default
        choices = document.get("Choices")
        if not isinstance(choices, list) or not choices:
            self.wrong("The field 'Choices' must be a non-empty array", f"{at}/Choices" if choices is not None else at)
            return
        rules = []
        for index, entry in self.entries(choices, f"{at}/Choices"):
            place = f"{at}/Choices[{index}]"
            target = entry.get("Next")
            if not isinstance(target, str):
                self.wrong("The field 'Next' is required but was missing", place)
                continue
            rules.append(self.rule(state, entry, target, place, index))
        state.rules = tuple(rules)

    def rule(self, state: State, entry: Mapping[str, Json], target: str, at: str, index: int) -> Rule:
        assign = self.assignment(entry, at, jsonata=state.jsonata) if "Assign" in entry else None
        if state.jsonata:
            if "Condition" not in entry:
                self.wrong("The field 'Condition' is required but was missing", at)
                return Rule(target)
            condition = self.query(entry, "Condition", at, "boolean", label=f"Choices[{index}]/Condition")
            output = self.query(entry, "Output", at, label=f"Choices[{index}]/Output") if "Output" in entry else None
            return Rule(target, None, condition, output, assign)
        try:
            test = compile_rule(entry)
        except TemplateError as error:
            self.wrong(error.message, f"{at}{error.location}")
            return Rule(target)
        return Rule(target, test, None, None, assign)

    def read_task(self, state: State, document: Mapping[str, Json], at: str) -> None:
        resource = document.get("Resource")
        if not isinstance(resource, str):
            self.wrong("The field 'Resource' is required but was missing", at)
        else:
            state.resource = resource
            self.resource(resource, f"{at}/Resource")
        for name, attribute in (("TimeoutSeconds", "timeout"), ("HeartbeatSeconds", "heartbeat")):
            given = self.exclusive(document, at, name, f"{name}Path")
            if not given:
                continue
            if given[0] != name:
                setattr(state, f"{attribute}_path", self.path(document[given[0]], f"{at}/{given[0]}"))
            elif state.jsonata and expression_text(document[name]) is not None:
                setattr(state, f"{attribute}_query", self.query(document, name, at, "integer"))
            else:
                setattr(state, attribute, self.integer(document, name, at, least=1))
        if state.timeout is not None and state.heartbeat is not None and state.heartbeat >= state.timeout:
            self.wrong("HeartbeatSeconds must be smaller than TimeoutSeconds", f"{at}/HeartbeatSeconds")
        if "Credentials" in document:
            self.credentials(state, document, at)

    def credentials(self, state: State, document: Mapping[str, Json], at: str) -> None:
        value = document["Credentials"]
        place = f"{at}/Credentials"
        if not isinstance(value, dict):
            self.wrong("Expected value of type Object", place)
            return
        names = ("RoleArn",) if state.jsonata else ("RoleArn", "RoleArn.$")
        if not any(name in value for name in names):
            self.wrong("The field 'RoleArn' is required but was missing", place)
            return
        for name in value:
            if name not in names:
                self.wrong(f"Field '{name}' is not supported", f"{place}/{name}")
        role = value.get("RoleArn")
        if (
            role is not None
            and expression_text(role) is None
            and (not isinstance(role, str) or not _ROLE.fullmatch(role))
        ):
            self.wrong("The value for the field 'RoleArn' must be a valid IAM role ARN", f"{place}/RoleArn")
        if state.jsonata:
            state.credentials = self.query(document, "Credentials", at)
        else:
            state.credentials = self.template(document, "Credentials", at)

    def resource(self, resource: str, at: str) -> None:
        if _LAMBDA.fullmatch(resource):
            return
        if _ACTIVITY.fullmatch(resource):
            if self.express:
                self.wrong("Express state machine does not support Activity ARN", at)
            return
        found = _STATES.fullmatch(resource)
        service, operation = (found[1], found[2]) if found else ("", "")
        if service == "aws-sdk":
            sdk = _SDK.fullmatch(operation)
            recognised = sdk is not None and self.known(sdk[1], sdk[2])
        else:
            recognised = operation in _rules.OPTIMIZED.get(service, ())
        if not recognised:
            self.wrong(
                f"The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the "
                "resource is not available in this region.",
                at,
            )
        elif self.express and operation.endswith((".sync", ".sync:2")):
            self.wrong("Express state machine does not support '.sync' service integration", at)
        elif self.express and operation.endswith(".waitForTaskToken"):
            self.wrong("Express state machine does not support '.waitForTaskToken' service integration ", at)

    def read_parallel(self, state: State, document: Mapping[str, Json], at: str) -> None:
        branches = document.get("Branches")
        if not isinstance(branches, list) or not branches:
            self.wrong(
                "The field 'Branches' must be a non-empty array", f"{at}/Branches" if branches is not None else at
            )
            return
        state.branches = tuple(
            self.machine(branch, f"{at}/Branches[{index}]", jsonata=state.jsonata)
            for index, branch in self.entries(branches, f"{at}/Branches")
        )

    def read_map(self, state: State, document: Mapping[str, Json], at: str) -> None:
        given = self.exclusive(document, at, "ItemProcessor", "Iterator")
        if not given or not isinstance(document[given[0]], dict):
            self.wrong("The field 'ItemProcessor' is required but was missing", at)
            return
        processor = document[given[0]]
        place = f"{at}/{given[0]}"
        program = self.machine(processor, place, jsonata=state.jsonata)
        self.processor(program, processor.get("ProcessorConfig", {}), f"{place}/ProcessorConfig")
        state.branches = (program,)
        self.items(state, document, at)
        self.limits(state, document, at)
        for name, attribute in (("ItemReader", "reader"), ("ItemBatcher", "batcher"), ("ResultWriter", "writer")):
            if name in document:
                if not program.distributed:
                    self.wrong(f"The field '{name}' is only supported in a Distributed Map", f"{at}/{name}")
                setattr(state, attribute, document[name])
        if "Label" in document:
            self.label(state, document["Label"], f"{at}/Label")

    def processor(self, program: Program, config: Json, at: str) -> None:
        if not isinstance(config, dict):
            self.wrong("Expected value of type Object", at)
            return
        mode = config.get("Mode", "INLINE")
        if mode not in {"INLINE", "DISTRIBUTED"}:
            self.wrong("Value is not one of [INLINE, DISTRIBUTED]", f"{at}/Mode")
        program.distributed = mode == "DISTRIBUTED"
        if program.distributed and "ExecutionType" not in config:
            self.wrong("The field 'ExecutionType' is required but was missing", at)
        if program.distributed and self.express:
            self.wrong("Express state machine does not support Distributed Map", at)
        program.execution_type = config.get("ExecutionType", "STANDARD")
        if program.execution_type not in {"STANDARD", "EXPRESS"}:
            self.wrong("Value is not one of [STANDARD, EXPRESS]", f"{at}/ExecutionType")

    def label(self, state: State, label: Json, at: str) -> None:
        if not isinstance(label, str):
            self.wrong("Expected value of type String", at)
        elif len(label) > 40:
            self.wrong("Label cannot exceed 40 characters", at)
        elif not _LABEL.fullmatch(label):
            self.wrong("Label contains invalid characters", at)
        else:
            state.label = label

    def items(self, state: State, document: Mapping[str, Json], at: str) -> None:
        if "ItemsPath" in document:
            state.items_path = self.path(document["ItemsPath"], f"{at}/ItemsPath")
        if "Items" in document:
            value = document["Items"]
            if not isinstance(value, list) and expression_text(value) is None:
                self.wrong("The field 'Items' must be an array or a JSONata expression", f"{at}/Items")
            else:
                kinds = ("array", "object") if state.branches[0].distributed else ("array",)
                state.items_query = self.query(document, "Items", at, *kinds)
        if "ItemSelector" in document:
            make = self.query if state.jsonata else self.template
            state.item_selector = make(document, "ItemSelector", at)
        if not state.jsonata and "Parameters" in document:
            if "ItemSelector" in document:
                self.exclusive(document, at, "Parameters", "ItemSelector")
            state.item_selector, state.parameters = state.parameters, None

    def limits(self, state: State, document: Mapping[str, Json], at: str) -> None:
        fields = (
            ("MaxConcurrency", "concurrency", lambda: self.integer(document, "MaxConcurrency", at)),
            ("ToleratedFailureCount", "tolerated_count", lambda: self.integer(document, "ToleratedFailureCount", at)),
            (
                "ToleratedFailurePercentage",
                "tolerated_percentage",
                lambda: self.number(document, "ToleratedFailurePercentage", at, least=0, most=100),
            ),
        )
        for name, attribute, read in fields:
            given = self.exclusive(document, at, name, f"{name}Path")
            if not given:
                continue
            if given[0] != name:
                setattr(state, f"{attribute}_path", self.path(document[given[0]], f"{at}/{given[0]}"))
            elif state.jsonata and expression_text(document[name]) is not None:
                kind = "number" if name.endswith("Percentage") else "integer"
                setattr(state, f"{attribute}_query", self.query(document, name, at, kind))
            else:
                setattr(state, attribute, read() or 0)


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
_READERS: Mapping[Kind, Callable[[_Loader, State, Mapping[str, Json], str], None]] = {
    Kind.TASK: _Loader.read_task,
    Kind.PASS: _Loader.read_pass,
    Kind.CHOICE: _Loader.read_choice,
    Kind.WAIT: _Loader.read_wait,
    Kind.SUCCEED: _Loader.read_succeed,
    Kind.FAIL: _Loader.read_fail,
    Kind.PARALLEL: _Loader.read_parallel,
    Kind.MAP: _Loader.read_map,
}


def _targets(state: State) -> Iterable[tuple[str, str]]:
    """Where a state leads to, and the field that says so."""
    if state.next is not None:
        yield state.next, "/Next"
    for index, catcher in enumerate(state.catch):
        yield catcher.next, f"/Catch[{index}]/Next"
    for index, rule in enumerate(state.rules):
        yield rule.next, f"/Choices[{index}]/Next"
    if state.default is not None:
        yield state.default, "/Default"


# -- which variables each state refers to -------------------------------------------------------------------


def variable_references(document: Json, *, jsonata: bool = False) -> dict[str, list[str]]:
    """By state: the variables that its fields refer to, as `DescribeStateMachine` lists them."""
    found: dict[str, list[str]] = {}
    jsonata = document.get("QueryLanguage", "JSONata" if jsonata else "JSONPath") == "JSONata"
    for name, state in document.get("States", {}).items():
        mine = state.get("QueryLanguage", "JSONata" if jsonata else "JSONPath") == "JSONata"
        inner = [b for b in [*state.get("Branches", ()), state.get("ItemProcessor"), state.get("Iterator")] if b]
        own = {k: v for k, v in state.items() if k not in {"Branches", "ItemProcessor", "Iterator"}}
        names = sorted(set(_references(own, "", jsonata=mine)))
        if names:
            found[name] = names
        for branch in inner:
            found.update(variable_references(branch, jsonata=mine))
    return found


def _references(value: Json, name: str, *, jsonata: bool) -> Iterable[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _references(item, key, jsonata=jsonata)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item, name, jsonata=jsonata)
    elif isinstance(value, str):
        yield from _in_text(value, name, jsonata=jsonata)


def _in_text(value: str, name: str, *, jsonata: bool) -> Iterable[str]:
    if jsonata:
        text = expression_text(value)
        if text is not None:
            try:
                yield from parse_expression(text).variables
            except JsonataSyntaxError:
                return
        return
    if not (name.endswith((".$", "Path")) or name == "Variable"):
        return
    try:
        paths = [parse_path(value)] if value.startswith("$") else parse_intrinsic(value).paths()
    except (InvalidPathError, InvalidIntrinsicError):
        return
    yield from (path.root for path in paths if path.root not in {INPUT, CONTEXT})
