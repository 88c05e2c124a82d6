"""AWS::Lambda: functions, versions, aliases, permissions, event source mappings, layers.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Lambda.html
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any, ClassVar

from fogbank.core.call import Reply
from fogbank.core.errors import ApiError, InvalidParameterError
from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources._cfnresponse import MODULES
from fogbank.templates.resources.resource_type import (
    Name,
    NotStabilizedError,
    ResourceType,
    Work,
    json_text,
    without,
)
from fogbank.templates.sections import scalar_text

_CONFIGURATION = (
    "Role", "Handler", "Description", "Timeout", "MemorySize", "VpcConfig", "Runtime", "DeadLetterConfig",
    "TracingConfig", "Layers", "FileSystemConfigs", "ImageConfig", "EphemeralStorage", "SnapStart", "LoggingConfig",
    "CapacityProviderConfig", "DurableConfig",
)  # fmt: skip
_DEFAULTS: dict[str, Any] = {
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
    "DeadLetterConfig": {"TargetArn": ""},
    "TracingConfig": {"Mode": "PassThrough"},
    "Layers": [],
    "FileSystemConfigs": [],
    "EphemeralStorage": {"Size": 512},
    "SnapStart": {"ApplyOn": "None"},
    "LoggingConfig": {"LogFormat": "Text"},
}
"""What a property that was taken out of the template goes back to."""


class Function(ResourceType):
    """A function; `Ref` gives its name."""

    type = "AWS::Lambda::Function"
    service = "lambda"
    name = Name("FunctionName", 64)
    attributes = ("Arn", "SnapStartResponse", "SnapStartResponse.ApplyOn", "SnapStartResponse.OptimizationStatus")
    lacking = frozenset({"FunctionScalingConfig", "PublishToLatestPublished", "TenancyConfig"})
    needed_by: ClassVar[Mapping[str, str]] = {
        "RecursiveLoop": "PutFunctionRecursionConfig",
        "RuntimeManagementConfig": "PutRuntimeManagementConfig",
    }
    defaults: ClassVar[Mapping[str, Any]] = {
        "RecursiveLoop": "Terminate",
        "RuntimeManagementConfig": {"UpdateRuntimeOn": "Auto"},
    }

    async def make(self, work: Work) -> Standing:
        request: dict[str, Any] = {
            "FunctionName": work.name,
            "Code": code(work.properties),
            **work.take(*_CONFIGURATION, "Architectures", "PackageType", "CodeSigningConfigArn"),
            **_renamed(work),
            "Tags": work.tags() or None,
        }
        await work.call("CreateFunction", request)
        await self._active(work)
        await self._beside(work)
        return await self._standing(work)

    async def update(self, work: Work) -> Standing:
        if work.changed("Code", "Architectures"):
            request = {"FunctionName": work.name, **code(work.properties), **work.take("Architectures")}
            if "Architectures" in work.previous and "Architectures" not in work.properties:
                request["Architectures"] = ["x86_64"]
            await work.call("UpdateFunctionCode", request)
            await self._active(work)
        if work.changed(*_CONFIGURATION, "Environment", "KmsKeyArn"):
            gone = {name: _DEFAULTS[name] for name in _DEFAULTS if name in work.previous}
            request = {"FunctionName": work.name, **gone, **work.take(*_CONFIGURATION), **_renamed(work)}
            if "Environment" in work.previous and "Environment" not in work.properties:
                request["Environment"] = {"Variables": {}}
            await work.call("UpdateFunctionConfiguration", request)
            await self._active(work)
        await self._beside(work)
        await self._change_tags(work)
        return await self._standing(work)

    async def _active(self, work: Work) -> None:
        async def ready() -> bool:
            state = await self._configuration(work)
            if state.get("State") == "Failed" or state.get("LastUpdateStatus") == "Failed":
                reason = state.get("StateReason") or state.get("LastUpdateStatusReason") or "unknown"
                raise NotStabilizedError(f"Function {work.name} failed: {reason}")
            return state.get("State") in ("Active", "Inactive") and state.get("LastUpdateStatus") != "InProgress"

        await work.until(ready)

    @staticmethod
    async def _configuration(work: Work) -> Reply:
        return await work.call("GetFunctionConfiguration", {"FunctionName": work.name})

    async def _beside(self, work: Work) -> None:
        """What has calls of its own."""
        function = {"FunctionName": work.name}
        if work.changed("ReservedConcurrentExecutions"):
            reserved = work.properties.get("ReservedConcurrentExecutions")
            if reserved is None:
                await work.call("DeleteFunctionConcurrency", function)
            else:
                await work.call("PutFunctionConcurrency", {**function, "ReservedConcurrentExecutions": reserved})
        if self.differs(work, "RecursiveLoop"):
            loop = work.properties.get("RecursiveLoop", "Terminate")
            await work.call("PutFunctionRecursionConfig", {**function, "RecursiveLoop": loop})
        if self.differs(work, "RuntimeManagementConfig"):
            management = work.properties.get("RuntimeManagementConfig", {"UpdateRuntimeOn": "Auto"})
            await work.call("PutRuntimeManagementConfig", {**function, **management})
        if work.previous and work.changed("CodeSigningConfigArn"):
            arn = work.properties.get("CodeSigningConfigArn")
            if arn is None:
                await work.call("DeleteFunctionCodeSigningConfig", function)
            else:
                await work.call("PutFunctionCodeSigningConfig", {**function, "CodeSigningConfigArn": arn})

    async def _change_tags(self, work: Work) -> None:
        tags, removed = work.tag_changes()
        arn = work.scope.arn("lambda", f"function:{work.name}")
        if tags:
            await work.call("TagResource", {"Resource": arn, "Tags": tags})
        if removed:
            await work.call("UntagResource", {"Resource": arn, "TagKeys": removed})

    async def _standing(self, work: Work) -> Standing:
        configuration = await self._configuration(work)
        attributes: dict[str, Any] = {"Arn": configuration["FunctionArn"]}
        snap = configuration.get("SnapStart")
        if snap:
            attributes["SnapStartResponse"] = snap
            attributes |= {f"SnapStartResponse.{key}": value for key, value in snap.items()}
        return Standing(work.name, attributes)

    async def read(self, work: Work) -> Reply:
        return await self._configuration(work)

    async def remove(self, work: Work) -> None:
        await work.call("DeleteFunction", {"FunctionName": work.name})


def _renamed(work: Work) -> dict[str, Any]:
    """Properties whose values or names differ from the API's: environment values are strings there."""
    found: dict[str, Any] = {}
    environment = work.properties.get("Environment")
    if environment is not None:
        variables = environment.get("Variables", {})
        found["Environment"] = {"Variables": {key: _variable(value) for key, value in variables.items()}}
    if "KmsKeyArn" in work.properties:
        found["KMSKeyArn"] = work.properties["KmsKeyArn"]
    return found


def _variable(value: Any) -> str:
    return json_text(value) if isinstance(value, dict | list) else scalar_text(value)


def code(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The package: one in a bucket as it is, inline source as a zip file with `index` and the response module."""
    given = properties["Code"]
    if "ZipFile" not in given:
        return dict(given)
    runtime = str(properties.get("Runtime", ""))
    language = next((name for name in MODULES if runtime.startswith(name)), None)
    if language is None:
        raise InvalidParameterError(
            f"ZipFile (inline source) is supported for Node.js and Python runtimes only, not for {runtime or 'none'}"
        )
    module = MODULES[language]
    return {"ZipFile": zipped({f"index.{module.extension}": given["ZipFile"], module.file: module.source})}


def zipped(files: Mapping[str, str]) -> bytes:
    """A zip file that is the same whenever its contents are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            archive.writestr(info, text)
    return buffer.getvalue()


class Version(ResourceType):
    """A published version; `Ref` gives its ARN. Publishing what is published already gives the same version."""

    type = "AWS::Lambda::Version"
    service = "lambda"
    attributes = ("FunctionArn", "Version")
    lacking = frozenset({"FunctionScalingConfig"})
    needed_by: ClassVar[Mapping[str, str]] = {
        "RuntimePolicy": "PutRuntimeManagementConfig",
        "ProvisionedConcurrencyConfig": "PutProvisionedConcurrencyConfig",
    }
    defaults: ClassVar[Mapping[str, Any]] = {"RuntimePolicy": {"UpdateRuntimeOn": "Auto"}}

    async def make(self, work: Work) -> Standing:
        reply = await work.call("PublishVersion", work.take("FunctionName", "CodeSha256", "Description"))
        arn, version = reply["FunctionArn"], reply["Version"]
        if not arn.endswith(f":{version}"):
            arn = f"{arn}:{version}"
        function = {"FunctionName": work.properties["FunctionName"], "Qualifier": version}
        await self._active(work, function, arn)
        policy = work.properties.get("RuntimePolicy")
        if policy is not None and self.differs(work, "RuntimePolicy"):
            await work.call("PutRuntimeManagementConfig", {**function, **policy})
        provisioned = work.properties.get("ProvisionedConcurrencyConfig")
        if provisioned is not None:
            await provision(work, function, provisioned)
        return Standing(arn, {"FunctionArn": arn, "Version": version})

    async def _active(self, work: Work, function: Mapping[str, Any], arn: str) -> None:
        """With SnapStart a version is ready when its init code has run."""

        async def ready() -> bool:
            state = await work.call("GetFunctionConfiguration", function)
            if state.get("State") == "Failed":
                raise NotStabilizedError(
                    f"Resource of type '{self.type}' with identifier '{arn}' did not stabilize. "
                    f"Status Reason is {state.get('StateReason')}"
                )
            return state.get("State") != "Pending"

        await work.until(ready)

    async def remove(self, work: Work) -> None:
        if not work.physical_id:
            return
        name, _, version = work.physical_id.rpartition(":")
        await work.call("DeleteFunction", {"FunctionName": name, "Qualifier": version})


async def provision(work: Work, function: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Provision environments, and wait until they are there."""
    await work.call("PutProvisionedConcurrencyConfig", {**function, **wanted})

    async def ready() -> bool:
        reply = await work.call("GetProvisionedConcurrencyConfig", function)
        if reply.get("Status") == "FAILED":
            raise NotStabilizedError(
                f"Provisioned Concurrency configuration failed to be applied. Reason: {reply.get('StatusReason')}."
            )
        return reply.get("Status") == "READY"

    await work.until(ready)


class Alias(ResourceType):
    """An alias; `Ref` gives its ARN."""

    type = "AWS::Lambda::Alias"
    service = "lambda"
    attributes = ("AliasArn",)
    needed_by: ClassVar[Mapping[str, str]] = {"ProvisionedConcurrencyConfig": "PutProvisionedConcurrencyConfig"}

    @staticmethod
    def _key(work: Work) -> dict[str, Any]:
        return work.take("FunctionName", "Name")

    def _request(self, work: Work) -> dict[str, Any]:
        request = {**self._key(work), **work.take("FunctionVersion", "Description")}
        weights = work.properties.get("RoutingConfig", {}).get("AdditionalVersionWeights")
        if weights is not None:
            additional = {each["FunctionVersion"]: each["FunctionWeight"] for each in weights}
            request["RoutingConfig"] = {"AdditionalVersionWeights": additional}
        elif "RoutingConfig" in work.previous:
            request["RoutingConfig"] = {"AdditionalVersionWeights": {}}
        return request

    async def make(self, work: Work) -> Standing:
        return await self._finish(work, await work.call("CreateAlias", self._request(work)))

    async def update(self, work: Work) -> Standing:
        return await self._finish(work, await work.call("UpdateAlias", self._request(work)))

    @staticmethod
    async def _finish(work: Work, reply: Reply) -> Standing:
        function = {"FunctionName": work.properties["FunctionName"], "Qualifier": work.properties["Name"]}
        wanted = work.properties.get("ProvisionedConcurrencyConfig")
        if wanted is not None and work.changed("ProvisionedConcurrencyConfig"):
            await provision(work, function, wanted)
        elif wanted is None and "ProvisionedConcurrencyConfig" in work.previous:
            await work.call("DeleteProvisionedConcurrencyConfig", function)
        return Standing(reply["AliasArn"], {"AliasArn": reply["AliasArn"]})

    async def remove(self, work: Work) -> None:
        await work.call("DeleteAlias", self._key(work))


class Permission(ResourceType):
    """A statement of a function's policy; `Ref` gives its id, which is made up before it is put."""

    type = "AWS::Lambda::Permission"
    service = "lambda"
    attributes = ("Id",)

    @staticmethod
    def _statement_id(work: Work) -> str:
        step = work.step
        return work.physical_id or f"{step.stack.name}-{step.logical_id}-{step.token.replace('-', '')[:12]}"[-100:]

    async def make(self, work: Work) -> Standing:
        statement_id = self._statement_id(work)
        await work.call("AddPermission", {"StatementId": statement_id, **without(work.properties, ("Id",))})
        return Standing(statement_id, {"Id": statement_id})

    async def adopt(self, work: Work) -> Standing:
        statement_id = self._statement_id(work)
        return Standing(statement_id, {"Id": statement_id})

    async def remove(self, work: Work) -> None:
        if work.physical_id:
            request = {"FunctionName": work.properties["FunctionName"], "StatementId": work.physical_id}
            await work.call("RemovePermission", request)


class EventSourceMapping(ResourceType):
    """A mapping from a queue or stream to a function; `Ref` gives its UUID."""

    type = "AWS::Lambda::EventSourceMapping"
    service = "lambda"
    attributes = ("Id", "EventSourceMappingArn")

    @staticmethod
    def _request(work: Work) -> dict[str, Any]:
        request = without(work.properties, ("Tags", "KmsKeyArn"))
        if "KmsKeyArn" in work.properties:
            request["KMSKeyArn"] = work.properties["KmsKeyArn"]
        return request

    async def make(self, work: Work) -> Standing:
        request = {**self._request(work), "Tags": work.tags() or None}
        return await self._enabled(work, (await work.call("CreateEventSourceMapping", request))["UUID"])

    async def adopt(self, work: Work) -> Standing:
        """An earlier attempt's mapping is the one of the same function and source."""
        return await self._bring(work, (await self._found(work))["UUID"])

    @staticmethod
    async def _found(work: Work) -> Reply:
        request = work.take("FunctionName", "EventSourceArn")
        mappings = (await work.call("ListEventSourceMappings", request)).get("EventSourceMappings", [])
        if not mappings:
            raise NotStabilizedError(f"{work.step.logical_id}: the event source mapping is taken and cannot be found")
        found: Reply = mappings[0]
        return found

    async def update(self, work: Work) -> Standing:
        return await self._bring(work, work.physical_id)

    async def _bring(self, work: Work, identifier: str) -> Standing:
        fixed = ("EventSourceArn", "StartingPosition", "StartingPositionTimestamp", "SelfManagedEventSource", "Queues",
                 "Topics")  # fmt: skip
        gone = {name: _MAPPING_DEFAULTS[name] for name in _MAPPING_DEFAULTS if name in work.previous}
        request = {**gone, **without(self._request(work), fixed), "UUID": identifier}
        await work.call("UpdateEventSourceMapping", request)
        standing = await self._enabled(work, identifier)
        tags, removed = work.tag_changes()
        arn = standing.attributes["EventSourceMappingArn"]
        if tags:
            await work.call("TagResource", {"Resource": arn, "Tags": tags})
        if removed:
            await work.call("UntagResource", {"Resource": arn, "TagKeys": removed})
        return standing

    @staticmethod
    async def _enabled(work: Work, identifier: str) -> Standing:
        async def ready() -> bool:
            reply = await work.call("GetEventSourceMapping", {"UUID": identifier})
            return reply.get("State") not in ("Creating", "Updating", "Enabling", "Disabling")

        await work.until(ready)
        arn = work.scope.arn("lambda", f"event-source-mapping:{identifier}")
        return Standing(identifier, {"Id": identifier, "EventSourceMappingArn": arn})

    async def remove(self, work: Work) -> None:
        if not work.physical_id:
            return
        await work.call("DeleteEventSourceMapping", {"UUID": work.physical_id})

        async def gone() -> bool:
            try:
                await work.call("GetEventSourceMapping", {"UUID": work.physical_id})
            except ApiError as error:
                if error.code in self.missing:
                    return True
                raise
            return False

        await work.until(gone)


_MAPPING_DEFAULTS: dict[str, Any] = {
    "BatchSize": 10,
    "Enabled": True,
    "FilterCriteria": {},
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
    "ScalingConfig": {},
}


class EventInvokeConfig(ResourceType):
    """How a function's asynchronous invocations are retried and where their results go."""

    type = "AWS::Lambda::EventInvokeConfig"
    service = "lambda"
    attributes = ()

    async def make(self, work: Work) -> Standing:
        names = ("FunctionName", "Qualifier", "MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
        await work.call("PutFunctionEventInvokeConfig", work.take(*names))
        return Standing(f"{work.properties['FunctionName']}|{work.properties['Qualifier']}", {})

    async def update(self, work: Work) -> Standing:
        return await self.make(work)

    async def remove(self, work: Work) -> None:
        await work.call("DeleteFunctionEventInvokeConfig", work.take("FunctionName", "Qualifier"))


class LayerVersion(ResourceType):
    """A version of a layer; `Ref` gives its ARN."""

    type = "AWS::Lambda::LayerVersion"
    service = "lambda"
    name = Name("LayerName", 140)
    attributes = ("LayerVersionArn",)

    async def make(self, work: Work) -> Standing:
        names = ("Description", "Content", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo")
        reply = await work.call("PublishLayerVersion", {"LayerName": work.name, **work.take(*names)})
        arn = reply["LayerVersionArn"]
        return Standing(arn, {"LayerVersionArn": arn})

    async def exists(self, work: Work) -> bool:  # noqa: ARG002 - nothing needs to be asked
        return False  # another version of a layer that exists is what publishing is for

    async def remove(self, work: Work) -> None:
        if not work.physical_id:
            return
        layer, _, number = work.physical_id.rpartition(":")
        await work.call("DeleteLayerVersion", {"LayerName": layer, "VersionNumber": int(number)})


class LayerVersionPermission(ResourceType):
    """Who may use a version of a layer."""

    type = "AWS::Lambda::LayerVersionPermission"
    service = "lambda"
    attributes = ("Id",)

    @staticmethod
    def _key(work: Work) -> dict[str, Any]:
        layer, _, number = work.properties["LayerVersionArn"].rpartition(":")
        return {"LayerName": layer, "VersionNumber": int(number)}

    @staticmethod
    def _statement_id(work: Work) -> str:
        if work.physical_id:
            return work.physical_id.rpartition("#")[2]
        return f"{work.step.stack.name}-{work.step.logical_id}-{work.step.token.replace('-', '')[:12]}"[-100:]

    async def make(self, work: Work) -> Standing:
        request = {
            **self._key(work),
            "StatementId": self._statement_id(work),
            **work.take("Action", "Principal", "OrganizationId"),
        }
        await work.call("AddLayerVersionPermission", request)
        return await self.adopt(work)

    async def adopt(self, work: Work) -> Standing:
        identifier = f"{work.properties['LayerVersionArn']}#{self._statement_id(work)}"
        return Standing(identifier, {"Id": identifier})

    async def remove(self, work: Work) -> None:
        await work.call("RemoveLayerVersionPermission", {**self._key(work), "StatementId": self._statement_id(work)})


class Url(ResourceType):
    """A function's URL; `Ref` gives the function's ARN."""

    type = "AWS::Lambda::Url"
    needs = ("CreateFunctionUrlConfig",)
    service = "lambda"
    attributes = ("FunctionArn", "FunctionUrl")

    @staticmethod
    def _key(work: Work) -> dict[str, Any]:
        return {"FunctionName": work.properties["TargetFunctionArn"], **work.take("Qualifier")}

    async def make(self, work: Work) -> Standing:
        request = {**self._key(work), **work.take("AuthType", "Cors", "InvokeMode")}
        return self._standing(await work.call("CreateFunctionUrlConfig", request))

    async def update(self, work: Work) -> Standing:
        gone: dict[str, Any] = {"Cors": {}, "InvokeMode": "BUFFERED"}
        request = {**self._key(work), **gone, **work.take("AuthType", "Cors", "InvokeMode")}
        return self._standing(await work.call("UpdateFunctionUrlConfig", request))

    @staticmethod
    def _standing(reply: Reply) -> Standing:
        attributes = {"FunctionArn": reply["FunctionArn"], "FunctionUrl": reply["FunctionUrl"]}
        return Standing(reply["FunctionArn"], attributes)

    async def remove(self, work: Work) -> None:
        await work.call("DeleteFunctionUrlConfig", self._key(work))


class CodeSigningConfig(ResourceType):
    """A code signing configuration; `Ref` gives its ARN."""

    type = "AWS::Lambda::CodeSigningConfig"
    service = "lambda"
    attributes = ("CodeSigningConfigArn", "CodeSigningConfigId")

    async def make(self, work: Work) -> Standing:
        request = {**self._settings(work), "Tags": work.tags() or None}
        return self._standing(await work.call("CreateCodeSigningConfig", request))

    async def update(self, work: Work) -> Standing:
        arn = work.physical_id
        tags, removed = work.tag_changes()
        if tags:
            await work.call("TagResource", {"Resource": arn, "Tags": tags})
        if removed:
            await work.call("UntagResource", {"Resource": arn, "TagKeys": removed})
        request = {"CodeSigningConfigArn": arn, **self._settings(work)}
        return self._standing(await work.call("UpdateCodeSigningConfig", request))

    @staticmethod
    def _settings(work: Work) -> dict[str, Any]:
        return work.take("Description", "AllowedPublishers", "CodeSigningPolicies")

    @staticmethod
    def _standing(reply: Reply) -> Standing:
        made = reply["CodeSigningConfig"]
        names = ("CodeSigningConfigArn", "CodeSigningConfigId")
        return Standing(made["CodeSigningConfigArn"], {name: made[name] for name in names})

    async def remove(self, work: Work) -> None:
        if work.physical_id:
            await work.call("DeleteCodeSigningConfig", {"CodeSigningConfigArn": work.physical_id})


TYPES = (
    Function, Version, Alias, Permission, EventSourceMapping, EventInvokeConfig, LayerVersion, LayerVersionPermission,
    Url, CodeSigningConfig,
)  # fmt: skip
