"""Functions: create, update, read, list, delete; and their versions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.core.config import Auth
from fogbank.core.errors import ApiError, NotImplementedByFogbank
from fogbank.runtime import RuntimeUnavailableError, StartError
from fogbank.services.lambda_ import _archive, _rules
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._api.base import (
    LambdaBase,
    check_revision,
    marker_of,
    need_function,
    need_version,
    next_marker,
)
from fogbank.services.lambda_._api.signing import need_config
from fogbank.services.lambda_._deployment import storage as signing
from fogbank.services.lambda_._layers import layer_settings
from fogbank.services.lambda_._names import (
    LATEST,
    FunctionRef,
    is_version,
    parse_function,
    parse_unqualified,
    version_number,
)
from fogbank.services.lambda_._targets import key_of
from fogbank.services.lambda_._warm import storage as warm_rows
from fogbank.services.lambda_._warm.model import check_snap_start
from fogbank.services.lambda_.errors import (
    AccessDeniedError,
    FunctionNotFoundError,
    InvalidParameterValueError,
    ResourceConflictError,
)
from fogbank.services.lambda_.model import (
    SNAPSHOT,
    Code,
    Function,
    Version,
    VersionState,
    published,
    render,
    render_listed,
    render_pending,
    render_updated,
)
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        CreateFunctionRequestTypeDef,
        DeleteFunctionRequestTypeDef,
        GetFunctionConfigurationRequestTypeDef,
        GetFunctionRequestTypeDef,
        ListFunctionsRequestTypeDef,
        ListVersionsByFunctionRequestTypeDef,
        PublishVersionRequestTypeDef,
        UpdateFunctionCodeRequestTypeDef,
        UpdateFunctionConfigurationRequestTypeDef,
    )

_log = logging.getLogger("fogbank.lambda")
LOCAL_BUCKET = "fogbank-local"
"""A bucket that is none: its keys are absolute paths of folders on this machine, packed as they are."""
_PAGE = 50


class Functions(LambdaBase):
    """The operations on functions and versions."""

    async def create_function(self, call: Call, request: CreateFunctionRequestTypeDef) -> Reply:
        """CreateFunction."""
        given: Mapping[str, Any] = request
        ref = parse_unqualified(call.scope, request["FunctionName"])
        _rules.check_name(ref.name)
        if ref.scope.account != call.scope.account:
            raise AccessDeniedError
        config = _rules.merge({}, _rules.settings(given, creating=True))
        tags = request.get("Tags", {})
        _rules.check_tags(tags, by_service=bool(call.principal.service))
        check_snap_start(config)
        await self._check_runtime(config["Runtime"])
        code = await self._store(call, given["Code"])
        now = self.kit.clock.millis()
        ids = self.kit.ids
        publish = request.get("Publish", False)

        async def body(tx: Tx) -> Version:
            if await rows.find_function(tx, ref) is not None:
                raise ResourceConflictError(f"Function already exist: {ref.name}")
            if given.get("CodeSigningConfigArn"):
                signing_config = await need_config(tx, given["CodeSigningConfigArn"])
                signing_config.check()
                await signing.sign(tx, ref, signing_config)
            kept = _rules.merge(config, await layer_settings(tx, call.scope, given.get("Layers")))
            latest = Version(ref, 0, kept, code, ids.uuid(), now, ids.uuid())
            await rows.put_version(tx, latest)
            await rows.put_function(tx, Function(ref, now, int(publish), None, tags))
            self._targets.changed(tx, ref)
            if not publish:
                return latest
            first = replace(latest, number=1, revision=ids.uuid(), config=published(kept))
            await rows.put_version(tx, first)
            return first

        made = await self.kit.storage.transact(body)
        self._prepare(config["Runtime"], ref)
        self._take_snapshot(made)
        return render_pending(made, arn=ref.arn, revision=ids.uuid())

    async def _check_runtime(self, runtime: str) -> None:
        try:
            await self.kit.runtime.check(runtime)
        except RuntimeUnavailableError as error:
            raise InvalidParameterValueError(str(error)) from error

    def _prepare(self, runtime: str, ref: FunctionRef | None = None) -> None:
        """Start the prepared parent beside the answer, and compile the function: its first event should not wait."""
        if self.running:
            self.spawn(self._prepared(runtime, ref), name="lambda-prepare")

    def _take_snapshot(self, version: Version) -> None:
        """Run the init code of a new version beside the answer, if it has SnapStart."""
        if version.state is VersionState.PENDING:
            self._snapshots.take(FunctionRef(version.ref.scope, version.ref.name, version.text))

    async def _prepared(self, runtime: str, ref: FunctionRef | None) -> None:
        try:
            await self.kit.runtime.prepare(runtime)
            if ref is not None:
                await self.kit.runtime.compile((await self._targets.find(ref)).pick(0.0).version)
        except FunctionNotFoundError:
            return  # it was deleted
        except (RuntimeUnavailableError, StartError) as error:
            _log.warning("%s functions cannot start: %s", runtime, error)

    async def _store(self, call: Call, given: Mapping[str, Any]) -> Code:
        """The package that a request brings or points to, stored."""
        if given.get("ImageUri"):
            raise NotImplementedByFogbank("Fogbank does not run container images (ImageUri) yet")
        if given.get("S3ObjectStorageMode", "COPY") != "COPY":
            raise NotImplementedByFogbank("Fogbank does not implement S3ObjectStorageMode REFERENCE yet")
        if given.get("SourceKMSKeyArn"):
            raise NotImplementedByFogbank("Fogbank does not implement SourceKMSKeyArn yet")
        in_bucket = "S3Bucket" in given or "S3Key" in given
        if "ZipFile" in given:
            if in_bucket:
                raise InvalidParameterValueError(
                    "Please do not provide other FunctionCode parameters when providing a ZipFile."
                )
            _archive.check_upload(given["ZipFile"])
            return await self._code.store(given["ZipFile"])
        if not in_bucket:
            raise InvalidParameterValueError("Please provide a source for function code.")
        if not given.get("S3Bucket") or not given.get("S3Key"):
            raise InvalidParameterValueError("Both S3Bucket and S3Key must be provided.")
        if given["S3Bucket"] == LOCAL_BUCKET:
            return await self._code.store(await self._pack(given["S3Key"]))
        return await self._code.store(await self._download(call, given))

    async def _pack(self, folder: str) -> bytes:
        if self.kit.config.auth is not Auth.LOCAL:
            raise InvalidParameterValueError(
                f"code from local folders ({LOCAL_BUCKET}) is taken only with --auth local"
            )
        return await self._code.pack(folder)

    async def _download(self, call: Call, given: Mapping[str, Any]) -> bytes:
        request = {"Bucket": given["S3Bucket"], "Key": given["S3Key"]}
        if given.get("S3ObjectVersion"):
            request["VersionId"] = given["S3ObjectVersion"]
        try:
            reply = await self.kit.cloud.call(call.scope, "s3", "GetObject", request, trace=call.trace)
        except NotImplementedByFogbank:
            raise
        except ApiError as error:
            raise InvalidParameterValueError(
                f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: {error.message}"
            ) from error
        body = reply["Body"]
        if isinstance(body, bytes):
            return body
        return b"".join([piece async for piece in body])

    async def update_function_code(self, call: Call, request: UpdateFunctionCodeRequestTypeDef) -> Reply:
        """UpdateFunctionCode."""
        given: Mapping[str, Any] = request
        if given.get("PublishTo"):
            raise NotImplementedByFogbank("Fogbank does not implement the PublishTo of a function yet")
        ref = parse_unqualified(call.scope, request["FunctionName"])
        await self.kit.storage.read(lambda tx: _may_deploy(tx, ref))
        if given.get("ImageUri"):
            raise InvalidParameterValueError(
                "Please don't provide ImageUri when updating a function with packageType Zip."
            )
        code = await self._store(call, given)

        def change(latest: Version) -> Version:
            architectures = given.get("Architectures")
            config = {**latest.config, "Architectures": architectures} if architectures else latest.config
            return replace(latest, code=code, config=config)

        return await self._update(
            ref, change, given.get("RevisionId"), publish=given.get("Publish", False), dry=given.get("DryRun", False)
        )

    async def update_function_configuration(
        self, call: Call, request: UpdateFunctionConfigurationRequestTypeDef
    ) -> Reply:
        """UpdateFunctionConfiguration."""
        given: Mapping[str, Any] = request
        ref = parse_unqualified(call.scope, request["FunctionName"])
        changes = _rules.settings(given, creating=False)
        if "Runtime" in changes:
            await self._check_runtime(changes["Runtime"])
        layers: dict[str, Any] = {}
        if "Layers" in given:
            layers = await self.kit.storage.read(lambda tx: layer_settings(tx, call.scope, given["Layers"]))

        def change(latest: Version) -> Version:
            changed = {**changes, **layers}
            if "LoggingConfig" in changed:
                changed["LoggingConfig"] = _rules.merge_logging(latest.config, changed["LoggingConfig"])
            config = _rules.merge(latest.config, changed)
            check_snap_start(config)
            return replace(latest, config=config)

        return await self._update(ref, change, given.get("RevisionId"), publish=False, dry=False)

    async def _update(self, ref: FunctionRef, change: Any, revision: str | None, *, publish: bool, dry: bool) -> Reply:
        """Change $LATEST; its environments finish what they run, and go."""
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> tuple[Version, Version, Version | None]:
            function = await need_function(tx, ref)
            latest = await need_version(tx, ref)
            check_revision(revision, latest.revision)
            ids = self.kit.ids
            changed: Version = replace(change(latest), revision=ids.uuid(), modified=now, generation=ids.uuid())
            if dry:
                return latest, changed, None
            await rows.put_version(tx, changed)
            self._targets.changed(tx, ref)
            made = await self._publish(tx, function, changed, None) if publish else None
            return latest, changed, made

        before, changed, made = await self.kit.storage.transact(body)
        if not dry:
            self.kit.runtime.retire(key_of(before))
            self._prepare(changed.config["Runtime"], ref)
        revision = self.kit.ids.uuid()
        if made is not None:
            self._take_snapshot(made)
            return render_pending(made, arn=made.qualified_arn, revision=revision)
        return render_updated(changed, revision=revision)

    async def _publish(self, tx: Tx, function: Function, latest: Version, description: str | None) -> Version:
        """A version of what $LATEST is now; the last one again if nothing has changed since."""
        last = await rows.last_published(tx, function.ref)
        config = dict(latest.config)
        if description is not None:
            config["Description"] = description
        if last is not None and last.code == latest.code and _same(last.config, latest.config):
            return last
        number = function.last_version + 1
        made = replace(
            latest,
            number=number,
            config=published(config),
            revision=self.kit.ids.uuid(),
            modified=self.kit.clock.millis(),
        )
        await rows.put_version(tx, made)
        await rows.put_function(tx, replace(function, last_version=number))
        await rows.touch_version(tx, function.ref, 0, self.kit.ids.uuid())
        return made

    async def publish_version(self, call: Call, request: PublishVersionRequestTypeDef) -> Reply:
        """PublishVersion."""
        given: Mapping[str, Any] = request
        if given.get("PublishTo"):
            raise NotImplementedByFogbank("Fogbank does not implement the PublishTo of a function yet")
        ref = parse_unqualified(call.scope, request["FunctionName"])

        async def body(tx: Tx) -> Version:
            function = await need_function(tx, ref)
            latest = await need_version(tx, ref)
            check_revision(given.get("RevisionId"), latest.revision)
            sha256 = given.get("CodeSha256")
            if sha256 and sha256 != latest.code.sha256:
                raise InvalidParameterValueError(
                    f"CodeSHA256 ({sha256}) is different from current CodeSHA256 in $LATEST ({latest.code.sha256}). "
                    "Please try again with the CodeSHA256 in $LATEST."
                )
            self._targets.changed(tx, ref)
            return await self._publish(tx, function, latest, given.get("Description"))

        made = await self.kit.storage.transact(body)
        self._take_snapshot(made)
        return render(made)

    async def get_function(self, call: Call, request: GetFunctionRequestTypeDef) -> Reply:
        """GetFunction."""
        ref = parse_function(call.scope, request["FunctionName"], request.get("Qualifier"))
        function, version = await self.kit.storage.read(lambda tx: _both(tx, ref))
        reply: Reply = {
            "Configuration": render(version, arn=ref.qualified_arn),
            "Code": {"RepositoryType": "S3", "Location": self._location(version.code)},
        }
        if function.tags:
            reply["Tags"] = dict(function.tags)
        if function.reserved is not None:
            reply["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
        return reply

    async def get_function_configuration(self, call: Call, request: GetFunctionConfigurationRequestTypeDef) -> Reply:
        """GetFunctionConfiguration."""
        ref = parse_function(call.scope, request["FunctionName"], request.get("Qualifier"))
        _, version = await self.kit.storage.read(lambda tx: _both(tx, ref))
        return render(version, arn=ref.qualified_arn)

    async def list_functions(self, call: Call, request: ListFunctionsRequestTypeDef) -> Reply:
        """ListFunctions: $LATEST of each, or every version."""
        given: Mapping[str, Any] = request
        limit = min(given.get("MaxItems", _PAGE), _PAGE)
        if given.get("MasterRegion") and given.get("FunctionVersion") != "ALL":
            raise InvalidParameterValueError("FunctionVersion must be set to ALL when MasterRegion is specified.")
        every = given.get("FunctionVersion") == "ALL"
        after = marker_of(given.get("Marker"), tuple[str, int], ("", -1))

        async def body(tx: Tx) -> list[Version]:
            if every:
                return await rows.list_all_versions(tx, call.scope, after=after, limit=limit + 1)
            return await rows.list_functions(tx, call.scope, after=after[0], limit=limit + 1)

        found = await self.kit.storage.read(body)
        return _page(found, limit, "Functions", qualified=every)

    async def list_versions_by_function(self, call: Call, request: ListVersionsByFunctionRequestTypeDef) -> Reply:
        """ListVersionsByFunction."""
        ref = parse_unqualified(call.scope, request["FunctionName"])
        limit = min(request.get("MaxItems", _PAGE), _PAGE)
        _, after = marker_of(request.get("Marker"), tuple[str, int], ("", -1))

        async def body(tx: Tx) -> list[Version]:
            await need_function(tx, ref)
            return await rows.list_versions(tx, ref, after=after, limit=limit + 1)

        return _page(await self.kit.storage.read(body), limit, "Versions", qualified=True)

    async def delete_function(self, call: Call, request: DeleteFunctionRequestTypeDef) -> Reply:
        """DeleteFunction: all of it, or one version."""
        ref = parse_function(call.scope, request["FunctionName"], request.get("Qualifier"))
        if ref.qualifier == LATEST:
            raise InvalidParameterValueError("$LATEST version cannot be deleted without deleting the function.")
        if ref.qualifier is not None and not is_version(ref.qualifier):
            raise InvalidParameterValueError("Deletion of aliases is not currently supported.")

        async def body(tx: Tx) -> Sequence[Version]:
            if await rows.find_function(tx, ref) is None:
                raise FunctionNotFoundError(ref.arn)
            self._targets.changed(tx, ref)
            if ref.qualifier is not None:
                return await self._delete_version(tx, ref)
            gone = await rows.list_versions(tx, ref, after=-1, limit=100_000)
            await rows.delete_function(tx, ref)
            self._concurrency.changed(tx, ref.scope)
            self._provisioner.changed(tx, ref)
            return gone

        for version in await self.kit.storage.transact(body):
            self.kit.runtime.retire(key_of(version))
        return {"StatusCode": 204}

    async def _delete_version(self, tx: Tx, ref: FunctionRef) -> list[Version]:
        number = version_number(ref.qualifier or LATEST)
        version = await rows.find_version(tx, ref, number)
        if version is None:
            return []
        for alias in await rows.list_aliases(tx, ref, after="", limit=100_000):
            if ref.qualifier == alias.version or ref.qualifier in alias.weights:
                raise ResourceConflictError(
                    "The version could not be deleted because it is referenced by the following alias: "
                    f"{alias.name}. Please update the alias to a different version and try again."
                )
        await rows.delete_version(tx, ref, number)
        if await warm_rows.delete_provisioned(tx, ref, version.text):
            self._concurrency.changed(tx, ref.scope)
            self._provisioner.changed(tx, ref)
        return [version]


async def _may_deploy(tx: Tx, ref: FunctionRef) -> None:
    """The function must be there, and take code that is not signed."""
    await need_function(tx, ref)
    config = await signing.of_function(tx, ref)
    if config is not None:
        config.check()


async def _both(tx: Tx, ref: FunctionRef) -> tuple[Function, Version]:
    function = await rows.find_function(tx, ref)
    if function is None:
        raise FunctionNotFoundError(ref.qualified_arn)
    return function, await need_version(tx, ref)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two configurations differ in nothing but the description, which publishing may set."""
    return {**one, "Description": "", SNAPSHOT: None} == {**other, "Description": "", SNAPSHOT: None}


def _page(found: Sequence[Version], limit: int, member: str, *, qualified: bool) -> Reply:
    page = found[:limit]
    more = len(found) > limit
    last = (page[-1].ref.name, page[-1].number) if page else ("", -1)
    return {
        member: [render_listed(version, qualified=qualified) for version in page],
        "NextMarker": next_marker(last, more=more),
    }
