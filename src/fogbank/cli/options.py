"""What every command is told: where the server is, as whom to call it, and how to print.

The same options may stand before or after the command's name: `fogbank --json stacks`, `fogbank stacks --json`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import click

from fogbank.cli.failures import Exit, Failure
from fogbank.core.config import Config
from fogbank.core.scope import DEFAULT_REGION

ANY_KEY = "fogbank"
"""With `--auth local` every key will do; one that is not 12 digits belongs to the server's default account."""


@dataclass(slots=True)
class Options:
    """What was given; `None` where nothing was."""

    json: bool = False
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = None

    @property
    def address(self) -> str:
        """The server's URL: as given, or where a server with the settings of this environment listens."""
        address = (self.endpoint or Config.load().endpoint).rstrip("/")
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Failure(
                Exit.USAGE,
                f"endpoint: expected a URL such as http://127.0.0.1:4566, got {address!r}",
                where="--endpoint, FOGBANK_ENDPOINT or AWS_ENDPOINT_URL",
            )
        return address

    @property
    def region_name(self) -> str:
        """The region to call."""
        return self.region or DEFAULT_REGION

    @property
    def keys(self) -> tuple[str, str]:
        """The access key and its secret."""
        return self.access_key or ANY_KEY, self.secret_key or ANY_KEY


def _remember(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            setattr(context.ensure_object(Options), name, value)

    return callback


def json_option() -> click.Option:
    """`--json`."""
    return click.Option(
        ["--json"],
        is_flag=True,
        expose_value=False,
        callback=_remember("json"),
        help="Print JSON for programs; errors too, on standard error.",
    )


def server_options(*, environment: bool) -> list[click.Option]:
    """Where the server is and as whom to call it; the root's take their defaults from the environment."""
    table = (
        ("endpoint", "URL", ["FOGBANK_ENDPOINT", "AWS_ENDPOINT_URL"], "The server's address [http://127.0.0.1:4566]."),
        ("region", "REGION", ["AWS_REGION", "AWS_DEFAULT_REGION", "FOGBANK_REGION"], "The region [us-east-1]."),
        ("access-key", "KEY", ["AWS_ACCESS_KEY_ID"], "Access key id; 12 digits name an account."),
        ("secret-key", "SECRET", ["AWS_SECRET_ACCESS_KEY"], "Its secret; checked only with `--auth verify`."),
    )
    return [
        click.Option(
            [f"--{name}"],
            metavar=metavar,
            envvar=variables if environment else None,
            show_envvar=environment,
            expose_value=False,
            callback=_remember(name.replace("-", "_")),
            help=text,
        )
        for name, metavar, variables, text in table
    ]


class LocalCommand(click.Command):
    """A command that needs no server: it has `--json`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(json_option())
