"""Lambda's rows: one method for each question that the operations ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.lambda_._names import FunctionRef
from fogbank.services.lambda_._policy import Statement
from fogbank.services.lambda_._urls import FunctionUrl
from fogbank.services.lambda_.model import Alias, Code, Function, Layer, Version
from fogbank.storage import Row, Tx

_encode = msgspec.json.encode
_decode = msgspec.json.decode

_OF_FUNCTIONS = (
    "functions", "versions", "aliases", "policies", "async_settings", "urls", "provisioned", "signed",
    "runtime_updates",
)  # fmt: skip
"""Tables whose rows go with their function."""
_KEY = "account = $1 AND region = $2 AND name = $3"
_VERSION = "name, number, config, digest, size, revision, modified, generation"
FIND_FUNCTION = f"SELECT created, last_version, reserved, tags, recursion FROM lambda_functions WHERE {_KEY}"  # noqa: S608
INSERT_FUNCTION = """
INSERT INTO lambda_functions (account, region, name, created, last_version, reserved, tags, recursion)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (account, region, name) DO UPDATE SET last_version = excluded.last_version,
    reserved = excluded.reserved, tags = excluded.tags, recursion = excluded.recursion
"""
FIND_VERSION = f"SELECT {_VERSION} FROM lambda_versions WHERE {_KEY} AND number = $4"  # noqa: S608
LATEST_PUBLISHED = f"SELECT {_VERSION} FROM lambda_versions WHERE {_KEY} AND number > 0 ORDER BY number DESC LIMIT 1"  # noqa: S608
LIST_VERSIONS = f"SELECT {_VERSION} FROM lambda_versions WHERE {_KEY} AND number > $4 ORDER BY number LIMIT $5"  # noqa: S608
LIST_FUNCTIONS = f"""
SELECT {_VERSION} FROM lambda_versions WHERE account = $1 AND region = $2 AND name > $3 AND number = 0
ORDER BY name LIMIT $4
"""  # noqa: S608
LIST_ALL_VERSIONS = f"""
SELECT {_VERSION} FROM lambda_versions
WHERE account = $1 AND region = $2 AND (name > $3 OR (name = $3 AND number > $4))
ORDER BY name, number LIMIT $5
"""  # noqa: S608
PUT_VERSION = """
INSERT INTO lambda_versions (account, region, name, number, config, digest, size, revision, modified, generation)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (account, region, name, number) DO UPDATE SET config = excluded.config, digest = excluded.digest,
    size = excluded.size, revision = excluded.revision, modified = excluded.modified, generation = excluded.generation
"""
TOUCH_VERSION = f"UPDATE lambda_versions SET revision = $5 WHERE {_KEY} AND number = $4"  # noqa: S608
RUNTIMES = "SELECT DISTINCT config FROM lambda_versions WHERE number = 0"
CODE = "SELECT digest, config FROM lambda_versions"
LAYER_CODE = "SELECT digest FROM lambda_layers WHERE deleted = 0"
USAGE = "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM lambda_versions WHERE account = $1 AND region = $2"
COUNT = "SELECT COUNT(*) FROM lambda_functions WHERE account = $1 AND region = $2"
RESERVED = """
SELECT COALESCE(SUM(COALESCE(f.reserved, (SELECT SUM(p.requested) FROM lambda_provisioned AS p
    WHERE p.account = f.account AND p.region = f.region AND p.name = f.name), 0)), 0)
FROM lambda_functions AS f WHERE f.account = $1 AND f.region = $2
"""
_ALIAS = "alias, version, description, weights, revision"
FIND_ALIAS = f"SELECT {_ALIAS} FROM lambda_aliases WHERE {_KEY} AND alias = $4"  # noqa: S608
LIST_ALIASES = f"SELECT {_ALIAS} FROM lambda_aliases WHERE {_KEY} AND alias > $4 ORDER BY alias LIMIT $5"  # noqa: S608
PUT_ALIAS = """
INSERT INTO lambda_aliases (account, region, name, alias, version, description, weights, revision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (account, region, name, alias) DO UPDATE SET version = excluded.version,
    description = excluded.description, weights = excluded.weights, revision = excluded.revision
"""
TOUCH_ALIAS = f"UPDATE lambda_aliases SET revision = $5 WHERE {_KEY} AND alias = $4"  # noqa: S608
FIND_POLICY = f"SELECT statements FROM lambda_policies WHERE {_KEY} AND qualifier = $4"  # noqa: S608
PUT_POLICY = """
INSERT INTO lambda_policies (account, region, name, qualifier, statements) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account, region, name, qualifier) DO UPDATE SET statements = excluded.statements
"""
FIND_ASYNC = f"SELECT settings, modified FROM lambda_async_settings WHERE {_KEY} AND qualifier = $4"  # noqa: S608
LIST_ASYNC = f"""
SELECT qualifier, settings, modified FROM lambda_async_settings WHERE {_KEY} AND qualifier > $4
ORDER BY qualifier LIMIT $5
"""  # noqa: S608
PUT_ASYNC = """
INSERT INTO lambda_async_settings (account, region, name, qualifier, settings, modified)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account, region, name, qualifier) DO UPDATE SET settings = excluded.settings,
    modified = excluded.modified
"""
_URL = "id, account, region, name, qualifier, auth, mode, cors, created, modified"
FIND_URL = f"SELECT {_URL} FROM lambda_urls WHERE id = $1"  # noqa: S608
URL_OF = f"SELECT {_URL} FROM lambda_urls WHERE {_KEY} AND qualifier = $4"  # noqa: S608
LIST_URLS = f"SELECT {_URL} FROM lambda_urls WHERE {_KEY} AND qualifier > $4 ORDER BY qualifier LIMIT $5"  # noqa: S608
PUT_URL = """
INSERT INTO lambda_urls (id, account, region, name, qualifier, auth, mode, cors, created, modified)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (id) DO UPDATE SET auth = excluded.auth, mode = excluded.mode, cors = excluded.cors,
    modified = excluded.modified
"""
DELETE_URL = "DELETE FROM lambda_urls WHERE id = $1"
_MAPPING = "uuid, account, region, name, qualifier, source, enabled, settings, tags, modified"
FIND_MAPPING = f"SELECT {_MAPPING} FROM lambda_mappings WHERE uuid = $1 AND account = $2 AND region = $3"  # noqa: S608
SAME_MAPPING = f"""
SELECT {_MAPPING} FROM lambda_mappings
WHERE account = $1 AND region = $2 AND source = $3 AND name = $4 AND qualifier = $5
"""  # noqa: S608
ALL_MAPPINGS = f"SELECT {_MAPPING} FROM lambda_mappings ORDER BY uuid"  # noqa: S608
LIST_MAPPINGS = f"""
SELECT {_MAPPING} FROM lambda_mappings WHERE account = $1 AND region = $2 AND uuid > $3
AND ($4 = '' OR source = $4) AND ($5 = '' OR name = $5) AND ($6 = '' OR qualifier = $6) ORDER BY uuid LIMIT $7
"""  # noqa: S608
PUT_MAPPING = """
INSERT INTO lambda_mappings (uuid, account, region, name, qualifier, source, enabled, settings, tags, modified)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (uuid) DO UPDATE SET name = excluded.name, qualifier = excluded.qualifier, enabled = excluded.enabled,
    settings = excluded.settings, tags = excluded.tags, modified = excluded.modified
"""
FIND_CHECKPOINT = "SELECT sequence, iterator, result FROM lambda_checkpoints WHERE uuid = $1"
PUT_CHECKPOINT = """
INSERT INTO lambda_checkpoints (uuid, sequence, iterator, result) VALUES ($1, $2, $3, $4)
ON CONFLICT (uuid) DO UPDATE SET sequence = excluded.sequence, iterator = excluded.iterator, result = excluded.result
"""
PUT_RESULT = "UPDATE lambda_checkpoints SET result = $2 WHERE uuid = $1"
_LAYER = "name, number, digest, size, config, created"
FIND_LAYER = f"SELECT {_LAYER} FROM lambda_layers WHERE {_KEY} AND number = $4 AND deleted = 0"  # noqa: S608
LAST_LAYER = "SELECT COALESCE(MAX(number), 0) FROM lambda_layers WHERE " + _KEY  # noqa: S608
LIST_LAYER = f"""
SELECT {_LAYER} FROM lambda_layers WHERE {_KEY} AND deleted = 0 AND number < $4 ORDER BY number DESC LIMIT $5
"""  # noqa: S608
LIST_LAYERS = f"""
SELECT {_LAYER} FROM lambda_layers AS l WHERE account = $1 AND region = $2 AND name > $3 AND deleted = 0
AND number = (SELECT MAX(number) FROM lambda_layers AS m
    WHERE m.account = l.account AND m.region = l.region AND m.name = l.name AND m.deleted = 0)
ORDER BY name LIMIT $4
"""  # noqa: S608
INSERT_LAYER = """
INSERT INTO lambda_layers (account, region, name, number, digest, size, config, created, deleted, statements, revision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, '[]', '')
"""
LAYER_POLICY = f"SELECT statements, revision FROM lambda_layers WHERE {_KEY} AND number = $4 AND deleted = 0"  # noqa: S608
PUT_LAYER_POLICY = f"UPDATE lambda_layers SET statements = $5, revision = $6 WHERE {_KEY} AND number = $4"  # noqa: S608
DELETE_LAYER = f"UPDATE lambda_layers SET deleted = 1 WHERE {_KEY} AND number = $4 AND deleted = 0"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Policy:
    """The resource policy of a layer and its revision."""

    statements: list[Statement]
    revision: str


@dataclass(frozen=True, slots=True)
class AsyncSettings:
    """An event invoke configuration, in the API's shape."""

    qualifier: str
    settings: Mapping[str, Any]
    modified: int


@dataclass(frozen=True, slots=True)
class SourceMapping:
    """An event source mapping. `settings` holds the rest in the API's shape."""

    uuid: str
    function: FunctionRef
    source: str
    enabled: bool
    settings: Mapping[str, Any]
    tags: Mapping[str, str]
    modified: int

    @property
    def arn(self) -> str:
        """The mapping's ARN."""
        return self.function.scope.arn("lambda", f"event-source-mapping:{self.uuid}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a mapping has read its stream: see the migration. `result` is LastProcessingResult."""

    sequence: str = ""
    iterator: str = ""
    result: str = "OK"


def _key(ref: FunctionRef) -> tuple[str, str, str]:
    return ref.scope.account, ref.scope.region, ref.name


def _version(scope: Scope, row: Row) -> Version:
    name, number, config, digest, size, revision, modified, generation = row
    ref = FunctionRef(scope, name)
    return Version(ref, number, _decode(config), Code(digest, size), revision, modified, generation)


# -- functions and versions -------------------------------------------------------------------------------


async def find_function(tx: Tx, ref: FunctionRef) -> Function | None:
    """What holds for all versions of a function."""
    row = await tx.fetch_one(FIND_FUNCTION, *_key(ref))
    if row is None:
        return None
    created, last, reserved, tags, recursion = row
    return Function(ref.unqualified, created, last, reserved, _decode(tags), recursion)


async def put_function(tx: Tx, function: Function) -> None:
    """Add or change it."""
    await tx.execute(
        INSERT_FUNCTION,
        *_key(function.ref),
        function.created,
        function.last_version,
        function.reserved,
        _encode(dict(function.tags)).decode(),
        function.recursion,
    )


async def delete_function(tx: Tx, ref: FunctionRef) -> None:
    """Remove a function with all that belongs to it; mappings stay, as on AWS."""
    for table in _OF_FUNCTIONS:
        await tx.execute(f"DELETE FROM lambda_{table} WHERE {_KEY}", *_key(ref))  # noqa: S608


async def find_version(tx: Tx, ref: FunctionRef, number: int) -> Version | None:
    """A version by number; 0 is $LATEST."""
    row = await tx.fetch_one(FIND_VERSION, *_key(ref), number)
    return None if row is None else _version(ref.scope, row)


async def last_published(tx: Tx, ref: FunctionRef) -> Version | None:
    """The version with the highest number."""
    row = await tx.fetch_one(LATEST_PUBLISHED, *_key(ref))
    return None if row is None else _version(ref.scope, row)


async def list_versions(tx: Tx, ref: FunctionRef, *, after: int, limit: int) -> list[Version]:
    """Versions by number, $LATEST first (`after` is -1 at the beginning)."""
    return [_version(ref.scope, row) for row in await tx.fetch(LIST_VERSIONS, *_key(ref), after, limit)]


async def list_functions(tx: Tx, scope: Scope, *, after: str, limit: int) -> list[Version]:
    """$LATEST of every function, by name."""
    rows = await tx.fetch(LIST_FUNCTIONS, scope.account, scope.region, after, limit)
    return [_version(scope, row) for row in rows]


async def list_all_versions(tx: Tx, scope: Scope, *, after: tuple[str, int], limit: int) -> list[Version]:
    """Every version of every function."""
    rows = await tx.fetch(LIST_ALL_VERSIONS, scope.account, scope.region, *after, limit)
    return [_version(scope, row) for row in rows]


async def put_version(tx: Tx, version: Version) -> None:
    """Add or change a version."""
    await tx.execute(
        PUT_VERSION,
        *_key(version.ref),
        version.number,
        _encode(dict(version.config)).decode(),
        version.code.digest,
        version.code.size,
        version.revision,
        version.modified,
        version.generation,
    )


async def touch_version(tx: Tx, ref: FunctionRef, number: int, revision: str) -> None:
    """Give a version a new revision: something that belongs to it has changed."""
    await tx.execute(TOUCH_VERSION, *_key(ref), number, revision)


async def delete_version(tx: Tx, ref: FunctionRef, number: int) -> int:
    """Remove a version; how many there were."""
    return await tx.execute(f"DELETE FROM lambda_versions WHERE {_KEY} AND number = $4", *_key(ref), number)  # noqa: S608


async def usage(tx: Tx, scope: Scope) -> tuple[int, int, int]:
    """Functions, bytes of code, and the concurrency that is reserved or provisioned, of an account in a region."""
    functions = await tx.fetch_one(COUNT, scope.account, scope.region)
    code = await tx.fetch_one(USAGE, scope.account, scope.region)
    reserved = await tx.fetch_one(RESERVED, scope.account, scope.region)
    assert functions is not None
    assert code is not None
    assert reserved is not None
    return int(functions[0]), int(code[1]), int(reserved[0])


async def runtimes(tx: Tx) -> set[str]:
    """The runtimes of all functions."""
    return {_decode(row[0]).get("Runtime", "") for row in await tx.fetch(RUNTIMES)}


async def digests(tx: Tx) -> set[str]:
    """The packages that something still needs."""
    found = {row[0] for row in await tx.fetch(LAYER_CODE)}
    for digest, config in await tx.fetch(CODE):
        found.add(digest)
        found.update(_decode(config).get("LayerDigests", ()))
    return found


# -- aliases ----------------------------------------------------------------------------------------------


def _alias(ref: FunctionRef, row: Row) -> Alias:
    name, version, description, weights, revision = row
    return Alias(ref.unqualified, name, version, description, _decode(weights), revision)


async def find_alias(tx: Tx, ref: FunctionRef, name: str) -> Alias | None:
    """An alias by name."""
    row = await tx.fetch_one(FIND_ALIAS, *_key(ref), name)
    return None if row is None else _alias(ref, row)


async def list_aliases(tx: Tx, ref: FunctionRef, *, after: str, limit: int) -> list[Alias]:
    """A function's aliases by name."""
    return [_alias(ref, row) for row in await tx.fetch(LIST_ALIASES, *_key(ref), after, limit)]


async def put_alias(tx: Tx, alias: Alias) -> None:
    """Add or change an alias."""
    weights = _encode(dict(alias.weights)).decode()
    await tx.execute(PUT_ALIAS, *_key(alias.ref), alias.name, alias.version, alias.description, weights, alias.revision)


async def touch_alias(tx: Tx, ref: FunctionRef, name: str, revision: str) -> None:
    """Give an alias a new revision: its policy has changed."""
    await tx.execute(TOUCH_ALIAS, *_key(ref), name, revision)


async def delete_alias(tx: Tx, ref: FunctionRef, name: str) -> None:
    """Remove an alias with its policy, settings and URL."""
    await tx.execute(f"DELETE FROM lambda_aliases WHERE {_KEY} AND alias = $4", *_key(ref), name)  # noqa: S608
    for table in ("policies", "async_settings", "urls"):
        await tx.execute(f"DELETE FROM lambda_{table} WHERE {_KEY} AND qualifier = $4", *_key(ref), name)  # noqa: S608


# -- policies ---------------------------------------------------------------------------------------------


async def find_policy(tx: Tx, ref: FunctionRef) -> list[Statement]:
    """The policy of a function, version or alias; empty where there is none."""
    row = await tx.fetch_one(FIND_POLICY, *_key(ref), ref.qualifier or "")
    return [] if row is None else _decode(row[0])


async def put_policy(tx: Tx, ref: FunctionRef, statements: Sequence[Statement]) -> None:
    """Set it; one without statements is removed."""
    if statements:
        text = _encode(list(statements)).decode()
        await tx.execute(PUT_POLICY, *_key(ref), ref.qualifier or "", text)
        return
    await tx.execute(
        f"DELETE FROM lambda_policies WHERE {_KEY} AND qualifier = $4",  # noqa: S608
        *_key(ref),
        ref.qualifier or "",
    )


# -- asynchronous settings --------------------------------------------------------------------------------


async def find_async(tx: Tx, ref: FunctionRef, qualifier: str) -> AsyncSettings | None:
    """The event invoke configuration of a qualifier."""
    row = await tx.fetch_one(FIND_ASYNC, *_key(ref), qualifier)
    return None if row is None else AsyncSettings(qualifier, _decode(row[0]), row[1])


async def list_async(tx: Tx, ref: FunctionRef, *, after: str, limit: int) -> list[AsyncSettings]:
    """All of a function's."""
    rows = await tx.fetch(LIST_ASYNC, *_key(ref), after, limit)
    return [AsyncSettings(row[0], _decode(row[1]), row[2]) for row in rows]


async def put_async(tx: Tx, ref: FunctionRef, settings: AsyncSettings) -> None:
    """Set it."""
    text = _encode(dict(settings.settings)).decode()
    await tx.execute(PUT_ASYNC, *_key(ref), settings.qualifier, text, settings.modified)


async def delete_async(tx: Tx, ref: FunctionRef, qualifier: str) -> int:
    """Remove it; how many there were."""
    return await tx.execute(
        f"DELETE FROM lambda_async_settings WHERE {_KEY} AND qualifier = $4",  # noqa: S608
        *_key(ref),
        qualifier,
    )


# -- URLs -------------------------------------------------------------------------------------------------


def _function_url(row: Row) -> FunctionUrl:
    url_id, account, region, name, qualifier, auth, mode, cors, created, modified = row
    ref = FunctionRef(Scope(account, region), name, qualifier or None)
    return FunctionUrl(url_id, ref, auth, mode, _decode(cors), created, modified)


async def find_url(tx: Tx, url_id: str) -> FunctionUrl | None:
    """A URL by its identifier."""
    row = await tx.fetch_one(FIND_URL, url_id)
    return None if row is None else _function_url(row)


async def url_of(tx: Tx, ref: FunctionRef) -> FunctionUrl | None:
    """The URL of a function, or of an alias of it."""
    row = await tx.fetch_one(URL_OF, *_key(ref), ref.qualifier or "")
    return None if row is None else _function_url(row)


async def list_urls(tx: Tx, ref: FunctionRef, *, after: str | None, limit: int) -> list[FunctionUrl]:
    """The URLs of a function and of its aliases, from behind a qualifier on (`None`: from the beginning)."""
    found = [] if after is not None else [await url_of(tx, ref.unqualified)]
    rows = await tx.fetch(LIST_URLS, *_key(ref), after or "", limit)
    return [url for url in (*found, *map(_function_url, rows)) if url is not None][:limit]


async def put_url(tx: Tx, url: FunctionUrl) -> None:
    """Add or change a URL."""
    cors = _encode(None if url.cors is None else dict(url.cors)).decode()
    await tx.execute(
        PUT_URL,
        url.id,
        *_key(url.function),
        url.function.qualifier or "",
        url.auth,
        url.mode,
        cors,
        url.created,
        url.modified,
    )


async def delete_url(tx: Tx, url_id: str) -> None:
    """Remove a URL."""
    await tx.execute(DELETE_URL, url_id)


# -- mappings ---------------------------------------------------------------------------------------------


def _mapping(row: Row) -> SourceMapping:
    uuid, account, region, name, qualifier, source, enabled, settings, tags, modified = row
    ref = FunctionRef(Scope(account, region), name, qualifier or None)
    return SourceMapping(uuid, ref, source, bool(enabled), _decode(settings), _decode(tags), modified)


async def find_mapping(tx: Tx, scope: Scope, uuid: str) -> SourceMapping | None:
    """A mapping by its identifier."""
    row = await tx.fetch_one(FIND_MAPPING, uuid, scope.account, scope.region)
    return None if row is None else _mapping(row)


async def same_mapping(tx: Tx, source: str, ref: FunctionRef) -> SourceMapping | None:
    """The mapping that already joins this source and this function."""
    row = await tx.fetch_one(SAME_MAPPING, ref.scope.account, ref.scope.region, source, ref.name, ref.qualifier or "")
    return None if row is None else _mapping(row)


async def all_mappings(tx: Tx) -> list[SourceMapping]:
    """Every mapping there is."""
    return [_mapping(row) for row in await tx.fetch(ALL_MAPPINGS)]


async def list_mappings(
    tx: Tx, scope: Scope, *, source: str, name: str, qualifier: str, after: str, limit: int
) -> list[SourceMapping]:
    """Mappings of an account in a region; empty strings do not filter."""
    rows = await tx.fetch(LIST_MAPPINGS, scope.account, scope.region, after, source, name, qualifier, limit)
    return [_mapping(row) for row in rows]


async def put_mapping(tx: Tx, mapping: SourceMapping) -> None:
    """Add or change a mapping."""
    await tx.execute(
        PUT_MAPPING,
        mapping.uuid,
        *_key(mapping.function),
        mapping.function.qualifier or "",
        mapping.source,
        int(mapping.enabled),
        _encode(dict(mapping.settings)).decode(),
        _encode(dict(mapping.tags)).decode(),
        mapping.modified,
    )


async def delete_mapping(tx: Tx, uuid: str) -> None:
    """Remove a mapping."""
    await tx.execute("DELETE FROM lambda_mappings WHERE uuid = $1", uuid)
    await tx.execute("DELETE FROM lambda_checkpoints WHERE uuid = $1", uuid)


async def find_checkpoint(tx: Tx, uuid: str) -> Checkpoint:
    """How far a mapping has read its stream."""
    row = await tx.fetch_one(FIND_CHECKPOINT, uuid)
    return Checkpoint(result="No records processed") if row is None else Checkpoint(*row)


async def put_checkpoint(tx: Tx, uuid: str, checkpoint: Checkpoint) -> None:
    """Set it."""
    await tx.execute(PUT_CHECKPOINT, uuid, checkpoint.sequence, checkpoint.iterator, checkpoint.result)


async def put_result(tx: Tx, uuid: str, result: str) -> None:
    """Set what came of the last attempt; the place stays."""
    await tx.execute(PUT_RESULT, uuid, result)


# -- layers -----------------------------------------------------------------------------------------------


def _layer(scope: Scope, row: Row) -> Layer:
    name, number, digest, size, config, created = row
    return Layer(scope, name, number, Code(digest, size), _decode(config), created)


async def find_layer(tx: Tx, scope: Scope, name: str, number: int) -> Layer | None:
    """A version of a layer."""
    row = await tx.fetch_one(FIND_LAYER, scope.account, scope.region, name, number)
    return None if row is None else _layer(scope, row)


async def add_layer(tx: Tx, scope: Scope, name: str, code: Code, config: Mapping[str, Any], created: int) -> Layer:
    """A new version of a layer, with the next number; numbers of deleted versions are not used again."""
    row = await tx.fetch_one(LAST_LAYER, scope.account, scope.region, name)
    number = (row[0] if row else 0) + 1
    text = _encode(dict(config)).decode()
    await tx.execute(INSERT_LAYER, scope.account, scope.region, name, number, code.digest, code.size, text, created)
    return Layer(scope, name, number, code, config, created)


async def list_layer(tx: Tx, scope: Scope, name: str, *, before: int, limit: int) -> list[Layer]:
    """Versions of a layer, the newest first."""
    rows = await tx.fetch(LIST_LAYER, scope.account, scope.region, name, before, limit)
    return [_layer(scope, row) for row in rows]


async def list_layers(tx: Tx, scope: Scope, *, after: str, limit: int) -> list[Layer]:
    """The newest version of every layer."""
    rows = await tx.fetch(LIST_LAYERS, scope.account, scope.region, after, limit)
    return [_layer(scope, row) for row in rows]


async def delete_layer(tx: Tx, scope: Scope, name: str, number: int) -> None:
    """Remove a version of a layer; functions that use it keep it."""
    await tx.execute(DELETE_LAYER, scope.account, scope.region, name, number)


async def layer_policy(tx: Tx, layer: Layer) -> Policy:
    """Who may use a version of a layer."""
    row = await tx.fetch_one(LAYER_POLICY, layer.scope.account, layer.scope.region, layer.name, layer.number)
    return Policy([], "") if row is None else Policy(_decode(row[0]), row[1])


async def put_layer_policy(tx: Tx, layer: Layer, statements: Sequence[Statement], revision: str) -> None:
    """Set it."""
    await tx.execute(
        PUT_LAYER_POLICY,
        layer.scope.account,
        layer.scope.region,
        layer.name,
        layer.number,
        _encode(list(statements)).decode(),
        revision,
    )
