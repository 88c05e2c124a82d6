"""What commands do before they ask a server anything."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from tests.unit.cli.test_app import run

from fogbank.cli.documents import read_json, read_text
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.logs import parse_since
from fogbank.cli.publish import _entries

NOWHERE = ("--endpoint", "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("10m", 400_000), ("30s", 970_000), ("1h", -2_600_000), ("1970-01-01T00:00:05+00:00", 5_000)],
)
def test_since_is_a_time_ago_or_a_moment(given: str, expected: int) -> None:
    assert parse_since(given, now=1000.0) == expected


@pytest.mark.parametrize("given", ["", "ten minutes", "10", "m", "10w"])
def test_since_refuses_what_it_does_not_know(given: str) -> None:
    with pytest.raises(Failure, match="expected 30s, 10m") as refused:
        parse_since(given, now=0.0)
    assert refused.value.code is Exit.USAGE


def test_a_document_is_text_a_file_or_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "event.json"
    path.write_text('{"a": 1}')
    monkeypatch.setattr("sys.stdin", io.StringIO('{"a": 2}'))
    assert read_json(f"@{path}", what="payload") == ({"a": 1}, '{"a": 1}')
    assert read_json("-", what="payload") == ({"a": 2}, '{"a": 2}')
    assert read_json('{"a": 3}', what="payload") == ({"a": 3}, '{"a": 3}')


def test_a_document_that_is_no_json_says_where(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text('{\n  "a": oops\n}')
    with pytest.raises(Failure, match="the payload is not JSON") as refused:
        read_json(f"@{path}", what="payload")
    assert refused.value.where == f"{path}, line 2, column 8"
    assert refused.value.code is Exit.INVALID


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="there is no file"):
        read_text(f"@{tmp_path}/none")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Failure, match="cannot be read as text"):
        read_text(f"@{path}")


@pytest.mark.parametrize("flags", [("--dry-run",), ("--log",)])
def test_an_asynchronous_call_goes_with_nothing_that_waits(
    flags: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "invoke", "f", "--async", *flags, *NOWHERE)
    assert code == Exit.USAGE
    assert "--async" in err


def test_a_message_attribute_has_a_name_and_a_text(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "send", "q", "body", "--attribute", "colour", *NOWHERE)
    assert code == Exit.USAGE
    assert "NAME=TEXT" in err


@pytest.mark.parametrize("value", ["{}", "[1]", '"x"'])
def test_entries_are_a_list_of_objects(value: str) -> None:
    """Checked here, since `entries` is the CLI's own form."""
    with pytest.raises(Failure, match="not a list of objects"):
        _entries(json.loads(value), "default")


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "export AWS_REGION=eu-west-1"),
        ("zsh", "export AWS_REGION=eu-west-1"),
        ("fish", "set -gx AWS_REGION eu-west-1;"),
        ("powershell", "$Env:AWS_REGION = 'eu-west-1'"),
        ("cmd", "set AWS_REGION=eu-west-1"),
        ("dotenv", "AWS_REGION=eu-west-1"),
    ],
)
def test_env_speaks_each_shell(shell: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "env", "--shell", shell, "--region", "eu-west-1")
    assert code == 0
    assert line in out.splitlines()


def test_env_quotes_what_a_shell_would_read(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "env", "--access-key", "a b'c")
    assert """export AWS_ACCESS_KEY_ID='a b'"'"'c'""" in out.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "completion", shell)
    assert code == 0
    assert "_FOGBANK_COMPLETE" in out


@pytest.mark.slow
def test_doctor_says_what_it_saw(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every check names what it saw; what is limited says what to do or why."""
    monkeypatch.setenv("FOGBANK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FOGBANK_PORT", "0")
    code, out, _ = run(capsys, "doctor", "--json", *NOWHERE)
    report = json.loads(out)
    names = [check["name"] for check in report["checks"]]
    assert code == 0
    assert report["works"] is True
    assert {"machine", "SAM templates", "disk", "data folder", "port", "file limit", "isolation"} <= set(names)
    assert any(name.startswith("python3.") for name in names)
    assert all(check["saw"] for check in report["checks"])
