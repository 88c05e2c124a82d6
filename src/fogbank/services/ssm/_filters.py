"""The filters of DescribeParameters and GetParametersByPath, checked and made predicates of a parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fogbank.services.ssm.errors import (
    InvalidFilterKeyError,
    InvalidFilterOptionError,
    InvalidFilterValueError,
    InvalidRequestError,
)
from fogbank.services.ssm.model import Parameter, Tier, Type, check_path, is_below

Predicate = Callable[[Parameter], bool]

_TEXT_OPTIONS = ("BeginsWith", "Equals")
_DESCRIBE = {
    "Path": ("OneLevel", "Recursive"),
    "Name": ("BeginsWith", "Contains", "Equals"),
    "Type": _TEXT_OPTIONS,
    "KeyId": _TEXT_OPTIONS,
    "Tier": _TEXT_OPTIONS,
    "DataType": _TEXT_OPTIONS,
}
_BY_PATH = {"Type": _TEXT_OPTIONS, "KeyId": _TEXT_OPTIONS, "Label": ("Equals",)}
_VALUES: Mapping[str, Sequence[str]] = {"Type": list(Type), "Tier": list(Tier)}


def describe_filters(filters: Sequence[Mapping[str, Any]]) -> list[Predicate]:
    """The `ParameterFilters` of DescribeParameters."""
    return _compile(filters, _DESCRIBE, tags=True)


def old_filters(filters: Sequence[Mapping[str, Any]]) -> list[Predicate]:
    """The deprecated `Filters` of DescribeParameters: names by their beginning, the rest by equality."""
    return _compile(
        [{**each, "Option": "BeginsWith" if each["Key"] == "Name" else "Equals"} for each in filters],
        _DESCRIBE,
        tags=False,
    )


def path_filters(filters: Sequence[Mapping[str, Any]]) -> list[Predicate]:
    """The `ParameterFilters` of GetParametersByPath; its labels select versions and are left to the caller."""
    return _compile([each for each in filters if each["Key"] != "Label"], _BY_PATH, tags=False)


def path_labels(filters: Sequence[Mapping[str, Any]]) -> list[str]:
    """The labels that GetParametersByPath is to select versions by."""
    found: list[str] = []
    for each in filters:
        if each["Key"] == "Label":
            found += _checked(each, _BY_PATH)[1]
    return found


def _compile(
    filters: Sequence[Mapping[str, Any]], known: Mapping[str, Sequence[str]], *, tags: bool
) -> list[Predicate]:
    keys = [each["Key"] for each in filters]
    for key in keys:
        if keys.count(key) > 1:
            raise InvalidRequestError(
                f"The following filter is duplicated in the request: {key}. A request can contain only one "
                "occurrence of a specific filter."
            )
    return [_predicate(each, known, tags=tags) for each in filters]


def _checked(each: Mapping[str, Any], known: Mapping[str, Sequence[str]]) -> tuple[str, Sequence[str]]:
    """A filter's option and values, if it can have them."""
    key = each["Key"]
    options = known.get(key)
    if options is None:
        raise InvalidFilterKeyError(
            f"The following filter key is not valid: {key}. Valid filter keys include: [{', '.join(known)}]."
        )
    option = each.get("Option", "OneLevel" if key == "Path" else "Equals")
    if option not in options:
        raise InvalidFilterOptionError(
            f"The following filter option is not valid: {option}. Valid options include: [{', '.join(options)}]."
        )
    values = each.get("Values")
    if not values:
        raise InvalidFilterValueError(f"The following filter values are missing : null for filter key {key}")
    return option, values


def _predicate(each: Mapping[str, Any], known: Mapping[str, Sequence[str]], *, tags: bool) -> Predicate:
    key = each["Key"]
    if tags and key.startswith("tag:"):
        return _tag(key.removeprefix("tag:"), each)
    option, values = _checked(each, known)
    if key == "Path":
        paths = [check_path(value) for value in values]
        recursive = option == "Recursive"
        return lambda parameter: any(is_below(parameter.name, path, recursive=recursive) for path in paths)
    if key in _VALUES and option == "Equals":
        for value in values:
            if value not in _VALUES[key]:
                raise InvalidFilterValueError(
                    f"The following filter value is not valid: {value}. Valid values include: "
                    f"[{', '.join(_VALUES[key])}]."
                )
    read = _READERS[key]
    return lambda parameter: _fits(read(parameter), option, values)


def _tag(name: str, each: Mapping[str, Any]) -> Predicate:
    option = each.get("Option", "Equals")
    if option not in _TEXT_OPTIONS:
        raise InvalidFilterOptionError(
            f"The following filter option is not valid: {option}. Valid options include: [{', '.join(_TEXT_OPTIONS)}]."
        )
    values = each.get("Values")
    if not values:
        return lambda parameter: name in parameter.tags
    return lambda parameter: _fits(parameter.tags.get(name), option, values)


def _fits(value: str | None, option: str, wanted: Sequence[str]) -> bool:
    if value is None:
        return False
    match option:
        case "Equals":
            return value in wanted
        case "BeginsWith":
            return value.startswith(tuple(wanted))
        case _:
            return any(each in value for each in wanted)


_READERS: Mapping[str, Callable[[Parameter], str | None]] = {
    "Name": lambda parameter: parameter.name,
    "Type": lambda parameter: parameter.version.type,
    "KeyId": lambda parameter: parameter.version.key_id,
    "Tier": lambda parameter: parameter.version.tier,
    "DataType": lambda parameter: parameter.version.data_type,
}
