"""An application: the resources of its template, how they are wired, its code, and what a run showed.

Templates are taken as CloudFormation has them (SAM translated). Functions such as `Ref` stay as they are; what matters
here is which resource they name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fogbank.insight.audit.code import Code
from fogbank.insight.audit.evidence import NO_RUN, Evidence

FUNCTION = "AWS::Lambda::Function"
QUEUE = "AWS::SQS::Queue"
RULE = "AWS::Events::Rule"
BUS = "AWS::Events::EventBus"
TABLE = "AWS::DynamoDB::Table"
MAPPING = "AWS::Lambda::EventSourceMapping"
SCHEDULE = "AWS::Scheduler::Schedule"
MACHINE = "AWS::StepFunctions::StateMachine"
TOPIC = "AWS::SNS::Topic"
SUBSCRIPTION = "AWS::SNS::Subscription"
PIPE = "AWS::Pipes::Pipe"
LOG_GROUP = "AWS::Logs::LogGroup"
INVOKE_CONFIG = "AWS::Lambda::EventInvokeConfig"
ROLE = "AWS::IAM::Role"
_QUALIFIED = ("AWS::Lambda::Alias", "AWS::Lambda::Version")
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.[A-Za-z0-9.]+)?\}")
_WRITES = re.compile(
    r"(sqs:(SendMessage|\*)|sns:(Publish|\*)|events:(PutEvents|\*)|states:(StartExecution|\*)|"
    r"lambda:(InvokeFunction|\*)|dynamodb:(PutItem|UpdateItem|DeleteItem|BatchWriteItem|\*)|^\*$)"
)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a template."""

    id: str
    type: str
    properties: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)


def ids_in(value: Any) -> Iterator[str]:
    """The logical ids that a value names by `Ref`, `Fn::GetAtt` or `Fn::Sub`."""
    if isinstance(value, list):
        for item in value:
            yield from ids_in(item)
        return
    if not isinstance(value, dict):
        return
    for key, child in value.items():
        if key == "Ref" and isinstance(child, str):
            yield child
        elif key == "Fn::GetAtt":
            yield child.split(".")[0] if isinstance(child, str) else str(child[0])
        elif key == "Fn::Sub":
            text = child if isinstance(child, str) else str(child[0])
            yield from (match[1] for match in _VARIABLE.finditer(text))
            if isinstance(child, list) and len(child) > 1:
                yield from ids_in(child[1])
        else:
            yield from ids_in(child)


@dataclass(frozen=True, slots=True)
class Application:
    """See the module."""

    resources: Mapping[str, Resource]
    code: Mapping[str, Code] = field(default_factory=dict)
    """The source of functions, by their logical ids; those whose source is not at hand are missing."""
    run: Evidence = NO_RUN

    @classmethod
    def of(
        cls, template: Mapping[str, Any], code: Mapping[str, Code] | None = None, run: Evidence = NO_RUN
    ) -> Application:
        """The application of a translated template. References to parameters are replaced by their defaults."""
        defaults = {
            name: body["Default"]
            for name, body in (template.get("Parameters") or {}).items()
            if isinstance(body, dict) and "Default" in body
        }
        found = {}
        for name, body in template["Resources"].items():
            properties = _filled(body.get("Properties") or {}, defaults)
            found[name] = Resource(name, body["Type"], properties, body.get("Metadata") or {})
        return cls(found, code or {}, run)

    def all(self, *types: str) -> Iterator[Resource]:
        """Resources of some types, in the order of the template."""
        return (resource for resource in self.resources.values() if resource.type in types)

    def named(self, value: Any, *types: str) -> str | None:
        """The first resource, of one of the types, that a value names; a function also by its alias or version."""
        for name in ids_in(value):
            resource = self.resources.get(name)
            if resource is None:
                continue
            if not types or resource.type in types:
                return name
            if FUNCTION in types and resource.type in _QUALIFIED:
                return self.named(resource.properties.get("FunctionName"), FUNCTION)
        return None

    def ignored(self, name: str) -> frozenset[str]:
        """The rules that a resource's `Metadata: Fogbank: Audit: Ignore` names."""
        resource = self.resources.get(name)
        about = resource.metadata.get("Fogbank") if resource is not None else None
        audit = about.get("Audit") if isinstance(about, dict) else None
        listed = audit.get("Ignore") if isinstance(audit, dict) else None
        return frozenset(listed if isinstance(listed, list) else ())

    # -- wiring -------------------------------------------------------------------------------------------------

    def targets(self) -> Iterator[tuple[Resource, Mapping[str, Any]]]:
        """Every target of every rule."""
        for rule in self.all(RULE):
            for target in rule.properties.get("Targets") or ():
                if isinstance(target, dict):
                    yield rule, target

    def asynchronous(self) -> dict[str, list[str]]:
        """Functions that are invoked asynchronously, with what invokes them."""
        found: dict[str, list[str]] = {}
        for rule, target in self.targets():
            self._note(found, target.get("Arn"), rule.id)
        for schedule in self.all(SCHEDULE):
            self._note(found, (schedule.properties.get("Target") or {}).get("Arn"), schedule.id)
        for subscription in self.all(SUBSCRIPTION):
            if subscription.properties.get("Protocol") == "lambda":
                self._note(found, subscription.properties.get("Endpoint"), subscription.id)
        return found

    def _note(self, found: dict[str, list[str]], arn: Any, by: str) -> None:
        name = self.named(arn, FUNCTION)
        if name is not None:
            found.setdefault(name, []).append(by)

    def mappings(self, kind: str | None = None) -> Iterator[tuple[Resource, str | None, str | None]]:
        """Event source mappings with their source and function."""
        for mapping in self.all(MAPPING):
            source = self.named(mapping.properties.get("EventSourceArn"))
            if kind is None or (source is not None and self.resources[source].type == kind):
                yield mapping, source, self.named(mapping.properties.get("FunctionName"), FUNCTION)

    def writes(self, function: str) -> set[str]:
        """The resources that a function may write to: by its role's policies, else by what its environment names."""
        properties = self.resources[function].properties
        environment = set(ids_in((properties.get("Environment") or {}).get("Variables")))
        role = self.named(properties.get("Role"), ROLE)
        statements = [] if role is None else list(_statements(self.resources[role].properties))
        if not statements:
            return environment & self.resources.keys()
        allowed: set[str] = set()
        for statement in statements:
            actions = statement.get("Action") or ()
            listed = [actions] if isinstance(actions, str) else list(actions)
            if statement.get("Effect") == "Allow" and any(_WRITES.search(str(action)) for action in listed):
                allowed.update(ids_in(statement.get("Resource")))
                if statement.get("Resource") == "*":
                    allowed |= environment
        return allowed & self.resources.keys()

    def failure_destination(self, function: str) -> bool:
        """Whether what a function fails on asynchronously goes somewhere."""
        if self.resources[function].properties.get("DeadLetterConfig"):
            return True
        for config in self.all(INVOKE_CONFIG):
            if self.named(config.properties.get("FunctionName"), FUNCTION) == function:
                return bool((config.properties.get("DestinationConfig") or {}).get("OnFailure"))
        return False

    def timeout(self, function: str) -> int:
        """Seconds."""
        return number(self.resources[function].properties.get("Timeout"), 3)

    def memory(self, function: str) -> int:
        """MB."""
        return number(self.resources[function].properties.get("MemorySize"), 128)


def number(value: Any, default: int) -> int:
    """A property that should be a number; the default if it is missing, or known only when it is deployed."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return default


def _statements(role: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for policy in role.get("Policies") or ():
        document = policy.get("PolicyDocument") if isinstance(policy, dict) else None
        listed = document.get("Statement") if isinstance(document, dict) else None
        yield from (one for one in (listed if isinstance(listed, list) else [listed]) if isinstance(one, dict))


def _filled(value: Any, defaults: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_filled(item, defaults) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and value.get("Ref") in defaults:
        return defaults[value["Ref"]]
    return {key: _filled(child, defaults) for key, child in value.items()}


def same(one: Any, other: Any) -> bool:
    """Whether two values of a template are alike."""
    return json.dumps(one, sort_keys=True, default=str) == json.dumps(other, sort_keys=True, default=str)
