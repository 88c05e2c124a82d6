"""boto3 clients of the server, and its errors in words that help."""

from __future__ import annotations

import functools
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import click
from botocore.config import Config as BotoConfig
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ParamValidationError,
)
from botocore.parsers import ResponseParserError

from fogbank.cli.failures import Exit, Failure
from fogbank.cli.options import LocalCommand, Options, server_options
from fogbank.cli.output import Output
from fogbank.core.trace import UNBILLED

_NOT_FOUND = ("NotFound", "DoesNotExist", "NonExistentQueue")
_INVALID = ("Validation", "InvalidParameter", "InvalidRequest", "InvalidEventPattern")


class Connection:
    """The server at one endpoint: clients are made when they are first asked for. Nothing is sent twice."""

    def __init__(self, options: Options, *, billed: bool = True) -> None:
        """`billed`: whether its requests are on the bill of `fogbank cost`; those that only look are not."""
        self.billed = billed
        self.endpoint = options.address
        self.region = options.region_name
        self._session = _session(*options.keys, self.region)
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """A boto3 client."""
        if service not in self._clients:
            config = BotoConfig(
                retries={"total_max_attempts": 1},
                connect_timeout=5,
                read_timeout=910,
                s3={"addressing_style": "path"},  # not every machine knows names below localhost
            )
            make: Any = self._session.client  # its overloads know each service by name, and we have any
            client = make(service, endpoint_url=self.endpoint, config=config)
            if not self.billed:
                client.meta.events.register("before-send", _unbilled)
            self._clients[service] = client
        return self._clients[service]

    def health(self, *, timeout: float = 2.0) -> dict[str, Any] | None:
        """What `GET /_fogbank/health` answers; `None` if no Fogbank does."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_fogbank/health", timeout=timeout) as reply:  # noqa: S310
                found = json.loads(reply.read())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def get(self, path: str) -> dict[str, Any]:
        """What one of the server's own paths answers; `Failure` if it does not."""
        return self._own(path, None)

    def post(self, path: str, document: Any) -> dict[str, Any]:
        """The same of a document that is sent to it."""
        return self._own(path, json.dumps(document).encode())

    def _own(self, path: str, data: bytes | None) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(self.endpoint + path, data=data, timeout=60) as reply:  # noqa: S310
                found: dict[str, Any] = json.loads(reply.read())
        except urllib.error.HTTPError as error:
            try:
                message = json.loads(error.read()).get("message", "")
            except ValueError:
                message = ""
            raise Failure(
                Exit.UNREACHABLE, f"the server answered {error.code}: {message}", where=self.endpoint + path
            ) from None
        except OSError:
            raise unreachable(self.endpoint) from None
        except ValueError:
            raise Failure(
                Exit.UNREACHABLE, "what answers there is not Fogbank", where=self.endpoint, do="check --endpoint"
            ) from None
        return found


def _unbilled(request: Any, **_: Any) -> None:
    request.headers["X-Amzn-Trace-Id"] = f"Root={UNBILLED}"


@functools.lru_cache(maxsize=8)
def _session(access_key: str, secret_key: str, region: str) -> boto3.Session:
    """A session keeps the service models that it has read."""
    return boto3.Session(aws_access_key_id=access_key, aws_secret_access_key=secret_key, region_name=region)


class ServerCommand(LocalCommand):
    """A command that talks to the server: it has `--endpoint` and its like, and puts the server's errors in words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += server_options(environment=False)

    def invoke(self, ctx: click.Context) -> Any:
        with in_words(ctx.ensure_object(Options).address):
            return super().invoke(ctx)


def connected(context: click.Context, *, billed: bool = True) -> tuple[Connection, Output]:
    """What a command begins with."""
    options = context.ensure_object(Options)
    return Connection(options, billed=billed), Output(json=options.json)


@contextmanager
def in_words(endpoint: str) -> Iterator[None]:
    """Turn what boto3 raises into a `Failure`."""
    try:
        yield
    except ClientError as error:
        raise refused(error) from error
    except EndpointConnectionError:
        raise unreachable(endpoint) from None
    except ConnectionClosedError:
        raise Failure(
            Exit.UNREACHABLE,
            "the server closed the connection before it answered",
            where=endpoint,
            do="look at its output; start it again with: fogbank start (what it had accepted is there)",
        ) from None
    except ParamValidationError as error:
        raise Failure(Exit.INVALID, str(error).replace("\n", " ")) from None
    except ResponseParserError:
        raise Failure(
            Exit.UNREACHABLE, "what answers there is not Fogbank", where=endpoint, do="check --endpoint"
        ) from None
    except HTTPClientError as error:
        raise Failure(Exit.UNREACHABLE, f"the request failed: {error}", where=endpoint) from None
    except BotoCoreError as error:
        raise Failure(Exit.USAGE, str(error), where=endpoint) from error


def unreachable(endpoint: str) -> Failure:
    """No server answers."""
    return Failure(
        Exit.UNREACHABLE,
        f"no server answers at {endpoint}",
        where="--endpoint, FOGBANK_ENDPOINT or AWS_ENDPOINT_URL; else the default",
        do="start it with: fogbank start",
    )


def error_code(error: ClientError) -> str:
    """The code of an AWS error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def refused(error: ClientError) -> Failure:
    """The server's refusal, with the exit code that fits its kind."""
    code = error_code(error)
    message = str(error.response.get("Error", {}).get("Message", ""))
    kind = Exit.FAILED
    if any(part in code for part in _NOT_FOUND) or "does not exist" in message:
        kind = Exit.NOT_FOUND
    elif code.startswith(_INVALID):
        kind = Exit.INVALID
    do = "see docs/coverage.md for what is there" if code == "NotImplemented" else None
    return Failure(kind, f"{code}: {message}" if message else code, where=error.operation_name, do=do)
