"""Databases to measure in: made, asked which processes of their server work for them, counted, and dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import asyncpg

from bridge.store.lifecycle import InboxState, OutboxState

from ..records import literal
from .connection import LOST, address_of, connect, translate
from .schema import SCHEMA

if TYPE_CHECKING:
    from ..records import Row

_BACKENDS: Final = """
SELECT pid, datname IS NOT NULL FROM pg_stat_activity
WHERE (datname = $1 AND pid <> pg_backend_pid()) OR (datname IS NULL AND pid IS NOT NULL)
"""
_SETTINGS: Final = """
SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'),
       current_setting('max_connections')
"""
_COUNTS: Final = f"""
SELECT (SELECT count(*) FROM {SCHEMA}.inbox WHERE status = {literal(InboxState.DONE)}),
       (SELECT count(*) FROM {SCHEMA}.outbox WHERE status = {literal(OutboxState.SENT)})
"""


class MeasuredServer:
    """A server by the URL of one of its databases, whose user may make more."""

    def __init__(self, url: str) -> None:
        """Nothing is asked yet."""
        self._url = url

    async def settings(self) -> str:
        """Its version, and what its speed depends on."""
        version, fsync, commit, connections = (await self._fetch(self._url, _SETTINGS))[0]
        return f"PostgreSQL {version}, fsync {fsync}, synchronous_commit {commit}, max_connections {connections}"

    async def create(self, name: str) -> str:
        """The URL of an empty database."""
        await self._fetch(self._url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await self._fetch(self._url, f'CREATE DATABASE "{name}"')
        return urlsplit(self._url)._replace(path=f"/{name}").geturl()

    async def drop(self, name: str) -> None:
        """Remove a database with all that is in it."""
        await self._fetch(self._url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def pids(self, name: str) -> tuple[list[int], list[int]]:
        """The backends of a database, and the processes that work for all databases."""
        rows = await self._fetch(self._url, _BACKENDS, name)
        return [pid for pid, is_ours in rows if is_ours], [pid for pid, is_ours in rows if not is_ours]

    async def counts(self, name: str) -> tuple[int, int]:
        """How many events are done, and how many messages are sent, in a database."""
        url = urlsplit(self._url)._replace(path=f"/{name}").geturl()
        events, messages = (await self._fetch(url, _COUNTS))[0]
        return events, messages

    async def _fetch(self, url: str, query: str, *values: object) -> list[Row]:
        connection = await connect(address_of(url), read_only=False)
        try:
            rows: list[Row] = await connection.fetch(query, *values, timeout=60.0)
        except (asyncpg.PostgresError, *LOST) as error:
            raise translate(error) from error
        finally:
            await connection.close()
        return rows
