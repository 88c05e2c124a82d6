"""Parameters: what was given, what the template allows, and the value that `Ref` gives.

    given, previous, default ──► text ──► constraints ──► (SSM: the stored value) ──► string or list

Every value is a string until it is referenced; lists are comma-delimited strings.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fogbank.services.cloudformation.engine import ParameterInput
from fogbank.templates.errors import TemplateError
from fogbank.templates.sections import Parameter

MAX_VALUE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter's value: `text` as given or defaulted, `resolved` as Systems Manager has it where that is meant."""

    parameter: Parameter
    text: str
    resolved: str | None = None

    @property
    def referenced(self) -> str | list[str]:
        """What `Ref` gives."""
        text = self.text if self.resolved is None else self.resolved
        if not self.parameter.is_list:
            return text
        return [item.strip() for item in text.split(",")] if text else []


def choose(
    declared: Mapping[str, Parameter], given: Iterable[ParameterInput], previous: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The text of each declared parameter: given, previous or default, in the order of their declaration.

    `previous` are the values of the stack that is updated, `None` when there is no stack. Raises `TemplateError`.
    """
    chosen: dict[str, str] = {}
    for each in given:
        if each.name in chosen:
            raise TemplateError(f"Parameter '{each.name}' is given more than once")
        if each.use_previous:
            if each.value is not None:
                raise TemplateError(
                    f"Invalid input for parameter key {each.name}. Cannot specify usePreviousValue as "
                    "true and non empty value for a parameter"
                )
            if previous is None or each.name not in previous:
                raise TemplateError(
                    f"Invalid input for parameter key {each.name}. Cannot specify usePreviousValue as true for a "
                    "parameter key not in the previous template"
                )
            chosen[each.name] = previous[each.name]
        elif each.value is not None:
            chosen[each.name] = each.value
    unknown = [name for name in chosen if name not in declared]
    if unknown:
        raise TemplateError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = [name for name, each in declared.items() if name not in chosen and each.default is None]
    if missing:
        raise TemplateError(f"Parameters: [{', '.join(missing)}] must have values")
    return {name: chosen.get(name, each.default or "") for name, each in declared.items()}


def check(parameter: Parameter, text: str) -> None:
    """Hold a value against its declaration; `TemplateError` with the declaration's own words where it has some."""
    problem = _problem(parameter, text)
    if problem is None:
        return
    if parameter.constraint is not None:
        raise TemplateError(f"Parameter {parameter.name} failed to satisfy constraint: {parameter.constraint}")
    raise TemplateError(f"Parameter '{parameter.name}' {problem}")


def _problem(parameter: Parameter, text: str) -> str | None:
    if len(text.encode()) > MAX_VALUE_BYTES:
        return f"must contain at most {MAX_VALUE_BYTES} bytes"
    if parameter.type == "Number":
        return _number_problem(parameter, text)
    items = [item.strip() for item in text.split(",")] if parameter.is_list and not parameter.is_ssm_value else [text]
    for item in items:
        if parameter.type == "List<Number>" and _number(item) is None:
            return "must be a list of numbers"
        if parameter.allowed is not None and item not in parameter.allowed:
            return "must be one of AllowedValues"
        if parameter.pattern is not None and not _matches(parameter, item):
            return f"must match pattern {parameter.pattern}"
    if parameter.min_length is not None and len(text) < parameter.min_length:
        return f"must contain at least {parameter.min_length} characters"
    if parameter.max_length is not None and len(text) > parameter.max_length:
        return f"must contain at most {parameter.max_length} characters"
    return None


def _number_problem(parameter: Parameter, text: str) -> str | None:
    number = _number(text)
    if number is None:
        return "must be a number"
    if parameter.allowed is not None and text not in parameter.allowed:
        return "must be one of AllowedValues"
    if parameter.min_value is not None and number < parameter.min_value:
        return f"must be a number not less than {_plain(parameter.min_value)}"
    if parameter.max_value is not None and number > parameter.max_value:
        return f"must be a number not greater than {_plain(parameter.max_value)}"
    if parameter.pattern is not None and not _matches(parameter, text):
        return f"must match pattern {parameter.pattern}"
    return None


def _number(text: str) -> float | None:
    try:
        return float(text) if re.fullmatch(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?", text) else None
    except ValueError:
        return None


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _matches(parameter: Parameter, text: str) -> bool:
    try:
        return re.fullmatch(parameter.pattern or "", text) is not None
    except re.error:
        raise TemplateError(
            f"Template format error: AllowedPattern of parameter {parameter.name} is not a regular expression"
        ) from None
