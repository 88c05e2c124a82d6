"""What each type of state has of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from fogbank.services.states._language import _rules
from fogbank.services.states._language._distributed import DistributedFields
from fogbank.services.states._language.choice import compile_rule, timestamp_of
from fogbank.services.states._language.definition import Kind, Program, Rule, State
from fogbank.services.states._language.jsonata import expression_text
from fogbank.services.states._language.templates import (
    Query,
    Template,
    TemplateError,
)

Json = Any
_LABEL = re.compile(r"[^\s?*<>{}\[\]\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]*")
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/.+")
_LAMBDA = re.compile(r"arn:aws[\w-]*:lambda:[\w-]+:[\w-]+:function:[\w$:-]+")
_ACTIVITY = re.compile(r"arn:aws[\w-]*:states:[\w-]+:\d{12}:activity:.+")
_STATES = re.compile(r"arn:aws[\w-]*:states:[\w-]*:\d{0,12}:([\w-]+):([\w:.\-]+)")
_SDK = re.compile(r"([\w-]+):([a-z]\w*)(\.waitForTaskToken)?")


class Kinds(DistributedFields):
    """Reads the fields of each type of state."""

    def machine(self, document: Mapping[str, Json], at: str, *, jsonata: bool, top: bool = False) -> Program:
        """A branch or processor: its states."""
        raise NotImplementedError

    def read_pass(self, state: State, document: Mapping[str, Json], at: str) -> None:  # noqa: ARG002
        """Pass."""
        state.has_result = "Result" in document
        state.result = document.get("Result")

    def read_succeed(self, state: State, document: Mapping[str, Json], at: str) -> None:
        """Succeed: it has nothing of its own."""

    def read_fail(self, state: State, document: Mapping[str, Json], at: str) -> None:
        """Fail."""
        for name in ("Error", "Cause"):
            self.exclusive(document, at, name, f"{name}Path")
            given = document.get(name)
            if name in document and not isinstance(given, str):
                self.wrong("Expected value of type String", f"{at}/{name}")
                continue
            if state.jsonata and expression_text(given) is not None:
                made: Template | Query | None = self.query(document, name, at, "string")
            elif f"{name}Path" in document:
                made = self.dynamic(document, f"{name}Path", at)
            else:
                setattr(state, name.lower(), given)
                continue
            setattr(state, f"{name.lower()}_of", made)

    def read_wait(self, state: State, document: Mapping[str, Json], at: str) -> None:
        """Wait."""
        given = self.exclusive(document, at, "Seconds", "SecondsPath", "Timestamp", "TimestampPath")
        if not given:
            self.wrong("Exactly one of these fields is required: [Seconds, SecondsPath, Timestamp, TimestampPath]", at)
            return
        name = given[0]
        state.wait_field = name
        value = document[name]
        if name.endswith("Path"):
            state.wait_path = self.path(value, f"{at}/{name}")
        elif state.jsonata and expression_text(value) is not None:
            state.wait_query = self.query(document, name, at, "integer" if name == "Seconds" else "string")
        elif name == "Seconds":
            state.seconds = self.integer(document, name, at)
        elif not isinstance(value, str) or timestamp_of(value) is None:
            self.wrong("String does not match RFC3339 timestamp", f"{at}/{name}")
        else:
            state.timestamp = value

    def read_choice(self, state: State, document: Mapping[str, Json], at: str) -> None:
        """Choice."""
        default = document.get("Default")
        if default is not None and not isinstance(default, str):
            self.wrong("Expected value of type String", f"{at}/Default")
        else:
            state.default = default
        choices = document.get("Choices")
        if not isinstance(choices, list) or not choices:
            self.wrong("The field 'Choices' must be a non-empty array", f"{at}/Choices" if choices is not None else at)
            return
        rules = []
        for index, entry in self.entries(choices, f"{at}/Choices"):
            place = f"{at}/Choices[{index}]"
            target = entry.get("Next")
            if not isinstance(target, str):
                self.wrong("The field 'Next' is required but was missing", place)
                continue
            rules.append(self.rule(state, entry, target, place, index))
        state.rules = tuple(rules)

    def rule(self, state: State, entry: Mapping[str, Json], target: str, at: str, index: int) -> Rule:
        """One entry of Choices."""
        assign = self.assignment(entry, at, jsonata=state.jsonata) if "Assign" in entry else None
        if state.jsonata:
            if "Condition" not in entry:
                self.wrong("The field 'Condition' is required but was missing", at)
                return Rule(target)
            condition = self.query(entry, "Condition", at, "boolean", label=f"Choices[{index}]/Condition")
            output = self.query(entry, "Output", at, label=f"Choices[{index}]/Output") if "Output" in entry else None
            return Rule(target, None, condition, output, assign)
        try:
            test = compile_rule(entry)
        except TemplateError as error:
            self.wrong(error.message, f"{at}{error.location}")
            return Rule(target)
        return Rule(target, test, None, None, assign)

    def read_task(self, state: State, document: Mapping[str, Json], at: str) -> None:
        """Task."""
        resource = document.get("Resource")
        if not isinstance(resource, str):
            self.wrong("The field 'Resource' is required but was missing", at)
        else:
            state.resource = resource
            self.resource(resource, f"{at}/Resource")
        for name, attribute in (("TimeoutSeconds", "timeout"), ("HeartbeatSeconds", "heartbeat")):
            given = self.exclusive(document, at, name, f"{name}Path")
            if not given:
                continue
            if given[0] != name:
                setattr(state, f"{attribute}_path", self.path(document[given[0]], f"{at}/{given[0]}"))
            elif state.jsonata and expression_text(document[name]) is not None:
                setattr(state, f"{attribute}_query", self.query(document, name, at, "integer"))
            else:
                setattr(state, attribute, self.integer(document, name, at, least=1))
        if state.timeout is not None and state.heartbeat is not None and state.heartbeat >= state.timeout:
            self.wrong("HeartbeatSeconds must be smaller than TimeoutSeconds", f"{at}/HeartbeatSeconds")
        if "Credentials" in document:
            self.credentials(state, document, at)

    def credentials(self, state: State, document: Mapping[str, Json], at: str) -> None:
        """Credentials: the role that a task is done in."""
        value = document["Credentials"]
        place = f"{at}/Credentials"
        if not isinstance(value, dict):
            self.wrong("Expected value of type Object", place)
            return
        names = ("RoleArn",) if state.jsonata else ("RoleArn", "RoleArn.$")
        if not any(name in value for name in names):
            self.wrong("The field 'RoleArn' is required but was missing", place)
            return
        for name in value:
            if name not in names:
                self.wrong(f"Field '{name}' is not supported", place)
        role = value.get("RoleArn")
        if (
            role is not None
            and expression_text(role) is None
            and (not isinstance(role, str) or not _ROLE.fullmatch(role))
        ):
            self.wrong("The value for the field 'RoleArn' must be a valid IAM role ARN", f"{place}/RoleArn")
        if state.jsonata:
            state.credentials = self.query(document, "Credentials", at)
        else:
            state.credentials = self.template(document, "Credentials", at)

    def resource(self, resource: str, at: str) -> None:
        """Resource: a function, an activity, or an integration."""
        if _LAMBDA.fullmatch(resource):
            return
        if _ACTIVITY.fullmatch(resource):
            if self.express:
                self.wrong("Express state machine does not support Activity ARN", at)
            return
        found = _STATES.fullmatch(resource)
        service, operation = (found[1], found[2]) if found else ("", "")
        if service == "aws-sdk":
            sdk = _SDK.fullmatch(operation)
            recognised = sdk is not None and self.known(sdk[1], sdk[2])
        else:
            recognised = operation in _rules.OPTIMIZED.get(service, ())
        if not recognised:
            self.wrong(
                f"The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the "
                "resource is not available in this region.",
                at,
            )
        elif self.express and operation.endswith((".sync", ".sync:2")):
            self.wrong("Express state machine does not support '.sync' service integration", at)
        elif self.express and operation.endswith(".waitForTaskToken"):
            self.wrong("Express state machine does not support '.waitForTaskToken' service integration ", at)

    def read_parallel(self, state: State, document: Mapping[str, Json], at: str) -> None:
        """Parallel."""
        branches = document.get("Branches")
        if not isinstance(branches, list) or not branches:
            self.wrong(
                "The field 'Branches' must be a non-empty array", f"{at}/Branches" if branches is not None else at
            )
            return
        state.branches = tuple(
            self.machine(branch, f"{at}/Branches[{index}]", jsonata=state.jsonata)
            for index, branch in self.entries(branches, f"{at}/Branches")
        )

    def read_map(self, state: State, document: Mapping[str, Json], at: str) -> None:
        """Map."""
        given = self.exclusive(document, at, "ItemProcessor", "Iterator")
        if not given or not isinstance(document[given[0]], dict):
            self.wrong("The field 'ItemProcessor' is required but was missing", at)
            return
        processor = document[given[0]]
        place = f"{at}/{given[0]}"
        program = self.machine(processor, place, jsonata=state.jsonata)
        self.processor(program, processor.get("ProcessorConfig", {}), f"{place}/ProcessorConfig")
        state.branches = (program,)
        self.items(state, document, at)
        self.limits(state, document, at)
        self.distributed(state, document, at)
        if "Label" in document:
            self.label(state, document["Label"], f"{at}/Label")

    def processor(self, program: Program, config: Json, at: str) -> None:
        """ProcessorConfig."""
        if not isinstance(config, dict):
            self.wrong("Expected value of type Object", at)
            return
        mode = config.get("Mode", "INLINE")
        self.one_of(mode, f"{at}/Mode", "INLINE", "DISTRIBUTED")
        program.distributed = mode == "DISTRIBUTED"
        if program.distributed and "ExecutionType" not in config:
            self.wrong("The field 'ExecutionType' is required but was missing", at)
        if program.distributed and self.express:
            self.wrong("Express state machine does not support Distributed Map", at)
        program.execution_type = config.get("ExecutionType", "STANDARD")
        self.one_of(program.execution_type, f"{at}/ExecutionType", "STANDARD", "EXPRESS")

    def label(self, state: State, label: Json, at: str) -> None:
        """Label."""
        if not isinstance(label, str):
            self.wrong("Expected value of type String", at)
        elif len(label) > 40:
            self.wrong("Label cannot exceed 40 characters", at, "INVALID_LABEL_NAME")
        elif not _LABEL.fullmatch(label):
            self.wrong("Label contains invalid characters", at, "INVALID_LABEL_NAME")
        elif label in self.labels:
            self.wrong(f"Duplicate Label: {label}", at, "DUPLICATE_LABEL_NAME")
        else:
            self.labels.add(label)
            state.label = label

    def items(self, state: State, document: Mapping[str, Json], at: str) -> None:
        """ItemsPath, Items and ItemSelector."""
        if "ItemsPath" in document:
            state.items_path = self.path(document["ItemsPath"], f"{at}/ItemsPath")
        if "Items" in document:
            value = document["Items"]
            if not isinstance(value, list) and expression_text(value) is None:
                self.wrong("The field 'Items' must be an array or a JSONata expression", f"{at}/Items")
            else:
                kinds = ("array", "object") if state.branches[0].distributed else ("array",)
                state.items_query = self.query(document, "Items", at, *kinds)
        if "ItemSelector" in document:
            make = self.query if state.jsonata else self.template
            state.item_selector = make(document, "ItemSelector", at)
        if not state.jsonata and "Parameters" in document:
            if "ItemSelector" in document:
                self.exclusive(document, at, "Parameters", "ItemSelector")
            state.item_selector, state.parameters = state.parameters, None

    def limits(self, state: State, document: Mapping[str, Json], at: str) -> None:
        """MaxConcurrency and tolerated failures."""
        fields = (
            ("MaxConcurrency", "concurrency", lambda: self.integer(document, "MaxConcurrency", at)),
            ("ToleratedFailureCount", "tolerated_count", lambda: self.integer(document, "ToleratedFailureCount", at)),
            (
                "ToleratedFailurePercentage",
                "tolerated_percentage",
                lambda: self.number(document, "ToleratedFailurePercentage", at, least=0, most=100),
            ),
        )
        for name, attribute, read in fields:
            given = self.exclusive(document, at, name, f"{name}Path")
            if not given:
                continue
            if given[0] != name:
                setattr(state, f"{attribute}_path", self.path(document[given[0]], f"{at}/{given[0]}"))
            elif state.jsonata and expression_text(document[name]) is not None:
                kind = "number" if name.endswith("Percentage") else "integer"
                setattr(state, f"{attribute}_query", self.query(document, name, at, kind))
            else:
                setattr(state, attribute, read() or 0)


READERS: Mapping[Kind, Callable[[Kinds, State, Mapping[str, Json], str], None]] = {
    Kind.TASK: Kinds.read_task,
    Kind.PASS: Kinds.read_pass,
    Kind.CHOICE: Kinds.read_choice,
    Kind.WAIT: Kinds.read_wait,
    Kind.SUCCEED: Kinds.read_succeed,
    Kind.FAIL: Kinds.read_fail,
    Kind.PARALLEL: Kinds.read_parallel,
    Kind.MAP: Kinds.read_map,
}
"""What reads the fields of a type."""
