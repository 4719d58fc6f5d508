"""Whose database it is: one process writes, over one connection, which holds a lock for as long as it lives.

Each owner has a row in `processes`, under an epoch of its own, and each of its transactions raises a number there. So a
transaction of an owner that was replaced finds no row, and changes nothing. And where the answer to a COMMIT was lost,
the number tells what became of it: nobody else changes it, and the lock is free only when the connection has ended.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import asyncpg

from bridge.errors import Broken, StoreError, StoreInUse, Unavailable
from bridge.log import kind_of, log

from .connection import LOST, connect, translate
from .migrations import check_durability, migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .connection import Address
    from .transaction import Transaction


LOCK: Final = 0x74627267
"""Of the database, and ours: "tbrg"."""
PATIENCE: Final = 3.0
"""Seconds for the connection of a process that was just killed to end."""
_LOOK: Final = 0.1
"""Seconds between two looks whether the lock is free."""
AGAIN: Final = 0.5
"""Seconds between two tries to reach a server that is away."""
_LAST: Final = 5.0
"""Seconds in which a store that closes finds out what became of its last transaction."""
_TRY: Final = f"SELECT pg_try_advisory_lock({LOCK})"
_HOLDER: Final = f"""
SELECT a.pid, a.application_name, coalesce(host(a.client_addr), 'this machine')
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid JOIN pg_database d ON d.oid = l.database
WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()
    AND l.classid = 0 AND l.objid = {LOCK} AND l.objsubid = 1
"""
_BEGIN: Final = "WITH gone AS (DELETE FROM processes) INSERT INTO processes DEFAULT VALUES RETURNING epoch"
_STANDS: Final = "SELECT transactions FROM processes WHERE epoch = $1"
_COUNT: Final = """
UPDATE processes SET transactions = transactions + 1 WHERE epoch = $1
RETURNING transactions, array(SELECT nextval('places') FROM generate_series(1, $2::bigint))
"""
_END: Final = "DELETE FROM processes WHERE epoch = $1"


class Ownership:
    """The writing connection, and the proof that the database is ours."""

    def __init__(self, address: Address) -> None:
        """Nothing is connected yet."""
        self._address = address
        self._connection: asyncpg.Connection | None = None
        self._server_pid = 0
        self._epoch = 0
        self._transactions = 0
        """How many of ours are begun, and known to be committed but the last."""
        self._again_at = 0.0
        self._closes_at: float | None = None

    async def begin(self) -> None:
        """Own the database, with its schema up to date.

        Raises:
            StoreInUse: another process owns it.
            NewerSchema: a later version, or another application, wrote it.
            Unavailable: it cannot be reached now.
            Broken: its server may lose what is committed.
        """
        connection = await connect(self._address, read_only=False)
        try:
            await take(connection, self._address)
            await check_durability(connection, relaxed=self._address.relaxed)
            await migrate(connection)
            self._epoch = await connection.fetchval(_BEGIN)
        except (asyncpg.PostgresError, *LOST) as error:
            connection.terminate()
            raise translate(error) from error
        except BaseException:
            connection.terminate()
            raise
        self._use(connection)

    async def connection(self) -> asyncpg.Connection:
        """The writing connection; made anew where it was lost. Raises Unavailable, Broken."""
        if self._connection is None or self._connection.is_closed():
            await self._return()
        assert self._connection is not None
        return self._connection

    async def count(self, transaction: Transaction, numbers: int) -> None:
        """Count a transaction that has begun, and give it so many numbers. Raises Broken: the database is not ours."""
        rows = await transaction.fetch(_COUNT, self._epoch, numbers)
        if not rows:
            raise Broken("another process took the database over")
        self._transactions = rows[0][0]
        transaction.stock(rows[0][1])

    async def is_committed(self) -> bool:
        """What became of our last transaction, whose COMMIT had no answer. Waits for the server.

        Raises:
            Unavailable: the store closes, and the server is away.
            Broken: the database is not ours any more.
        """
        self.lose()
        last = self._transactions
        while True:
            try:
                await self._return()
            except Unavailable:
                if self._closes_at is not None and asyncio.get_running_loop().time() >= self._closes_at:
                    raise
                await asyncio.sleep(AGAIN)
                continue
            is_committed = self._transactions == last
            log.warning("commit_resolved", outcome="committed" if is_committed else "not committed")
            return is_committed

    def lose(self) -> None:
        """The connection is of no use any more."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def closes(self) -> None:
        """Nothing waits for the server for long any more."""
        self._closes_at = asyncio.get_running_loop().time() + _LAST

    async def end(self) -> None:
        """Let go of the database."""
        connection, self._connection = self._connection, None
        if connection is None or connection.is_closed():
            return
        try:
            await connection.execute(_END, self._epoch)
            await connection.close(timeout=1.0)
        except (asyncpg.PostgresError, *LOST) as error:
            connection.terminate()
            log.warning("database_left_open", reason=kind_of(error))

    def _use(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._server_pid = connection.get_server_pid()

    async def _return(self) -> None:
        """Connect again, as the owner that we were. At most once in AGAIN seconds."""
        now = asyncio.get_running_loop().time()
        if now < self._again_at:
            raise Unavailable("PostgreSQL is away")
        self._again_at = now + AGAIN
        connection = await connect(self._address, read_only=False)
        try:
            await self._retake(connection)
        except (asyncpg.PostgresError, *LOST) as error:
            connection.terminate()
            raise translate(error) from error
        except StoreError:
            connection.terminate()
            raise
        self._use(connection)
        self._again_at = 0.0
        log.info("database_reached_again")

    async def _retake(self, connection: asyncpg.Connection) -> None:
        """The lock, and how far we came. Our former connection may still hold it: then it is ended now."""
        taken = await connection.fetchval(_TRY)
        transactions = await connection.fetchval(_STANDS, self._epoch)
        if transactions is None:
            raise Broken("another process took the database over while PostgreSQL was away")
        if not taken:
            async for pid, _, _ in _holders(connection):
                if pid == self._server_pid:
                    await connection.execute("SELECT pg_terminate_backend($1)", pid)
            raise Unavailable("our former connection to PostgreSQL has not ended yet")
        await check_durability(connection, relaxed=self._address.relaxed)
        self._transactions = transactions


async def take(connection: asyncpg.Connection, address: Address) -> None:
    """Take the lock of the database, for as long as the connection lives. Raises StoreInUse."""
    until = asyncio.get_running_loop().time() + PATIENCE
    while not await connection.fetchval(_TRY):
        if asyncio.get_running_loop().time() >= until:
            holder = [f"{name} ({where})" async for _, name, where in _holders(connection)]
            raise StoreInUse(f"{address.name} is in use by {', '.join(holder) or 'another process'}")
        await asyncio.sleep(_LOOK)


async def _holders(connection: asyncpg.Connection) -> AsyncIterator[tuple[int, str, str]]:
    """Who holds the lock: the server's process, the name and the address of the other side."""
    for pid, name, where in await connection.fetch(_HOLDER):
        yield pid, name, where
