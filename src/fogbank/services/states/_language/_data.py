"""The way of data through a state: from its input to what it works on, and from its result to its output."""

from __future__ import annotations

from typing import Any

from fogbank.services.states._language._threads import Thread
from fogbank.services.states._language.definition import State
from fogbank.services.states._language.failures import RESULT_PATH, PathError, RuntimeFailure
from fogbank.services.states._language.paths import MISSING, Path, put
from fogbank.services.states._language.templates import Query, Template, base_of, text_of

Json = Any


def find(path: Path, thread: Thread, data: Json) -> Json:
    """The value at a path of a field that must be there."""
    base = base_of(path, thread, data)
    found = path.find(base)
    if found is MISSING:
        raise PathError(f"Invalid path '{path.text}' : {path.why_missing(base)}")
    return found


def selected_input(thread: Thread) -> Json:
    """The input after InputPath."""
    state = thread.state
    if state.drop_input:
        return {}
    return thread.data if state.input_path is None else find(state.input_path, thread, thread.data)


def effective_input(thread: Thread) -> Json:
    """What a state works on: after InputPath and Parameters, or Arguments."""
    state = thread.state
    if state.jsonata:
        return thread.data if state.arguments is None else state.arguments(thread, {"input": thread.data})
    data = selected_input(thread)
    return data if state.parameters is None else state.parameters(thread, data)


def whole_number(thread: Thread, path: Path, field: str, data: Json) -> int:
    """The integer at a path of a `…Path` field."""
    found = find(path, thread, data)
    if isinstance(found, str) and found.isdecimal() and len(found) < 10:
        return int(found)
    if not isinstance(found, int) or isinstance(found, bool):
        shown = found if isinstance(found, str) else text_of(found)
        raise PathError(f'The {field} field refers to value "{shown}" which is not a valid integer: {path.text}')
    return found


def outcome(thread: Thread, result: Json) -> tuple[Json, dict[str, Json] | None]:
    """The output of a state, and the variables that it assigns."""
    state = thread.state
    if state.jsonata:
        return query_outcome(thread, state.output, state.assign, {"input": thread.data, "result": result}, result)
    assigned = None if state.assign is None else state.assign(thread, result)
    if state.selector is not None:
        result = state.selector(thread, result)
    data = placed(thread, state, result)
    return after_output_path(thread, data), assigned


def after_output_path(thread: Thread, data: Json) -> Json:
    """What OutputPath lets through."""
    state = thread.state
    if state.drop_output:
        return {}
    return data if state.output_path is None else find(state.output_path, thread, data)


def placed(thread: Thread, state: State, result: Json) -> Json:
    """The input with the result where ResultPath says."""
    if state.drop_result:
        return thread.data
    if state.result_path is None:
        return result
    try:
        return put(thread.data, state.result_path, result)
    except PathError as error:
        raise PathError(error.message, RESULT_PATH) from None


def query_outcome(
    thread: Thread, output: Query | None, assign: Template | Query | None, states: dict[str, Json], default: Json
) -> tuple[Json, dict[str, Json] | None]:
    """The same for a JSONata state; both are evaluated with the variables of before."""
    assigned = None if assign is None else assign(thread, states)
    return (default if output is None else output(thread, states)), assigned


def item_list(thread: Thread, data: Json) -> list[Json]:
    """The items of a Map."""
    state = thread.state
    if state.jsonata:
        if state.items_query is not None:
            found = state.items_query(thread, {"input": thread.data})
            return _pairs(found) if isinstance(found, dict) else list(found)
        if not isinstance(data, list):
            raise NotAnArrayError(data)
        return data
    found = data if state.items_path is None else find(state.items_path, thread, data)
    if not isinstance(found, list):
        path = "$" if state.items_path is None else state.items_path.text
        raise RuntimeFailure(f'{thread.describe()} Reference path "{path}" must point to array.')
    return found


def _pairs(found: dict[str, Json]) -> list[Json]:
    return [{"Key": key, "Value": value} for key, value in found.items()]


class NotAnArrayError(Exception):
    """The input of a JSONata Map without Items is no array."""

    def __init__(self, value: Json) -> None:
        super().__init__(value)
        self.value = value
