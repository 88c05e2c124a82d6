"""The reference has every command, option, setting and exit code; a new one without its line fails here."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import click
from tests.unit.cli.test_app import every_command

from fogbank.cli.failures import Exit
from fogbank.cli.settings import default_text
from fogbank.core.config import PREFIX, Config

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
SHARED = {"--json", "--endpoint", "--region", "--access-key", "--secret-key"}
COMMANDS = (REFERENCE / "commands.md").read_text()
SETTINGS = (REFERENCE / "settings.md").read_text()


def section(name: str) -> str:
    """The text below a command's heading."""
    found = re.search(rf"^## fogbank {re.escape(name)}$(.*?)(?=^## |\Z)", COMMANDS, re.MULTILINE | re.DOTALL)
    assert found, f"docs/reference/commands.md has no section for {name}"
    return found[1]


def test_every_command_and_option_is_in_the_reference() -> None:
    for name, command in every_command():
        text = section(name)
        for option in command.params:
            if isinstance(option, click.Option):
                for form in set(option.opts) - SHARED:
                    assert f"`{form}`" in text, f"{form} of {name} is not explained"


def test_the_reference_has_no_command_or_option_that_is_gone() -> None:
    commands = dict(every_command())
    headings = set(re.findall(r"^## fogbank (.+)$", COMMANDS, re.MULTILINE))
    assert headings == set(commands)
    for name, command in commands.items():
        known = {form for option in command.params for form in option.opts} | {"--help"}
        documented = set(re.findall(r"^\| (?:`-\w`, )?`(--[a-z-]+)`", section(name), re.MULTILINE))
        assert documented <= known, name


def test_the_shared_options_are_explained_once() -> None:
    head = COMMANDS[: COMMANDS.index("## Exit codes")]
    for option in SHARED:
        assert f"| `{option}`" in head


def test_every_exit_code_is_in_the_reference() -> None:
    documented = {int(code): kind for code, kind in re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", COMMANDS, re.MULTILINE)}
    assert documented == {int(code): code.name for code in Exit}


def test_every_setting_is_in_the_reference_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(--[a-z-]+)` \| (.+) \|$", SETTINGS, re.MULTILINE))
    flags = {f"--{setting.name.replace('_', '-')}": setting.name for setting in fields(Config)}
    assert set(rows) == set(flags)
    for flag, name in flags.items():
        default = default_text(name)
        shown = f"`{default}`" if default else "none"
        assert rows[flag].startswith(f"`{PREFIX}{name.upper()}` | {shown} |"), flag
