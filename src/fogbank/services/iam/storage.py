"""The rows of IAM: one method for each question that the API asks."""

# ruff: noqa: S608 - statements are put together from constants of this file

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.services.iam._passwords import PasswordPolicy
from fogbank.services.iam._providers import Provider, ProviderDetails, ProviderKind
from fogbank.services.iam.model import AccessKey, Entity, Kind, LoginProfile, Policy, Version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fogbank.storage import Tx

_ENTITY = "kind, name, id, path, created_at, description, trust_policy, max_session, boundary, tags"
_POLICY = "name, arn, id, path, description, default_version, last_version, created_at, updated_at, tags"
_KEY = "id, account, user_name, secret, status, created_at"

INSERT_ENTITY = f"""
INSERT INTO iam_entities (account, name_key, {_ENTITY})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING
"""
FIND_ENTITY = f"SELECT {_ENTITY} FROM iam_entities WHERE account = $1 AND kind = $2 AND name_key = $3"
LIST_ENTITIES = f"""
SELECT {_ENTITY} FROM iam_entities WHERE account = $1 AND kind = $2 AND name_key > $3 ORDER BY name_key
"""
COUNT_ENTITIES = "SELECT COUNT(*) FROM iam_entities WHERE account = $1 AND kind = $2"
UPDATE_ENTITY = """
UPDATE iam_entities SET description = $4, trust_policy = $5, max_session = $6, boundary = $7, tags = $8
WHERE account = $1 AND kind = $2 AND name_key = $3
"""
RENAME_ENTITY = """
UPDATE iam_entities SET name_key = $4, name = $5, path = $6 WHERE account = $1 AND kind = $2 AND name_key = $3
"""
DELETE_ENTITY = "DELETE FROM iam_entities WHERE account = $1 AND kind = $2 AND name_key = $3"
BOUNDARY_USERS = f"SELECT {_ENTITY} FROM iam_entities WHERE boundary = $2 AND account = $1 ORDER BY name_key"

PUT_INLINE = """
INSERT INTO iam_inline_policies (account, kind, owner, name, document) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account, kind, owner, name) DO UPDATE SET document = excluded.document
"""
LIST_INLINE = """
SELECT name, document FROM iam_inline_policies WHERE account = $1 AND kind = $2 AND owner = $3 ORDER BY name
"""
DELETE_INLINE = """
DELETE FROM iam_inline_policies WHERE account = $1 AND kind = $2 AND owner = $3 AND name = $4
"""

INSERT_POLICY = f"""
INSERT INTO iam_policies (account, name_key, {_POLICY})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING
"""
FIND_POLICY = f"SELECT {_POLICY} FROM iam_policies WHERE arn = $1"
LIST_POLICIES = f"SELECT {_POLICY} FROM iam_policies WHERE account = $1 ORDER BY name_key"
COUNT_POLICIES = "SELECT COUNT(*) FROM iam_policies WHERE account = $1"
UPDATE_POLICY = """
UPDATE iam_policies SET default_version = $2, last_version = $3, updated_at = $4, tags = $5 WHERE arn = $1
"""
DELETE_POLICY = "DELETE FROM iam_policies WHERE arn = $1"
INSERT_VERSION = "INSERT INTO iam_policy_versions (arn, version, document, created_at) VALUES ($1, $2, $3, $4)"
LIST_VERSIONS = "SELECT version, document, created_at FROM iam_policy_versions WHERE arn = $1 ORDER BY version DESC"
DELETE_VERSION = "DELETE FROM iam_policy_versions WHERE arn = $1 AND version = $2"
DELETE_VERSIONS = "DELETE FROM iam_policy_versions WHERE arn = $1"

ATTACH = """
INSERT INTO iam_attachments (account, kind, owner, policy_arn) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
DETACH = "DELETE FROM iam_attachments WHERE account = $1 AND kind = $2 AND owner = $3 AND policy_arn = $4"
LIST_ATTACHED = """
SELECT policy_arn FROM iam_attachments WHERE account = $1 AND kind = $2 AND owner = $3 ORDER BY policy_arn
"""
LIST_ATTACHED_ARNS = "SELECT DISTINCT policy_arn FROM iam_attachments WHERE account = $1"
COUNT_ATTACHMENTS = "SELECT COUNT(*) FROM iam_attachments WHERE policy_arn = $2 AND account = $1"
LIST_ATTACHED_TO = f"""
SELECT {", ".join("e." + name.strip() for name in _ENTITY.split(","))} FROM iam_attachments a
JOIN iam_entities e ON e.account = a.account AND e.kind = a.kind AND e.name_key = a.owner
WHERE a.policy_arn = $2 AND a.account = $1 ORDER BY e.name_key
"""
COUNT_BOUNDARIES = "SELECT COUNT(*) FROM iam_entities WHERE boundary = $2 AND account = $1"

ADD_MEMBER = """
INSERT INTO iam_members (account, kind, owner, member) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
REMOVE_MEMBER = "DELETE FROM iam_members WHERE account = $1 AND kind = $2 AND owner = $3 AND member = $4"
LIST_MEMBERS = "SELECT member FROM iam_members WHERE account = $1 AND kind = $2 AND owner = $3 ORDER BY member"
LIST_OWNERS = "SELECT owner FROM iam_members WHERE account = $1 AND kind = $2 AND member = $3 ORDER BY owner"
_RENAMES = (
    "UPDATE iam_inline_policies SET owner = $4 WHERE account = $1 AND kind = $2 AND owner = $3",
    "UPDATE iam_attachments SET owner = $4 WHERE account = $1 AND kind = $2 AND owner = $3",
    "UPDATE iam_members SET owner = $4 WHERE account = $1 AND kind = $2 AND owner = $3",
)
_RENAME_MEMBER = "UPDATE iam_members SET member = $3 WHERE account = $1 AND kind = 'group' AND member = $2"
_RENAME_LOGIN = "UPDATE iam_login_profiles SET user_key = $3 WHERE account = $1 AND user_key = $2"
_RENAME_KEYS = "UPDATE iam_access_keys SET user_name = $3 WHERE account = $1 AND user_name = $2"

INSERT_KEY = f"INSERT INTO iam_access_keys ({_KEY}) VALUES ($1, $2, $3, $4, $5, $6)"
FIND_KEY = f"SELECT {_KEY} FROM iam_access_keys WHERE id = $1"
LIST_KEYS = f"SELECT {_KEY} FROM iam_access_keys WHERE account = $1 AND user_name = $2 ORDER BY created_at, id"
SET_KEY_STATUS = "UPDATE iam_access_keys SET status = $2 WHERE id = $1"
DELETE_KEY = "DELETE FROM iam_access_keys WHERE id = $1"

FIND_ACCOUNT = "SELECT alias, password_policy FROM iam_accounts WHERE account = $1"
ALIAS_OWNER = "SELECT account FROM iam_accounts WHERE alias = $1"
SET_ALIAS = """
INSERT INTO iam_accounts (account, alias) VALUES ($1, $2)
ON CONFLICT (account) DO UPDATE SET alias = excluded.alias
"""
SET_ACCOUNT_POLICY = """
INSERT INTO iam_accounts (account, password_policy) VALUES ($1, $2)
ON CONFLICT (account) DO UPDATE SET password_policy = excluded.password_policy
"""
COUNT_VERSIONS = """
SELECT COUNT(*) FROM iam_policies p JOIN iam_policy_versions v ON v.arn = p.arn WHERE p.account = $1
"""

INSERT_LOGIN = """
INSERT INTO iam_login_profiles (account, user_key, created_at, must_reset) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
"""
FIND_LOGIN = "SELECT created_at, must_reset FROM iam_login_profiles WHERE account = $1 AND user_key = $2"
UPDATE_LOGIN = "UPDATE iam_login_profiles SET must_reset = $3 WHERE account = $1 AND user_key = $2"
DELETE_LOGIN = "DELETE FROM iam_login_profiles WHERE account = $1 AND user_key = $2"

INSERT_DELETION = "INSERT INTO iam_deletions (id, account) VALUES ($1, $2)"
FIND_DELETION = "SELECT id FROM iam_deletions WHERE id = $1 AND account = $2"

_PROVIDER = "arn, account, kind, created_at, details, tags"
INSERT_PROVIDER = f"INSERT INTO iam_providers ({_PROVIDER}) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
FIND_PROVIDER = f"SELECT {_PROVIDER} FROM iam_providers WHERE arn = $1 AND account = $2 AND kind = $3"
LIST_PROVIDERS = f"SELECT {_PROVIDER} FROM iam_providers WHERE account = $1 AND kind = $2 ORDER BY arn"
UPDATE_PROVIDER = "UPDATE iam_providers SET details = $2, tags = $3 WHERE arn = $1"
DELETE_PROVIDER = "DELETE FROM iam_providers WHERE arn = $1 AND account = $2 AND kind = $3"
COUNT_PROVIDERS = "SELECT COUNT(*) FROM iam_providers WHERE account = $1"


def _entity(row: tuple[Any, ...]) -> Entity:
    return Entity(*(Kind(row[0]), *row[1:9], msgspec.json.decode(row[9])))


def _policy(row: tuple[Any, ...]) -> Policy:
    return Policy(*(*row[:9], msgspec.json.decode(row[9])))


def _json(value: Mapping[str, str]) -> str:
    return msgspec.json.encode(value).decode()


async def _count(tx: Tx, sql: str, *args: Any) -> int:
    row = await tx.fetch_one(sql, *args)
    return int(row[0]) if row else 0


# -- entities


async def insert_entity(tx: Tx, account: str, entity: Entity) -> bool:
    """Add an entity; whether the name was free."""
    values = (
        entity.kind, entity.name, entity.id, entity.path, entity.created_at, entity.description,
        entity.trust_policy, entity.max_session, entity.boundary, _json(entity.tags),
    )  # fmt: skip
    return await tx.execute(INSERT_ENTITY, account, entity.name.lower(), *values) > 0


async def find_entity(tx: Tx, account: str, kind: Kind, name: str) -> Entity | None:
    """The entity of a name."""
    row = await tx.fetch_one(FIND_ENTITY, account, kind, name.lower())
    return _entity(row) if row else None


async def list_entities(tx: Tx, account: str, kind: Kind, after: str) -> list[Entity]:
    """The entities of a kind after a name, by name."""
    return [_entity(row) for row in await tx.fetch(LIST_ENTITIES, account, kind, after.lower())]


async def count_entities(tx: Tx, account: str, kind: Kind) -> int:
    """How many entities of a kind there are."""
    return await _count(tx, COUNT_ENTITIES, account, kind)


async def update_entity(tx: Tx, account: str, entity: Entity) -> None:
    """Store what of an entity can change."""
    await tx.execute(
        UPDATE_ENTITY, account, entity.kind, entity.name.lower(), entity.description, entity.trust_policy,
        entity.max_session, entity.boundary, _json(entity.tags),
    )  # fmt: skip


async def rename_entity(tx: Tx, account: str, entity: Entity, name: str, path: str) -> None:
    """Give a user or group another name or path, wherever it is named."""
    old, new = entity.name.lower(), name.lower()
    await tx.execute(RENAME_ENTITY, account, entity.kind, old, new, name, path)
    for statement in _RENAMES:
        await tx.execute(statement, account, entity.kind, old, new)
    if entity.kind is Kind.USER:
        await tx.execute(_RENAME_MEMBER, account, old, new)
        await tx.execute(_RENAME_KEYS, account, entity.name, name)
        await tx.execute(_RENAME_LOGIN, account, old, new)


async def delete_entity(tx: Tx, account: str, kind: Kind, name: str) -> None:
    """Remove an entity, to which nothing belongs any more."""
    await tx.execute(DELETE_ENTITY, account, kind, name.lower())


# -- inline policies


async def list_inline(tx: Tx, account: str, kind: Kind, owner: str) -> dict[str, str]:
    """An entity's inline policies: their documents by their names, in order."""
    return {row[0]: row[1] for row in await tx.fetch(LIST_INLINE, account, kind, owner.lower())}


async def put_inline(tx: Tx, account: str, kind: Kind, owner: str, *, name: str, document: str) -> None:
    """Add or replace an inline policy."""
    await tx.execute(PUT_INLINE, account, kind, owner.lower(), name, document)


async def delete_inline(tx: Tx, account: str, kind: Kind, owner: str, name: str) -> bool:
    """Remove an inline policy; whether it was there."""
    return await tx.execute(DELETE_INLINE, account, kind, owner.lower(), name) > 0


# -- managed policies


async def insert_policy(tx: Tx, account: str, policy: Policy, document: str) -> bool:
    """Add a managed policy with its first version; whether the name was free."""
    values = (
        policy.name, policy.arn, policy.id, policy.path, policy.description, policy.default_version,
        policy.last_version, policy.created_at, policy.updated_at, _json(policy.tags),
    )  # fmt: skip
    if await tx.execute(INSERT_POLICY, account, policy.name.lower(), *values) == 0:
        return False
    await insert_version(tx, policy.arn, Version(1, document, policy.created_at))
    return True


async def find_policy(tx: Tx, arn: str) -> Policy | None:
    """The managed policy of an ARN."""
    row = await tx.fetch_one(FIND_POLICY, arn)
    return _policy(row) if row else None


async def list_policies(tx: Tx, account: str) -> list[Policy]:
    """The account's own managed policies, by name."""
    return [_policy(row) for row in await tx.fetch(LIST_POLICIES, account)]


async def count_policies(tx: Tx, account: str) -> int:
    """How many managed policies the account has."""
    return await _count(tx, COUNT_POLICIES, account)


async def update_policy(tx: Tx, policy: Policy) -> None:
    """Store what of a managed policy can change."""
    await tx.execute(
        UPDATE_POLICY, policy.arn, policy.default_version, policy.last_version, policy.updated_at, _json(policy.tags)
    )


async def delete_policy(tx: Tx, arn: str) -> None:
    """Remove a managed policy with its versions."""
    await tx.execute(DELETE_VERSIONS, arn)
    await tx.execute(DELETE_POLICY, arn)


async def list_versions(tx: Tx, arn: str) -> list[Version]:
    """A managed policy's versions, newest first."""
    return [Version(*row) for row in await tx.fetch(LIST_VERSIONS, arn)]


async def insert_version(tx: Tx, arn: str, version: Version) -> None:
    """Add a version."""
    await tx.execute(INSERT_VERSION, arn, version.number, version.document, version.created_at)


async def delete_version(tx: Tx, arn: str, number: int) -> None:
    """Remove a version."""
    await tx.execute(DELETE_VERSION, arn, number)


# -- attachments


async def attach(tx: Tx, account: str, kind: Kind, owner: str, arn: str) -> None:
    """Attach a managed policy; attaching it again changes nothing."""
    await tx.execute(ATTACH, account, kind, owner.lower(), arn)


async def detach(tx: Tx, account: str, kind: Kind, owner: str, arn: str) -> bool:
    """Detach a managed policy; whether it was attached."""
    return await tx.execute(DETACH, account, kind, owner.lower(), arn) > 0


async def list_attached(tx: Tx, account: str, kind: Kind, owner: str) -> list[str]:
    """The ARNs of an entity's managed policies."""
    return [row[0] for row in await tx.fetch(LIST_ATTACHED, account, kind, owner.lower())]


async def list_attached_arns(tx: Tx, account: str) -> set[str]:
    """The ARNs of all managed policies that are attached to anything."""
    return {row[0] for row in await tx.fetch(LIST_ATTACHED_ARNS, account)}


async def count_attachments(tx: Tx, account: str, arn: str) -> int:
    """How many entities a managed policy is attached to."""
    return await _count(tx, COUNT_ATTACHMENTS, account, arn)


async def count_boundaries(tx: Tx, account: str, arn: str) -> int:
    """How many entities have a managed policy as their boundary."""
    return await _count(tx, COUNT_BOUNDARIES, account, arn)


async def list_attached_to(tx: Tx, account: str, arn: str) -> list[Entity]:
    """The entities that a managed policy is attached to."""
    return [_entity(row) for row in await tx.fetch(LIST_ATTACHED_TO, account, arn)]


async def list_bounded_by(tx: Tx, account: str, arn: str) -> list[Entity]:
    """The entities that have a managed policy as their boundary."""
    return [_entity(row) for row in await tx.fetch(BOUNDARY_USERS, account, arn)]


# -- members: users of groups, roles of instance profiles


async def add_member(tx: Tx, account: str, kind: Kind, owner: str, member: str) -> None:
    """Put a user into a group, or a role into an instance profile."""
    await tx.execute(ADD_MEMBER, account, kind, owner.lower(), member.lower())


async def remove_member(tx: Tx, account: str, kind: Kind, owner: str, member: str) -> bool:
    """Take it out; whether it was in."""
    return await tx.execute(REMOVE_MEMBER, account, kind, owner.lower(), member.lower()) > 0


async def list_members(tx: Tx, account: str, kind: Kind, owner: str, of: Kind) -> list[Entity]:
    """The users of a group, or the role of an instance profile."""
    rows = await tx.fetch(LIST_MEMBERS, account, kind, owner.lower())
    found = [await find_entity(tx, account, of, row[0]) for row in rows]
    return [entity for entity in found if entity is not None]


async def list_owners(tx: Tx, account: str, kind: Kind, member: str) -> list[Entity]:
    """The groups of a user, or the instance profiles of a role."""
    rows = await tx.fetch(LIST_OWNERS, account, kind, member.lower())
    found = [await find_entity(tx, account, kind, row[0]) for row in rows]
    return [entity for entity in found if entity is not None]


# -- access keys


async def insert_key(tx: Tx, key: AccessKey) -> None:
    """Add an access key."""
    await tx.execute(INSERT_KEY, key.id, key.account, key.user, key.secret, key.status, key.created_at)


async def find_key(tx: Tx, key_id: str) -> AccessKey | None:
    """The access key of an id."""
    row = await tx.fetch_one(FIND_KEY, key_id)
    return AccessKey(*row) if row else None


async def list_keys(tx: Tx, account: str, user: str) -> list[AccessKey]:
    """A user's access keys, oldest first."""
    return [AccessKey(*row) for row in await tx.fetch(LIST_KEYS, account, user)]


async def set_key_status(tx: Tx, key_id: str, status: str) -> None:
    """Activate or deactivate an access key."""
    await tx.execute(SET_KEY_STATUS, key_id, status)


async def delete_key(tx: Tx, key_id: str) -> None:
    """Remove an access key."""
    await tx.execute(DELETE_KEY, key_id)


# -- the account: alias, password policy, login profiles


async def find_alias(tx: Tx, account: str) -> str | None:
    """The account's alias."""
    row = await tx.fetch_one(FIND_ACCOUNT, account)
    return row[0] if row else None


async def alias_owner(tx: Tx, alias: str) -> str | None:
    """The account that has an alias."""
    row = await tx.fetch_one(ALIAS_OWNER, alias)
    return row[0] if row else None


async def set_alias(tx: Tx, account: str, alias: str | None) -> None:
    """Give the account an alias, or take it away."""
    await tx.execute(SET_ALIAS, account, alias)


async def find_password_policy(tx: Tx, account: str) -> PasswordPolicy | None:
    """The account's password policy, if it has one of its own."""
    row = await tx.fetch_one(FIND_ACCOUNT, account)
    return msgspec.json.decode(row[1], type=PasswordPolicy) if row and row[1] is not None else None


async def set_password_policy(tx: Tx, account: str, policy: PasswordPolicy | None) -> None:
    """Give the account a password policy, or take it away."""
    await tx.execute(SET_ACCOUNT_POLICY, account, policy and msgspec.json.encode(policy).decode())


async def count_versions(tx: Tx, account: str) -> int:
    """How many versions the account's managed policies have."""
    return await _count(tx, COUNT_VERSIONS, account)


async def insert_login(tx: Tx, account: str, user: str, login: LoginProfile) -> bool:
    """Give a user a login profile; whether there was none."""
    return await tx.execute(INSERT_LOGIN, account, user.lower(), login.created_at, login.must_reset) > 0


async def find_login(tx: Tx, account: str, user: str) -> LoginProfile | None:
    """A user's login profile."""
    row = await tx.fetch_one(FIND_LOGIN, account, user.lower())
    return LoginProfile(row[0], bool(row[1])) if row else None


async def update_login(tx: Tx, account: str, user: str, *, must_reset: bool) -> None:
    """Store whether a user must set another password."""
    await tx.execute(UPDATE_LOGIN, account, user.lower(), must_reset)


async def delete_login(tx: Tx, account: str, user: str) -> bool:
    """Take a user's login profile away; whether there was one."""
    return await tx.execute(DELETE_LOGIN, account, user.lower()) > 0


# -- identity providers


def _provider(row: tuple[Any, ...]) -> Provider:
    details = msgspec.json.decode(row[4], type=ProviderDetails)
    return Provider(row[0], row[1], ProviderKind(row[2]), row[3], details, msgspec.json.decode(row[5]))


async def insert_provider(tx: Tx, provider: Provider) -> bool:
    """Add an identity provider; whether it was not there."""
    details = msgspec.json.encode(provider.details).decode()
    values = (provider.arn, provider.account, provider.kind, provider.created_at, details, _json(provider.tags))
    return await tx.execute(INSERT_PROVIDER, *values) > 0


async def find_provider(tx: Tx, account: str, kind: ProviderKind, arn: str) -> Provider | None:
    """The account's identity provider of an ARN."""
    row = await tx.fetch_one(FIND_PROVIDER, arn, account, kind)
    return _provider(row) if row else None


async def list_providers(tx: Tx, account: str, kind: ProviderKind) -> list[Provider]:
    """The account's identity providers of a protocol, by ARN."""
    return [_provider(row) for row in await tx.fetch(LIST_PROVIDERS, account, kind)]


async def update_provider(tx: Tx, provider: Provider) -> None:
    """Store what of a provider can change."""
    details = msgspec.json.encode(provider.details).decode()
    await tx.execute(UPDATE_PROVIDER, provider.arn, details, _json(provider.tags))


async def delete_provider(tx: Tx, account: str, kind: ProviderKind, arn: str) -> bool:
    """Remove an identity provider; whether it was there."""
    return await tx.execute(DELETE_PROVIDER, arn, account, kind) > 0


async def count_providers(tx: Tx, account: str) -> int:
    """How many identity providers the account has."""
    return await _count(tx, COUNT_PROVIDERS, account)


# -- service-linked roles


async def insert_deletion(tx: Tx, account: str, task: str) -> None:
    """Note that a service-linked role was deleted."""
    await tx.execute(INSERT_DELETION, task, account)


async def has_deletion(tx: Tx, account: str, task: str) -> bool:
    """Whether it was."""
    return await tx.fetch_one(FIND_DELETION, task, account) is not None
