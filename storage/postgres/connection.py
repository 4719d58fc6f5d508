"""Connections to PostgreSQL: how they are made, what their errors mean, and a few of them to read by."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

from bridge.errors import Broken, StoreError, Unavailable
from bridge.store.watch import LEASE

from ..sealing import plan_of
from .schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ..records import Row
    from ..sealer import Sealer

    Fetch = Callable[..., Awaitable[list[Row]]]
    """Run a query with its values."""

CONNECT_SECONDS: Final = 5.0
COMMAND_SECONDS: Final = 30.0
"""A server that does not answer for so long is given up, and asked again over another connection."""
READERS: Final = 4
"""Connections for reading, at most."""
_RELAXED: Final = ("durability", "relaxed")
_SETTINGS: Final = {
    "search_path": SCHEMA,
    "jit": "off",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "idle_in_transaction_session_timeout": str(round(LEASE * 1000)),
}
"""With these the server lets go of a process whose machine is gone within half a minute."""
_ARRAYS: Final = ((1000, "_bool", 16, "boolean"), (1001, "_bytea", 17, "bytea"), (1016, "_int8", 20, "bigint"))
"""The array types of our statements: number and name, and those of what is in them, the same on every server."""
_ARRAY: Final = {
    "ns": "pg_catalog",
    "kind": b"b",
    "elemdelim": b",",
    "depth": 0,
    **dict.fromkeys(("basetype", "basetype_name", "range_subtype", "range_subtype_name", "attrtypoids", "attrnames")),
}
"""What the driver wants to know of each beside that, as it asks for it."""
_TYPES: Final = "SELECT NULL::bigint[], NULL::bytea[], NULL::boolean[]"
"""A driver that does not know them asks the server for each when it first meets it, for 30 ms or more.

Without this a worker that has just begun does so in a transaction, and the others wait for the threads that it locked.
"""
_TRANSIENT: Final = frozenset({"08", "40", "53", "57"})
"""Classes of SQLSTATE: no connection, rolled back (serialization, deadlock), no resources, an operator."""
_TRANSIENT_CODES: Final = frozenset({"25006", "25P03", "55P03"})
"""A standby is read only; idle too long; a lock that was not had."""
_CONTENDED: Final = frozenset({"40001", "40P01", "55P03", "23505"})
"""Two transactions got in each other's way, the last of them by the same key: nothing is wrong with either."""
_CORRUPT_CODES: Final = frozenset({"XX001", "XX002"})
_CORRUPT: Final = frozenset({"58"})
"""The server's own files fail it."""
_INTERNAL: Final = frozenset({"XX"})
_QUOTES_VALUES: Final = frozenset({"22", "23"})
"""The text of such an error may quote what was to be stored."""
_ENDED: Final = frozenset({"57P01", "57P02", "57P03", "25P03"})
"""The server ended the connection."""
LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server spoke when it was not asked: it ends the connection
    asyncpg.PostgresConnectionError,
)
"""What a connection raises that is of no use any more."""


class Address(NamedTuple):
    """A database. With `relaxed` its server may lose in a crash what it had committed."""

    dsn: str
    relaxed: bool

    @property
    def name(self) -> str:
        """Without the user and the password."""
        parts = urlsplit(self.dsn)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def address_of(url: str) -> Address:
    """The database at a URL; `?durability=relaxed` is ours, and the rest of it asyncpg's."""
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    dsn = parts._replace(query=urlencode([option for option in options if option != _RELAXED])).geturl()
    return Address(dsn, relaxed=_RELAXED in options)


def is_lost(error: BaseException) -> bool:
    """Whether the connection that raised this is of no use any more."""
    return isinstance(error, LOST) or (isinstance(error, asyncpg.PostgresError) and error.sqlstate in _ENDED)


def is_contended(error: BaseException) -> bool:
    """Whether a transaction failed only because another one ran."""
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate in _CONTENDED


def is_transient(error: asyncpg.PostgresError) -> bool:
    """Whether an error says something of the server, or of others, and nothing of the statement."""
    code = error.sqlstate or ""
    return code in _TRANSIENT_CODES or code[:2] in _TRANSIENT | _CORRUPT | _INTERNAL


def translate(error: Exception) -> StoreError:
    """An error of PostgreSQL as what the engine does about it, by its SQLSTATE."""
    if isinstance(error, StoreError):
        return error
    if not isinstance(error, asyncpg.PostgresError):
        if isinstance(error, LOST):
            return Unavailable(f"PostgreSQL: {type(error).__name__}")
        return StoreError(f"PostgreSQL: {type(error).__name__}")
    code = error.sqlstate or ""
    reason = f"PostgreSQL: {type(error).__name__} ({code})"
    if code[:2] not in _QUOTES_VALUES:
        reason = f"PostgreSQL: {error.args[0] if error.args else type(error).__name__} ({code})"
    if code in _CORRUPT_CODES or code[:2] in _CORRUPT:
        return Broken(reason)
    if code in _TRANSIENT_CODES or code[:2] in _TRANSIENT:
        return Unavailable(reason)
    return StoreError(reason)


async def connect(
    address: Address, *, read_only: bool, more: Mapping[str, str] = MappingProxyType({})
) -> asyncpg.Connection:
    """A connection with our settings, and `more`. Raises Unavailable, and StoreError where the server refuses us."""
    settings = {**_SETTINGS, **more, "application_name": f"threadbridge {os.getpid()} on {socket.gethostname()}"}
    try:
        connection = await asyncpg.connect(
            address.dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            statement_cache_size=512,
            max_cached_statement_lifetime=0,
            server_settings=settings,
        )
        try:
            _tell_types(connection)
            await connection.fetch(_TYPES, timeout=CONNECT_SECONDS)
            if read_only:  # not before: a URL that asks for the server that takes changes would find none
                await connection.execute("SET default_transaction_read_only = on")
        except BaseException:
            connection.terminate()
            raise
    except (asyncpg.PostgresError, *LOST) as error:
        raise translate(error) from error
    return connection


def _tell_types(connection: asyncpg.Connection) -> None:
    """Tell the driver of our array types what it would ask the server, at 20 ms of the server's processor."""
    told = [
        {**_ARRAY, "oid": oid, "name": name, "elemtype": element, "elemtype_name": element_name}
        for oid, name, element, element_name in _ARRAYS
    ]
    with suppress(AttributeError, LookupError):  # a later driver may learn in another way: it asks
        connection._protocol.get_settings().register_data_types(told)  # noqa: SLF001 - there is no public way


async def fetch_sealed(sealer: Sealer, connection: asyncpg.Connection, query: str, values: Sequence[Any]) -> list[Row]:
    """The rows of a query where values are encrypted."""
    plan = plan_of(query)
    if plan is None:
        rows: list[Row] = await connection.fetch(query, *values)
        return rows
    return [plan.open(sealer, row) for row in await connection.fetch(query, *plan.seal(sealer, values))]


class Readers:
    """A few connections to read by, made when they are wanted."""

    def __init__(
        self, address: Address, more: Mapping[str, str] = MappingProxyType({}), *, sealer: Sealer | None = None
    ) -> None:
        """Nothing is connected yet. `more` are settings beside ours, or in their place."""
        self.sealer = sealer
        self._address = address
        self._more = more
        self._idle: list[asyncpg.Connection] = []
        self._room = asyncio.Semaphore(READERS)

    async def fetch(self, query: str, *values: Any) -> list[Row]:  # noqa: ANN401 - the query's own
        """The rows of a query. Raises Unavailable, Broken, StoreError."""
        async with self._room:
            connection = await self._connection()
            try:
                rows: list[Row]
                if self.sealer is None:
                    rows = await connection.fetch(query, *values)
                else:
                    rows = await fetch_sealed(self.sealer, connection, query, values)
            except (asyncpg.PostgresError, *LOST) as error:
                self._keep(connection, lost=is_lost(error))
                raise translate(error) from error
            except BaseException:  # cancelled: the answer is still to come
                connection.terminate()
                raise
            self._keep(connection, lost=False)
            return rows

    async def close(self) -> None:
        """End the connections that nobody uses now."""
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.close(timeout=1.0)
            except LOST:
                connection.terminate()

    async def _connection(self) -> asyncpg.Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await connect(self._address, read_only=True, more=self._more)

    def _keep(self, connection: asyncpg.Connection, *, lost: bool) -> None:
        if lost:
            connection.terminate()
        elif not connection.is_closed():
            self._idle.append(connection)
