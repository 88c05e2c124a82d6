"""The intrinsic functions, evaluated: pure, over values.

An `Evaluator` knows the parameters, mappings, conditions, exports and pseudo parameters of one deployment, and asks a
`Lookup` for what resources have become. What a function gives is plain JSON; `AWS::NoValue` takes its property away.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from fogbank.core.scope import Scope
from fogbank.templates.errors import TemplateError
from fogbank.templates.parameters import Value
from fogbank.templates.sections import scalar_text

VARIABLE = re.compile(r"\$\{([^}]*)\}")
VARIABLE_NAME = re.compile(r"[A-Za-z0-9_.:]+")
_ZONES = {"us-east-1": "abcdef", "us-west-2": "abcd", "ap-northeast-2": "abcd"}


class _NoValue:
    """What `Ref: AWS::NoValue` gives until the property that holds it is left out."""

    def __repr__(self) -> str:
        return "AWS::NoValue"


NO_VALUE = _NoValue()


class Lookup(Protocol):
    """What has become of the resources of a stack."""

    def ref(self, logical_id: str) -> Any:
        """What `Ref` gives for a resource."""
        ...

    def attribute(self, logical_id: str, name: str) -> Any:
        """What `Fn::GetAtt` gives."""
        ...


class NoResources:
    """The lookup of what may not refer to resources: conditions, rules, names of exports."""

    def ref(self, logical_id: str) -> Any:
        raise TemplateError(
            f"Template format error: Unresolved dependencies [{logical_id}]. Cannot reference "
            "resources in the Conditions block of the template"
        )

    def attribute(self, logical_id: str, name: str) -> Any:  # noqa: ARG002 - the lookup's form
        return self.ref(logical_id)


@dataclass(frozen=True, slots=True)
class Environment:
    """What a deployment's functions are evaluated in, resources apart."""

    scope: Scope
    stack_name: str
    stack_id: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    exports: Mapping[str, str] = field(default_factory=dict)
    notification_arns: tuple[str, ...] = ()

    def pseudo(self, name: str) -> Any:
        """A pseudo parameter's value; `KeyError` if there is none of that name."""
        partition = self.scope.partition
        values: dict[str, Any] = {
            "AWS::AccountId": self.scope.account,
            "AWS::Region": self.scope.region,
            "AWS::Partition": partition,
            "AWS::StackName": self.stack_name,
            "AWS::StackId": self.stack_id,
            "AWS::URLSuffix": "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com",
            "AWS::NotificationARNs": list(self.notification_arns),
            "AWS::NoValue": NO_VALUE,
        }
        return values[name]


PSEUDO_PARAMETERS = frozenset(
    f"AWS::{name}"
    for name in ["AccountId", "Region", "Partition", "StackName", "StackId", "URLSuffix", "NotificationARNs", "NoValue"]
)


class Evaluator:
    """Evaluates the functions of one deployment. Conditions are decided once each."""

    def __init__(self, environment: Environment, lookup: Lookup | None = None) -> None:
        self._environment = environment
        self._lookup: Lookup = lookup or NoResources()
        self._decided: dict[str, bool] = {}
        self._deciding: list[str] = []
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::FindInMap": self._find_in_map,
            "Fn::If": self._if,
            "Fn::Base64": self._base64,
            "Fn::Cidr": self._cidr,
            "Fn::GetAZs": self._get_azs,
            "Fn::ImportValue": self._import_value,
            "Fn::Length": self._length,
            "Fn::ToJsonString": self._to_json_string,
            "Fn::And": self.decide_and,
            "Fn::Or": self.decide_or,
            "Fn::Not": self.decide_not,
            "Fn::Equals": self.decide_equals,
        }

    def with_lookup(self, lookup: Lookup) -> Evaluator:
        """The same deployment, with its conditions as decided, asking `lookup` for resources."""
        other = Evaluator(self._environment, lookup)
        other._decided = self._decided
        return other

    @property
    def environment(self) -> Environment:
        """What the functions are evaluated in."""
        return self._environment

    def evaluate(self, value: Any) -> Any:
        """`value` with every function replaced by what it gives; `NO_VALUE` if that is nothing."""
        if isinstance(value, dict):
            name = function_name(value)
            if name is not None:
                return self._call(name, value[name])
            members = ((key, self.evaluate(child)) for key, child in value.items())
            return {key: child for key, child in members if child is not NO_VALUE}
        if isinstance(value, list):
            return [item for item in map(self.evaluate, value) if item is not NO_VALUE]
        return value

    def _call(self, name: str, argument: Any) -> Any:
        function = self._functions.get(name)
        if function is None:
            raise TemplateError(f"Template format error: Unrecognized intrinsic function {name}")
        return function(argument)

    # -- references

    def _ref(self, name: Any) -> Any:
        if not isinstance(name, str):
            raise TemplateError("Template error: every Ref object must have a single String value.")
        if name in self._environment.parameters:
            return self._environment.parameters[name].referenced
        if name in PSEUDO_PARAMETERS:
            return self._environment.pseudo(name)
        return self._lookup.ref(name)

    def _get_att(self, argument: Any) -> Any:
        logical_id, attribute = get_att_parts(argument)
        if not isinstance(attribute, str):
            attribute = self._text(
                attribute,
                "Template error: every Fn::GetAtt object requires two non-empty "
                "parameters, the resource name and the resource attribute",
            )
        return self._lookup.attribute(logical_id, attribute)

    def _import_value(self, argument: Any) -> Any:
        name = self._text(
            argument,
            "Template error: the attribute in Fn::ImportValue must be a string or a function that returns a string",
        )
        if name not in self._environment.exports:
            raise TemplateError(f"No export named {name} found.")
        return self._environment.exports[name]

    # -- strings and lists

    def _sub(self, argument: Any) -> Any:
        text, bound = sub_parts(argument)
        values = {name: self.evaluate(value) for name, value in bound.items()}

        def replace(match: re.Match[str]) -> str:
            name = variable_name(match)
            if name is None:
                return "${" + match[1][1:] + "}"
            value = values[name] if name in values else self._variable(name)
            if isinstance(value, dict | list) or value is NO_VALUE:
                raise TemplateError(
                    f"Template error: variable {name} in Fn::Sub expression does not resolve to a string"
                )
            return scalar_text(value)

        return VARIABLE.sub(replace, text)

    def _variable(self, name: str) -> Any:
        if "." in name:
            return self._get_att(name.split(".", 1))
        return self._ref(name)

    def _join(self, argument: Any) -> Any:
        problem = (
            "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of "
            "strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."
        )
        delimiter, items = self._pair(argument, problem)
        values = self.evaluate(items)
        if not isinstance(delimiter, str) or not isinstance(values, list):
            raise TemplateError(problem)
        if any(isinstance(value, dict | list) for value in values):
            raise TemplateError(problem)
        return delimiter.join(map(scalar_text, values))

    def _split(self, argument: Any) -> Any:
        problem = (
            "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string "
            "to be split or a function that returns a string to be split."
        )
        delimiter, source = self._pair(argument, problem)
        delimiter = self.evaluate(delimiter)
        if not isinstance(delimiter, str) or not delimiter:
            raise TemplateError(problem)
        return self._text(source, problem).split(delimiter)

    def _select(self, argument: Any) -> Any:
        problem = "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"
        index, items = self._pair(argument, problem)
        position = scalar_text(self.evaluate(index))
        values = self.evaluate(items)
        if not re.fullmatch(r"-?[0-9]{1,9}", position) or not isinstance(values, list):
            raise TemplateError(problem)
        if not 0 <= int(position) < len(values):
            raise TemplateError(f"Template error: Fn::Select cannot select nonexistent value at index {position}")
        return values[int(position)]

    def _base64(self, argument: Any) -> Any:
        text = self._text(argument, "Template error: every Fn::Base64 object must have a String-typed value.")
        return base64.b64encode(text.encode()).decode()

    def _length(self, argument: Any) -> Any:
        values = self.evaluate(argument)
        if not isinstance(values, list):
            raise TemplateError(
                "Template error: every Fn::Length object requires a list, or a function that gives one."
            )
        return len(values)

    def _to_json_string(self, argument: Any) -> Any:
        if not isinstance(argument, dict | list):
            raise TemplateError("Template error: every Fn::ToJsonString object requires an object or an array.")
        return json.dumps(self.evaluate(argument), separators=(",", ":"), ensure_ascii=False)

    # -- mappings, zones, networks

    def _find_in_map(self, argument: Any) -> Any:
        problem = (
            "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the "
            "attribute for return value"
        )
        if not isinstance(argument, list) or len(argument) not in (3, 4):
            raise TemplateError(problem)
        name, top, second = (self._text(part, problem) for part in argument[:3])
        mapping = self._environment.mappings.get(name)
        found = mapping.get(top, {}).get(second) if mapping is not None else None
        if found is not None:
            return found
        if len(argument) == 4:
            if not isinstance(argument[3], dict) or set(argument[3]) != {"DefaultValue"}:
                raise TemplateError(problem)
            return self.evaluate(argument[3]["DefaultValue"])
        if mapping is None:
            raise TemplateError(
                f"Template error: Mapping named '{name}' is not present in the 'Mappings' section of template."
            )
        raise TemplateError(f"Template error: Unable to get mapping for {name}::{top}::{second}")

    def _get_azs(self, argument: Any) -> Any:
        region = self._text(argument, "Template error: every Fn::GetAZs object requires a string, the name of a region")
        region = region or self._environment.scope.region
        return [region + letter for letter in _ZONES.get(region, "abc")]

    def _cidr(self, argument: Any) -> Any:
        problem = (
            "Template error: every Fn::Cidr object requires two or three parameters: an IP block, a count from 1 "
            "to 256 and the number of subnet bits"
        )
        if not isinstance(argument, list) or len(argument) not in (2, 3):
            raise TemplateError(problem)
        block, count, *bits = (self._text(part, problem) for part in argument)
        try:
            return _subnets(block, int(count), int(bits[0]) if bits else 8)
        except ValueError:
            raise TemplateError(problem) from None

    # -- conditions

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds."""
        if name in self._decided:
            return self._decided[name]
        if name not in self._environment.conditions:
            raise TemplateError(
                f"Template format error: Unresolved condition dependency {name} in the Conditions block of the template"
            )
        if name in self._deciding:
            raise TemplateError(f"Circular dependency between conditions: [{', '.join(sorted(self._deciding))}]")
        self._deciding.append(name)
        try:
            decided = self.decide(self._environment.conditions[name])
        finally:
            self._deciding.pop()
        self._decided[name] = decided
        return decided

    def decide(self, expression: Any) -> bool:
        """The truth of an expression of the Conditions section."""
        if isinstance(expression, dict) and len(expression) == 1:
            name, argument = next(iter(expression.items()))
            if name == "Condition":
                if not isinstance(argument, str):
                    raise TemplateError("Template format error: Every Condition member must be a string.")
                return self.condition(argument)
            if name in ("Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals", "Fn::If"):
                return truth(self._call(name, argument))
        if isinstance(expression, bool) or expression in ("true", "false"):
            return truth(expression)
        raise TemplateError(
            "Template format error: Conditions can only be boolean operations on parameters and other conditions"
        )

    def decide_and(self, argument: Any) -> bool:
        """`Fn::And` over two to ten expressions."""
        return all(self.decide(each) for each in self._operands("Fn::And", argument))

    def decide_or(self, argument: Any) -> bool:
        """`Fn::Or` over two to ten expressions."""
        return any(self.decide(each) for each in self._operands("Fn::Or", argument))

    def decide_not(self, argument: Any) -> bool:
        """`Fn::Not` of one expression."""
        if not isinstance(argument, list) or len(argument) != 1:
            raise TemplateError("Template error: every Fn::Not object requires one boolean parameter.")
        return not self.decide(argument[0])

    def decide_equals(self, argument: Any) -> bool:
        """`Fn::Equals` of two values, compared as the strings that CloudFormation makes of them."""
        left, right = self._pair(
            argument, "Template error: every Fn::Equals object requires a list of two string parameters."
        )
        return bool(_comparable(self.evaluate(left)) == _comparable(self.evaluate(right)))

    @staticmethod
    def _operands(name: str, argument: Any) -> list[Any]:
        if not isinstance(argument, list) or not 2 <= len(argument) <= 10:
            raise TemplateError(
                f"Template error: every {name} object requires a list of at least 2 and at most 10 boolean parameters."
            )
        return argument

    def _if(self, argument: Any) -> Any:
        return self.evaluate(taken_branch(argument, self.condition))

    # -- what the functions share

    @staticmethod
    def _pair(argument: Any, problem: str) -> tuple[Any, Any]:
        if not isinstance(argument, list) or len(argument) != 2:
            raise TemplateError(problem)
        return argument[0], argument[1]

    def _text(self, value: Any, problem: str) -> str:
        text = self.evaluate(value)
        if isinstance(text, dict | list) or text is NO_VALUE or text is None:
            raise TemplateError(problem)
        return scalar_text(text)


def function_name(value: Mapping[str, Any]) -> str | None:
    """The function that a mapping calls: it has one member, `Ref` or `Fn::…`."""
    if len(value) != 1:
        return None
    (name,) = value
    return name if name == "Ref" or name.startswith("Fn::") else None


def get_att_parts(argument: Any) -> tuple[str, Any]:
    """Logical id and attribute of `Fn::GetAtt`, which may be `["A", "B.C"]`, `["A", "B", "C"]` or `"A.B.C"`."""
    if isinstance(argument, str):
        argument = argument.split(".", 1)
    if (
        isinstance(argument, list)
        and len(argument) >= 2
        and isinstance(argument[0], str)
        and argument[0]
        and argument[1]
        and isinstance(argument[1], str | dict)
    ):
        if len(argument) == 2:
            return argument[0], argument[1]
        if all(isinstance(part, str) for part in argument):
            return argument[0], ".".join(argument[1:])
    raise TemplateError(
        "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and "
        "the resource attribute"
    )


def sub_parts(argument: Any) -> tuple[str, Mapping[str, Any]]:
    """Text and variables of `Fn::Sub`, which may be a string, or a string and a mapping."""
    if isinstance(argument, str):
        return argument, {}
    if (
        isinstance(argument, list)
        and len(argument) == 2
        and isinstance(argument[0], str)
        and isinstance(argument[1], dict)
    ):
        return argument[0], argument[1]
    raise TemplateError(
        "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify "
        "a string as first argument, and an optional second argument to specify a mapping of values to "
        "replace in the string"
    )


def variable_name(match: re.Match[str]) -> str | None:
    """The name in `${name}`; `None` for `${!literal}`."""
    name = match[1]
    if name.startswith("!"):
        return None
    name = name.strip()
    if not VARIABLE_NAME.fullmatch(name):
        raise TemplateError(
            "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, "
            "underscores, periods, and colons"
        )
    return name


def taken_branch(argument: Any, holds: Callable[[str], bool]) -> Any:
    """The branch of `Fn::If` that is taken, not evaluated."""
    if not isinstance(argument, list) or len(argument) != 3 or not isinstance(argument[0], str):
        raise TemplateError(
            "Template error: Fn::If requires a list argument with three elements: the name of a condition, "
            "the value if it is true and the value if it is false"
        )
    return argument[1] if holds(argument[0]) else argument[2]


def truth(value: Any) -> bool:
    """A boolean, or the string that CloudFormation makes of one."""
    if value in (True, "true", "True"):
        return True
    if value in (False, "false", "False"):
        return False
    raise TemplateError(
        "Template format error: Conditions can only be boolean operations on parameters and other conditions"
    )


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _comparable(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_comparable(child) for child in value]
    return None if value is NO_VALUE else scalar_text(value)


def _subnets(block: str, count: int, bits: int) -> list[str]:
    network = ipaddress.ip_network(block, strict=False)
    prefix = network.max_prefixlen - bits
    if not 1 <= count <= 256 or not network.prefixlen <= prefix <= network.max_prefixlen:
        raise ValueError(block)
    if count > 1 << (prefix - network.prefixlen):
        raise ValueError(count)
    step = 1 << bits
    first = int(network.network_address)
    kind = ipaddress.IPv4Network if network.version == 4 else ipaddress.IPv6Network
    return [str(kind((first + i * step, prefix))) for i in range(count)]
