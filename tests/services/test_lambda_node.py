"""Node.js functions: modules of each kind, their errors and their log."""

from __future__ import annotations

import json

import pytest
from tests.services.environments import Make, event, fail, lines, needs_node, needs_sandbox, run

from fogbank.runtime import Runtime

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]


@needs_node
@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("app.mjs", "export const handler = async (event, context) => ({ got: event, id: context.awsRequestId });"),
        ("app.js", "exports.handler = async (event, context) => ({ got: event, id: context.awsRequestId });"),
        (
            "app.cjs",
            (
                "exports.handler = (event, context, done) => "
                "setTimeout(() => done(null, { got: event, id: context.awsRequestId }), 1);"
            ),
        ),
    ],
)
async def test_node_modules_of_each_kind(runtime: Runtime, make: Make, file: str, source: str) -> None:
    version = make(source, runtime="nodejs20.x", file=file)
    for _ in range(2):
        sent = event({"a": "ä"})
        outcome = await runtime.invoke(version, sent)
        assert outcome.error is None
        assert json.loads(outcome.payload) == {"got": {"a": "ä"}, "id": sent.request_id}


@needs_node
async def test_node_errors(runtime: Runtime, make: Make) -> None:
    version = make(
        "export const handler = async () => { throw new TypeError('no'); };", runtime="nodejs20.x", file="app.mjs"
    )
    found = await fail(runtime, version)
    assert (found["errorType"], found["errorMessage"]) == ("TypeError", "no")
    assert found["trace"][0] == "TypeError: no"
    found = await fail(runtime, make("", runtime="nodejs20.x", file="app.js"))
    assert found["errorType"] == "Runtime.HandlerNotFound"
    assert found["errorMessage"] == "app.handler is undefined or not exported"
    found = await fail(runtime, make("", runtime="nodejs20.x", handler="other.handler"))
    assert found["errorType"] == "Runtime.ImportModuleError"


@needs_node
async def test_node_console(runtime: Runtime, make: Make) -> None:
    source = "export const handler = async () => { console.log('one %s\\ntwo', 1); console.error('bad'); };"
    sent = event()
    await runtime.invoke(make(source, runtime="nodejs20.x", file="app.mjs"), sent)
    found = lines(runtime)
    assert any(line.endswith(f"Z\t{sent.request_id}\tINFO\tone 1\ntwo") for line in found)
    assert any(line.endswith(f"Z\t{sent.request_id}\tERROR\tbad") for line in found)


@needs_node
@needs_sandbox
async def test_node_functions_in_the_sandbox(sandbox: Runtime, make: Make) -> None:
    source = "export const handler = async () => [process.env.LAMBDA_TASK_ROOT, import.meta.url, process.getuid()];"
    version = make(source, runtime="nodejs20.x", file="app.mjs")
    assert await run(sandbox, version) == ["/var/task", "file:///var/task/app.mjs", 993]
