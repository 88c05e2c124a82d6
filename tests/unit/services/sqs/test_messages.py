"""What producers may send, and the digests that they are told."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.sqs import _messages as messages
from fogbank.services.sqs.errors import (
    BatchEntryIdsNotDistinctError,
    EmptyBatchRequestError,
    InvalidBatchEntryIdError,
    InvalidMessageContentsError,
    InvalidParameterValueError,
    MissingParameterError,
    SqsError,
    TooManyEntriesInBatchRequestError,
)

ALLOWED = st.characters().filter(
    lambda c: c in "\t\n\r" or 0x20 <= ord(c) <= 0xD7FF or 0xE000 <= ord(c) <= 0xFFFD or ord(c) >= 0x10000
)


@given(st.text(ALLOWED, min_size=1))
def test_every_character_of_xml_is_allowed_in_a_body(body: str) -> None:
    """A body comes back as its UTF-8."""
    assert messages.check_body(body) == body.encode()


@pytest.mark.parametrize(
    ("character", "shown"),
    [
        ("\x00", "0"),
        ("\x08", "8"),
        ("\x0b", "B"),
        ("\x1f", "1F"),
        ("\ud800", "D800"),
        ("\ufffe", "FFFE"),
        ("\uffff", "FFFF"),
    ],
)
@pytest.mark.parametrize("around", ["", "plain ", "é "])
def test_other_characters_are_refused_and_named(character: str, shown: str, around: str) -> None:
    """The first forbidden character is named in hexadecimal."""
    with pytest.raises(InvalidMessageContentsError) as caught:
        messages.check_body(f"{around}{character}\x01")
    assert caught.value.message == (
        f"Invalid binary character '#x{shown}' was found in the message body, the set of allowed characters is "
        "#x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."
    )


def test_delete_is_allowed() -> None:
    """#x7F lies within #x20 to #xD7FF."""
    assert messages.check_body("\x7f") == b"\x7f"


def test_an_empty_body_is_a_missing_parameter() -> None:
    """AWS treats an empty body as an absent one."""
    with pytest.raises(MissingParameterError, match=r"^The request must contain the parameter MessageBody\.$"):
        messages.check_body("")


def expected_md5(attributes: dict[str, tuple[str, bytes]]) -> str:
    """The algorithm of the developer guide, written independently of the code."""
    buffer = b""
    for name, (data_type, value) in sorted(attributes.items()):
        kind = b"\x02" if data_type.startswith("Binary") else b"\x01"
        for part in (name.encode(), data_type.encode()):
            buffer += struct.pack(">I", len(part)) + part
        buffer += kind + struct.pack(">I", len(value)) + value
    return hashlib.md5(buffer).hexdigest()


names = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True).filter(
    lambda n: not n.lower().startswith(("aws", "amazon"))
)
labels = st.sampled_from(["", ".custom", ".gif"])
texts = st.tuples(labels.map(lambda s: "String" + s), st.text(ALLOWED, min_size=1))
numbers = st.tuples(labels.map(lambda s: "Number" + s), st.integers().map(str))
binaries = st.tuples(labels.map(lambda s: "Binary" + s), st.binary(min_size=1))


def shaped(value: tuple[str, Any]) -> dict[str, Any]:
    data_type, content = value
    return {"DataType": data_type, "BinaryValue" if isinstance(content, bytes) else "StringValue": content}


def raw(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@given(st.dictionaries(names, st.one_of(texts, numbers, binaries), min_size=1, max_size=10))
def test_attributes_survive_storage_and_have_the_documented_digest(values: dict[str, tuple[str, Any]]) -> None:
    """Packing and unpacking changes nothing; size counts names, types and values; the digest is the guide's."""
    attributes, size = messages.check_message_attributes({name: shaped(value) for name, value in values.items()})
    packed = messages.pack_attributes(attributes)
    assert packed is not None
    again = messages.unpack_attributes(packed)
    assert {name: value.shape for name, value in again.items()} == {n: shaped(v) for n, v in values.items()}
    assert size == sum(len(name) + len(kind.encode()) + len(raw(value)) for name, (kind, value) in values.items())
    plain = {name: (kind, raw(value)) for name, (kind, value) in values.items()}
    assert messages.attributes_md5(again) == expected_md5(plain)


def test_the_digest_of_the_developer_guides_kind_of_example() -> None:
    """A digest computed once by hand and kept."""
    attributes, _ = messages.check_message_attributes({"a": {"DataType": "String", "StringValue": "x"}})
    assert messages.attributes_md5(attributes) == "a512aac9938034acb0b3c3d965944bf1"
    assert messages.attributes_md5({}) is None


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"": {"DataType": "String", "StringValue": "x"}},
            "The request must contain non-empty message attribute name.",
        ),
        (
            {"a": {"DataType": "string", "StringValue": "x"}},
            (
                "The type of message (user) attribute 'a' is invalid. You must use only the following supported type "
                "prefixes: Binary, Number, String."
            ),
        ),
        (
            {"a": {"DataType": "", "StringValue": "x"}},
            "The message (user) attribute 'a' must contain non-empty message attribute type.",
        ),
        (
            {"piyo": {"DataType": "String", "StringValue": ""}},
            "Message (user) attribute 'piyo' must contain a non-empty value of type 'String'.",
        ),
        (
            {"a": {"DataType": "String", "BinaryValue": b"x"}},
            "Message (user) attribute 'a' must contain a non-empty value of type 'String'.",
        ),
        (
            {"a": {"DataType": "Binary", "StringValue": "x"}},
            "Message (user) attribute 'a' must contain a non-empty value of type 'Binary'.",
        ),
        (
            {"a": {"DataType": "String", "StringValue": "x", "BinaryValue": b"x"}},
            "Message (user) attribute 'a' has multiple values.",
        ),
        (
            {"a": {"DataType": "Number", "StringValue": "twelve"}},
            "Could not cast message (user) attribute 'a' value to number.",
        ),
        (
            {"a": {"DataType": "String", "StringListValues": ["x"]}},
            "Message attribute list values in SendMessage operation are not supported.",
        ),
        (
            {f"a{i}": {"DataType": "String", "StringValue": "x"} for i in range(11)},
            "Number of message attributes [11] exceeds the allowed maximum [10].",
        ),
    ],
)
def test_attributes_that_break_a_rule_are_refused(attributes: dict[str, Any], message: str) -> None:
    """Each rule has its message."""
    with pytest.raises(InvalidParameterValueError) as caught:
        messages.check_message_attributes(attributes)
    assert caught.value.message == message


@pytest.mark.parametrize("name", [".a", "a.", "a..b", "a b", "ä", "AWS.x", "aws.x", "Amazon.x", "x" * 257, "a/b"])
def test_attribute_names_follow_the_guides_rules(name: str) -> None:
    """No other characters, no leading, trailing or doubled period, no reserved prefix, 256 characters."""
    with pytest.raises(InvalidParameterValueError):
        messages.check_message_attributes({name: {"DataType": "String", "StringValue": "x"}})


@pytest.mark.parametrize("name", ["a", "a.b", "A-b_c.9", "x" * 256, "awesome", "AWSx"])
def test_other_attribute_names_are_fine(name: str) -> None:
    """The reserved prefixes end in a period."""
    attributes, _ = messages.check_message_attributes({name: {"DataType": "String", "StringValue": "x"}})
    assert list(attributes) == [name]


@pytest.mark.parametrize("number", ["1", "-1.5", "+2", ".5", "1e10", "230.000000000000000001", " 7 "])
def test_numbers_of_any_precision_are_numbers(number: str) -> None:
    """A Number is text that reads as a number, kept as it was sent."""
    attributes, _ = messages.check_message_attributes({"n": {"DataType": "Number.int", "StringValue": number}})
    assert attributes["n"].text == number


def test_forbidden_characters_in_an_attribute_are_refused() -> None:
    """A text value has the same restrictions as the body."""
    with pytest.raises(InvalidMessageContentsError):
        messages.check_message_attributes({"a": {"DataType": "String", "StringValue": "\x02"}})


def test_the_trace_header_is_the_only_system_attribute() -> None:
    """Its type must be String."""
    header = {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"}
    assert messages.check_system_attributes({"AWSTraceHeader": header})["AWSTraceHeader"].text == header["StringValue"]
    for wrong in ({"Other": header}, {"AWSTraceHeader": {"DataType": "Binary", "BinaryValue": b"x"}}):
        with pytest.raises(InvalidParameterValueError):
            messages.check_system_attributes(wrong)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["All"], "bar bar.baz foo"),
        ([".*"], "bar bar.baz foo"),
        (["foo"], "foo"),
        (["bar"], "bar"),
        (["bar.*"], "bar bar.baz"),
        (["ba.*", "foo"], "bar bar.baz foo"),
        (["none"], ""),
        (["none.*"], ""),
        ([], ""),
    ],
)
def test_consumers_choose_attributes_by_name_prefix_or_all(wanted: list[str], found: str) -> None:
    """`bar.*` stands for every name that starts with `bar`."""
    attributes = {name: messages.Attribute("String", "x") for name in ("foo", "bar", "bar.baz")}
    assert " ".join(sorted(messages.select_attributes(attributes, wanted))) == found


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128))
def test_group_and_deduplication_ids_are_printable_ascii(token: str) -> None:
    """Alphanumeric and punctuation, up to 128 characters."""
    assert messages.check_token("MessageGroupId", token) == token


@pytest.mark.parametrize("token", ["", "a b", "ä", "x" * 129, "a\n"])
def test_other_ids_are_refused(token: str) -> None:
    """No spaces, nothing beyond ASCII, at most 128 characters."""
    with pytest.raises(InvalidParameterValueError):
        messages.check_token("MessageGroupId", token)


def entries(*ids: str) -> list[dict[str, Any]]:
    return [{"Id": each} for each in ids]


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        ([], EmptyBatchRequestError, "There should be at least one XEntry in the request."),
        (
            entries(*map(str, range(11))),
            TooManyEntriesInBatchRequestError,
            "Maximum number of entries per request are 10. You have sent 11.",
        ),
        (entries("a", "b", "a"), BatchEntryIdsNotDistinctError, "Id a repeated."),
        (
            entries("a!"),
            InvalidBatchEntryIdError,
            (
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
                "It can be at most 80 letters long."
            ),
        ),
    ],
)
def test_batches_that_are_refused_as_a_whole(batch: list[dict[str, Any]], error: type[SqsError], message: str) -> None:
    """Number of entries and their ids."""
    with pytest.raises(error) as caught:
        messages.check_batch(batch, "XEntry")
    assert caught.value.message == message


@pytest.mark.parametrize("entry_id", ["x" * 81, "", "a.b", "a b"])
def test_batch_ids_have_their_own_rule(entry_id: str) -> None:
    """80 letters, digits, hyphens and underscores."""
    with pytest.raises(InvalidBatchEntryIdError):
        messages.check_batch(entries(entry_id), "XEntry")


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (
            (0, None, None),
            "Value 0 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
        ),
        (
            (11, None, None),
            "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
        ),
        (
            (None, -1, None),
            "Value -1 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.",
        ),
        (
            (None, 43201, None),
            "Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.",
        ),
        (
            (None, None, 21),
            "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
        ),
    ],
)
def test_the_numbers_of_a_receive_have_ranges(numbers: tuple[Any, Any, Any], message: str) -> None:
    """Each out of range is named."""
    with pytest.raises(InvalidParameterValueError) as caught:
        messages.check_receive(*numbers)
    assert caught.value.message == message


def test_delays_and_timeouts_have_ranges() -> None:
    """0 to 900 and 0 to 43,200 seconds."""
    assert (messages.check_delay(0), messages.check_delay(900), messages.check_visibility(43200)) == (0, 900, 43200)
    with pytest.raises(InvalidParameterValueError, match="DelaySeconds must be >= 0 and <= 900"):
        messages.check_delay(901)
    with pytest.raises(InvalidParameterValueError, match="Must be between 0 and 43200"):
        messages.check_visibility(43201)
