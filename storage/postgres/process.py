"""This process among those that share the database: its writing connection, and the row by which the others know it.

The row stands in `processes` under an epoch of its own, and each transaction of the process raises a number there. That
number is three things. It is the sign of life that others watch. It is the fence: a process that was taken for dead
has no row any more, so it changes nothing. And where the answer to a COMMIT was lost, it tells what became of it: the
lock of the session is free only when the connection has ended, and nobody else raises the number.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Final

import asyncpg

from bridge.errors import Broken, StoreError, StoreInUse, Unavailable
from bridge.log import kind_of, log
from bridge.store.watch import LEASE

from . import encryption
from .connection import LOST, connect, translate
from .migrations import check_durability, migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.store.encryption import EncryptionKey

    from ..sealer import Sealer
    from .connection import Address
    from .transaction import Transaction


LOCK: Final = 0x74627267
"""Of sessions, and ours: "tbrg". Processes share it, and a copy has it alone.

With an epoch as the other half of its key it is the lock of one process.
"""
PATIENCE: Final = 3.0
"""Seconds for the connection of a process that was just killed to end."""
_LOOK: Final = 0.1
"""Seconds between two looks whether the lock is free."""
CHANNEL: Final = "threadbridge"
"""Where all processes listen; each listens at a channel with its epoch behind it, too."""
AGAIN: Final = 0.5
"""Seconds between two tries to reach a server that is away."""
_LAST: Final = 5.0
"""Seconds in which a store that closes finds out what became of its last transaction."""
_SHARE: Final = f"SELECT pg_try_advisory_lock_shared({LOCK})"
_OWN: Final = f"SELECT pg_try_advisory_lock({LOCK})"
_HOLDERS: Final = f"""
SELECT a.application_name, coalesce(host(a.client_addr), 'this machine')
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid JOIN pg_database d ON d.oid = l.database
WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()
    AND l.classid = 0 AND l.objid = {LOCK} AND l.objsubid = 1 AND l.pid <> pg_backend_pid()
"""
_TRY: Final = f"SELECT pg_try_advisory_lock({LOCK}, $1)"
_BACKEND: Final = f"""
SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()
    AND l.classid = {LOCK} AND l.objid = $1 AND l.objsubid = 2
"""
_LEAVE: Final = f"SELECT pg_advisory_unlock_shared({LOCK})"
_GIVE_UP: Final = f"SELECT pg_advisory_unlock({LOCK})"
_BEGIN: Final = "INSERT INTO processes (name, keys) VALUES ($1, $2) RETURNING epoch"
_STANDS: Final = "SELECT transactions FROM processes WHERE epoch = $1"
_COUNT: Final = """
UPDATE processes SET transactions = transactions + 1 WHERE epoch = $1
RETURNING transactions, array(SELECT nextval('places') FROM generate_series(1, $2::bigint)),
          EXISTS (SELECT 1 FROM processes WHERE epoch <> $1)
"""
_END: Final = "DELETE FROM processes WHERE epoch = $1"
_DEAD: Final = "the other processes took this one for dead: it did not write for too long"


class Process:
    """The writing connection, and the proof that we are not taken for dead."""

    def __init__(self, address: Address, notified: Callable[[str], None], keys: Sequence[EncryptionKey] = ()) -> None:
        """Nothing is connected yet. `notified` is called with what other processes tell; "" after news may be lost."""
        self.address = address
        self.sealer: Sealer | None = None
        self._keys = keys
        self._notified = notified
        self._connection: asyncpg.Connection | None = None
        self.epoch = 0
        self.counted_at = 0.0
        """When our last sign of life was given, by our own clock."""
        self._transactions = 0
        """How many of ours are begun, and known to be committed but the last."""
        self._again_at = 0.0
        self._closes_at: float | None = None

    async def begin(self) -> None:
        """Join those that share the database, with its schema up to date.

        Raises:
            ConfigError: a key is missing.
            StoreInUse: it is being copied; or its first key is given, and another process has it.
            NewerSchema: a later version, or another application, wrote it.
            Unavailable: it cannot be reached now.
            Broken: its server may lose what is committed.
        """
        connection = await connect(self.address, read_only=False)
        try:
            await take(connection, self.address, _SHARE)
            await check_durability(connection, relaxed=self.address.relaxed)
            await migrate(connection)
            self.sealer = await self._sealer(connection)
            keys = " ".join(key.id for key in self._keys)
            self.epoch = await connection.fetchval(_BEGIN, f"{os.getpid()} on {socket.gethostname()}", keys)
            await connection.fetchval(_TRY, self._key)
            await self._listen(connection)
        except (asyncpg.PostgresError, *LOST) as error:
            connection.terminate()
            raise translate(error) from error
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection
        self.counted_at = asyncio.get_running_loop().time()

    async def _sealer(self, connection: asyncpg.Connection) -> Sealer | None:
        if self._keys and not await encryption.in_use(connection.fetch):
            await connection.fetchval(_LEAVE)
            await own(connection, self.address)
            await encryption.begin(connection, self._keys)
            await connection.fetchval(_GIVE_UP)
            await take(connection, self.address, _SHARE)
        return await encryption.join(connection, self._keys, LOCK)

    @property
    def was_away(self) -> bool:
        """Whether we gave no sign of life for so long that we may be taken for dead."""
        return asyncio.get_running_loop().time() - self.counted_at > LEASE / 2

    async def connection(self) -> asyncpg.Connection:
        """The writing connection; made anew where it was lost. Raises Unavailable, Broken."""
        if self._connection is None or self._connection.is_closed():
            await self._return()
        assert self._connection is not None
        return self._connection

    async def count(self, transaction: Transaction, numbers: int) -> bool:
        """Count a transaction that has begun, and give it so many numbers; whether there are other processes.

        Raises:
            Broken: we were taken for dead.
        """
        rows = await transaction.fetch(_COUNT, self.epoch, numbers)
        if not rows:
            raise Broken(_DEAD)
        self.counted_at = asyncio.get_running_loop().time()
        self._transactions, stock, accompanied = rows[0]
        transaction.stock(stock)
        return bool(accompanied)

    async def is_committed(self) -> bool:
        """What became of our last transaction, whose COMMIT had no answer. Waits for the server.

        Raises:
            Unavailable: the store closes, and the server is away.
            Broken: we were taken for dead.
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
        """Leave the others, without a row that they would watch."""
        connection, self._connection = self._connection, None
        if connection is None or connection.is_closed():
            return
        try:
            await connection.execute(_END, self.epoch)
            await connection.close(timeout=1.0)
        except (asyncpg.PostgresError, *LOST) as error:
            connection.terminate()
            log.warning("database_left_open", reason=kind_of(error))

    @property
    def _key(self) -> int:
        """The half of the lock's key that is ours."""
        return self.epoch & 0x7FFFFFFF

    async def _listen(self, connection: asyncpg.Connection) -> None:
        own = connection.get_server_pid()

        def hear(_: object, pid: int, __: str, told: str) -> None:
            if pid != own:
                self._notified(told)

        for channel in (CHANNEL, f"{CHANNEL}_{self.epoch}"):
            await connection.add_listener(channel, hear)

    async def _return(self) -> None:
        """Connect again, as the process that we were. At most once in AGAIN seconds."""
        now = asyncio.get_running_loop().time()
        if now < self._again_at:
            raise Unavailable("PostgreSQL is away")
        self._again_at = now + AGAIN
        connection = await connect(self.address, read_only=False)
        try:
            await self._retake(connection)
        except (asyncpg.PostgresError, *LOST) as error:
            connection.terminate()
            raise translate(error) from error
        except StoreError:
            connection.terminate()
            raise
        self._connection = connection
        self._again_at = 0.0
        log.info("database_reached_again")
        self._notified("")

    async def _retake(self, connection: asyncpg.Connection) -> None:
        """The lock, and how far we came. Our former connection may still hold it: then it is ended now."""
        taken = await connection.fetchval(_TRY, self._key)
        transactions = await connection.fetchval(_STANDS, self.epoch)
        if transactions is None:
            raise Broken(_DEAD)
        if not await connection.fetchval(_SHARE):
            raise Unavailable("the database is being copied")
        if not taken:
            for (pid,) in await connection.fetch(_BACKEND, self._key):
                await connection.execute("SELECT pg_terminate_backend($1)", pid)
            raise Unavailable("our former connection to PostgreSQL has not ended yet")
        await check_durability(connection, relaxed=self.address.relaxed)
        await self._listen(connection)
        self._transactions = transactions


async def own(connection: asyncpg.Connection, address: Address) -> None:
    """Lock the database against every process, for as long as the connection lives. Raises StoreInUse."""
    await take(connection, address, _OWN)


async def take(connection: asyncpg.Connection, address: Address, query: str) -> None:
    """Lock the database, alone or with others, for as long as the connection lives. Raises StoreInUse."""
    until = asyncio.get_running_loop().time() + PATIENCE
    while not await connection.fetchval(query):
        if asyncio.get_running_loop().time() >= until:
            holders = [f"{name} ({where})" for name, where in await connection.fetch(_HOLDERS)]
            raise StoreInUse(f"{address.name} is in use by {', '.join(holders) or 'another process'}")
        await asyncio.sleep(_LOOK)
