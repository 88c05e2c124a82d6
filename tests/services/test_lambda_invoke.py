"""Invoking functions through boto3: synchronously, asynchronously, throttled, and what they can reach."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ServerProcess
from tests.services.environments import needs_sandbox
from tests.services.lambda_code import create

Aws = Callable[..., Any]
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/"


@pytest.fixture
def lam(aws: Aws) -> Any:
    return aws("lambda")


def until(find: Callable[[], Any]) -> Any:
    """What `find` finds, once it finds something."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = find()
        if found:
            return found
    raise AssertionError("nothing came in 30 seconds")


def receive(sqs: Any, url: str) -> Any:
    """The next message of a queue, waited for and taken."""
    return until(partial(take, sqs, url, 20))


def take(sqs: Any, url: str, wait: int) -> Any:
    """The next message of a queue, taken; `None` if none comes within `wait` seconds."""
    reply = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=wait, MessageAttributeNames=["All"])
    for message in reply.get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return message
    return None


# -- synchronous --------------------------------------------------------------------------------------------------


def test_the_answer_with_the_log(lam: Any) -> None:
    create(lam, "def handler(event, context):\n    print('said')\n    return {'ä': event}\n")
    reply = lam.invoke(FunctionName="f", Payload='{"a": 1}', LogType="Tail")
    assert (reply["StatusCode"], reply["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in reply
    assert json.loads(reply["Payload"].read()) == {"ä": {"a": 1}}
    log = base64.b64decode(reply["LogResult"]).decode().splitlines()
    request_id = reply["ResponseMetadata"]["RequestId"]
    assert log[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert log[1] == "said"
    assert log[2] == f"END RequestId: {request_id}"
    assert log[3].startswith(f"REPORT RequestId: {request_id}\tDuration: ")


def test_no_payload_is_an_empty_object(lam: Any) -> None:
    create(lam)
    assert lam.invoke(FunctionName="f")["Payload"].read() == b"{}"


def test_a_function_that_fails(lam: Any) -> None:
    create(lam, "def handler(event, context):\n    raise KeyError('x')\n")
    reply = lam.invoke(FunctionName="f")
    assert (reply["StatusCode"], reply["FunctionError"]) == (200, "Unhandled")
    assert json.loads(reply["Payload"].read())["errorType"] == "KeyError"


def test_the_older_asynchronous_invocation(lam: Any, aws: Aws) -> None:
    sqs = aws("sqs")
    queue = sqs.create_queue(QueueName="done")["QueueUrl"]
    create(lam)
    destination = {"OnSuccess": {"Destination": "arn:aws:sqs:us-east-1:000000000000:done"}}
    lam.put_function_event_invoke_config(FunctionName="f", DestinationConfig=destination)
    assert lam.invoke_async(FunctionName="f", InvokeArgs=b'{"a": 1}')["Status"] == 202
    assert json.loads(receive(sqs, queue)["Body"])["responsePayload"] == {"a": 1}
    with pytest.raises(ClientError, match="Could not parse"):
        lam.invoke_async(FunctionName="f", InvokeArgs=b"{")


def test_a_dry_run_runs_nothing(lam: Any) -> None:
    create(lam, "raise Exception\n")
    assert lam.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204


def test_a_client_context_reaches_the_function(lam: Any) -> None:
    create(lam, "def handler(event, context):\n    return context.client_context.custom\n")
    context = base64.b64encode(b'{"custom": {"k": "v"}}').decode()
    reply = lam.invoke(FunctionName="f", ClientContext=context)
    assert json.loads(reply["Payload"].read()) == {"k": "v"}


@pytest.mark.parametrize(
    ("request_", "code", "status"),
    [
        ({"Payload": b"{"}, "InvalidRequestContentException", 400),
        ({"Payload": b"not json"}, "InvalidRequestContentException", 400),
        ({"Payload": b"1 2"}, "InvalidRequestContentException", 400),
        ({"ClientContext": "!"}, "InvalidRequestContentException", 400),
        ({"ClientContext": base64.b64encode(b"no").decode()}, "InvalidRequestContentException", 400),
        ({"Payload": b'"' + b"x" * (6 * 1024 * 1024) + b'"'}, "RequestEntityTooLargeException", 413),
        (
            {"Payload": b'"' + b"x" * (1024 * 1024) + b'"', "InvocationType": "Event"},
            "RequestEntityTooLargeException",
            413,
        ),
        ({"FunctionName": "f:1", "Qualifier": "2"}, "InvalidParameterValueException", 400),
        ({"FunctionName": "arn:aws:lambda:eu-west-1:000000000000:function:f"}, "ResourceNotFoundException", 404),
    ],
)
def test_invocations_that_cannot_be(lam: Any, request_: dict[str, Any], code: str, status: int) -> None:
    create(lam)
    with pytest.raises(ClientError) as raised:
        lam.invoke(**{"FunctionName": "f", **request_})
    assert raised.value.response["Error"]["Code"] in (code, "RequestTooLargeException")
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_large_payload_names_the_limit(lam: Any) -> None:
    create(lam)
    with pytest.raises(ClientError, match="6291458 byte payload is too large for the RequestResponse invocation type"):
        lam.invoke(FunctionName="f", Payload=b'"' + b"x" * (6 * 1024 * 1024) + b'"')


def test_every_form_of_a_name_runs_it(lam: Any) -> None:
    create(lam)
    for name in ("f", "f:$LATEST", "000000000000:function:f", ARN, f"{ARN}:$LATEST", "function:f"):
        assert json.loads(lam.invoke(FunctionName=name, Payload=b"1")["Payload"].read()) == 1


@pytest.mark.slow
def test_reserved_concurrency_throttles(lam: Any, server: ServerProcess) -> None:
    create(lam, "import time\ndef handler(event, context):\n    time.sleep(0.4)\n    return event\n", Timeout=10)
    lam.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)

    clients = [server.client("lambda") for _ in range(5)]

    def run(number: int) -> str:
        try:
            clients[number].invoke(FunctionName="f", Payload=json.dumps(number))
        except ClientError as error:
            found: Any = error.response
            return f"{found['ResponseMetadata']['HTTPStatusCode']} {found['Error']['Code']} {found['Reason']}"
        return "ran"

    with ThreadPoolExecutor(5) as threads:
        outcomes = sorted(threads.map(run, range(5)))
    assert (
        outcomes == ["429 TooManyRequestsException ReservedFunctionConcurrentInvocationLimitExceeded"] * 3 + ["ran"] * 2
    )
    lam.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="Rate Exceeded"):
        lam.invoke(FunctionName="f")
    lam.delete_function_concurrency(FunctionName="f")
    assert run(1) == "ran"


# -- what functions can reach ---------------------------------------------------------------------------------------


def test_boto3_inside_a_function_reaches_fogbank_with_no_configuration(aws: Aws) -> None:
    source = """
import boto3
def handler(event, context):
    return boto3.client("lambda").get_account_settings()["AccountUsage"]["FunctionCount"]
"""
    for account in ("000000000000", "123456789012"):
        client = aws("lambda", aws_access_key_id=account)
        create(client, source, Role=f"arn:aws:iam::{account}:role/r", Timeout=30)
        assert json.loads(client.invoke(FunctionName="f")["Payload"].read()) == 1


@pytest.mark.slow
def test_a_verifying_server_knows_the_keys_of_its_functions(
    new_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    source = "import boto3\ndef handler(event, context):\n    return boto3.client('sts').get_caller_identity()['Arn']\n"
    server = new_server("--auth", "local")
    user = server.client("iam")
    user.create_user(UserName="u")
    key = user.create_access_key(UserName="u")["AccessKey"]
    server.stop()
    server = new_server("--auth", "verify", data=server.data)
    client = server.client("lambda", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    create(client, source, Timeout=30)
    reply = client.invoke(FunctionName="f")
    assert json.loads(reply["Payload"].read()) == "arn:aws:sts::000000000000:assumed-role/lambda-role/f"
    assert server.stop() == 0


def test_the_log_is_in_cloudwatch(lam: Any, aws: Aws) -> None:
    create(lam, "def handler(event, context):\n    print('said')\n")
    request_id = lam.invoke(FunctionName="f")["ResponseMetadata"]["RequestId"]
    logs = aws("logs")

    def find() -> Any:
        try:
            found = logs.filter_log_events(logGroupName="/aws/lambda/f")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return None
        return found if any(event["message"].startswith("REPORT") for event in found) else None

    events = until(find)
    messages = [event["message"] for event in events]
    assert messages[1:4] == [
        f"START RequestId: {request_id} Version: $LATEST\n",
        "said\n",
        f"END RequestId: {request_id}\n",
    ]
    assert "/[$LATEST]" in events[0]["logStreamName"]


# -- asynchronous ---------------------------------------------------------------------------------------------------


@pytest.fixture
def sqs(aws: Aws) -> Any:
    return aws("sqs")


def queue(sqs: Any, name: str, **attributes: str) -> tuple[str, str]:
    """A queue's URL and ARN."""
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:000000000000:{name}"


TELL = """
import boto3, json
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=event["to"], MessageBody=json.dumps([event["n"], context.aws_request_id]))
    if event.get("fail"):
        raise ValueError("as told")
    return "done"
"""


def test_an_event_is_accepted_and_runs_later(lam: Any, sqs: Any) -> None:
    url, _ = queue(sqs, "told")
    create(lam, TELL, Timeout=30)
    reply = lam.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps({"to": url, "n": 1}))
    assert reply["StatusCode"] == 202
    assert reply["Payload"].read() == b""
    number, request_id = json.loads(receive(sqs, url)["Body"])
    assert (number, request_id) == (1, reply["ResponseMetadata"]["RequestId"])


def test_a_failing_event_is_retried_after_one_and_two_minutes_and_then_recorded(
    lam: Any, sqs: Any, server: ServerProcess
) -> None:
    told, _ = queue(sqs, "told")
    failed, failed_arn = queue(sqs, "failed")
    dead, dead_arn = queue(sqs, "dead")
    create(lam, TELL, Timeout=30, DeadLetterConfig={"TargetArn": dead_arn})
    lam.put_function_event_invoke_config(FunctionName="f", DestinationConfig={"OnFailure": {"Destination": failed_arn}})
    payload = {"to": told, "n": 1, "fail": True}
    request_id = lam.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps(payload))["ResponseMetadata"][
        "RequestId"
    ]
    assert json.loads(receive(sqs, told)["Body"]) == [1, request_id]
    for wait in (61, 121):
        message = until(partial(after, server, sqs, told, wait))
        assert json.loads(message["Body"]) == [1, request_id]
    record = json.loads(receive(sqs, failed)["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestContext"]["functionArn"] == f"{ARN}:$LATEST"
    assert record["requestPayload"] == payload
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert record["responsePayload"]["errorMessage"] == "as told"
    letter = receive(sqs, dead)
    assert json.loads(letter["Body"]) == payload
    assert letter["MessageAttributes"]["RequestID"]["StringValue"] == request_id
    assert letter["MessageAttributes"]["ErrorMessage"]["StringValue"] == "as told"


def after(server: ServerProcess, sqs: Any, url: str, seconds: float) -> Any:
    """Move the clock on, and see whether something came (the attempt before it may not be settled yet)."""
    server.post("/_fogbank/clock", {"seconds": seconds})
    return take(sqs, url, 1)


def test_success_has_its_destination_too(lam: Any, sqs: Any) -> None:
    told, _ = queue(sqs, "told")
    won, won_arn = queue(sqs, "won")
    create(lam, TELL, Timeout=30)
    lam.put_function_event_invoke_config(
        FunctionName="f", MaximumRetryAttempts=0, DestinationConfig={"OnSuccess": {"Destination": won_arn}}
    )
    lam.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps({"to": told, "n": 1}))
    record = json.loads(receive(sqs, won)["Body"])
    assert record["requestContext"]["condition"] == "Success"
    assert record["responsePayload"] == "done"


@pytest.mark.slow
def test_accepted_events_survive_a_crash(new_server: Callable[..., ServerProcess]) -> None:
    server = new_server()
    lam, sqs = server.client("lambda"), server.client("sqs")
    told, _ = queue(sqs, "told")
    create(lam, TELL.replace("import boto3, json\n", "import boto3, json, time\ntime.sleep(1)\n"), Timeout=30)
    lam.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps({"to": "told", "n": 1}))
    server.kill()
    server = new_server(data=server.data)
    sqs = server.client("sqs")
    assert json.loads(receive(sqs, told)["Body"])[0] == 1


def test_settings_of_asynchronous_invocation(lam: Any, sqs: Any) -> None:
    create(lam)
    _, arn = queue(sqs, "q")
    made = lam.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=1, MaximumEventAgeInSeconds=60)
    assert made["FunctionArn"] == f"{ARN}:$LATEST"
    lam.update_function_event_invoke_config(FunctionName="f", DestinationConfig={"OnFailure": {"Destination": arn}})
    found = lam.get_function_event_invoke_config(FunctionName="f")
    assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (1, 60)
    assert found["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {"Destination": arn}}
    assert len(lam.list_function_event_invoke_configs(FunctionName="f")["FunctionEventInvokeConfigs"]) == 1
    lam.delete_function_event_invoke_config(FunctionName="f")
    for call in (lam.get_function_event_invoke_config, lam.delete_function_event_invoke_config):
        with pytest.raises(ClientError, match="doesn't have an EventInvokeConfig"):
            call(FunctionName="f")
    with pytest.raises(ClientError, match="You must specify at least one of error handling or destination setting"):
        lam.put_function_event_invoke_config(FunctionName="f")
    with pytest.raises(ClientError, match="You can't specify the function as a destination for itself"):
        lam.put_function_event_invoke_config(FunctionName="f", DestinationConfig={"OnFailure": {"Destination": ARN}})


# -- the server's end -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_stopping_server_lets_a_running_handler_finish(new_server: Callable[..., ServerProcess]) -> None:
    server = new_server()
    lam = server.client("lambda")
    create(lam, "import time\ndef handler(event, context):\n    time.sleep(0.5)\n    return 'finished'\n")
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(lam.invoke(FunctionName="f")["Payload"].read)
        until(lambda: list((server.data / "runtime" / "environments").iterdir()))
        assert server.stop() == 0
        assert json.loads(answer.result()) == "finished"
    assert not (server.data / "runtime" / "environments").exists()


@pytest.mark.slow
def test_functions_are_there_after_a_crash(new_server: Callable[..., ServerProcess]) -> None:
    server = new_server()
    create(server.client("lambda"), "def handler(event, context):\n    return 'here'\n")
    server.kill()
    server = new_server(data=server.data)
    assert server.client("lambda").invoke(FunctionName="f")["Payload"].read() == b'"here"'


def test_reset_ends_functions_and_environments(lam: Any, server: ServerProcess) -> None:
    create(lam)
    lam.invoke(FunctionName="f")
    server.post("/_fogbank/reset")
    assert lam.list_functions()["Functions"] == []
    assert list((server.data / "runtime" / "environments").iterdir()) == []
    create(lam)
    assert lam.invoke(FunctionName="f", Payload=b"1")["Payload"].read() == b"1"


def test_a_functions_keys_are_a_session_of_its_role(lam: Any, aws: Aws) -> None:
    """Temporary keys, whose owner STS names: the role, and the function as the session's name."""
    iam = aws("iam")
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    role = iam.create_role(RoleName="worker", Path="/jobs/", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    source = (
        "import boto3, os\ndef handler(event, context):\n    found = boto3.client('sts').get_caller_identity()\n"
        "    return [found['Arn'], found['UserId'], found['Account'], os.environ['AWS_ACCESS_KEY_ID'][:4]]\n"
    )
    create(lam, source, Role=role["Arn"], Timeout=30)
    assert json.loads(lam.invoke(FunctionName="f")["Payload"].read()) == [
        "arn:aws:sts::000000000000:assumed-role/worker/f",
        f"{role['RoleId']}:f",
        "000000000000",
        "ASIA",
    ]


@pytest.mark.slow
@needs_sandbox
def test_fogbank_is_all_that_a_function_without_a_way_out_reaches(
    new_server: Callable[..., ServerProcess],
) -> None:
    """boto3 finds it with no configuration, and signs as the function's role; X-Ray's SDK finds the daemon."""
    server = new_server("--isolation", "sandbox", "--egress", "off")
    trace = f"1-{int(time.time()):08x}-{'5' * 24}"
    source = """
import boto3, json, os, socket, time
def handler(event, context):
    host, _, port = os.environ["AWS_XRAY_DAEMON_ADDRESS"].rpartition(":")
    segment = {"name": "shut in", "id": "70de5b6f19ff9a0a", "trace_id": event, "start_time": time.time() - 1,
               "end_time": time.time()}
    datagram = json.dumps({"format": "json", "version": 1}) + "\\n" + json.dumps(segment)
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(datagram.encode(), (host, int(port)))
    queue = boto3.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    try:
        socket.create_connection(("192.0.2.1", 443), 2)
    except OSError as error:
        return [queue.rpartition("/")[2], boto3.client("sts").get_caller_identity()["Arn"], type(error).__name__]
"""
    client = server.client("lambda")
    create(client, source, Timeout=60)
    found = json.loads(client.invoke(FunctionName="f", Payload=json.dumps(trace))["Payload"].read())
    assert found == ["q", "arn:aws:sts::000000000000:assumed-role/lambda-role/f", "OSError"]
    assert len(server.client("sqs").list_queues()["QueueUrls"]) == 1
    names: list[str] = []
    while "shut in" not in names:  # it is stored beside the answer
        traces = server.client("xray").batch_get_traces(TraceIds=[trace])["Traces"]
        names = [json.loads(segment["Document"])["name"] for each in traces for segment in each["Segments"]]
    assert server.stop() == 0
