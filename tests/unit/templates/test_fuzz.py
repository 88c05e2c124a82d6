"""Templates that are nearly in order: whatever is changed in one, the answer is an error of AWS's or a deployment."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.templates.recording import RecordingCloud

from fogbank.core.clock import SystemClock
from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope
from fogbank.services.cloudformation.engine import StackIdentity, Standing
from fogbank.templates.engine import Engine
from fogbank.templates.loader import load

STACK = StackIdentity(Scope(), "arn", "s", {"team": "shop"})
BASE = load(
    """
Parameters: {P: {Type: String, Default: x, AllowedValues: [x]}, L: {Type: CommaDelimitedList, Default: 'a,b'}}
Mappings: {M: {a: {b: c}}}
Conditions: {C: !Equals [!Ref P, x], D: !And [!Condition C, !Not [!Condition C]]}
Rules: {R: {RuleCondition: !Equals [!Ref P, x], Assertions: [{Assert: !Contains [[x], !Ref P], AssertDescription: d}]}}
Resources:
  Dead: {Type: AWS::SQS::Queue}
  Queue:
    Type: AWS::SQS::Queue
    DependsOn: Dead
    Condition: C
    DeletionPolicy: Retain
    Properties:
      DelaySeconds: 5
      Tags: [{Key: a, Value: !Ref P}]
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [!Sub '${P}-${AWS::Region}']}
      Targets: [{Arn: !If [C, !GetAtt Queue.Arn, !GetAtt Dead.Arn], Id: t}]
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Role: !Sub 'arn:aws:iam::${AWS::AccountId}:role/r'
      Code: {ZipFile: !Join ['-', [a, !Select [0, !Ref L]]]}
      Environment: {Variables: {KEY: !FindInMap [M, a, b]}}
Outputs:
  O: {Value: !Base64 {'Fn::Sub': ['${A}', {A: b}]}, Condition: C, Export: {Name: !Sub '${AWS::StackName}-o'}}
"""
)
JUNK: list[Any] = [
    None, True, 5, 1.5, "", "x", [], {}, [[]], -1, "${Queue.Arn}", "AWS::SQS::Queue", {"Ref": "P"}, {"Ref": 5},
    {"Fn::GetAtt": []}, {"Fn::Sub": "${"}, {"Fn::If": []}, {"Fn::Select": [0]}, {"a": {"b": []}}, {"Fn::Join": {}},
    {"Condition": "C"}, {"Fn::ForEach::x": []}, {"Ref": "AWS::NoValue"}, {"Fn::ImportValue": "x"},
]  # fmt: skip


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in members:
        yield from paths(child, (*path, key))


@st.composite
def changed(draw: st.DrawFn) -> dict[str, Any]:
    """The template with one or two of its values replaced, removed or renamed."""
    template = copy.deepcopy(BASE)
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from(list(paths(template))))
        place = template
        for key in way:
            place = place[key]
        match draw(st.sampled_from(["replace", "replace", "remove", "rename"])):
            case "replace":
                place[last] = copy.deepcopy(draw(st.sampled_from(JUNK)))
            case "remove":
                del place[last]
            case _ if isinstance(place, dict):
                place[draw(st.sampled_from(["Foo", "Fn::Sub", "Ref", "Condition", "Type"]))] = place.pop(last)
    return template


async def deploy(body: str) -> None:
    engine = Engine(RecordingCloud(), SystemClock())
    await engine.summarize(STACK.scope, body)
    await engine.prepare(STACK, body, [], None, expand=False)
    prepared = await engine.prepare(STACK, body, [], None)
    deployment = await engine.open(STACK, prepared.processed, prepared.parameters)
    standing = {name: Standing(name, {"Arn": "a"}) for name in deployment.resources}
    for name, declared in deployment.resources.items():
        for wanted in await deployment.preview(name, {}):
            deployment.causes(name, wanted)
        properties = await deployment.properties(name, standing)
        engine.compare(declared.type, properties, {})
        engine.name(STACK, name, declared.type, properties, "CODE")
    await deployment.outputs(standing)


def test_the_template_itself_is_in_order() -> None:
    asyncio.run(deploy(json.dumps(BASE)))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(changed())
def test_a_changed_template_is_deployed_or_refused(template: dict[str, Any]) -> None:
    with contextlib.suppress(ApiError):
        asyncio.run(deploy(json.dumps(template)))
