"""The schema of a database: made, brought up to date, or refused; and the settings that a commit relies on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.errors import Broken, NewerSchema, Unavailable, UnfinishedCopy
from bridge.log import log

from .schema import MIGRATIONS, SCHEMA, UNFINISHED

if TYPE_CHECKING:
    import asyncpg

    from .connection import Fetch


LOCK: Final = 0x74627268
"""Of whoever migrates; transactions of all processes wait for it."""
_HAS_SCHEMA: Final = f"SELECT 1 FROM pg_namespace WHERE nspname = '{SCHEMA}'"
_HAS_VERSION: Final = f"SELECT to_regclass('{SCHEMA}.schema_version') IS NOT NULL"
_IS_UNFINISHED: Final = f"SELECT to_regclass('{SCHEMA}.{UNFINISHED}') IS NOT NULL"
_COPIED_FROM: Final = f"SELECT source FROM {SCHEMA}.{UNFINISHED}"
_VERSION: Final = f"SELECT version FROM {SCHEMA}.schema_version"
_SETTINGS: Final = """
SELECT name FROM pg_settings
WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off' ORDER BY name
"""


async def check_durability(connection: asyncpg.Connection, *, relaxed: bool) -> None:
    """Raises Broken where the server may lose what it has committed, unless that is asked for."""
    off = [row[0] for row in await connection.fetch(_SETTINGS)]
    if off and not relaxed:
        raise Broken(
            f"PostgreSQL has {' and '.join(off)} off: a crash of its machine loses messages that were acknowledged. "
            'Switch it on, or accept that with durability = "relaxed" in [storage]'
        )
    if off:
        log.warning("durability_relaxed", reason=f"off: {', '.join(off)}")


async def copied_from(fetch: Fetch) -> str | None:
    """Of which store this one is an unfinished copy."""
    if not (await fetch(_IS_UNFINISHED))[0][0]:
        return None
    rows = await fetch(_COPIED_FROM)
    return rows[0][0] if rows else ""


async def migrate(connection: asyncpg.Connection, *, is_copy: bool = False) -> None:
    """Bring the schema up to date. Raises NewerSchema; UnfinishedCopy, unless it is to become a copy."""
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
        version = await schema_version(connection.fetch)
        if not is_copy and (source := await copied_from(connection.fetch)) is not None:
            raise UnfinishedCopy(source)
        if version is None:
            await connection.execute(f"CREATE SCHEMA {SCHEMA}")
            await connection.execute(f"CREATE TABLE {SCHEMA}.schema_version (version BIGINT NOT NULL)")
            await connection.execute(f"INSERT INTO {SCHEMA}.schema_version VALUES (0)")
        for number, script in enumerate(MIGRATIONS[version or 0 :], (version or 0) + 1):
            if version:
                log.info("database_upgrade", schema=number, step=1, steps=1)
            await connection.execute(script)
            await connection.execute(f"UPDATE {SCHEMA}.schema_version SET version = $1", number)


async def check_readable(fetch: Fetch) -> None:
    """Whether a reader finds this version's schema. Raises Unavailable, NewerSchema, UnfinishedCopy, Broken."""
    version = await schema_version(fetch)
    if version is None:
        raise Unavailable("there is no store in this database yet: `threadbridge migrate` makes it")
    if version < len(MIGRATIONS):
        raise Broken("its schema is older than this threadbridge: `threadbridge migrate` brings it up to date")
    if (source := await copied_from(fetch)) is not None:
        raise UnfinishedCopy(source)


async def schema_version(fetch: Fetch) -> int | None:
    """The schema's version; None: there is no schema. Raises NewerSchema."""
    if not await fetch(_HAS_SCHEMA):
        return None
    if not (await fetch(_HAS_VERSION))[0][0]:
        raise NewerSchema(f"the schema {SCHEMA} of this database belongs to another application")
    version: int = (await fetch(_VERSION))[0][0]
    if version > len(MIGRATIONS):
        raise NewerSchema(
            f"this database has schema {version}, written by a later threadbridge; "
            f"this one knows schema {len(MIGRATIONS)}: upgrade threadbridge, or restore an older backup"
        )
    return version
