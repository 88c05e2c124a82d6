"""What targets are sent: constants, paths and templates, with the examples of the user guide."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fogbank.core.errors import ApiError, ValidationError
from fogbank.services.events._inputs import MISSING, Occurrence, Path, compile_input

EVENT = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2015-11-11T21:29:54Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
    "detail": {
        "instance-id": "i-0123456789",
        "state": "RUNNING",
        "count": 3,
        "ok": True,
        "nothing": None,
        "tags": {"a": "x", "b": [1, "y"]},
        "items": [{"sku": "s1"}, {"sku": "s2"}],
        "says": 'he said "hi"',
    },
}
OCCURRENCE = Occurrence(
    EVENT,
    json.dumps(EVENT, separators=(",", ":")).encode(),
    "2015-11-11T21:30:00Z",
    "arn:aws:events:us-east-2:123456789012:rule/example",
    "example",
)
PATHS = {"instance": "$.detail.instance-id", "state": "$.detail.state", "timestamp": "$.time"}


def made(**settings: Any) -> str:
    return compile_input("T", settings)(OCCURRENCE).decode()


def transformed(template: str, **paths: str) -> str:
    return made(InputTransformer={"InputPathsMap": PATHS | paths, "InputTemplate": template})


def refused(**settings: Any) -> str:
    with pytest.raises(ApiError) as caught:
        compile_input("T", settings)
    assert caught.value.code == "ValidationException"
    return caught.value.message


def test_without_settings_the_whole_event_is_sent() -> None:
    assert json.loads(made()) == EVENT


def test_a_constant_is_sent_as_it_is() -> None:
    assert made(Input='{"a":  1}') == '{"a":  1}'


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("$", EVENT),
        ("$.detail.tags", {"a": "x", "b": [1, "y"]}),
        ("$.detail.state", "RUNNING"),
        ("$.detail.tags.b[1]", "y"),
        ("$.detail.items[*].sku", ["s1", "s2"]),
        ("$.detail['state']", "RUNNING"),
        ("$.detail-type", "EC2 Instance State-change Notification"),
        ("$.detail.missing", None),
        ("$.detail.tags.b[7]", None),
    ],
)
def test_a_path_sends_that_part(path: str, sent: Any) -> None:
    assert json.loads(made(InputPath=path)) == sent


class TestTemplates:
    """The table of eb-transform-target-input.html."""

    def test_simple_string(self) -> None:
        assert transformed('"instance <instance> is in <state>"') == '"instance i-0123456789 is in RUNNING"'

    def test_string_with_escaped_quotes(self) -> None:
        template = '"instance \\"<instance>\\" is in <state>"'
        assert transformed(template) == '"instance \\"i-0123456789\\" is in RUNNING"'

    def test_simple_json(self) -> None:
        template = '{\n  "instance" : <instance>,\n  "state": <state>\n}'
        assert transformed(template) == '{"instance":"i-0123456789","state":"RUNNING"}'

    def test_json_with_strings_and_variables(self) -> None:
        template = '{"instance": <instance>, "state": "<state>", "is": "\\"<instance>\\" is <state>"}'
        expected = {"instance": "i-0123456789", "state": "RUNNING", "is": '"i-0123456789" is RUNNING'}
        assert json.loads(transformed(template)) == expected

    def test_json_with_a_mix_of_variables_and_static_information(self) -> None:
        template = '{"instance" : <instance>, "state": [ 9, <state>, true ], "Transformed" : "Yes"}'
        assert transformed(template) == '{"instance":"i-0123456789","state":[9,"RUNNING",true],"Transformed":"Yes"}'

    def test_reserved_variables_in_json(self) -> None:
        template = (
            '{"arn": <aws.events.rule-arn>, "name": <aws.events.rule-name>, "event": <aws.events.event.json>, '
            '"bare": <aws.events.event>, "at": <aws.events.event.ingestion-time>}'
        )
        sent = json.loads(transformed(template))
        assert sent["arn"] == "arn:aws:events:us-east-2:123456789012:rule/example"
        assert sent["name"] == "example"
        assert sent["event"] == EVENT
        names = ["id", "account", "detailType", "time", "source", "region", "resources", "version"]
        assert list(sent["bare"]) == names, "as the LocalStack project's validated suite recorded it"
        assert sent["bare"]["detailType"] == EVENT["detail-type"]
        assert sent["bare"]["source"] == EVENT["source"]
        assert sent["at"] == "2015-11-11T21:30:00Z"

    def test_reserved_variables_in_a_string(self) -> None:
        assert transformed('"<aws.events.rule-name> triggered"') == '"example triggered"'

    def test_strings_on_several_lines(self) -> None:
        assert transformed('"one <instance>"\n"two <state>"') == '"one i-0123456789"\n"two RUNNING"'

    def test_values_that_are_no_strings(self) -> None:
        template = '{"n": <n>, "t": <t>, "b": <b>, "z": <z>, "text": "<n> <b> <z> <t>"}'
        paths = {"n": "$.detail.count", "t": "$.detail.tags", "b": "$.detail.ok", "z": "$.detail.nothing"}
        assert json.loads(transformed(template, **paths)) == {
            "n": 3, "t": {"a": "x", "b": [1, "y"]}, "b": True, "z": None, "text": "3 true null {a:x,b:[1,y]}",
        }  # fmt: skip

    def test_a_path_that_the_event_lacks_is_empty(self) -> None:
        assert transformed('{"a": <gone>, "b": "x<gone>y"}', gone="$.detail.gone") == '{"a":"","b":"xy"}'

    def test_values_are_not_escaped(self) -> None:
        """The user guide: "EventBridge doesn't escape values extracted by Input Path"."""
        assert transformed('{"a": <says>}', says="$.detail.says") == '{"a":"he said \\"hi\\""}'
        assert transformed('{"a": "<says>"}', says="$.detail.says") == '{"a": "he said "hi""}'


def test_only_one_way_of_making_the_input_may_be_given() -> None:
    message = refused(Input="{}", InputPath="$.detail")
    assert message == "Only one of Input, InputPath, or InputTransformer must be provided for target T."


def test_a_constant_must_be_json() -> None:
    assert refused(Input="{") == "Input for target T is not a valid JSON text."


@pytest.mark.parametrize("path", ["detail", "$detail", "$.", "$..a", "$.a[", "$.a[x]", "$[?(@.a)]"])
def test_an_unknown_path_is_refused(path: str) -> None:
    assert "is not a valid JSON path" in refused(InputPath=path)
    assert "invalid path" in refused(InputTransformer={"InputPathsMap": {"x": path}, "InputTemplate": '"<x>"'})


def test_a_placeholder_must_be_defined() -> None:
    message = refused(InputTransformer={"InputPathsMap": {"a": "$.a"}, "InputTemplate": '"<a> <b>"'})
    assert message == "InputTemplate for target T contains invalid placeholder b."


@pytest.mark.parametrize(
    "template",
    ["plain <a>", "{", '{"a": <a>', '{"<a>": 1}', "{<a>: 1}", '{"a": x<a>}', '"one" two', '"open <a>'],
)
def test_a_template_must_be_json_or_quoted_lines(template: str) -> None:
    message = refused(InputTransformer={"InputPathsMap": {"a": "$.a"}, "InputTemplate": template})
    assert message.startswith(f'Invalid InputTemplate for target T : [Source: (String)"{template}"; line: ')


def test_reserved_names_cannot_be_defined() -> None:
    assert "reserved key" in refused(InputTransformer={"InputPathsMap": {"AWS.x": "$.a"}, "InputTemplate": '"a"'})


@given(st.text(max_size=30))
def test_any_path_is_read_or_refused(text: str) -> None:
    try:
        found = Path.parse(text).find(EVENT)
    except ValueError:
        return
    assert found is MISSING or json.dumps(found)


@given(st.text(alphabet='<>{}[]",:ab \\\n0', max_size=40))
def test_any_template_is_compiled_or_refused(template: str) -> None:
    transformer = {"InputPathsMap": {"a": "$.id"}, "InputTemplate": template}
    with contextlib.suppress(ValidationError):
        make = compile_input("T", {"InputTransformer": transformer})
        assert isinstance(make(OCCURRENCE), bytes)


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=5)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
        max_leaves=5,
    )
)
def test_a_value_outside_of_quotes_arrives_as_it_was(value: Any) -> None:
    occurrence = Occurrence({"detail": value}, b"", "", "", "")
    make = compile_input("T", {"InputTransformer": {"InputPathsMap": {"v": "$.detail"}, "InputTemplate": '{"v": <v>}'}})
    assert json.loads(make(occurrence)) == {"v": value}
