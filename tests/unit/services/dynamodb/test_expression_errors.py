"""What DynamoDB says to an expression that it cannot take. Source: recorded answers in public issue threads, and the
developer guide."""

# ruff: noqa: E501 - one row of a table is one line
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions.conditions import condition
from fogbank.services.dynamodb._expressions.keyconditions import key_condition
from fogbank.services.dynamodb._expressions.placeholders import Placeholders
from fogbank.services.dynamodb._expressions.projections import projection
from fogbank.services.dynamodb._expressions.tokens import Kind
from fogbank.services.dynamodb._expressions.updates import update

VALUES: Mapping[str, Any] = {
    ":s": {"S": "x"},
    ":t": {"S": "y"},
    ":n": {"N": "7"},
    ":l": {"L": [{"N": "9"}]},
    ":m": {"M": {}},
    ":ss": {"SS": ["a", "c"]},
    ":b": {"BOOL": True},
    ":null": {"NULL": True},
}
NAMES = {"#a": "a", "#type": "type"}


def placeholders() -> Placeholders:
    return Placeholders(NAMES, VALUES)


def refusal(kind: Kind, text: str) -> str:
    with pytest.raises(ValidationError) as caught:
        compiled(kind, text)
    return caught.value.message


def compiled(kind: Kind, text: str) -> object:
    match kind:
        case Kind.PROJECTION:
            return projection(text, placeholders())
        case Kind.UPDATE:
            return update(text, placeholders())
        case Kind.KEY_CONDITION:
            return key_condition(text, placeholders())
        case _:
            return condition(kind, text, placeholders())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("  ", "The expression can not be empty;"),
        ("a-b", 'Syntax error; token: "-", near: "a-b"'),
        ("a", 'Syntax error; token: "<EOF>", near: "a"'),
        ("attribute_exists(a) AND NOT #a", 'Syntax error; token: "<EOF>", near: "#a"'),
        ("tenantAgent:abc123- = :s", 'Syntax error; token: ":abc123", near: "tenantAgent:abc123-"'),
        ("_type = :s", 'Syntax error; token: "_", near: "_type"'),
        ("__typename <> :s", 'Syntax error; token: "_", near: "__"'),
        ("()", 'Syntax error; token: ")", near: "()"'),
        ("a = :s)", 'Syntax error; token: ")", near: ":s)"'),
        ("(a = :s", 'Syntax error; token: "<EOF>", near: ":s"'),
        ("a == :s", 'Syntax error; token: "=", near: "== :s"'),
        ("a = :s AND", 'Syntax error; token: "<EOF>", near: "AND"'),
        ("a = :s b = :t", 'Syntax error; token: "b", near: ":s b ="'),
        ("and = :s", 'Syntax error; token: "and", near: "and ="'),
        ("a BETWEEN :s OR :t", 'Syntax error; token: "OR", near: ":s OR :t"'),
        ("a IN :s", 'Syntax error; token: ":s", near: "IN :s"'),
        ("a[x] = :s", 'Syntax error; token: "x", near: "[x]"'),
        ("a. = :s", 'Syntax error; token: "=", near: ". = :s"'),
        ("a[99999999999] = :s", "List index is not within the allowable range; index: [99999999999]"),
        ("((a = :s))", "The expression has redundant parentheses;"),
        ("((a)) = :s", "The expression has redundant parentheses;"),
        ("a = ((:s))", "The expression has redundant parentheses;"),
        ("foo(a)", "Invalid function name; function: foo"),
        ("Contains(a, :s)", "Invalid function name; function: Contains"),
        ("if_not_exists(a, :s) = :s", "The function is not allowed in a condition expression; function: if_not_exists"),
        ("size(a)", "The function is not allowed to be used this way in an expression; function: size"),
        ("contains(a, :s) = :s", "The function is not allowed to be used this way in an expression; function: contains"),
        ("name = :s", "Attribute name is a reserved keyword; reserved keyword: name"),
        ("a.Status = :s", "Attribute name is a reserved keyword; reserved keyword: Status"),
        ("#zz = :s", "An expression attribute name used in the document path is not defined; attribute name: #zz"),
        ("a = :zz", "An expression attribute value used in expression is not defined; attribute value: :zz"),
        ("contains(a)", "Incorrect number of operands for operator or function; operator or function: contains, number of operands: 1"),
        ("attribute_exists(:s)", "Operator or function requires a document path; operator or function: attribute_exists"),
        ("a < :m", "Incorrect operand type for operator or function; operator or function: <, operand type: M"),
        ("a >= :b", "Incorrect operand type for operator or function; operator or function: >=, operand type: BOOL"),
        ("a BETWEEN :null AND :n", "Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: NULL"),
        ("begins_with(a, :n)", "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"),
        ("size(:n) = :n", "Incorrect operand type for operator or function; operator or function: size, operand type: N"),
        ("attribute_type(a, :n)", "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N"),
        ("attribute_type(a, :s)", "Invalid attribute type name found; type: x, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"),
        ("a = a", "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]"),
        ("a = #a", "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]"),
        ("contains(a.b[0], a.b[0])", "The first operand must be distinct from the remaining operands for this operator or function; operator: contains, first operand: [a, b, [0]]"),
        ("a BETWEEN :t AND :s", "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {S:y}, upper bound operand: AttributeValue: {S:x}"),
        ("a BETWEEN :n AND :s", "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {N:7}, upper bound operand: AttributeValue: {S:x}"),
        ("a = :s " * 700, "Expression size has exceeded the maximum allowed size; expression size: 4900"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [Kind.CONDITION, Kind.FILTER])
def test_a_condition_that_is_refused(kind: Kind, text: str, message: str) -> None:
    assert refusal(kind, text) == f"Invalid {kind}: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("INVALID SYNTAX HERE", 'Syntax error; token: "INVALID", near: "INVALID SYNTAX"'),
        ("ADD hits : incr", 'Syntax error; token: ":", near: "hits : incr"'),
        ("set _something = :s", 'Syntax error; token: "_", near: "set _something"'),
        ("SET a = :s, #, #a = :s", 'Syntax error; token: "#", near: ", #,"'),
        ("SET a :s", 'Syntax error; token: ":s", near: "a :s"'),
        ("SET a = :s,", 'Syntax error; token: "<EOF>", near: ","'),
        ("SET a = :n + :n + :n", 'Syntax error; token: "+", near: ":n + :n"'),
        ("REMOVE a = :s", 'Syntax error; token: "=", near: "a = :s"'),
        ("ADD a b", 'Syntax error; token: "b", near: "a b"'),
        ("SET a = :s SET b = :s", 'The "SET" section can only be used once in an update expression;'),
        ("SET a = attribute_exists(b)", "The function is not allowed in an update expression; function: attribute_exists"),
        ("SET a = foo(b)", "Invalid function name; function: foo"),
        ("SET name = :s", "Attribute name is a reserved keyword; reserved keyword: name"),
        ("SET a = :zz", "An expression attribute value used in expression is not defined; attribute value: :zz"),
        ("SET a = :s, a = :t", "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"),
        ("SET a.b = :s REMOVE a", "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a]"),
        ("SET a[0] = :s, a.b = :t", "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, [0]], path two: [a, b]"),
        ("SET a = b + :s", "Incorrect operand type for operator or function; operator or function: +, operand type: S"),
        ("SET a = list_append(b, :s)", "Incorrect operand type for operator or function; operator or function: list_append, operand type: S"),
        ("SET a = list_append(b)", "Incorrect number of operands for operator or function; operator or function: list_append, number of operands: 1"),
        ("SET a = list_append(list_append(:l, :l), :l)", "The function is not allowed to be used this way in an expression; function: list_append"),
        ("SET abort = :s SET a = :s", "Attribute name is a reserved keyword; reserved keyword: abort"),
        ("SET a = #zz SET b = :s", 'The "SET" section can only be used once in an update expression;'),
        ("SET #zz = :zz", "An expression attribute name used in the document path is not defined; attribute name: #zz"),
        ("SET a = list_append(b) ADD c :s", "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"),
        ("SET a[0] = :s, a.b = :t, c.d = :s, c = :s", "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [c, d], path two: [c]"),
        ("SET a = if_not_exists(:s, :s)", "Operator or function requires a document path; operator or function: if_not_exists"),
        ("ADD a :s", "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"),
        ("DELETE a :n", "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND"),
    ],
)  # fmt: skip
def test_an_update_that_is_refused(text: str, message: str) -> None:
    assert refusal(Kind.UPDATE, text) == f"Invalid UpdateExpression: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("a!!", 'Syntax error; token: "!", near: "a!!"'),
        ("!!", 'Syntax error; token: "!", near: "!!"'),
        ("a b", 'Syntax error; token: "b", near: "a b"'),
        ("a,", 'Syntax error; token: "<EOF>", near: ","'),
        ("a, size", "Attribute name is a reserved keyword; reserved keyword: size"),
        ("#zz", "An expression attribute name used in the document path is not defined; attribute name: #zz"),
        ("a.b, a", "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a]"),
        ("a, #a", "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"),
    ],
)  # fmt: skip
def test_a_projection_that_is_refused(text: str, message: str) -> None:
    assert refusal(Kind.PROJECTION, text) == f"Invalid ProjectionExpression: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid KeyConditionExpression: The expression can not be empty;"),
        ("GI-1-PK = :s", 'Invalid KeyConditionExpression: Syntax error; token: "-", near: "GI-1"'),
        ("a = :s OR b = :s", "Invalid operator used in KeyConditionExpression: OR"),
        ("NOT a = :s", "Invalid operator used in KeyConditionExpression: NOT"),
        ("a IN (:s)", "Invalid operator used in KeyConditionExpression: IN"),
        ("a <> :s", "Invalid operator used in KeyConditionExpression: <>"),
        ("attribute_exists(a)", "Invalid operator used in KeyConditionExpression: attribute_exists"),
        ("a = :s AND a = :t", "KeyConditionExpressions must only contain one condition per key"),
        ("a.b = :s", "KeyConditionExpressions cannot have conditions on nested attributes"),
        ("size(a) = :n", "KeyConditionExpressions cannot contain nested operations"),
        ("a = b", "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"),
        (":s = :t", "Invalid condition in KeyConditionExpression: No key attribute specified"),
        ("begins_with(:s, a)", "Invalid condition in KeyConditionExpression: begins_with operator must have the key attribute as its first operand"),
        ("begins_with(a, :n)", "Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"),
    ],
)  # fmt: skip
def test_a_key_condition_that_is_refused(text: str, message: str) -> None:
    assert refusal(Kind.KEY_CONDITION, text) == message


def test_a_syntax_error_comes_before_every_other_fault() -> None:
    assert "Syntax error" in refusal(Kind.CONDITION, "name = :zz AND AND")


def test_operators_nesting_and_choices_are_bounded() -> None:
    assert compiled(Kind.CONDITION, " OR ".join(["a=:s"] * 300))
    assert refusal(Kind.CONDITION, " OR ".join(["a=:s"] * 305)) == (
        "Invalid ConditionExpression: The expression contains too many operators; operator count: 301"
    )
    deep = "(" + "a=:s AND (" * 80 + "a=:s" + ")" * 81
    assert "nested too deeply" in refusal(Kind.CONDITION, deep)
    choices = ",".join([":s"] * 101)
    assert refusal(Kind.CONDITION, f"a IN ({choices})") == (
        "Invalid ConditionExpression: The IN operator is provided with too many operands; number of operands: 101"
    )


@pytest.mark.parametrize(
    ("names", "values", "message"),
    [
        ({}, None, "ExpressionAttributeNames must not be empty"),
        (None, {}, "ExpressionAttributeValues must not be empty"),
        ({"a": "b"}, None, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"'),
        ({"#": "b"}, None, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "#"'),
        ({"#sryLiyD8D-": "b"}, None, 'ExpressionAttributeNames contains invalid key: Syntax error; key: "#sryLiyD8D-"'),
        (None, {"v": {"S": "a"}}, 'ExpressionAttributeValues contains invalid key: Syntax error; key: "v"'),
        (None, {":v": {}}, "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must contain exactly one of the supported datatypes for key :v"),
        (None, {":v": {"N": "x"}}, "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: x for key :v"),
        (None, {":v": {"SS": []}}, "ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: An string set  may not be empty for key :v"),
    ],
)  # fmt: skip
def test_names_and_values_that_are_refused(names: Any, values: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Placeholders(names, values)
    assert caught.value.message == message


def test_what_no_expression_uses_is_refused() -> None:
    given = Placeholders({"#a": "a", "#b": "b"}, {":s": {"S": "x"}, ":t": {"S": "y"}})
    condition(Kind.CONDITION, "#a = :s", given)
    with pytest.raises(ValidationError) as caught:
        given.check_used()
    assert caught.value.message == "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}"
    projection("#b", given)
    with pytest.raises(ValidationError) as caught:
        given.check_used()
    assert caught.value.message == "Value provided in ExpressionAttributeValues unused in expressions: keys: {:t}"
