"""`fogbank start`: the server, in the foreground."""

from __future__ import annotations

import errno
import logging
import sys
from typing import Any

import click
import uvloop

from fogbank.cli.failures import Exit, Failure
from fogbank.cli.options import LocalCommand, Options
from fogbank.cli.output import Output
from fogbank.cli.settings import setting_options
from fogbank.core.config import Config
from fogbank.core.faults import UnknownFaultError
from fogbank.runtime import StartError
from fogbank.server import serve
from fogbank.storage import StorageError


@click.command("start", cls=LocalCommand)
@setting_options
@click.pass_context
def command(context: click.Context, /, **flags: Any) -> None:
    """Run the server in the foreground, with all state under --data.

    Prints one line, `ready on http://127.0.0.1:4566`, when it answers. SIGTERM and Ctrl-C stop it after it has
    finished what it accepted. Every option can also be given as an environment variable, named in brackets.
    """
    config = Config.load(**flags)
    as_json = context.ensure_object(Options).json
    logging.basicConfig(
        level=config.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )

    def ready(url: str) -> None:
        if as_json:
            Output(json=True).document({"ready": url})
        else:
            print(f"ready on {url}", flush=True)  # noqa: T201 - the line that other programs wait for

    try:
        uvloop.run(serve(config, ready=ready))
    except UnknownFaultError as error:
        raise Failure(Exit.USAGE, str(error), where="--fault or FOGBANK_FAULT") from None
    except StorageError as error:
        raise _storage(error, config) from None
    except StartError as error:
        raise Failure(Exit.MISSING, str(error), where=f"--isolation {config.isolation}", do="fogbank doctor") from None
    except OSError as error:
        raise _address(error, config) from error


def _storage(error: StorageError, config: Config) -> Failure:
    where = f"--data {config.data.absolute()}"
    if "in use" in str(error):
        return Failure(Exit.IN_USE, str(error), where=where, do="stop that server, or choose another --data")
    return Failure(Exit.FAILED, str(error), where=where, do="choose another --data, or restore this one")


def _address(error: OSError, config: Config) -> Failure:
    address = f"{config.host}:{config.port}"
    match error.errno:
        case errno.EADDRINUSE:
            return Failure(
                Exit.IN_USE,
                f"port {config.port} is in use by another process",
                where=address,
                do=f"stop it, or choose another port: fogbank start --port {(config.port % 65535) + 1}",
            )
        case errno.EACCES | errno.EPERM if error.filename is None:
            return Failure(
                Exit.USAGE, f"port {config.port} may not be used by you", where=address, do="choose a port above 1023"
            )
        case errno.EADDRNOTAVAIL:
            return Failure(Exit.USAGE, f"{config.host} is no address of this machine", where="--host")
    if error.filename is not None:
        return Failure(
            Exit.USAGE,
            f"{error.filename}: {error.strerror}",
            where=f"--data {config.data.absolute()}",
            do="choose another --data",
        )
    return Failure(Exit.FAILED, f"the server could not start: {error}", where=address)
