"""Parameter Store over the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

ARN = "arn:aws:ssm:us-east-1:000000000000:parameter"


@pytest.fixture
def ssm(aws: Callable[..., Any]) -> Any:
    """A client that leaves it to the server to refuse bad requests."""
    return aws("ssm", config=BotoConfig(parameter_validation=False, retries={"max_attempts": 0}))


def error(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def put(ssm: Any, name: str, value: str = "v", **arguments: Any) -> Any:
    return ssm.put_parameter(**{"Name": name, "Value": value, "Type": "String"} | arguments)


def names(reply: Any) -> list[str]:
    return [parameter["Name"] for parameter in reply["Parameters"]]


class TestPut:
    """PutParameter."""

    def test_versions(self, ssm: Any) -> None:
        """Overwriting makes a new version; what is left out stays."""
        made = put(ssm, "/a/b", "one", Description="d", AllowedPattern="[a-z]+")
        assert (made["Version"], made["Tier"]) == (1, "Standard")
        assert error(put, ssm=ssm, name="/a/b") == (
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
        )
        made = ssm.put_parameter(Name="/a/b", Value="two", Overwrite=True)
        assert made["Version"] == 2
        parameter = ssm.get_parameter(Name="/a/b")["Parameter"]
        assert (parameter["Value"], parameter["Version"], parameter["ARN"]) == ("two", 2, f"{ARN}/a/b")
        assert (parameter["Type"], parameter["DataType"]) == ("String", "text")
        (described,) = ssm.describe_parameters()["Parameters"]
        assert (described["Description"], described["AllowedPattern"]) == ("d", "[a-z]+")
        assert described["LastModifiedUser"] == "arn:aws:iam::000000000000:root"

    @pytest.mark.parametrize(
        ("name", "code", "text"),
        [
            ("a b", "ValidationException", "Parameter name: can't be prefixed with"),
            ("no/slash", "ValidationException", "Parameter name: can't be prefixed with"),
            ("ssm-x", "ValidationException", "Parameter name: can't be prefixed with"),
            ("/SSM/x", "ValidationException", "Parameter name: can't be prefixed with"),
            ("/a@b", "ValidationException", "Parameter name: can't be prefixed with"),
            ("awsx", "AccessDeniedException", "No access to reserved parameter name: awsx."),
            ("/aws/x", "AccessDeniedException", "No access to reserved parameter name: /aws/x."),
            ("/a" * 16, "HierarchyLevelLimitExceededException", "A hierarchy can have a maximum of 15 levels."),
            ("x" * 1000, "ValidationException", "Parameter name: the name with its ARN prefix"),
            ("x" * 2049, "ValidationException", "1 validation error detected: Value 'xxx"),
        ],
    )
    def test_names(self, ssm: Any, name: str, code: str, text: str) -> None:
        """Names keep to the documented rules."""
        got = error(put, ssm=ssm, name=name)
        assert got[0] == code
        assert got[1].startswith(text)

    def test_fifteen_levels_are_enough(self, ssm: Any) -> None:
        """The deepest name."""
        put(ssm, "/a" * 15)

    def test_types(self, ssm: Any) -> None:
        """A type is needed at first and cannot be changed."""
        missing = error(ssm.put_parameter, Name="p", Value="v")
        assert missing == ("ValidationException", "A parameter type is required when you create a parameter.")
        put(ssm, "p", Type="StringList", value="a,b")
        changed = error(put, ssm=ssm, name="p", Type="SecureString", Overwrite=True)
        assert changed[0] == "HierarchyTypeMismatchException"
        assert error(put, ssm=ssm, name="q", Type="Number")[0] == "ValidationException"

    def test_values(self, ssm: Any) -> None:
        """Values are not empty, hold no references and have the tier's size."""
        assert error(put, ssm=ssm, name="p", value="")[0] == "ValidationException"
        nested = error(put, ssm=ssm, name="p", value="a {{ssm:x}} b")
        assert nested[1] == 'Parameter value can\'t nest another parameter. Do not use "{{}}" in the value.'
        large = error(put, ssm=ssm, name="p", value="x" * 4097)
        assert large[1].startswith("Standard tier parameters support a maximum parameter value of 4096 characters.")
        assert put(ssm, "p", "x" * 4097, Tier="Intelligent-Tiering")["Tier"] == "Advanced"
        assert error(put, ssm=ssm, name="q", value="x" * 8193, Tier="Advanced")[0] == "ValidationException"
        down = error(put, ssm=ssm, name="p", Tier="Standard", Overwrite=True)
        assert down[1].startswith("This parameter uses the advanced-parameter tier.")
        assert put(ssm, "p", Overwrite=True)["Tier"] == "Advanced"

    @pytest.mark.parametrize("pattern", [r"\d{1,4}", r"^(\d+)+$", r"\d+\.?\d*"])
    def test_allowed_patterns(self, ssm: Any, pattern: str) -> None:
        """The whole value must match."""
        put(ssm, "p", "12", AllowedPattern=pattern)
        assert error(put, ssm=ssm, name="p", value="x1", Overwrite=True) == (
            "ParameterPatternMismatchException",
            f"Parameter value, cannot be validated against allowedPattern: {pattern}",
        )
        assert error(put, ssm=ssm, name="q", AllowedPattern="(")[0] == "InvalidAllowedPatternException"

    def test_tags_do_not_go_with_overwriting(self, ssm: Any) -> None:
        """They are for a new parameter."""
        put(ssm, "p", Tags=[{"Key": "a", "Value": "1"}])
        both = error(put, ssm=ssm, name="p", Overwrite=True, Tags=[{"Key": "a", "Value": "1"}])
        assert both[1].startswith("Invalid request: tags and overwrite can't be used together.")

    def test_a_hundred_versions(self, ssm: Any) -> None:
        """The oldest version makes room, unless it has a label."""
        for _ in range(101):
            put(ssm, "p", Overwrite=True)
        numbers = [
            version["Version"]
            for page in ssm.get_paginator("get_parameter_history").paginate(Name="p")
            for version in page["Parameters"]
        ]
        assert numbers == list(range(2, 102))
        ssm.label_parameter_version(Name="p", ParameterVersion=2, Labels=["keep"])
        over = error(put, ssm=ssm, name="p", Overwrite=True)
        assert over[0] == "ParameterMaxVersionLimitExceeded"
        assert "Version 2, the oldest version, can't be deleted" in over[1]

    def test_what_is_left_out_says_so(self, ssm: Any) -> None:
        """Policies, data types and keys that Fogbank lacks are refused by name."""
        for arguments in ({"Policies": '[{"Type":"Expiration"}]'}, {"DataType": "aws:ec2:image"}):
            with pytest.raises(ClientError, match="NotImplemented"):
                put(ssm, "p", **arguments)
        with pytest.raises(ClientError, match="KMS"):
            put(ssm, "p", Type="SecureString", KeyId="alias/mine")
        assert error(put, ssm=ssm, name="p", DataType="nothing")[0] == "ValidationException"
        with pytest.raises(ClientError, match="CreateDocument"):
            ssm.create_document(Content="{}", Name="document")


class TestGet:
    """GetParameter, GetParameters, GetParameterHistory."""

    def test_selectors(self, ssm: Any) -> None:
        """A version is selected by its number or by a label."""
        for value in ("one", "two", "three"):
            put(ssm, "/p", value, Overwrite=True)
        ssm.label_parameter_version(Name="/p", ParameterVersion=2, Labels=["live"])
        for name, value in {"/p": "three", "/p:1": "one", "/p:live": "two", f"{ARN}/p": "three"}.items():
            assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == value
        found = ssm.get_parameter(Name="/p:live")["Parameter"]
        assert (found["Name"], found["Selector"]) == ("/p", ":live")
        assert error(ssm.get_parameter, Name="/p:9") == (
            "ParameterVersionNotFound",
            "Systems Manager could not find version 9 of /p. Verify the version and try again.",
        )
        assert error(ssm.get_parameter, Name="/p:none")[0] == "ParameterVersionNotFound"

    def test_missing(self, ssm: Any) -> None:
        """What is not there is not found, AWS's public parameters included; bad names are refused."""
        assert error(ssm.get_parameter, Name="none")[0] == "ParameterNotFound"
        public = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
        assert error(ssm.get_parameter, Name=public)[0] == "ParameterNotFound"
        assert error(ssm.get_parameter, Name="{test}-test")[0] == "ValidationException"
        assert error(ssm.get_parameter, Name="a:b:c")[0] == "ValidationException"

    def test_several(self, ssm: Any) -> None:
        """Those that are there come in the order of their names; the others are listed."""
        for name in ("b", "a"):
            put(ssm, name)
        reply = ssm.get_parameters(Names=["b", "none", "a:1", "a:7"])
        assert [(p["Name"], p.get("Selector")) for p in reply["Parameters"]] == [("a", ":1"), ("b", None)]
        assert reply["InvalidParameters"] == ["none", "a:7"]
        assert error(ssm.get_parameters, Names=[str(i) for i in range(11)])[0] == "ValidationException"

    def test_secrets(self, ssm: Any) -> None:
        """A SecureString is told only with decryption."""
        put(ssm, "/s", "secret", Type="SecureString")
        assert ssm.get_parameter(Name="/s", WithDecryption=True)["Parameter"]["Value"] == "secret"
        for reply in (
            ssm.get_parameter(Name="/s")["Parameter"],
            ssm.get_parameters(Names=["/s"])["Parameters"][0],
            ssm.get_parameters_by_path(Path="/")["Parameters"][0],
            ssm.get_parameter_history(Name="/s")["Parameters"][0],
        ):
            assert "secret" not in reply["Value"]
        assert ssm.describe_parameters()["Parameters"][0]["KeyId"] == "alias/aws/ssm"
        plain = error(put, ssm=ssm, name="p", KeyId="alias/aws/ssm")
        assert plain[1] == "KeyId is required for SecureString type parameter only."

    def test_history(self, ssm: Any) -> None:
        """Each version with its own description, value and labels."""
        put(ssm, "p", "one", Description="first")
        put(ssm, "p", "two", Description="second", Overwrite=True)
        ssm.label_parameter_version(Name="p", Labels=["live"])
        found = ssm.get_parameter_history(Name="p")["Parameters"]
        assert [(v["Version"], v["Value"], v["Description"], v["Labels"]) for v in found] == [
            (1, "one", "first", []),
            (2, "two", "second", ["live"]),
        ]
        page = ssm.get_parameter_history(Name="p", MaxResults=1)
        assert ssm.get_parameter_history(Name="p", NextToken=page["NextToken"])["Parameters"][0]["Version"] == 2
        assert error(ssm.get_parameter_history, Name="p", NextToken="x")[0] == "InvalidNextToken"


class TestPaths:
    """GetParametersByPath and DescribeParameters."""

    @pytest.fixture(autouse=True)
    def parameters(self, ssm: Any) -> None:
        for name in ("/a/x", "/a/y", "/a/b/z", "/ab/x", "top"):
            put(ssm, name, Tags=[{"Key": "path", "Value": name}])
        put(ssm, "/a/secret", Type="SecureString")

    def test_by_path(self, ssm: Any) -> None:
        """A level, or all below it; a path ends at a slash of the name."""
        assert names(ssm.get_parameters_by_path(Path="/a")) == ["/a/secret", "/a/x", "/a/y"]
        assert names(ssm.get_parameters_by_path(Path="/a/", Recursive=True)) == [
            "/a/b/z",
            "/a/secret",
            "/a/x",
            "/a/y",
        ]
        assert names(ssm.get_parameters_by_path(Path="/")) == ["top"]
        assert names(ssm.get_parameters_by_path(Path="/none")) == []
        pages = ssm.get_paginator("get_parameters_by_path").paginate(
            Path="/a", Recursive=True, PaginationConfig={"PageSize": 3}
        )
        assert [len(page["Parameters"]) for page in pages] == [3, 1]
        for path in ("a", "/a b", "/ssm/x"):
            got = error(ssm.get_parameters_by_path, Path=path)
            assert got[0] == "ValidationException"
            assert got[1].startswith("The parameter doesn't meet the parameter name requirements.")

    def test_by_path_with_filters(self, ssm: Any) -> None:
        """Type, key and label; others are not for paths."""

        def found(key: str, *values: str) -> list[str]:
            filters = [{"Key": key, "Values": list(values)}]
            return names(ssm.get_parameters_by_path(Path="/a", Recursive=True, ParameterFilters=filters))

        assert found("Type", "SecureString") == ["/a/secret"]
        ssm.label_parameter_version(Name="/a/x", Labels=["live"])
        assert found("Label", "live") == ["/a/x"]
        filters = [{"Key": "Name", "Values": ["x"]}]
        bad = error(ssm.get_parameters_by_path, Path="/a", ParameterFilters=filters)
        assert bad[0] == "InvalidFilterKey"

    @pytest.mark.parametrize(
        ("key", "option", "values", "expected"),
        [
            ("Name", "Equals", ["/a/x", "top"], ["/a/x", "top"]),
            ("Name", "BeginsWith", ["/a/"], ["/a/b/z", "/a/secret", "/a/x", "/a/y"]),
            ("Name", "Contains", ["b/"], ["/a/b/z", "/ab/x"]),
            ("Path", "OneLevel", ["/a"], ["/a/secret", "/a/x", "/a/y"]),
            ("Path", "Recursive", ["/a", "/ab"], ["/a/b/z", "/a/secret", "/a/x", "/a/y", "/ab/x"]),
            ("Type", "Equals", ["SecureString"], ["/a/secret"]),
            ("Type", "BeginsWith", ["Sec"], ["/a/secret"]),
            ("KeyId", "Equals", ["alias/aws/ssm"], ["/a/secret"]),
            ("tag:path", "Equals", ["top"], ["top"]),
            ("tag:path", "BeginsWith", ["/a/"], ["/a/b/z", "/a/x", "/a/y"]),
            ("Tier", "Equals", ["Advanced"], []),
            ("DataType", "Equals", ["text"], ["/a/b/z", "/a/secret", "/a/x", "/a/y", "/ab/x", "top"]),
        ],
    )
    def test_describe(self, ssm: Any, key: str, option: str, values: list[str], expected: list[str]) -> None:
        """Every filter with its options."""
        filters = [{"Key": key, "Option": option, "Values": values}]
        assert names(ssm.describe_parameters(ParameterFilters=filters)) == expected

    @pytest.mark.parametrize(
        ("filters", "code"),
        [
            ([{"Key": "Label", "Values": ["x"]}], "InvalidFilterKey"),
            ([{"Key": "Type", "Option": "Contains", "Values": ["x"]}], "InvalidFilterOption"),
            ([{"Key": "Path", "Option": "Equals", "Values": ["/x"]}], "InvalidFilterOption"),
            ([{"Key": "Type", "Values": ["Number"]}], "InvalidFilterValue"),
            ([{"Key": "Name"}], "InvalidFilterValue"),
            ([{"Key": "Path", "Values": ["x"]}], "ValidationException"),
            ([{"Key": "Name", "Values": ["x"]}] * 2, "ValidationException"),
            ([{"Key": "Other", "Values": ["x"]}], "ValidationException"),
        ],
    )
    def test_bad_filters(self, ssm: Any, filters: list[Any], code: str) -> None:
        """What a filter cannot be is refused."""
        assert error(ssm.describe_parameters, ParameterFilters=filters)[0] == code

    def test_describe_pages_and_old_filters(self, ssm: Any) -> None:
        """Tokens lead through all; the deprecated filters still work, alone."""
        pages = ssm.get_paginator("describe_parameters").paginate(PaginationConfig={"PageSize": 4})
        assert [len(page["Parameters"]) for page in pages] == [4, 2]
        old = [{"Key": "Name", "Values": ["/a/"]}]
        assert len(ssm.describe_parameters(Filters=old)["Parameters"]) == 4
        both = error(ssm.describe_parameters, Filters=old, ParameterFilters=old)
        assert both[1] == "You can use either Filters or ParameterFilters in a single request."


class TestDelete:
    """DeleteParameter, DeleteParameters."""

    def test_one(self, ssm: Any) -> None:
        """A deleted parameter is gone with its versions; a new one begins again."""
        put(ssm, "p")
        put(ssm, "p", Overwrite=True)
        ssm.delete_parameter(Name="p")
        assert error(ssm.delete_parameter, Name="p")[0] == "ParameterNotFound"
        assert put(ssm, "p")["Version"] == 1

    def test_several(self, ssm: Any) -> None:
        """Those that are not there are listed."""
        put(ssm, "p")
        reply = ssm.delete_parameters(Names=["p", "q"])
        assert (reply["DeletedParameters"], reply["InvalidParameters"]) == (["p"], ["q"])


class TestLabelsAndTags:
    """Labels of versions, tags of parameters."""

    def test_labels_move(self, ssm: Any) -> None:
        """A label is on one version only; what cannot be a label is listed."""
        put(ssm, "p")
        put(ssm, "p", Overwrite=True)
        bad = ["9x", "aws1", "SSM-x", "a b"]
        reply = ssm.label_parameter_version(Name="p", ParameterVersion=1, Labels=["live", *bad])
        assert (reply["ParameterVersion"], reply["InvalidLabels"]) == (1, bad)
        assert ssm.label_parameter_version(Name="p", Labels=["live"])["ParameterVersion"] == 2
        labels = [version["Labels"] for version in ssm.get_parameter_history(Name="p")["Parameters"]]
        assert labels == [[], ["live"]]
        assert error(ssm.label_parameter_version, Name="p", ParameterVersion=7, Labels=["x"]) == (
            "ParameterVersionNotFound",
            "Systems Manager could not find version 7 of p. Verify the version and try again.",
        )
        ssm.label_parameter_version(Name="p", Labels=[f"l{i}" for i in range(9)])
        assert error(ssm.label_parameter_version, Name="p", Labels=["more"])[0] == (
            "ParameterVersionLabelLimitExceeded"
        )
        reply = ssm.unlabel_parameter_version(Name="p", ParameterVersion=2, Labels=["live", "none"])
        assert (reply["RemovedLabels"], reply["InvalidLabels"]) == (["live"], ["none"])

    def test_tags(self, ssm: Any) -> None:
        """Tags are added, replaced, removed and listed."""
        put(ssm, "p", Tags=[{"Key": "a", "Value": "1"}])
        common = {"ResourceType": "Parameter", "ResourceId": "p"}
        ssm.add_tags_to_resource(**common, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}])
        ssm.remove_tags_from_resource(**common, TagKeys=["b"])
        assert ssm.list_tags_for_resource(**common)["TagList"] == [{"Key": "a", "Value": "2"}]
        many = [{"Key": f"k{i}", "Value": ""} for i in range(50)]
        assert error(ssm.add_tags_to_resource, **common, Tags=many)[0] == "TooManyTagsError"
        missing = {"ResourceType": "Parameter", "ResourceId": "none"}
        assert error(ssm.list_tags_for_resource, **missing)[0] == "InvalidResourceId"


def test_scopes_do_not_meet(ssm: Any, aws: Callable[..., Any]) -> None:
    """Accounts and regions have their own parameters."""
    put(ssm, "p")
    for other in (aws("ssm", region_name="eu-west-1"), aws("ssm", aws_access_key_id="111111111111")):
        assert other.describe_parameters()["Parameters"] == []
