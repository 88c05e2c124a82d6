"""Extensions come in layers, published and attached through the API; what they say is in the function's log."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from tests.conftest import ServerProcess
from tests.services.lambda_code import RUNTIME, bundle, create
from tests.services.test_lambda_extensions import EXTENSION, FOLLOW


@pytest.mark.slow
def test_an_extension_of_a_layer_follows_its_function(new_server: Callable[..., ServerProcess]) -> None:
    server = new_server()
    lam = server.client("lambda")
    layer = lam.publish_layer_version(
        LayerName="watch",
        Content={"ZipFile": bundle({"extensions/watch": EXTENSION + FOLLOW})},
        CompatibleRuntimes=[RUNTIME],
    )
    create(lam, Layers=[layer["LayerVersionArn"]], Timeout=20)
    reply = lam.invoke(FunctionName="f", Payload=b"7", LogType="Tail")
    assert json.loads(reply["Payload"].read()) == 7
    assert "REPORT RequestId" in base64.b64decode(reply["LogResult"]).decode()
    assert server.stop() == 0  # the environment is ended in order: the extension hears of it
    server.start()
    events = server.client("logs").filter_log_events(logGroupName="/aws/lambda/f")["events"]
    said = [event["message"].rstrip() for event in events]
    assert "EXTENSION\tName: watch\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in said
    assert said[-1] == "bye"
