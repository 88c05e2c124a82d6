"""Settings: each field of `Config` is an option, is explained, and is refused where it is wrong."""

from __future__ import annotations

from dataclasses import fields

import click
import pytest
from tests.unit.cli.test_app import every_command, run

from fogbank.cli.failures import Exit
from fogbank.cli.settings import HELP
from fogbank.core.config import Config, ConfigError


def test_every_setting_is_a_flag_of_start_and_explained() -> None:
    start = dict(every_command())["start"]
    flags = {option.name for option in start.params if isinstance(option, click.Option)}
    names = {setting.name for setting in fields(Config)}
    assert names <= flags
    assert names == set(HELP)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--account", "12"), "account: expected 12 digits, got '12'"),
        (("--port", "70000"), "port: expected 0 to 65535, got 70000"),
        (("--host", "0.0.0.0"), "only loopback is allowed"),
        (("--max-body", "0"), "max_body: expected more than 0, got 0"),
        (("--auth", "none"), "'none' is not one of"),
        (("--log-level", "loud"), "'loud' is not one of"),
        (("--fault", "no.such"), "unknown fault point 'no.such'"),
        (("--fault", "storage.after-commit:x"), "a whole number above 0"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_happens(
    flags: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOGBANK_DATA", "/nonexistent/fogbank")
    code, out, err = run(capsys, "start", *flags)
    assert (code, out) == (Exit.USAGE, "")
    assert words in err


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FOGBANK_PORT", "many")
    code, _, err = run(capsys, "start")
    assert code == Exit.USAGE
    assert "FOGBANK_PORT: expected int, got 'many'" in err


def test_flags_win_over_the_environment() -> None:
    config = Config.load({"FOGBANK_PORT": "1", "FOGBANK_REGION": "eu-west-1"}, port=2)
    assert (config.port, config.region) == (2, "eu-west-1")


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown settings: colour"):
        Config.load({}, colour="blue")
