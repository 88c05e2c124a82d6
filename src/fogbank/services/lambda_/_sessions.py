"""The temporary keys that functions sign with: one session for each function and role, known to a verifying server.

They live in memory, as the environments do that hold them.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from fogbank.core.call import Cloud
from fogbank.core.clock import Clock
from fogbank.core.credentials import TEMPORARY, Credentials, new_access_key, new_secret_key
from fogbank.core.errors import ApiError
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.runtime import Credentials as FunctionKeys
from fogbank.runtime import FunctionVersion
from fogbank.services.lambda_._names import PRINCIPAL

LIFETIME = 12 * 3600.0
"""Seconds that a session's keys are good for; an environment that is older has gone long since."""
_MAX_SESSIONS = 20_000


@dataclass(frozen=True, slots=True)
class _Session:
    credentials: Credentials
    renew: float


class Sessions:
    """Makes the keys, and finds them again."""

    def __init__(self, clock: Clock, ids: Ids, cloud: Cloud) -> None:
        self._cloud = cloud
        self._clock = clock
        self._ids = ids
        self._by_function: dict[tuple[str, str, str], _Session] = {}
        self._by_key: dict[str, Credentials] = {}

    async def issue(self, version: FunctionVersion) -> FunctionKeys:
        """The keys of a function: those of its session, or of a new one when that is half over."""
        place = (version.scope.account, version.name, version.role)
        session = self._by_function.get(place)
        if session is None or session.renew <= self._clock.time():
            role = version.role.rpartition("/")[2]
            session = self._begin(version, role, await self._role_id(version.scope, role))
            self._by_function[place] = session
        found = session.credentials
        return FunctionKeys(found.access_key, found.secret_key, found.session_token or "", found.expires)

    async def _role_id(self, scope: Scope, role: str) -> str:
        """The role's own id; one like it for a role that has been deleted since, as its functions go on on Lambda."""
        try:
            reply = await self._cloud.call(scope, "iam", "GetRole", {"RoleName": role}, principal=PRINCIPAL)
        except ApiError:
            return f"AROA{self._ids.code(17)}"
        found: str = reply["Role"]["RoleId"]
        return found

    def _begin(self, version: FunctionVersion, role: str, role_id: str) -> _Session:
        if len(self._by_key) >= _MAX_SESSIONS:
            self.forget()
        account = version.scope.account
        now = self._clock.time()
        credentials = Credentials(
            access_key=new_access_key(TEMPORARY, account, self._ids),
            secret_key=new_secret_key(self._ids),
            account=account,
            arn=f"arn:{version.scope.partition}:sts::{account}:assumed-role/{role}/{version.name}",
            user_id=f"{role_id}:{version.name}",
            session_token=base64.b64encode(self._ids.bytes(96)).decode(),
            expires=now + LIFETIME,
        )
        self._by_key[credentials.access_key] = credentials
        return _Session(credentials, now + LIFETIME / 2)

    def find(self, access_key: str) -> Credentials | None:
        """What is known of an access key."""
        return self._by_key.get(access_key)

    def forget(self) -> None:
        """Forget every session."""
        self._by_function.clear()
        self._by_key.clear()
