"""Data sets in objects: what their bytes mean."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.states._language._datasets import (
    MAX_ITEM,
    DatasetError,
    Format,
    InputType,
    format_of,
    inventory_of,
    items_of,
    java_order,
    listed_objects,
    object_item,
    unpacked,
)

FIRST_ROW = Format(InputType.CSV)
ALL = 1 << 30
FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


def test_rows_have_the_first_rows_names_as_recorded_of_aws() -> None:
    data = b"Col1,Col2,Col3\nValue1,Value2,Value3\n,,,\ntrue,1,'HelloWorld'\nNull,None,\n   \n"
    assert items_of(data, FIRST_ROW, ALL) == [
        {"Col1": "Value1", "Col2": "Value2", "Col3": "Value3"},
        {"Col1": "", "Col2": "", "Col3": ""},
        {"Col1": "true", "Col2": "1", "Col3": "'HelloWorld'"},
        {"Col1": "Null", "Col2": "None", "Col3": ""},
        {"Col1": "   ", "Col2": "", "Col3": ""},
    ]
    assert items_of(b"H1,\nValue4,Value5,Value6\n", FIRST_ROW, ALL) == [{"": "Value5", "H1": "Value4"}]


@given(st.lists(st.lists(FIELDS, min_size=2, max_size=2), min_size=1, max_size=6), st.sampled_from(",|; \t"))
def test_what_a_writer_of_csv_writes_is_read(rows: list[list[str]], delimiter: str) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    how = Format(InputType.CSV, delimiter, ("a", "b"))
    assert items_of(out.getvalue().encode(), how, ALL) == [{"a": a, "b": b} for a, b in rows]


@given(st.lists(JSON, max_size=6), st.integers(0, 7))
def test_arrays_and_lines_give_their_items(items: list[Any], most: int) -> None:
    lines = "".join(json.dumps(item) + "\n" for item in items).encode()
    assert items_of(lines, Format(InputType.JSONL), most) == items[:most]
    text = json.dumps({"a/b": {"~": [items]}}).encode()
    assert items_of(text, Format(InputType.JSON, pointer="/a~1b/~0/0"), most) == items[:most]


@given(st.binary(max_size=60), st.sampled_from([InputType.CSV, InputType.JSON, InputType.JSONL]))
def test_any_bytes_have_items_or_a_reason(data: bytes, kind: InputType) -> None:
    for read in (lambda: items_of(unpacked(data), Format(kind), 5), lambda: inventory_of(data)):
        with contextlib.suppress(DatasetError):
            read()


@pytest.mark.parametrize(
    ("read", "cause"),
    [
        (lambda: items_of(b"a,b\n1,2\n", Format(InputType.CSV, headers=("H", "H")), 9), "cannot contain duplicates."),
        (lambda: items_of(b"a,b\n", FIRST_ROW, 9), "only CSV headers"),
        (lambda: items_of(b"", FIRST_ROW, 9), "is empty"),
        (lambda: items_of(b"a" * 10_241 + b"\n1", FIRST_ROW, 9), "longer than 10240 bytes"),
        (lambda: items_of(b"{}", Format(InputType.JSON), 9), "Attempting to map over non-iterable node."),
        (lambda: items_of(b"{}", Format(InputType.JSON, pointer="/a"), 9), "leads to nothing"),
        (lambda: items_of(b"[1", Format(InputType.JSON), 9), "not valid JSON"),
        (lambda: items_of(b"\xff\xfe", FIRST_ROW, 9), "UTF-8"),
        (lambda: items_of(json.dumps(["a" * MAX_ITEM]).encode(), Format(InputType.JSON), 9), "size of an item"),
        (lambda: items_of(b"PAR1", Format(InputType.PARQUET), 9), "Fogbank does not read PARQUET objects yet"),
        (lambda: inventory_of(b'{"fileFormat":"ORC"}'), "must be in CSV format but was in ORC"),
        (lambda: inventory_of(b"[]"), "not the manifest of an S3 inventory"),
        (lambda: listed_objects(b"http://b/k\n"), "no address of an object"),
        (lambda: unpacked(b"\x1f\x8bx"), "not a gzip file"),
    ],
)
def test_what_cannot_be_read_says_why(read: Callable[[], Any], cause: str) -> None:
    with pytest.raises(DatasetError, match=cause):
        read()


def test_members_are_in_the_order_of_a_java_map() -> None:
    """As the Developer Guide's example of ratings shows them."""
    names = ["userId", "movieId", "rating", "timestamp"]
    assert [names[at] for at in java_order(names)] == ["rating", "movieId", "userId", "timestamp"]
    many = [str(number) for number in range(40)]
    assert sorted(many[at] for at in java_order(many)) == sorted(many)


def test_manifests_name_objects() -> None:
    manifest = {
        "destinationBucket": "arn:aws:s3:::lists",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "data/1.csv.gz", "size": 3}],
    }
    found = inventory_of(json.dumps(manifest).encode())
    assert (found.bucket, found.keys, found.how.headers) == ("lists", ("data/1.csv.gz",), ("Bucket", "Key", "Size"))
    assert listed_objects(b's3://b/a/1.csv\n\n"s3://b/2"\n') == [("b", "a/1.csv"), ("b", "2")]
    assert unpacked(gzip.compress(b"abc")) == b"abc"


def test_a_listed_object_is_an_item() -> None:
    entry = {"Key": "k", "ETag": '"e"', "LastModified": 1668699881.7, "Size": 3, "StorageClass": "STANDARD"}
    assert object_item(entry) == {
        "Etag": '"e"',
        "Key": "k",
        "LastModified": 1668699881,
        "Size": 3,
        "StorageClass": "STANDARD",
    }


def test_a_config_tells_the_format() -> None:
    config = {"InputType": "CSV", "CSVDelimiter": "PIPE", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a"]}
    assert format_of(config) == Format(InputType.CSV, "|", ("a",))
    assert format_of({}) == Format(InputType.JSON)
