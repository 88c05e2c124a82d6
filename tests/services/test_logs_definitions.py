"""Saved queries of CloudWatch Logs, over the wire and in templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.stacks import create, settle, update

Aws = Callable[..., Any]


def test_queries_are_saved(aws: Aws) -> None:
    """Created, replaced, listed by name, deleted; by a template too."""
    client, stacks = aws("logs"), aws("cloudformation")
    token = "t" * 36
    first = client.put_query_definition(name="b", queryString="fields @message", clientToken=token)["queryDefinitionId"]
    again = client.put_query_definition(name="b", queryString="fields @message", clientToken=token)
    assert again["queryDefinitionId"] == first
    client.put_query_definition(name="a/x", queryString="SELECT 1", queryLanguage="SQL")
    client.put_query_definition(name="b", queryString="limit 1", queryDefinitionId=first, logGroupNames=["g"])
    found = client.describe_query_definitions()["queryDefinitions"]
    assert [each["name"] for each in found] == ["a/x", "b"]
    assert (found[1]["queryString"], found[1]["logGroupNames"]) == ("limit 1", ["g"])
    assert len(client.describe_query_definitions(queryDefinitionNamePrefix="a/")["queryDefinitions"]) == 1
    page = client.describe_query_definitions(maxResults=1)
    assert client.describe_query_definitions(nextToken=page["nextToken"])["queryDefinitions"][0]["name"] == "b"
    assert client.delete_query_definition(queryDefinitionId=first)["success"] is True
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.delete_query_definition(queryDefinitionId=first)
    template = "Resources: {Q: {Type: 'AWS::Logs::QueryDefinition', Properties: {Name: q, QueryString: TEXT}}}"
    create(stacks, "s", template.replace("TEXT", "limit 1"))
    update(stacks, "s", template.replace("TEXT", "limit 2"))
    (made,) = client.describe_query_definitions(queryDefinitionNamePrefix="q")["queryDefinitions"]
    assert made["queryString"] == "limit 2"
    stack = stacks.describe_stacks(StackName="s")["Stacks"][0]["StackId"]
    stacks.delete_stack(StackName="s")
    settle(stacks, stack)
    assert client.describe_query_definitions(queryDefinitionNamePrefix="q")["queryDefinitions"] == []
