"""Functions are named in many ways."""

from __future__ import annotations

import pytest

from fogbank.core.scope import Scope
from fogbank.services.lambda_._names import FunctionRef, parse_function
from fogbank.services.lambda_.errors import InvalidParameterValueError, ResourceNotFoundError

HERE = Scope("111122223333", "eu-west-1")


@pytest.mark.parametrize(
    ("text", "qualifier", "expected"),
    [
        ("f", None, FunctionRef(HERE, "f")),
        ("f:prod", None, FunctionRef(HERE, "f", "prod")),
        ("f:$LATEST", None, FunctionRef(HERE, "f", "$LATEST")),
        ("f", "3", FunctionRef(HERE, "f", "3")),
        ("f:3", "3", FunctionRef(HERE, "f", "3")),
        ("function:f", None, FunctionRef(HERE, "f")),
        ("111122223333:function:f", None, FunctionRef(HERE, "f")),
        ("999999999999:function:f:v1", None, FunctionRef(Scope("999999999999", "eu-west-1"), "f", "v1")),
        ("arn:aws:lambda:eu-west-1:111122223333:function:f", None, FunctionRef(HERE, "f")),
        ("arn:aws:lambda:eu-west-1:111122223333:function:f:7", None, FunctionRef(HERE, "f", "7")),
    ],
)
def test_every_documented_form_is_read(text: str, qualifier: str | None, expected: FunctionRef) -> None:
    assert parse_function(HERE, text, qualifier) == expected


def test_two_different_qualifiers_are_refused() -> None:
    with pytest.raises(InvalidParameterValueError, match="does not match the specified qualifier"):
        parse_function(HERE, "f:1", "2")


def test_another_region_is_out_of_reach() -> None:
    with pytest.raises(ResourceNotFoundError) as raised:
        parse_function(HERE, "arn:aws:lambda:us-west-2:111122223333:function:f")
    assert raised.value.message == "Functions from 'us-west-2' are not reachable in this region ('eu-west-1')"


@pytest.mark.parametrize("text", ["", "a b", "f:", "arn:aws:s3:::b", "f:1:2:3", "x" * 10 + "!"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameterValueError):
        parse_function(HERE, text)


def test_arns() -> None:
    ref = FunctionRef(HERE, "f", "prod")
    assert ref.arn == "arn:aws:lambda:eu-west-1:111122223333:function:f"
    assert ref.qualified_arn == ref.arn + ":prod"
    assert ref.unqualified.qualified_arn == ref.arn
