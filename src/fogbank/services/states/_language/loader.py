"""Reads a definition: its text becomes a `Program`, or a list of all that is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fogbank.services.states._language import _rules
from fogbank.services.states._language._checks import SCHEMA, TRANSITION
from fogbank.services.states._language._kinds import READERS, Kinds
from fogbank.services.states._language.definition import Kind, Problem, Program, State
from fogbank.services.states._language.json_errors import why_not_json

Json = Any
MAX_NAME = 80
MAX_DEPTH = 60


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
    found = why_not_json(text)
    if found is not None:
        return Problem("INVALID_JSON_DESCRIPTION", found.text, found.place)
    place = f'[Source: (String)"{text[:500]}"; line: {error.lineno}, column: {error.colno}]'
    return Problem("INVALID_JSON_DESCRIPTION", f"Unexpected character or end-of-input: {error.msg}\n at {place}", place)


class _Loader(Kinds):
    def machine(self, document: Mapping[str, Json], at: str, *, jsonata: bool, top: bool = False) -> Program:
        start = document.get("StartAt", "")
        if not isinstance(start, str):
            self.wrong("Expected value of type String", f"{at}/StartAt")
            start = ""
        program = Program(start, {})
        missing = [name for name in ("States", "StartAt") if name not in document]
        if missing:
            self.wrong(f"These fields are required: [{', '.join(missing)}]", at)
        language = document.get("QueryLanguage", "JSONata" if jsonata else "JSONPath")
        self.one_of(language, f"{at}/QueryLanguage", "JSONPath", "JSONata")
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
            self.wrong("States are too deeply nested", at, "TOO_DEEPLY_NESTED")
        elif isinstance(states, dict):
            self.states(program, states, at, jsonata=jsonata)
        self.depth -= 1
        return program

    def states(self, program: Program, states: dict[str, Json], at: str, *, jsonata: bool) -> None:
        for name, document in states.items():
            place = f"{at}/States/{name}"
            if not 0 < len(name) <= MAX_NAME:
                self.wrong(f"State name must be 1 to {MAX_NAME} characters long", place, "INVALID_STATE_NAME")
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
        if not any(_is_terminal(state) for state in program.states.values()):
            self.problems.append(Problem("MISSING_END_STATE", "Workflow has no terminal state"))
            return
        for name in program.states:
            if name not in reached:
                self.wrong(f'State "{name}" is not reachable.', f"{at}/States/{name}", TRANSITION)

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
        self.one_of(language, f"{at}/QueryLanguage", "JSONPath", "JSONata")
        if jsonata and language == "JSONPath":
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
        READERS[kind](self, state, document, at)
        return state

    def fields(self, kind: Kind, document: Mapping[str, Json], at: str, *, jsonata: bool) -> None:
        mine, other = (_rules.JSONATA, _rules.JSONPATH) if jsonata else (_rules.JSONPATH, _rules.JSONATA)
        for name in document:
            if name in mine[kind] or name in _rules.ANY:
                continue
            if name in other[kind]:
                wrong, right = ("JSONPath", "JSONata") if jsonata else ("JSONata", "JSONPath")
                self.wrong(
                    f"The {wrong} field '{name}' is only supported when the QueryLanguage is set to "
                    f'"{wrong}", not "{right}"',
                    f"{at}/{name}",
                )
            else:
                self.wrong(f"Field '{name}' is not supported", at)

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


def _is_terminal(state: State) -> bool:
    """Whether a thread may end here."""
    return state.kind in {Kind.SUCCEED, Kind.FAIL} or (state.kind is not Kind.CHOICE and state.next is None)


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
