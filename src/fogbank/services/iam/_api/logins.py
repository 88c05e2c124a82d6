"""The account's alias and password policy, and the login profiles of users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fogbank.services.iam import storage
from fogbank.services.iam._api.service import entity_of, page, seconds
from fogbank.services.iam._api.users import UserOperations
from fogbank.services.iam._passwords import PasswordPolicy
from fogbank.services.iam.errors import EntityAlreadyExistsError, IamValidationError, NoSuchEntityError
from fogbank.services.iam.model import Kind, LoginProfile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_iam import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx


class LoginOperations(UserOperations):
    """The operations on aliases, password policies and login profiles."""

    async def create_account_alias(self, call: Call, request: t.CreateAccountAliasRequestTypeDef) -> Reply:
        """Give the account an alias, which no other may have; it replaces the one it had."""
        account, alias = call.scope.account, request["AccountAlias"]

        async def body(tx: Tx) -> None:
            if await storage.alias_owner(tx, alias) not in (None, account):
                raise EntityAlreadyExistsError(f"The account alias {alias} already exists.")
            await storage.set_alias(tx, account, alias)

        await self.kit.storage.transact(body)
        return {}

    async def list_account_aliases(self, call: Call, request: t.ListAccountAliasesRequestTypeDef) -> Reply:
        """The account's alias: there is one at the most."""

        async def body(tx: Tx) -> str | None:
            return await storage.find_alias(tx, call.scope.account)

        alias = await self.kit.storage.read(body)
        aliases, end = page(request, [] if alias is None else [alias], str)
        return {"AccountAliases": aliases, **end}

    async def delete_account_alias(self, call: Call, request: t.DeleteAccountAliasRequestTypeDef) -> Reply:
        """Take the account's alias away."""
        account, alias = call.scope.account, request["AccountAlias"]

        async def body(tx: Tx) -> None:
            if await storage.find_alias(tx, account) != alias:
                raise NoSuchEntityError(f"The account alias with name {alias} cannot be found.")
            await storage.set_alias(tx, account, None)

        await self.kit.storage.transact(body)
        return {}

    # -- the password policy ------------------------------------------------------------------------------

    async def update_account_password_policy(
        self, call: Call, request: t.UpdateAccountPasswordPolicyRequestTypeDef
    ) -> Reply:
        """Set the whole password policy: what is not given is the default."""
        policy = PasswordPolicy(
            minimum_length=request.get("MinimumPasswordLength", 6),
            symbols=request.get("RequireSymbols", False),
            numbers=request.get("RequireNumbers", False),
            uppercase=request.get("RequireUppercaseCharacters", False),
            lowercase=request.get("RequireLowercaseCharacters", False),
            users_may_change=request.get("AllowUsersToChangePassword", False),
            max_age=request.get("MaxPasswordAge"),
            reuse_prevention=request.get("PasswordReusePrevention"),
            hard_expiry=request.get("HardExpiry"),
        )

        async def body(tx: Tx) -> None:
            await storage.set_password_policy(tx, call.scope.account, policy)

        await self.kit.storage.transact(body)
        return {}

    async def get_account_password_policy(self, call: Call, request: Mapping[str, Any]) -> Reply:  # noqa: ARG002
        """The password policy, if one was set."""
        account = call.scope.account

        async def body(tx: Tx) -> PasswordPolicy | None:
            return await storage.find_password_policy(tx, account)

        policy = await self.kit.storage.read(body)
        if policy is None:
            raise NoSuchEntityError(f"The Password Policy with domain name {account} cannot be found.")
        return {"PasswordPolicy": _describe_policy(policy)}

    async def delete_account_password_policy(self, call: Call, request: Mapping[str, Any]) -> Reply:  # noqa: ARG002
        """Go back to having none."""
        account = call.scope.account

        async def body(tx: Tx) -> None:
            if await storage.find_password_policy(tx, account) is None:
                raise NoSuchEntityError("The account policy with name PasswordPolicy cannot be found.")
            await storage.set_password_policy(tx, account, None)

        await self.kit.storage.transact(body)
        return {}

    # -- login profiles -----------------------------------------------------------------------------------

    async def create_login_profile(self, call: Call, request: t.CreateLoginProfileRequestTypeDef) -> Reply:
        """Give a user a password, which the account's policy must allow. It is not kept."""
        account, name = call.scope.account, await self._named(call, request)
        password = request.get("Password")
        if password is None:
            raise IamValidationError("Must specify a password for a user's login profile.")
        login = LoginProfile(self.kit.clock.millis(), request.get("PasswordResetRequired", False))

        async def body(tx: Tx) -> str:
            user = await entity_of(tx, account, Kind.USER, name)
            await _check(tx, account, password)
            if not await storage.insert_login(tx, account, name, login):
                raise EntityAlreadyExistsError(f"Login Profile for user {name} already exists.")
            return user.name

        return {"LoginProfile": _describe(await self.kit.storage.transact(body), login)}

    async def get_login_profile(self, call: Call, request: t.GetLoginProfileRequestTypeDef) -> Reply:
        """Whether a user has a password, and since when."""
        account, name = call.scope.account, await self._named(call, request)

        async def body(tx: Tx) -> Reply:
            user = await entity_of(tx, account, Kind.USER, name)
            return _describe(user.name, await _login_of(tx, account, name))

        return {"LoginProfile": await self.kit.storage.read(body)}

    async def update_login_profile(self, call: Call, request: t.UpdateLoginProfileRequestTypeDef) -> Reply:
        """Set another password, or whether it must be replaced."""
        account, name, password = call.scope.account, request["UserName"], request.get("Password")

        async def body(tx: Tx) -> None:
            await entity_of(tx, account, Kind.USER, name)
            login = await _login_of(tx, account, name)
            if password is not None:
                await _check(tx, account, password)
            must_reset = request.get("PasswordResetRequired", login.must_reset)
            await storage.update_login(tx, account, name, must_reset=must_reset)

        await self.kit.storage.transact(body)
        return {}

    async def delete_login_profile(self, call: Call, request: t.DeleteLoginProfileRequestTypeDef) -> Reply:
        """Take a user's password away."""
        account, name = call.scope.account, await self._named(call, request)

        async def body(tx: Tx) -> None:
            await entity_of(tx, account, Kind.USER, name)
            if not await storage.delete_login(tx, account, name):
                raise _no_login(name)

        await self.kit.storage.transact(body)
        return {}


async def _login_of(tx: Tx, account: str, name: str) -> LoginProfile:
    login = await storage.find_login(tx, account, name)
    if login is None:
        raise _no_login(name)
    return login


async def _check(tx: Tx, account: str, password: str) -> None:
    policy = await storage.find_password_policy(tx, account)
    if policy is not None:
        policy.check(password)


def _no_login(name: str) -> NoSuchEntityError:
    return NoSuchEntityError(f"Login Profile for User {name} cannot be found.")


def _describe(name: str, login: LoginProfile) -> Reply:
    return {"UserName": name, "CreateDate": seconds(login.created_at), "PasswordResetRequired": login.must_reset}


def _describe_policy(policy: PasswordPolicy) -> Reply:
    return {
        "MinimumPasswordLength": policy.minimum_length,
        "RequireSymbols": policy.symbols,
        "RequireNumbers": policy.numbers,
        "RequireUppercaseCharacters": policy.uppercase,
        "RequireLowercaseCharacters": policy.lowercase,
        "AllowUsersToChangePassword": policy.users_may_change,
        "ExpirePasswords": policy.max_age is not None,
        "MaxPasswordAge": policy.max_age,
        "PasswordReusePrevention": policy.reuse_prevention,
        "HardExpiry": policy.hard_expiry,
    }
