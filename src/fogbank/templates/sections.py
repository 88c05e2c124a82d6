"""A template's sections, checked and typed.

`parse` takes a template whose macros are expanded (no `Fn::ForEach`, no SAM types) apart into frozen values;
`declared_parameters` and `transforms` read only what can be read before. The messages are CloudFormation's.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html and its quotas page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fogbank.templates.errors import TemplateError, UnsupportedError

MAX_RESOURCES = 500
MAX_PARAMETERS = 200
MAX_OUTPUTS = 200
MAX_MAPPINGS = 200

_TOP = frozenset(
    [
        "AWSTemplateFormatVersion",
        "Description",
        "Metadata",
        "Parameters",
        "Rules",
        "Mappings",
        "Conditions",
        "Transform",
        "Resources",
        "Outputs",
        "Hooks",
    ]
)
_PARAMETER = frozenset(
    [
        "Type",
        "Default",
        "NoEcho",
        "AllowedValues",
        "AllowedPattern",
        "MaxLength",
        "MinLength",
        "MaxValue",
        "MinValue",
        "Description",
        "ConstraintDescription",
    ]
)
_RESOURCE = frozenset(
    [
        "Type",
        "Properties",
        "DependsOn",
        "Condition",
        "Metadata",
        "DeletionPolicy",
        "UpdateReplacePolicy",
        "CreationPolicy",
        "UpdatePolicy",
    ]
)
_OUTPUT = frozenset(["Value", "Description", "Export", "Condition"])
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9]{1,255}")
_PLAIN_TYPES = frozenset(
    ["String", "Number", "List<Number>", "List<String>", "CommaDelimitedList", "AWS::SSM::Parameter::Name"]
)
_WITH_SNAPSHOTS = frozenset(
    [
        "AWS::DocDB::DBCluster",
        "AWS::EC2::Volume",
        "AWS::ElastiCache::CacheCluster",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::Neptune::DBCluster",
        "AWS::RDS::DBCluster",
        "AWS::RDS::DBInstance",
        "AWS::Redshift::Cluster",
    ]
)
_SSM_VALUE = "AWS::SSM::Parameter::Value<"
_AWS_TYPES = frozenset(
    [
        "AWS::EC2::AvailabilityZone::Name",
        "AWS::EC2::Image::Id",
        "AWS::EC2::Instance::Id",
        "AWS::EC2::KeyPair::KeyName",
        "AWS::EC2::SecurityGroup::GroupName",
        "AWS::EC2::SecurityGroup::Id",
        "AWS::EC2::Subnet::Id",
        "AWS::EC2::Volume::Id",
        "AWS::EC2::VPC::Id",
        "AWS::Route53::HostedZone::Id",
    ]
)


class DeletionPolicy(StrEnum):
    """What becomes of a resource that leaves its stack."""

    DELETE = "Delete"
    RETAIN = "Retain"
    RETAIN_EXCEPT_ON_CREATE = "RetainExceptOnCreate"
    SNAPSHOT = "Snapshot"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter's declaration. `default` and `allowed` are strings, as every parameter's value is."""

    name: str
    type: str
    default: str | None = None
    no_echo: bool = False
    allowed: tuple[str, ...] | None = None
    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_value: float | None = None
    max_value: float | None = None
    description: str | None = None
    constraint: str | None = None

    @property
    def is_ssm_value(self) -> bool:
        """Whether what is given is the name of a parameter of Systems Manager, and its value is meant."""
        return self.type.startswith(_SSM_VALUE)

    @property
    def value_type(self) -> str:
        """The type of the value: for `AWS::SSM::Parameter::Value<T>` it is T."""
        return self.type[len(_SSM_VALUE) : -1] if self.is_ssm_value else self.type

    @property
    def is_list(self) -> bool:
        """Whether `Ref` gives a list."""
        return self.value_type.startswith("List<") or self.value_type == "CommaDelimitedList"


@dataclass(frozen=True, slots=True)
class ResourceDeclaration:
    """A resource as the template declares it; `properties` hold intrinsic functions still."""

    logical_id: str
    type: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    condition: str | None = None
    metadata: Any = None
    deletion_policy: DeletionPolicy = DeletionPolicy.DELETE
    update_replace_policy: DeletionPolicy = DeletionPolicy.DELETE


@dataclass(frozen=True, slots=True)
class OutputDeclaration:
    """An output; `value` and `export` hold intrinsic functions still."""

    name: str
    value: Any
    description: str | None = None
    export: Any = None
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A template with every macro expanded."""

    resources: Mapping[str, ResourceDeclaration]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, OutputDeclaration] = field(default_factory=dict)
    description: str | None = None
    metadata: Any = None


def transforms(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The macros that the template's `Transform` section names, in its order."""
    declared = raw.get("Transform")
    if declared is None:
        return ()
    names = declared if isinstance(declared, list) else [declared]
    found: list[str] = []
    for name in names:
        if isinstance(name, dict) and isinstance(name.get("Name"), str):
            name = name["Name"]
        if not isinstance(name, str):
            raise TemplateError("Key Name of transform definition must be a string.")
        found.append(name)
    return tuple(found)


def check_frame(raw: Mapping[str, Any], *, sam: bool) -> None:
    """What holds for a template before and after its macros: its sections' names and kinds."""
    unknown = [name for name in raw if name not in _TOP and not (sam and name == "Globals")]
    if unknown:
        raise TemplateError(f"Invalid template property or properties [{', '.join(unknown)}]")
    if raw.get("AWSTemplateFormatVersion") not in (None, "2010-09-09"):
        raise TemplateError("Template format error: Unsupported template version; expected 2010-09-09")
    description = raw.get("Description")
    if description is not None and not isinstance(description, str):
        raise TemplateError("Template format error: Description must be a string.")
    if description is not None and len(description.encode()) > 1024:
        raise TemplateError("Template format error: 'Description' length is greater than 1024.")
    if "Hooks" in raw:
        raise UnsupportedError("Fogbank does not implement the Hooks section of a template")
    if not _section(raw, "Resources"):
        raise TemplateError("Template format error: At least one Resources member must be defined.")
    for name in ("Parameters", "Rules", "Mappings", "Conditions", "Outputs"):
        _section(raw, name)
    _refuse_nulls(raw)


def parse(raw: Mapping[str, Any]) -> Template:
    """Take an expanded template apart; `TemplateError` at the first thing that is not as it must be."""
    check_frame(raw, sam=False)
    return Template(
        resources=_resources(_section(raw, "Resources")),
        parameters=declared_parameters(raw),
        mappings=_mappings(_section(raw, "Mappings")),
        conditions=_section(raw, "Conditions"),  # any name: published templates have ones like `Subnets&3AZCondition`
        rules=_named("Rules", _section(raw, "Rules")),
        outputs=_outputs(_section(raw, "Outputs")),
        description=raw.get("Description"),
        metadata=raw.get("Metadata"),
    )


def declared_parameters(raw: Mapping[str, Any]) -> dict[str, Parameter]:
    """The parameters, which no macro can add to on AWS: readable before the macros run."""
    section = _named("Parameters", _section(raw, "Parameters"))
    _at_most(section, MAX_PARAMETERS, "parameters")
    return {name: _parameter(name, body) for name, body in section.items()}


def _section(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = raw.get(name)
    if section is None:
        if name in raw and name != "Resources":
            raise TemplateError(f"[/{name}] 'null' values are not allowed in templates")
        return {}
    if not isinstance(section, dict):
        raise TemplateError(f"Template format error: {name} must be an object.")
    return section


def _named(kind: str, section: dict[str, Any]) -> dict[str, Any]:
    for name in section:
        if not _ALPHANUMERIC.fullmatch(name):
            raise TemplateError(f"Template format error: {kind} name '{name}' is non alphanumeric.")
    return section


def _at_most(section: Mapping[str, Any], limit: int, what: str) -> None:
    if len(section) > limit:
        raise TemplateError(
            f"Template format error: Number of {what}, {len(section)}, is greater than maximum allowed, {limit}"
        )


def _refuse_nulls(raw: Mapping[str, Any]) -> None:
    """`null` is allowed nowhere but in Metadata and in what a macro will read."""
    pending: list[tuple[str, Any]] = [(f"/{k}", v) for k, v in raw.items() if k not in ("Metadata", "Globals")]
    while pending:
        path, value = pending.pop()
        if value is None:
            raise TemplateError(f"[{path}] 'null' values are not allowed in templates")
        if isinstance(value, dict):
            nested = [(f"{path}/{k}", v) for k, v in value.items() if not (k == "Metadata" and path.count("/") == 2)]
            pending.extend(reversed(nested))
        elif isinstance(value, list):
            pending.extend((f"{path}/{i}", v) for i, v in reversed(list(enumerate(value))))


def _parameter(name: str, body: Any) -> Parameter:
    if not isinstance(body, dict):
        raise TemplateError("Template format error: Every Parameters member must be an object.")
    unknown = next((key for key in body if key not in _PARAMETER), None)
    if unknown is not None:
        raise TemplateError(f"Invalid template parameter property '{unknown}'")
    kind = body.get("Type")
    if not isinstance(kind, str):
        raise TemplateError("Template format error: Every Parameters object must contain a Type member.")
    if not known_parameter_type(kind):
        raise TemplateError(f"Template format error: Unrecognized parameter type: {kind}")
    allowed = body.get("AllowedValues")
    if allowed is not None and not isinstance(allowed, list):
        raise TemplateError(f"Template format error: AllowedValues of parameter {name} must be a list.")
    if isinstance(body.get("Default"), dict | list):
        raise TemplateError("Template format error: Every Default member must be a string.")
    return Parameter(
        name=name,
        type=kind,
        default=None if "Default" not in body else scalar_text(body["Default"]),
        no_echo=scalar_text(body.get("NoEcho", False)).lower() == "true",
        allowed=None if allowed is None else tuple(scalar_text(value) for value in allowed),
        pattern=_optional_text(body, "AllowedPattern"),
        min_length=_bound(name, body, "MinLength", int),
        max_length=_bound(name, body, "MaxLength", int),
        min_value=_bound(name, body, "MinValue", float),
        max_value=_bound(name, body, "MaxValue", float),
        description=_optional_text(body, "Description"),
        constraint=_optional_text(body, "ConstraintDescription"),
    )


def known_parameter_type(kind: str) -> bool:
    """Whether CloudFormation knows a parameter type of this name."""
    if kind.startswith(_SSM_VALUE) and kind.endswith(">"):
        inner = kind[len(_SSM_VALUE) : -1]
        return inner in ("String", "List<String>", "CommaDelimitedList") or _aws_type(inner)
    return kind in _PLAIN_TYPES or _aws_type(kind)


def _aws_type(kind: str) -> bool:
    inner = kind[5:-1] if kind.startswith("List<") and kind.endswith(">") else kind
    return inner in _AWS_TYPES


def _bound(name: str, body: Mapping[str, Any], key: str, kind: type[int | float]) -> Any:
    if key not in body:
        return None
    try:
        return kind(scalar_text(body[key]))
    except ValueError:
        raise TemplateError(f"Template format error: {key} of parameter {name} must be a number.") from None


def _optional_text(body: Mapping[str, Any], key: str) -> str | None:
    value = body.get(key)
    if value is None:
        return None
    if isinstance(value, dict | list):
        raise TemplateError(f"Template format error: Every {key} member must be a string.")
    return scalar_text(value)


def scalar_text(value: Any) -> str:
    """A scalar as CloudFormation writes it where a string is wanted: `true`, `30`, `1.5`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _mappings(section: dict[str, Any]) -> dict[str, Any]:
    _at_most(_named("Mappings", section), MAX_MAPPINGS, "mappings")
    for name, mapping in section.items():
        if not isinstance(mapping, dict):
            raise TemplateError(f"Template format error: Every Mappings member {name} must be a map")
        for key, attributes in mapping.items():
            if not isinstance(attributes, dict):
                raise TemplateError(f"Template format error: Every Mappings member {key} must be a map")
            if any(isinstance(value, dict) for value in attributes.values()):
                raise TemplateError("Template format error: Every Mappings attribute must be a String or a List.")
    return section


def _resources(section: dict[str, Any]) -> dict[str, ResourceDeclaration]:
    _at_most(section, MAX_RESOURCES, "resources")
    return {name: _resource(name, body) for name, body in section.items()}


def _resource(name: str, body: Any) -> ResourceDeclaration:
    if not _ALPHANUMERIC.fullmatch(name):
        raise TemplateError(f"Template format error: Resource name {name} is non alphanumeric.")
    if not isinstance(body, dict):
        raise TemplateError("Template format error: Any Resources member must be an object.")
    unknown = next((key for key in body if key not in _RESOURCE), None)
    if unknown is not None:
        raise TemplateError(f"Invalid template resource property '{unknown}'")
    kind = body.get("Type")
    if not isinstance(kind, str):
        raise TemplateError(
            f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
        )
    properties = body.get("Properties", {})
    if not isinstance(properties, dict):
        raise TemplateError(f"Template format error: [/Resources/{name}] Properties must be an object.")
    _refuse_policies(name, kind, body)
    return ResourceDeclaration(
        logical_id=name,
        type=kind,
        properties=properties,
        depends_on=_depends_on(name, body.get("DependsOn", [])),
        condition=_condition(body),
        metadata=body.get("Metadata"),
        deletion_policy=_policy(name, body, "DeletionPolicy"),
        update_replace_policy=_policy(name, body, "UpdateReplacePolicy"),
    )


def _refuse_policies(name: str, kind: str, body: Mapping[str, Any]) -> None:
    """Refuse creation and update policies, but for an alias that CodeDeploy moves without hooks."""
    if "CreationPolicy" in body:
        raise UnsupportedError(f"Fogbank does not implement CreationPolicy, which resource {name} declares")
    policy = body.get("UpdatePolicy")
    if policy is None:
        return
    if not isinstance(policy, dict):
        raise TemplateError(f"Template format error: [/Resources/{name}] UpdatePolicy must be an object.")
    if kind != "AWS::Lambda::Alias" or set(policy) != {"CodeDeployLambdaAliasUpdate"}:
        raise UnsupportedError(f"Fogbank does not implement UpdatePolicy, which resource {name} declares")
    update = policy["CodeDeployLambdaAliasUpdate"]
    hooks = sorted(set(update) - {"ApplicationName", "DeploymentGroupName"}) if isinstance(update, dict) else ()
    if hooks:
        raise UnsupportedError(
            f"Fogbank does not implement {hooks[0]} of CodeDeployLambdaAliasUpdate, which resource {name} declares"
        )


def _depends_on(name: str, value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise TemplateError(
            f"Template format error: [/Resources/{name}/DependsOn] DependsOn must be a string or list of strings."
        )
    return tuple(dict.fromkeys(names))


def _condition(body: Mapping[str, Any]) -> str | None:
    condition = body.get("Condition")
    if condition is not None and not isinstance(condition, str):
        raise TemplateError("Template format error: Every Condition member must be a string.")
    return condition


def _policy(name: str, body: Mapping[str, Any], key: str) -> DeletionPolicy:
    value = body.get(key, "Delete")
    allowed = [policy.value for policy in DeletionPolicy]
    if key == "UpdateReplacePolicy":
        allowed.remove("RetainExceptOnCreate")
    if not isinstance(value, str):
        raise TemplateError(f"Template format error: Every {key} member must be a string.")
    if value not in allowed:
        raise TemplateError(f"Template format error: Unrecognized {key} {value} for resource {name}")
    if value == "Snapshot" and body.get("Type") not in _WITH_SNAPSHOTS:
        raise TemplateError(
            f"Template error: resource type {body.get('Type')} does not support {key} Snapshot (resource {name})"
        )
    return DeletionPolicy(value)


def _outputs(section: dict[str, Any]) -> dict[str, OutputDeclaration]:
    _at_most(section, MAX_OUTPUTS, "outputs")
    return {name: _output(name, body) for name, body in _named("Outputs", section).items()}


def _output(name: str, body: Any) -> OutputDeclaration:
    if not isinstance(body, dict):
        raise TemplateError("Template format error: Every Outputs member must be an object.")
    unknown = next((key for key in body if key not in _OUTPUT), None)
    if unknown is not None:
        raise TemplateError(f"Invalid template output property '{unknown}'")
    if "Value" not in body:
        raise TemplateError("Template format error: Every Outputs member must contain a Value object")
    export = body.get("Export")
    if export is not None and (not isinstance(export, dict) or set(export) != {"Name"}):
        raise TemplateError(f"Template format error: Output {name} is malformed. The Export must have a Name")
    return OutputDeclaration(
        name=name,
        value=body["Value"],
        description=_optional_text(body, "Description"),
        export=None if export is None else export["Name"],
        condition=_condition(body),
    )
