"""Changing stacks, and watching them change.

create ──► CREATE_IN_PROGRESS ──► CREATE_COMPLETE
                  └──► ROLLBACK_COMPLETE: nothing stands; the next deployment deletes it and creates anew
update ──► UPDATE_IN_PROGRESS ──► UPDATE_COMPLETE
                  └──► UPDATE_ROLLBACK_COMPLETE: what stood before stands
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from fogbank.cli.connection import Connection, error_code, refused
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.output import Output
from fogbank.cli.stacks import status_text
from fogbank.templates.build import Build, BuildError, build
from fogbank.templates.errors import TemplateError
from fogbank.templates.loader import load, locate

TEMPLATE_NAMES = ("template.yaml", "template.yml", "template.json")
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_POLL = (0.02, 0.05, 0.1, 0.2)
"""Seconds between looks at a stack that is changing: small stacks are done in a moment."""
_OPERATIONS = (None, "CreateStack", "UpdateStack")
_HANDLER = re.compile(r'Resource handler returned message: "(.*)" \(RequestToken: .*\)', re.DOTALL)
_REPLACED = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be deployed: a built template under a stack's name."""

    stack: str
    template: Mapping[str, str]
    """`TemplateBody` or `TemplateURL`."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    rollback: bool = True


def find_template(given: Path | None) -> Path:
    """The template that is meant: a file, or the one in a folder, or the one here."""
    if given is not None and given.is_file():
        return given
    folder = given or Path()
    if not folder.is_dir():
        raise Failure(Exit.INVALID, f"there is no template {given}", do="check the path")
    for name in TEMPLATE_NAMES:
        if (folder / name).is_file():
            return folder / name
    raise Failure(
        Exit.INVALID,
        f"there is no template in {folder.absolute()}",
        where=f"looked for {', '.join(TEMPLATE_NAMES)}",
        do="name it: fogbank deploy path/to/template.yaml",
    )


def stack_name(template: Path, given: str | None) -> str:
    """The stack's name: as given, else after the template's folder."""
    name = given if given is not None else re.sub(r"[^A-Za-z0-9-]+", "-", template.absolute().parent.name).strip("-")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", name):
        raise Failure(
            Exit.USAGE,
            f"{name!r} cannot be a stack's name: it begins with a letter and has letters, digits and hyphens",
            do="give one: --stack NAME",
        )
    return name


def pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    """`NAME=VALUE` options as a dict."""
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise Failure(Exit.USAGE, f"{option}: expected NAME=VALUE, got {each!r}")
        found[name] = value
    return found


def built(template: Path, parameters: Mapping[str, str], output: Output) -> Build:
    """Build a template; `Failure` says what is wrong in it, where, and what to do."""
    try:
        return build(template, parameters=parameters, progress=output.progress)
    except BuildError as error:
        raise Failure(Exit.INVALID, error.message, where=error.where or None, do=error.do or None) from None


def located(failure: Failure, template: Path) -> Failure:
    """The same failure with the place in the template of the resource, or of the type, that it names."""
    try:
        text = template.read_text(encoding="utf-8")
        resources = load(text).get("Resources", {})
    except (OSError, UnicodeDecodeError, TemplateError):
        return failure
    words = set(re.findall(r"[A-Za-z0-9:]+", f"{failure.what} {failure.where}"))
    for logical_id, resource in resources.items():
        if logical_id in words or (isinstance(resource, dict) and resource.get("Type") in words - {logical_id}):
            position = locate(text, ("Resources", logical_id))
            place = f"{template}:{position.line}" if position else str(template)
            kept = "" if failure.where in _OPERATIONS else f": {failure.where}"
            return Failure(failure.code, failure.what, where=place + kept, do=failure.do or "mend the template")
    if failure.where in _OPERATIONS:
        return Failure(failure.code, failure.what, where=str(template), do=failure.do or "mend the template")
    return failure


class Stacks:
    """Deploys and deletes stacks, telling each step as it happens."""

    def __init__(self, connection: Connection, output: Output) -> None:
        self._cloudformation = connection.client("cloudformation")
        self._output = output

    def find(self, name: str) -> dict[str, Any] | None:
        """The stack of that name, if there is one."""
        try:
            return dict(self._cloudformation.describe_stacks(StackName=name)["Stacks"][0])
        except ClientError as error:
            if error_code(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise

    def deploy(self, request: Request, template: Path) -> tuple[dict[str, Any], bool]:
        """Create or update a stack; what it is then, and whether anything changed.

        `Failure` if the template is refused or the deployment was rolled back, with the place in `template`.
        """
        try:
            return self._deploy(request)
        except ClientError as error:
            failure = refused(error)
        except Failure as error:
            failure = error
        raise located(failure, template) from None

    def _deploy(self, request: Request) -> tuple[dict[str, Any], bool]:
        standing = self.find(request.stack)
        if standing is not None and standing["StackStatus"] in _REPLACED:
            self._output.progress(f"{request.stack} is {standing['StackStatus']}: it is deleted and created anew")
            self.delete(request.stack)
            standing = None
        if standing is not None and standing["StackStatus"].endswith("_IN_PROGRESS"):
            self._wait(standing["StackId"], self._event_ids(standing["StackId"]))
            standing = self.find(request.stack)
        if standing is None:
            done = self._create(request)
        else:
            changed = self._update(request, standing)
            if changed is None:
                return standing, False
            done = changed
        if done["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise self._failed(done)
        return done, True

    def delete(self, name: str) -> bool:
        """Delete a stack; whether there was one."""
        stack = self.find(name)
        if stack is None:
            return False
        seen = self._event_ids(stack["StackId"])
        self._cloudformation.delete_stack(StackName=stack["StackId"])
        done = self._wait(stack["StackId"], seen)
        if done["StackStatus"] != "DELETE_COMPLETE":
            raise self._failed(done)
        return True

    def resources(self, name: str) -> list[dict[str, Any]]:
        """What a stack is made of."""
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        return [resource for page in pages for resource in page["StackResourceSummaries"]]

    def _create(self, request: Request) -> dict[str, Any]:
        arguments = _arguments(request)
        if not request.rollback:
            arguments["OnFailure"] = "DO_NOTHING"
        stack = self._cloudformation.create_stack(**arguments)["StackId"]
        return self._wait(stack, set())

    def _update(self, request: Request, standing: dict[str, Any]) -> dict[str, Any] | None:
        """The stack after an update; `None` if there was nothing to do."""
        arguments = _arguments(request)
        kept = {p["ParameterKey"] for p in standing.get("Parameters", [])} - request.parameters.keys()
        arguments["Parameters"] += [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(kept)]
        if not request.rollback:
            arguments["DisableRollback"] = True
        seen = self._event_ids(standing["StackId"])
        try:
            self._cloudformation.update_stack(**arguments)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return None
            if kept and "do not exist in the template" in str(error):
                arguments["Parameters"] = [p for p in arguments["Parameters"] if "UsePreviousValue" not in p]
                self._cloudformation.update_stack(**arguments)
            else:
                raise
        return self._wait(standing["StackId"], seen)

    def _events(self, stack: str) -> list[dict[str, Any]]:
        """The newest events, oldest first."""
        return list(reversed(self._cloudformation.describe_stack_events(StackName=stack)["StackEvents"]))

    def _event_ids(self, stack: str) -> set[str]:
        return {event["EventId"] for event in self._events(stack)}

    def _wait(self, stack: str, seen: set[str]) -> dict[str, Any]:
        """Tell what happens until the stack stands still."""
        pause = threading.Event()
        delays = iter(_POLL)
        delay = next(delays)
        while True:
            current = dict(self._cloudformation.describe_stacks(StackName=stack)["Stacks"][0])
            for event in self._events(stack):
                if event["EventId"] not in seen:
                    seen.add(event["EventId"])
                    self._tell(event)
            if not current["StackStatus"].endswith("_IN_PROGRESS"):
                return current
            pause.wait(delay)
            delay = next(delays, delay)

    def _tell(self, event: dict[str, Any]) -> None:
        status = event["ResourceStatus"]
        if status.endswith("_IN_PROGRESS") or event["ResourceType"] == "AWS::CloudFormation::Stack":
            return
        kind = event["ResourceType"].removeprefix("AWS::")
        reason = f"  {_reason(event)}" if "FAILED" in status else ""
        style = str(status_text(status).style) if "FAILED" in status else "dim"
        self._output.progress(
            f"  {status.lower().replace('_', ' '):<16}{event['LogicalResourceId']}  ({kind}){reason}", style
        )

    def _failed(self, stack: dict[str, Any]) -> Failure:
        causes = [
            event
            for event in self._events(stack["StackId"])
            if "FAILED" in event["ResourceStatus"] and "cancelled" not in event.get("ResourceStatusReason", "")
        ]
        where = None
        reason = stack.get("StackStatusReason", "")
        if causes:
            last = [event for event in causes if event["ResourceType"] != "AWS::CloudFormation::Stack"] or causes
            where = "; ".join(
                f"{event['LogicalResourceId']} ({event['ResourceType']}): {_reason(event)}" for event in last[-3:]
            )
        return Failure(
            Exit.FAILED,
            f"{stack['StackName']} is {stack['StackStatus']}" + (f": {reason}" if reason else ""),
            where=where,
            do=f"mend the template and deploy again; the whole story: fogbank stacks {stack['StackName']}",
        )


def _reason(event: Mapping[str, Any]) -> str:
    """Why a step failed, without what CloudFormation wraps around the service's own words."""
    return _HANDLER.sub(r"\1", str(event.get("ResourceStatusReason", "")))


def _arguments(request: Request) -> dict[str, Any]:
    arguments = {
        "StackName": request.stack,
        **request.template,
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in request.parameters.items()],
        "Capabilities": CAPABILITIES,
    }
    if request.tags:  # an empty list would take away those that the stack has
        arguments["Tags"] = [{"Key": k, "Value": v} for k, v in request.tags.items()]
    return arguments
