"""The operations of STS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fogbank.core.credentials import (
    TEMPORARY,
    Credentials,
    CredentialSource,
    account_of_access_key,
    new_access_key,
    new_secret_key,
)
from fogbank.core.errors import ApiError, NotImplementedByFogbank
from fogbank.core.scope import Scope
from fogbank.core.validation import describe
from fogbank.services.kit import Service
from fogbank.services.sts import storage
from fogbank.services.sts.errors import AccessDeniedError, InvalidAuthorizationMessageError, StsValidationError
from fogbank.services.sts.model import (
    Identity,
    Session,
    carried_tags,
    new_token,
    packed_size,
    parse_role_arn,
    role_session_seconds,
    root,
    token_utilization,
    user_session_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_sts import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.core.models import OperationModel
    from fogbank.core.validation import Problem
    from fogbank.storage import Tx


class Sts(Service):
    """Security Token Service."""

    name = "sts"

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError:  # noqa: ARG002
        """STS calls what breaks its model `ValidationError`."""
        return StsValidationError(describe(problems))

    async def get_caller_identity(
        self,
        call: Call,
        request: Mapping[str, Any],  # noqa: ARG002 - it has no members
    ) -> Reply:
        """Who signed the request: a session, a user, or else the account's root."""
        caller = await self._caller(call)
        return {"UserId": caller.user_id, "Account": caller.account, "Arn": caller.arn}

    async def assume_role(self, call: Call, request: t.AssumeRoleRequestTypeDef) -> Reply:
        """Credentials of a role's session. The role must be there; who may assume it is not enforced yet."""
        _refuse_parameters("AssumeRole", request, ["SerialNumber", "TokenCode", "ProvidedContexts"])
        arn, name = request["RoleArn"], request["RoleSessionName"]
        parts = parse_role_arn(arn)
        packed = packed_size(request)
        caller = await self._caller(call)
        role = await self._role(call, caller, arn)
        seconds = role_session_seconds(request.get("DurationSeconds"), role["MaxSessionDuration"], caller)
        scope = Scope(parts.account, call.scope.region)
        identity = Identity(
            account=parts.account,
            arn=scope.global_arn("sts", f"assumed-role/{parts.name}/{name}"),
            user_id=f"{role['RoleId']}:{name}",
        )
        own = await self._session(call.principal.access_key)
        details = _chosen(request, ("Policy", "PolicyArns", "ExternalId", "SourceIdentity"))
        details |= carried_tags(request, {} if own is None else own.details)
        session = await self._start(identity, seconds, request, details)
        return {
            **_credentials(session, request),
            "AssumedRoleUser": {"AssumedRoleId": identity.user_id, "Arn": identity.arn},
            "PackedPolicySize": packed,
            "SourceIdentity": request.get("SourceIdentity"),
        }

    async def get_session_token(self, call: Call, request: t.GetSessionTokenRequestTypeDef) -> Reply:
        """Temporary credentials of the caller's own."""
        _refuse_parameters("GetSessionToken", request, ["SerialNumber", "TokenCode"])
        caller = await self._caller(call)
        if caller.is_session:
            raise AccessDeniedError("Cannot call GetSessionToken with session credentials")
        seconds = user_session_seconds(request.get("DurationSeconds"), caller)
        return _credentials(await self._start(caller, seconds, request, {}), request)

    async def get_federation_token(self, call: Call, request: t.GetFederationTokenRequestTypeDef) -> Reply:
        """Temporary credentials for someone whom the caller vouches for."""
        packed = packed_size(request)
        caller = await self._caller(call)
        if caller.is_session:
            raise AccessDeniedError("Cannot call GetFederationToken with session credentials")
        name = request["Name"]
        identity = Identity(
            account=caller.account,
            arn=call.scope.global_arn("sts", f"federated-user/{name}"),
            user_id=f"{caller.account}:{name}",
        )
        seconds = user_session_seconds(request.get("DurationSeconds"), caller)
        details = _chosen(request, ("Policy", "PolicyArns", "Tags"))
        session = await self._start(identity, seconds, request, details)
        return {
            **_credentials(session, request),
            "FederatedUser": {"FederatedUserId": identity.user_id, "Arn": identity.arn},
            "PackedPolicySize": packed or 0,
        }

    async def get_access_key_info(
        self,
        call: Call,  # noqa: ARG002 - the same for all accounts
        request: t.GetAccessKeyInfoRequestTypeDef,
    ) -> Reply:
        """The account that an access key belongs to: its id carries it."""
        key = request["AccessKeyId"]
        account = account_of_access_key(key)
        if account is None:
            raise StsValidationError(f"Invalid AccessKeyId: {key}")
        return {"Account": account}

    async def decode_authorization_message(
        self,
        call: Call,  # noqa: ARG002
        request: t.DecodeAuthorizationMessageRequestTypeDef,  # noqa: ARG002
    ) -> Reply:
        """Refused: Fogbank sends no encoded messages, so there is none that it could have made."""
        raise InvalidAuthorizationMessageError("Message is not valid: Fogbank does not issue encoded messages.")

    # -- what they share ----------------------------------------------------------------------------------

    async def find_credentials(self, access_key: str) -> Credentials | None:
        """What is known of a session's access key; see `fogbank.core.credentials.CredentialSource`.

        Expired ones are told too, so that who verifies can say `ExpiredToken`.
        """
        session = await self._session(access_key)
        if session is None:
            return None
        return Credentials(
            access_key=session.access_key,
            secret_key=session.secret,
            account=session.identity.account,
            arn=session.identity.arn,
            user_id=session.identity.user_id,
            session_token=session.token,
            expires=float(session.expires_at),
        )

    async def _session(self, access_key: str) -> Session | None:
        async def body(tx: Tx) -> Session | None:
            return await storage.find(tx, access_key)

        return await self.kit.storage.read(body)

    async def _caller(self, call: Call) -> Identity:
        """Who signed the request. IAM is asked as any client would ask it."""
        key = call.principal.access_key
        session = await self._session(key)
        if session is not None and session.expires_at > self.kit.clock.time():
            return session.identity
        if account_of_access_key(key) is not None:
            user = await self._user(call, key)
            if user is not None:
                return Identity(call.scope.account, user["Arn"], user["UserId"])
            cloud = self.kit.cloud  # a function's keys are those of its role's session
            found = await cloud.find_credentials(key) if isinstance(cloud, CredentialSource) else None
            if found is not None and (found.expires is None or found.expires > self.kit.clock.time()):
                return Identity(found.account, found.arn, found.user_id)
        return root(call.scope)

    async def _user(self, call: Call, key: str) -> Reply | None:
        """The IAM user of a long-term key; `None` if no user has it."""
        try:
            used = await self.kit.cloud.call(
                call.scope, "iam", "GetAccessKeyLastUsed", {"AccessKeyId": key}, trace=call.trace
            )
            user = await self.kit.cloud.call(
                call.scope, "iam", "GetUser", {"UserName": used["UserName"]}, trace=call.trace
            )
        except ApiError as error:
            if error.status not in (403, 404):
                raise
            return None
        found: Reply = user["User"]
        return found

    async def _role(self, call: Call, caller: Identity, arn: str) -> Reply:
        """The role of an ARN. One that is not there is denied, in AWS's words: it tells nothing of what
        exists.
        """
        parts = parse_role_arn(arn)
        scope = Scope(parts.account, call.scope.region)
        try:
            reply = await self.kit.cloud.call(scope, "iam", "GetRole", {"RoleName": parts.name}, trace=call.trace)
        except ApiError as error:
            if error.status != 404:
                raise
            reply = {"Role": {"Arn": None}}
        role: Reply = reply["Role"]
        if role["Arn"] != arn:
            raise AccessDeniedError(
                f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            )
        return role

    async def _start(
        self, identity: Identity, seconds: int, request: Mapping[str, Any], details: Mapping[str, Any]
    ) -> Session:
        """Make and store a session."""
        ids, now = self.kit.ids, int(self.kit.clock.time())
        session = Session(
            access_key=new_access_key(TEMPORARY, identity.account, ids),
            secret=new_secret_key(ids),
            token=new_token(ids, request.get("MinimumSessionTokenSize", 0)),
            identity=identity,
            created_at=now,
            expires_at=now + seconds,
            details=details,
        )

        async def body(tx: Tx) -> None:
            await storage.insert(tx, session)

        await self.kit.storage.transact(body)
        return session


def _credentials(session: Session, request: Mapping[str, Any]) -> Reply:
    """The credentials. Who asks for a size of the token is told its size; recorded replies to others do not
    have it.
    """
    reply: Reply = {
        "Credentials": {
            "AccessKeyId": session.access_key,
            "SecretAccessKey": session.secret,
            "SessionToken": session.token,
            "Expiration": float(session.expires_at),
        }
    }
    if "MinimumSessionTokenSize" in request:
        reply["SessionTokenSize"] = len(session.token)
        reply["SessionTokenUtilization"] = token_utilization(session.token)
    return reply


def _chosen(request: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: request[name] for name in names if name in request}


def _refuse_parameters(operation: str, request: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in names:
        if request.get(name):
            raise NotImplementedByFogbank(f"Fogbank does not implement the parameter {name} of sts.{operation} yet")
