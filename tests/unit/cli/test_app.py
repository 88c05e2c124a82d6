"""The root command: lazy, and clear about what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from fogbank.cli.app import COMMANDS, main, root
from fogbank.cli.failures import Exit

HEAVY = ("boto3", "botocore", "rich", "samtranslator", "uvloop", "apsw", "fogbank.server")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    printed = capsys.readouterr()
    return int(left.value.code or 0), printed.out, printed.err


def every_command(group: click.Group | None = None, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command, those of groups as `dlq list`."""
    group = group or root
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from every_command(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def test_help_imports_no_heavy_library() -> None:
    """`fogbank --help` stays quick: what a command needs is imported when it is used."""
    code = (
        "import sys\n"
        "from fogbank.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: fogbank" in done.stdout
    assert done.stderr.strip() == "[]"


def test_every_command_is_there_and_takes_json() -> None:
    """Each name of the overview leads to a command, and each command has `--json` and a help text."""
    found = dict(every_command())
    assert {name.split()[0] for name in found} == set(COMMANDS)
    for name, command in found.items():
        assert any("--json" in option.opts for option in command.params), name
        assert command.help, name


def test_every_option_says_what_it_is_for() -> None:
    for name, command in every_command():
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{name} {option.opts}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_prints_its_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: fogbank {name}")


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "stakcs")
    assert code == Exit.USAGE
    assert out == ""
    assert "No such command 'stakcs'" in err
    assert "fogbank --help" in err


def test_no_command_prints_the_overview(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys)
    assert code == 0
    assert "Usage: fogbank" in out


def test_a_missing_argument_names_the_commands_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "invoke")
    assert code == Exit.USAGE
    assert "FUNCTION" in err
    assert "fogbank invoke --help" in err


@pytest.mark.parametrize("arguments", [("--json", "stacks"), ("stacks", "--json")])
def test_errors_are_json_where_json_was_asked_for(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Before or after the command's name; standard output stays empty."""
    code, out, err = run(capsys, "--endpoint", "http://127.0.0.1:1", *arguments)
    assert (code, out) == (Exit.UNREACHABLE, "")
    error = json.loads(err)["error"]
    assert error["exit"] == Exit.UNREACHABLE
    assert error["do"] == "start it with: fogbank start"
    assert "http://127.0.0.1:1" in error["what"]


def test_an_unreachable_server_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "stacks", "--endpoint", "http://127.0.0.1:1")
    assert code == Exit.UNREACHABLE
    assert "no server answers at http://127.0.0.1:1" in err
    assert "fogbank start" in err


def test_an_endpoint_that_is_no_url_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "stacks", "--endpoint", "localhost")
    assert code == Exit.USAGE
    assert "expected a URL" in err


def test_the_endpoint_comes_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """FOGBANK_ENDPOINT wins over AWS_ENDPOINT_URL, and a flag over both."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:2")
    assert json.loads(run(capsys, "env", "--json")[1])["AWS_ENDPOINT_URL"] == "http://127.0.0.1:2"
    monkeypatch.setenv("FOGBANK_ENDPOINT", "http://127.0.0.1:3")
    assert json.loads(run(capsys, "env", "--json")[1])["AWS_ENDPOINT_URL"] == "http://127.0.0.1:3"
    flags = ("env", "--json", "--endpoint", "http://127.0.0.1:4/")
    assert json.loads(run(capsys, *flags)[1])["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4"


def test_without_any_the_endpoint_is_where_a_server_of_this_environment_listens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "FOGBANK_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    assert json.loads(run(capsys, "env", "--json")[1])["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    monkeypatch.setenv("FOGBANK_PORT", "4999")
    assert json.loads(run(capsys, "env", "--json")[1])["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4999"


def test_a_defect_is_told_in_words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is shown a traceback."""
    monkeypatch.setattr("fogbank.cli.env._FORMS", {"bash": lambda name, value: name[value]})
    code, _, err = run(capsys, "env")
    assert code == Exit.DEFECT
    assert "a fault of Fogbank's own: TypeError" in err
    assert "Traceback" not in err
