"""Ids, ARNs, scopes, traces and configuration."""

from __future__ import annotations

import contextlib
import re
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.clock import VirtualClock
from fogbank.core.config import Auth, Config, ConfigError
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace


def test_seeded_ids_repeat_and_others_do_not() -> None:
    assert Ids(7).uuid() == Ids(7).uuid()
    assert Ids().uuid() != Ids().uuid()


def test_a_uuid_is_version_4() -> None:
    for ids in (Ids(), Ids(3)):
        for _ in range(50):
            assert uuid.UUID(ids.uuid()).version == 4


@given(st.integers(1, 300))
def test_ids_have_the_asked_length(n: int) -> None:
    ids = Ids(1)
    assert len(ids.hex(n)) == len(ids.code(n)) == len(ids.bytes(n)) == n
    assert 0 <= ids.number(n) < n
    assert 0 <= ids.fraction() < 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("arn:aws:sqs:us-east-1:123456789012:orders", "orders"),
        ("arn:aws:lambda:us-east-1:123456789012:function:f", "f"),
        ("arn:aws:dynamodb:us-east-1:123456789012:table/t", "t"),
        ("arn:aws-cn:iam::123456789012:role/path/r", "path/r"),
    ],
)
def test_an_arn_is_taken_apart_and_put_together(text: str, name: str) -> None:
    arn = Arn.parse(text)
    assert str(arn) == text
    assert arn.name == name
    assert arn.scope.account == "123456789012"


@pytest.mark.parametrize("text", ["", "arn", "arn:aws:sqs:r:a", "urn:aws:sqs:r:a:x", "arn:aws:sqs:r:a:"])
def test_what_is_no_arn_is_refused(text: str) -> None:
    with pytest.raises(MalformedArnError, match="expected arn:"):
        Arn.parse(text)


@given(st.text())
def test_any_text_is_an_arn_or_refused(text: str) -> None:
    with contextlib.suppress(MalformedArnError):
        assert str(Arn.parse(text)) == text


def test_a_scope_names_resources_in_its_partition() -> None:
    assert Scope("1" * 12, "cn-north-1").arn("sqs", "q") == f"arn:aws-cn:sqs:cn-north-1:{'1' * 12}:q"
    assert Scope("1" * 12).global_arn("iam", "role/r") == f"arn:aws:iam::{'1' * 12}:role/r"


def test_a_trace_header_is_read_as_it_was_written() -> None:
    """A decision that nobody has made is not in it."""
    trace = Trace.begin(VirtualClock(), Ids(1))
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16}", trace.header)
    assert Trace.parse(trace.header) == trace
    for sampled in (True, False):
        decided = trace._replace(sampled=sampled)
        assert decided.header == f"{trace.header};Sampled={int(sampled)}"
        assert Trace.parse(decided.header) == decided


def test_what_is_passed_on_names_the_span_that_the_client_gave() -> None:
    """Spans of Fogbank's own that lie between are not shown; a context that no client gave is not passed on."""
    ids = Ids(1)
    given = Trace.parse("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")
    assert given is not None
    inner = given.child(ids).child(ids)
    assert inner.parent != given.parent
    assert inner.upstream == given.header
    assert Trace.begin(VirtualClock(), ids).child(ids).upstream is None


def test_w3c_and_xray_write_the_same_context() -> None:
    """A traceparent's trace id is X-Ray's without its dashes."""
    trace = Trace.parse_w3c("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01")
    assert trace == Trace("1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8", sampled=True)
    unsampled = Trace.parse_w3c("cc-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00-what-comes-later")
    assert unsampled is not None
    assert unsampled.sampled is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8",
        "ff-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01",
        "00-00000000000000000000000000000000-53995c3f42cd8ad8-01",
        "00-5759e988bd862e3fe1be46a994272793-0000000000000000-01",
        "00-5759E988BD862E3FE1BE46A994272793-53995c3f42cd8ad8-01",
    ],
)
def test_a_malformed_traceparent_begins_a_new_trace(text: str) -> None:
    assert Trace.parse_w3c(text) is None


@given(st.text())
def test_a_malformed_trace_header_begins_a_new_trace(text: str) -> None:
    assert Trace.parse(text) is None or text.startswith("Root=1-")


def test_flags_win_over_the_environment_and_both_over_defaults() -> None:
    environ = {"FOGBANK_PORT": "1", "FOGBANK_DATA": "/x", "FOGBANK_AUTH": "verify", "FOGBANK_STOP_TIMEOUT": "2.5"}
    config = Config.load(environ, port=2, data=None)
    assert (config.port, config.data, config.auth, config.stop_timeout) == (2, Path("/x"), Auth.VERIFY, 2.5)


@pytest.mark.parametrize(
    ("flags", "environ", "message"),
    [
        ({"account": "12"}, {}, "account: expected 12 digits"),
        ({"port": 70000}, {}, "port: expected 0 to 65535"),
        ({}, {"FOGBANK_PORT": "x"}, "FOGBANK_PORT: expected int"),
        ({"host": "0.0.0.0"}, {}, "only loopback is allowed"),
        ({"nonsense": 1}, {}, "unknown settings: nonsense"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(flags: dict[str, object], environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config.load(environ, **flags)


def test_any_address_is_allowed_when_signatures_are_verified() -> None:
    assert Config(host="0.0.0.0", auth=Auth.VERIFY).endpoint == "http://0.0.0.0:4566"
