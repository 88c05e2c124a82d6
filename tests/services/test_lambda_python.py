"""Python functions: what they see, what they answer, how they fail, and their log."""

# ruff: noqa: ASYNC240 - what other processes do is seen by looking

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.services.environments import (
    ARN,
    ECHO,
    TIMEOUT,
    Make,
    bundle_awslambdaric,
    event,
    fail,
    lines,
    needs_sandbox,
    run,
)

from fogbank.runtime import (
    LogFormat,
    Logging,
    Runtime,
)

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]


async def test_an_event_goes_in_and_the_answer_comes_out(runtime: Runtime, make: Make) -> None:
    assert await run(runtime, make(ECHO), {"ä": [1, 2.5, None, "x" * 100_000]}) == {"ä": [1, 2.5, None, "x" * 100_000]}


async def test_the_documented_environment_and_nothing_of_ours(
    runtime: Runtime, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    source = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    version = make(source, environment={"MINE": "1"})
    found = await run(runtime, version)
    assert "SECRET_OF_THE_SERVER" not in found
    expected = {
        "MINE": "1",
        "_HANDLER": "app.handler",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{version.runtime}",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_ACCESS_KEY_ID": "000000000000",
        "LAMBDA_TASK_ROOT": str(version.task),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
    }
    trace = found["_X_AMZN_TRACE_ID"].split(";")
    assert (trace[0], trace[-1]) == ("Root=1-5759e988-bd862e3fe1be46a994272793", "Sampled=1")
    assert {name: found.get(name) for name in expected} == expected
    assert found["_X_AMZN_TRACE_ID"].startswith("Root=1-5759e988-bd862e3fe1be46a994272793;")
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_RUNTIME_DIR", "PATH"):
        assert found[name]
    assert found["AWS_LAMBDA_LOG_STREAM_NAME"].endswith("]" + found["AWS_LAMBDA_LOG_STREAM_NAME"][-32:])


async def test_neither_fogbank_nor_its_environment_can_be_imported(runtime: Runtime, make: Make) -> None:
    source = """
import importlib.util, sys
def handler(event, context):
    return [name for name in event if importlib.util.find_spec(name)], sys.path
"""
    found, path = await run(runtime, make(source), ["fogbank", "pytest", "apsw", "pip", "boto3", "six", "json"])
    assert found == ["boto3", "six", "json"]
    assert not [entry for entry in path if "site-packages" in entry and "/opt/" not in entry]


async def test_the_offered_boto3_is_there_and_a_bundled_one_comes_first(runtime: Runtime, make: Make) -> None:
    source = """
import boto3, botocore
def handler(event, context):
    return boto3.__file__, getattr(boto3, "mine", False)
"""
    path, mine = await run(runtime, make(source))
    assert "/runtime/python/boto3/" in path
    assert not mine
    version = make("from boto3 import mine\ndef handler(event, context):\n    return mine\n")
    (version.task / "boto3").mkdir()
    (version.task / "boto3" / "__init__.py").write_text("mine = True\n")
    assert await run(runtime, version) is True


async def test_the_context_object(runtime: Runtime, make: Make) -> None:
    source = """
def handler(event, context):
    client = context.client_context
    return {
        "request": context.aws_request_id, "arn": context.invoked_function_arn, "name": context.function_name,
        "version": context.function_version, "memory": context.memory_limit_in_mb, "group": context.log_group_name,
        "left": context.get_remaining_time_in_millis(), "custom": client.custom, "app": client.client.app_title,
        "identity": context.identity.cognito_identity_id,
    }
"""
    sent = event(None, client_context='{"custom": {"a": "ü"}, "client": {"app_title": "t"}}')
    outcome = await runtime.invoke(make(source), sent)
    found = json.loads(outcome.payload)
    assert 0 < found.pop("left") <= TIMEOUT * 1000
    assert found == {
        "request": sent.request_id,
        "arn": ARN,
        "name": "f",
        "version": "$LATEST",
        "memory": "256",
        "group": "/aws/lambda/f",
        "custom": {"a": "ü"},
        "app": "t",
        "identity": None,
    }


async def test_a_temporary_folder_of_its_own_that_goes_with_it(runtime: Runtime, make: Make) -> None:
    source = """
import os, tempfile
def handler(event, context):
    with open(os.path.join(tempfile.gettempdir(), "kept"), "a") as file:
        file.write("x")
        return tempfile.gettempdir(), file.tell()
"""
    version = make(source)
    folder, size = await run(runtime, version)
    assert await run(runtime, version) == [folder, size + 1]
    await runtime.reset()
    assert not Path(folder).exists()


async def test_imports_of_a_layer(runtime: Runtime, make: Make, tmp_path: Path) -> None:
    layer = tmp_path / "opt"
    (layer / "python").mkdir(parents=True)
    (layer / "python" / "shared.py").write_text("value = 'from the layer'\n")
    version = make("import shared\ndef handler(event, context):\n    return shared.value\n", layers=layer)
    assert await run(runtime, version) == "from the layer"


async def test_answers_that_json_holds_in_aws_way(runtime: Runtime, make: Make) -> None:
    source = """
import decimal
def handler(event, context):
    return {"d": decimal.Decimal("1.10"), "i": 2**70, "b": b"bytes", "t": (1, 2), 3: "key"}
"""
    outcome = await runtime.invoke(make(source), event())
    assert json.loads(outcome.payload, parse_float=str) == {
        "d": "1.10",
        "i": 2**70,
        "b": "bytes",
        "t": [1, 2],
        "3": "key",
    }


async def test_an_exception(runtime: Runtime, make: Make) -> None:
    version = make("def handler(event, context):\n    raise ValueError('no ' + event)\n")
    sent = event("way")
    outcome = await runtime.invoke(version, sent)
    assert outcome.error == "Unhandled"
    assert json.loads(outcome.payload) == {
        "errorMessage": "no way",
        "errorType": "ValueError",
        "requestId": sent.request_id,
        "stackTrace": ["  File \"/var/task/app.py\", line 2, in handler\n    raise ValueError('no ' + event)\n"],
    }
    assert any(
        line.startswith("[ERROR] ValueError: no way\nTraceback (most recent call last):") for line in lines(runtime)
    )


@pytest.mark.parametrize(
    ("source", "handler", "kind", "message"),
    [
        (
            "import nope\n",
            "app.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'nope'",
        ),
        ("x = 1\n", "app.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        (
            "x = 1\n",
            "other.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'other': No module named 'other'",
        ),
        ("def (:\n", "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app': "),
        ("x = 1\n", "handler", "Runtime.MalformedHandlerName", "Bad handler 'handler': "),
        ("1 / 0\n", "app.handler", "ZeroDivisionError", "division by zero"),
    ],
)
async def test_init_errors(runtime: Runtime, make: Make, source: str, handler: str, kind: str, message: str) -> None:
    found = await fail(runtime, make(source, handler=handler))
    assert found["errorType"] == kind
    assert found["errorMessage"].startswith(message)
    assert isinstance(found["stackTrace"], list)
    assert any(
        line.startswith("INIT_REPORT Init Duration: ") and line.endswith(f"Error Type: {kind}")
        for line in lines(runtime)
    )


async def test_a_syntax_error_shows_its_place(runtime: Runtime, make: Make) -> None:
    version = make("def (:\n")
    found = await fail(runtime, version)
    assert found["stackTrace"] == ['  File "/var/task/app.py" Line 1\n    def (:\n']


async def test_the_log_of_an_invocation_is_in_order(runtime: Runtime, make: Make) -> None:
    source = """
import logging, sys
def handler(event, context):
    print("first")
    logging.getLogger().warning("second\\nwith two lines")
    sys.stderr.write("third")
"""
    sent = event(tail=True)
    outcome = await runtime.invoke(make(source), sent)
    found = lines(runtime)
    assert found[0].startswith("INIT_START Runtime Version: python:3.")
    assert found[1] == f"START RequestId: {sent.request_id} Version: $LATEST"
    assert found[2] == "first"
    assert found[3].startswith("[WARNING]\t")
    assert found[3].endswith(f"Z\t{sent.request_id}\tsecond\nwith two lines")
    assert found[4] == "third"
    assert found[5] == f"END RequestId: {sent.request_id}"
    assert found[6].startswith(f"REPORT RequestId: {sent.request_id}\tDuration: ")
    assert outcome.log.decode() == "".join(f"{line}\n" for line in found[1:])


async def test_the_json_log_format(runtime: Runtime, make: Make) -> None:
    source = (
        "import logging\ndef handler(event, context):\n    logging.getLogger('mine').error('bad', extra={'order': 7})\n"
    )
    version = make(source, logging=Logging("/g", LogFormat.JSON))
    sent = event()
    await runtime.invoke(version, sent)
    records = [json.loads(line) for line in lines(runtime)]
    assert [record.get("type") for record in records] == [
        "platform.initStart",
        "platform.start",
        None,
        "platform.report",
    ]
    entry = records[2]
    assert (entry["level"], entry["message"], entry["logger"], entry["order"]) == ("ERROR", "bad", "mine", 7)
    assert entry["requestId"] == sent.request_id


async def test_awslambdaric_unmodified_in_place_of_our_client(runtime: Runtime, make: Make) -> None:
    """AWS's own client speaks to our Runtime API, as the runtime that the code brings."""
    version = make(
        "def handler(event, context):\n    print('printed')\n    if event == 'fail': raise ValueError('no')\n"
        "    return {'got': event, 'left': context.get_remaining_time_in_millis() > 0}\n",
        runtime="provided.al2023",
        environment={"PYTHONDONTWRITEBYTECODE": "1"},
    )
    bundle_awslambdaric(version.task)
    assert await run(runtime, version, "ä") == {"got": "ä", "left": True}
    found = await fail(runtime, version, "fail")
    assert (found["errorType"], found["errorMessage"]) == ("ValueError", "no")
    assert await run(runtime, version, 1) == {"got": 1, "left": True}
    assert "printed" in lines(runtime)


async def test_a_wrapper_script_runs_before_the_runtime(runtime: Runtime, make: Make) -> None:
    version = make(
        "import os, boto3\ndef handler(event, context):\n    return os.environ['WRAPPED'], boto3.__file__, event\n",
        environment={"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"},
    )
    wrapper = version.task / "wrapper"
    wrapper.write_text('#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n')
    wrapper.chmod(0o755)
    wrapped, path, answer = await run(runtime, version, 1)
    assert (wrapped, answer) == ("yes", 1)
    assert "/runtime/python/boto3/" in path


async def test_the_nearest_python_runs_what_is_not_here_and_says_so(runtime: Runtime, make: Make) -> None:
    choice = await runtime.check("python3.99")
    assert choice.interpreter is not None
    assert choice.note is not None
    assert "python3.99 is not on this machine" in choice.note


WHICH = """
import sys, logging, zoneinfo
def handler(event, context):
    logging.getLogger().warning("on %d.%d", *sys.version_info[:2])
    try:
        import boto3
        boto3.client("sqs", region_name="us-east-1")
    except TypeError:
        boto3 = None
    return [*sys.version_info[:2], boto3 is not None]
"""


def offers(runtime: Runtime) -> bool:
    """Whether the platform's boto3 runs on the interpreter; if not, the function's log says so."""
    return not any(line.startswith("[FOGBANK] bundle boto3 with the function") for line in lines(runtime))


@pytest.mark.slow
@pytest.mark.parametrize("minor", range(9, 15))
async def test_every_python_runs_on_its_own_interpreter_or_says_on_which(
    runtime: Runtime, make: Make, minor: int
) -> None:
    choice = await runtime.check(f"python3.{minor}")
    assert choice.interpreter is not None
    ran_on = [int(part) for part in choice.interpreter.minor.split(".")]
    assert (ran_on == [3, minor]) == (choice.note is None)
    assert await run(runtime, make(WHICH, runtime=f"python3.{minor}", timeout=60.0)) == [*ran_on, offers(runtime)]
    assert any(line.endswith("on {}.{}".format(*ran_on)) for line in lines(runtime))
    said = f"[FOGBANK] python3.{minor} is not on this machine"
    assert any(line.startswith(said) for line in lines(runtime)) == (choice.note is not None)


@pytest.mark.slow
@needs_sandbox
@pytest.mark.parametrize("minor", range(9, 15))
async def test_every_python_runs_in_the_sandbox(sandbox: Runtime, make: Make, minor: int) -> None:
    choice = await sandbox.check(f"python3.{minor}")
    assert choice.interpreter is not None
    ran_on = [int(part) for part in choice.interpreter.minor.split(".")]
    assert await run(sandbox, make(WHICH, runtime=f"python3.{minor}", timeout=60.0)) == [*ran_on, offers(sandbox)]
