"""The commands against a real server."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.crash.functions import zipped

from fogbank.cli.app import main
from fogbank.cli.failures import Exit

pytestmark = pytest.mark.slow

ECHO = "def handler(event, context):\n    print('saw', event)\n    return {'echo': event}\n"
FAILS = "def handler(event, context):\n    raise ValueError('no tea')\n"
LAMBDA_ROLE = "arn:aws:iam::000000000000:role/any"


@dataclass(frozen=True)
class Printed:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON that it printed."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The JSON error that it printed."""
        return json.loads(self.err)["error"]


Fogbank = Callable[..., Printed]


@pytest.fixture
def fogbank(server: ServerProcess, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Fogbank:
    """Runs commands against the server."""
    monkeypatch.setenv("FOGBANK_ENDPOINT", server.endpoint)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Printed:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(arguments)
        printed = capsys.readouterr()
        return Printed(int(left.value.code or 0), printed.out, printed.err)

    return run


def make_function(server: ServerProcess, name: str, code: str, **more: Any) -> str:
    """Create a function; its ARN."""
    client = server.client("lambda")
    made = client.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Handler="app.handler",
        Role=LAMBDA_ROLE,
        Code={"ZipFile": zipped(code)},
        **more,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return str(made["FunctionArn"])


def arn_of(server: ServerProcess, url: str) -> str:
    """A queue's ARN."""
    found = server.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


# -- invoke ---------------------------------------------------------------------------------------------------------


def test_invoke_prints_the_answer(fogbank: Fogbank, server: ServerProcess) -> None:
    make_function(server, "echo", ECHO)
    printed = fogbank("invoke", "echo", '{"a": [1, "ü"]}')
    assert printed.code == 0
    assert json.loads(printed.out) == {"echo": {"a": [1, "ü"]}}


@pytest.mark.slow
def test_invoke_takes_its_payload_from_a_file(fogbank: Fogbank, server: ServerProcess, tmp_path: Path) -> None:
    make_function(server, "echo", ECHO)
    (tmp_path / "event.json").write_text('{"from": "file"}')
    printed = fogbank("invoke", "echo", f"@{tmp_path}/event.json", "--json", "--log")
    assert printed.document["payload"] == {"echo": {"from": "file"}}
    assert printed.document["status"] == 200
    assert "saw {'from': 'file'}" in printed.document["log"]


def test_invoke_ends_with_1_when_the_function_fails(fogbank: Fogbank, server: ServerProcess) -> None:
    make_function(server, "fails", FAILS)
    printed = fogbank("invoke", "fails")
    assert printed.code == Exit.FAILED
    assert "ValueError: no tea" in printed.out
    document = fogbank("invoke", "fails", "--json")
    assert (document.code, document.document["error"]) == (Exit.FAILED, "Unhandled")


def test_invoke_asynchronously_only_accepts(fogbank: Fogbank, server: ServerProcess) -> None:
    make_function(server, "echo", ECHO)
    assert fogbank("invoke", "echo", "--async", "--json").document["status"] == 202
    assert fogbank("invoke", "echo", "--dry-run", "--json").document["status"] == 204


def test_invoke_names_functions_that_are_near(fogbank: Fogbank, server: ServerProcess) -> None:
    make_function(server, "orders-echo", ECHO)
    printed = fogbank("invoke", "order-echo")
    assert printed.code == Exit.NOT_FOUND
    assert "there is no function 'order-echo'" in printed.err
    assert "did you mean orders-echo?" in printed.err


# -- publish and send -----------------------------------------------------------------------------------------------


def test_publish_puts_an_event_that_rules_match(fogbank: Fogbank, server: ServerProcess) -> None:
    url = queue_behind_rule(server, '{"source": ["shop"], "detail-type": ["Placed"]}')
    printed = fogbank("publish", '{"id": 7}', "--source", "shop", "--type", "Placed", "--json")
    assert printed.document["failed"] == 0
    messages = server.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    event = json.loads(messages[0]["Body"])
    assert (event["id"], event["detail"]) == (printed.document["entries"][0]["EventId"], {"id": 7})


def queue_behind_rule(server: ServerProcess, pattern: str) -> str:
    """A queue that gets what matches a pattern on the default bus."""
    url = str(server.client("sqs").create_queue(QueueName="matched")["QueueUrl"])
    events = server.client("events")
    events.put_rule(Name="rule", EventPattern=pattern)
    events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn_of(server, url)}])
    return url


def test_publish_takes_whole_entries(fogbank: Fogbank, tmp_path: Path) -> None:
    """More than ten: they go in several calls."""
    entries = [{"Source": "s", "DetailType": "t", "Detail": {"n": n}} for n in range(12)]
    (tmp_path / "entries.json").write_text(json.dumps(entries))
    printed = fogbank("publish", "--entries", f"@{tmp_path}/entries.json")
    assert printed.code == 0
    assert len(printed.out.splitlines()) == 12


def test_publish_says_which_entry_was_refused(fogbank: Fogbank) -> None:
    printed = fogbank("publish", "--entries", '[{"Source": "s", "DetailType": "t", "Detail": "no json"}]')
    assert printed.code == Exit.FAILED
    assert "MalformedDetail" in printed.out


def test_publish_to_a_bus_that_is_not_there_names_those_that_are(fogbank: Fogbank) -> None:
    printed = fogbank("publish", "{}", "--bus", "orders")
    assert printed.code == Exit.NOT_FOUND
    assert "there is no event bus 'orders'" in printed.err
    assert "default" in printed.err


def test_send_takes_text_with_its_attributes(fogbank: Fogbank, server: ServerProcess) -> None:
    url = server.client("sqs").create_queue(QueueName="work")["QueueUrl"]
    printed = fogbank("send", "work", "hello", "--attribute", "colour=blue")
    messages = server.client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert messages[0]["MessageId"] == printed.out.strip()
    assert messages[0]["MessageAttributes"]["colour"]["StringValue"] == "blue"


def test_send_to_a_queue_that_is_not_there_names_those_that_are(fogbank: Fogbank, server: ServerProcess) -> None:
    server.client("sqs").create_queue(QueueName="payments")
    printed = fogbank("send", "payment", "x")
    assert printed.code == Exit.NOT_FOUND
    assert "did you mean payments?" in printed.err


# -- logs -----------------------------------------------------------------------------------------------------------


def until_logged(server: ServerProcess, group: str, text: str) -> None:
    """Wait for a line: a function's lines are written a moment after it has answered."""
    logs = server.client("logs")
    deadline = time.monotonic() + 30
    while True:
        assert time.monotonic() < deadline
        with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
            if logs.filter_log_events(logGroupName=group, filterPattern=text)["events"]:
                return


@pytest.mark.slow
def test_logs_shows_what_a_function_printed(fogbank: Fogbank, server: ServerProcess) -> None:
    make_function(server, "echo", ECHO)
    fogbank("invoke", "echo", '{"n": 1}')
    until_logged(server, "/aws/lambda/echo", "REPORT")
    printed = fogbank("logs", "echo")
    assert printed.code == 0
    assert "saw {'n': 1}" in printed.out
    assert "START RequestId" in printed.out
    filtered = fogbank("logs", "echo", "--filter", "saw", "--json")
    assert [json.loads(line)["message"].strip() for line in filtered.out.splitlines()] == ["saw {'n': 1}"]


def test_logs_of_nothing_names_what_there_is(fogbank: Fogbank, server: ServerProcess) -> None:
    server.client("logs").create_log_group(logGroupName="/app/web")
    assert fogbank("logs", "/app/web").code == 0
    printed = fogbank("logs", "/app/wbe")
    assert printed.code == Exit.NOT_FOUND
    assert "there is no log group '/app/wbe'" in printed.err


# -- dead letters ---------------------------------------------------------------------------------------------------


def dead_letter_of_queue(server: ServerProcess) -> tuple[str, str]:
    """A message that was received too often: the URLs of its queue and of its dead-letter queue."""
    sqs = server.client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": arn_of(server, dead), "maxReceiveCount": 1})
    work = sqs.create_queue(QueueName="work", Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"})[
        "QueueUrl"
    ]
    sqs.send_message(QueueUrl=work, MessageBody="poison")
    for _ in range(2):
        sqs.receive_message(QueueUrl=work)
    return work, dead


def test_dlq_list_says_whose_dead_letters_go_where(fogbank: Fogbank, server: ServerProcess) -> None:
    dead_letter_of_queue(server)
    printed = fogbank("dlq", "list", "--json").document["queues"]
    assert [(queue["name"], queue["messages"]) for queue in printed] == [("dead", 1)]
    assert [(owner["kind"], owner["name"]) for owner in printed[0]["owners"]] == [("queue", "work")]
    assert "queue work" in fogbank("dlq", "list").out


def test_dlq_peek_consumes_nothing(fogbank: Fogbank, server: ServerProcess) -> None:
    dead_letter_of_queue(server)
    for _ in range(2):
        messages = fogbank("dlq", "peek", "dead", "--json").document["messages"]
        assert [(m["body"], m["from"], m["attempts"]) for m in messages] == [("poison", "queue work", "1")]
    assert len(fogbank("dlq", "peek", "dead", "--max", "50", "--json").document["messages"]) == 1
    assert "maxReceiveCount" in fogbank("dlq", "peek", "dead").out


def test_dlq_redrive_moves_a_queues_messages_back(fogbank: Fogbank, server: ServerProcess) -> None:
    work, _ = dead_letter_of_queue(server)
    assert fogbank("dlq", "redrive", "dead", "--json").document["sent"] == 1
    messages = server.client("sqs").receive_message(QueueUrl=work, WaitTimeSeconds=5)["Messages"]
    assert messages[0]["Body"] == "poison"
    assert fogbank("dlq", "list", "--json").document["queues"][0]["messages"] == 0


def test_dlq_redrive_gives_a_topics_notification_to_its_queue(fogbank: Fogbank, server: ServerProcess) -> None:
    """The queue was gone; it is there again, and gets what it missed."""
    sqs, sns = server.client("sqs"), server.client("sns")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    topic = sns.create_topic(Name="t")["TopicArn"]
    work = arn_of(server, dead).replace("dead", "work")
    policy = json.dumps({"deadLetterTargetArn": arn_of(server, dead)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=work, Attributes={"RedrivePolicy": policy})
    sent = sns.publish(TopicArn=topic, Message="m")["MessageId"]
    while not (messages := fogbank("dlq", "peek", "dead", "--json").document["messages"]):
        pass
    assert [(each["from"], each["reason"].partition(":")[0]) for each in messages] == [("topic t", "QueueDoesNotExist")]
    url = sqs.create_queue(QueueName="work")["QueueUrl"]
    assert fogbank("dlq", "redrive", "dead", "--json").document["sent"] == 1
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert json.loads(message["Body"])["MessageId"] == sent


def test_dlq_redrive_calls_a_function_again(fogbank: Fogbank, server: ServerProcess) -> None:
    """An event that a function failed on is given to it again; it fails again, and is back with its reason."""
    dead = server.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    make_function(server, "fails", FAILS)
    server.client("lambda").put_function_event_invoke_config(
        FunctionName="fails",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn_of(server, dead)}},
    )
    fogbank("invoke", "fails", '{"n": 1}', "--async")
    first = wait_for_letter(server, fogbank, dead)
    assert first["from"] == "function fails"
    assert first["reason"] == "ValueError: no tea (RetriesExhausted)"
    assert (first["attempts"], json.loads(first["body"])) == ("1", {"n": 1})
    assert fogbank("dlq", "redrive", "dead", "--json").document == {"queue": "dead", "sent": 1, "kept": 0}
    second = wait_for_letter(server, fogbank, dead)
    assert second["messageId"] != first["messageId"]
    assert json.loads(second["body"]) == {"n": 1}


def wait_for_letter(server: ServerProcess, fogbank: Fogbank, url: str) -> Any:
    """Wait until the dead-letter queue holds a message; the message, explained."""
    server.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20, VisibilityTimeout=0)
    return fogbank("dlq", "peek", "dead", "--json").document["messages"][0]


def test_dlq_peek_into_an_ordinary_queue_names_those_that_are_meant(fogbank: Fogbank, server: ServerProcess) -> None:
    dead_letter_of_queue(server)
    printed = fogbank("dlq", "peek", "work")
    assert printed.code == Exit.NOT_FOUND
    assert "work is no dead-letter queue" in printed.err
    assert "there are: dead" in printed.err


# -- deploy, stacks, destroy ----------------------------------------------------------------------------------------

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting:
    Type: String
    Default: hello
Resources:
  Greet:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: app.handler
      CodeUri: src/
      Environment:
        Variables:
          GREETING: !Ref Greeting
  Work:
    Type: AWS::SQS::Queue
  Bus:
    Type: AWS::Events::EventBus
    Properties:
      Name: !Sub "${AWS::StackName}-bus"
Outputs:
  WorkUrl:
    Value: !Ref Work
    Description: Where work waits
"""
GREET = "import os\n\ndef handler(event, context):\n    return os.environ['GREETING']\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a template and its source."""
    folder = tmp_path / "shop"
    (folder / "src").mkdir(parents=True)
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "src" / "app.py").write_text(GREET)
    return folder


def test_deploy_creates_then_changes_nothing_then_updates(fogbank: Fogbank, project: Path) -> None:
    """The stack is named after the folder; parameters that are not given keep their values."""
    made = fogbank("deploy", str(project), "--parameter", "Greeting=hi", "--tag", "team=a", "--json")
    assert (made.code, made.document["name"], made.document["status"]) == (0, "shop", "CREATE_COMPLETE"), made.err
    assert set(made.document["resources"]) == {"Greet", "GreetRole", "Work", "Bus"}
    assert made.document["outputs"].keys() == {"WorkUrl"}
    assert fogbank("invoke", "Greet").out.strip() == "hi"
    assert fogbank("deploy", str(project), "--json").document["changed"] is False
    (project / "src" / "app.py").write_text(GREET.replace("os.environ['GREETING']", "os.environ['GREETING'] + '!'"))
    updated = fogbank("deploy", str(project / "template.yaml"), "--json")
    assert (updated.document["changed"], updated.document["status"]) == (True, "UPDATE_COMPLETE")
    assert fogbank("invoke", "shop/Greet").out.strip() == "hi!"


def test_deploy_tells_people_what_stands(fogbank: Fogbank, project: Path) -> None:
    printed = fogbank("deploy", str(project), "--stack", "other")
    assert "other: 4 resources, deployed in" in printed.out
    assert "WorkUrl" in printed.out
    assert "create complete Work  (SQS::Queue)" in printed.err
    assert "nothing has changed" in fogbank("deploy", str(project), "--stack", "other").out
    listed = fogbank("stacks")
    assert "other" in listed.out
    assert "CREATE_COMPLETE" in listed.out
    shown = fogbank("stacks", "other")
    assert "Lambda::Function" in shown.out
    outputs = fogbank("stacks", "other", "--json").document["outputs"]
    assert outputs.keys() == {"WorkUrl"}
    assert fogbank("stacks", "other", "--output", "WorkUrl").out.strip() == outputs["WorkUrl"]
    missing = fogbank("stacks", "other", "--output", "Url")
    assert missing.code == Exit.NOT_FOUND
    assert "it has: WorkUrl" in missing.err
    assert fogbank("stacks", "--output", "WorkUrl").code == Exit.USAGE
    assert fogbank("stacks", "none").code == Exit.NOT_FOUND


def test_names_of_a_stack_serve_every_command(fogbank: Fogbank, project: Path, server: ServerProcess) -> None:
    """A queue, a bus and a function by their logical ids."""
    url = fogbank("deploy", str(project), "--json").document["outputs"]["WorkUrl"]
    assert fogbank("send", "Work", "hello").code == 0
    assert server.client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] == "hello"
    assert fogbank("publish", "{}", "--bus", "Bus").code == 0
    fogbank("invoke", "Greet")
    while "START RequestId" not in fogbank("logs", "Greet").out:
        pass  # lines are written some milliseconds after they were printed


def test_a_logical_id_in_two_stacks_needs_the_stacks_name(fogbank: Fogbank, project: Path) -> None:
    for name in ("one", "two"):
        assert fogbank("deploy", str(project), "--stack", name).code == 0
    printed = fogbank("send", "Work", "x")
    assert printed.code == Exit.NOT_FOUND
    assert "name the stack: one/Work or two/Work" in printed.err
    assert fogbank("send", "two/Work", "x").code == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("AWS::SQS::Queue", "AWS::SQS::Kew"), "there is no resource type AWS::SQS::Kew"),
        (("app.handler", "app.handel"), "app.py has no handel"),
        (("app.handler", "other.handler"), "other.py, which does not exist"),
        (("CodeUri: src/", "CodeUri: source/"), "source/ does not exist"),
        (("Resources:", "Resources: ]"), "not well-formed"),
        (("!Ref Work", "!Ref Wrok"), "Wrok"),
        (("Runtime: python3.12", "Runtime: ruby3.3"), "ruby3.3"),
        (("AWS::SQS::Queue", "AWS::EC2::VPC"), "AWS::EC2::VPC"),
    ],
)
def test_a_wrong_template_is_told_before_anything_is_made(
    fogbank: Fogbank, project: Path, server: ServerProcess, change: tuple[str, str], words: str
) -> None:
    """What is wrong, where, and no traceback; nothing stands afterwards."""
    path = project / "template.yaml"
    path.write_text(TEMPLATE.replace(*change, 1))
    printed = fogbank("deploy", str(project))
    assert printed.code in (Exit.INVALID, Exit.FAILED), printed.err
    assert words in printed.err
    assert "Traceback" not in printed.err
    assert "where:" in printed.err
    assert "QueueUrls" not in server.client("sqs").list_queues()
    assert server.client("lambda").list_functions()["Functions"] == []


def test_a_deployment_that_fails_is_rolled_back_and_can_be_mended(
    fogbank: Fogbank, project: Path, server: ServerProcess
) -> None:
    """The next deployment replaces what was rolled back."""
    server.client("events").create_event_bus(Name="shop-bus")
    printed = fogbank("deploy", str(project))
    assert printed.code == Exit.FAILED
    assert "shop is ROLLBACK_COMPLETE" in printed.err
    assert "Bus (AWS::Events::EventBus)" in printed.err
    assert "fogbank stacks shop" in printed.err
    server.client("events").delete_event_bus(Name="shop-bus")
    mended = fogbank("deploy", str(project))
    assert mended.code == 0
    assert "deleted and created anew" in mended.err


def test_no_template_is_told(fogbank: Fogbank, tmp_path: Path) -> None:
    printed = fogbank("deploy", str(tmp_path))
    assert printed.code == Exit.INVALID
    assert "there is no template in" in printed.err
    assert fogbank("deploy", str(tmp_path / "none.yaml")).code == Exit.INVALID


@pytest.mark.parametrize("name", ["9lives", "a_b", ""])
def test_a_stacks_name_is_checked(fogbank: Fogbank, project: Path, name: str) -> None:
    printed = fogbank("deploy", str(project), "--stack", name)
    assert printed.code == Exit.USAGE
    assert "--stack NAME" in printed.err


def test_destroy_needs_a_yes(fogbank: Fogbank, project: Path, server: ServerProcess) -> None:
    fogbank("deploy", str(project))
    refused = fogbank("destroy", "shop")
    assert refused.code == Exit.USAGE
    assert "add --yes" in refused.err
    assert fogbank("destroy", "shop", "--yes", "--json").document["status"] == "DELETE_COMPLETE"
    assert "QueueUrls" not in server.client("sqs").list_queues()
    gone = fogbank("destroy", "shop", "--yes")
    assert gone.code == Exit.NOT_FOUND
    assert "there is no stack 'shop'" in gone.err
