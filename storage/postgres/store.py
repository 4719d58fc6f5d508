"""The Store on PostgreSQL: one writing connection with group commit, and a few to read by."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from bridge.errors import Broken, StoreError, Unavailable

from ..memory import ThreadMemory
from ..owner import SLOTS, Owner, indexes_by_kind
from ..records import OPEN
from ..suspects import SuspectsFile
from . import cursors, dead_letters, dialogs, inbox, outbox, steps, timers, turns, unreadable
from .connection import LOST, Readers, address_of, is_lost, translate
from .ownership import Ownership
from .reader import Reader
from .transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from bridge.store.records import ThreadRow

    from ..records import Row
    from ..results import Result
    from ..suspects import Suspects
    from ..writer import Unit
    from .connection import Address

    Bulk = Callable[[Transaction, list[Any]], Awaitable[Sequence[Result | StoreError]]]


def _in_turn(function: Callable[..., Awaitable[Result]]) -> Bulk:
    """Units that are done one after the other: few come together."""

    async def bulk(tx: Transaction, calls: list[Any]) -> Sequence[Result | StoreError]:
        return [await function(tx, *call) for call in calls]

    return bulk


_BULK: Final[dict[str, Bulk]] = {
    "settle delivery": outbox.settle,
    "retry delivery": outbox.retry,
    "claim delivery": outbox.claim,
    "settle turn": turns.settle,
    "retry turn": turns.retry,
    "end dialog": _in_turn(dialogs.end),
    "start step": steps.start,
    "end step": steps.end,
    "commit turn": turns.commit,
    "receive": inbox.receive,
    "advance": cursors.advance,
    "keep secret": cursors.keep_secrets,
    "give up unreadable": _in_turn(unreadable.give_up),
    "fire timers": _in_turn(timers.fire),
    "replay": _in_turn(dead_letters.replay),
    "drop": _in_turn(dead_letters.drop),
}
"""What one transaction does, kind by kind, in this order; units of one kind go through it together."""


class PostgresStore(Owner, Reader):
    """Implements bridge.store.Store; opened by `open_store`."""

    def __init__(self, ownership: Ownership, readers: Readers, suspects: Suspects) -> None:
        """Take over the connections and the suspects."""
        Owner.__init__(self, ThreadMemory(), suspects)
        Reader.__init__(self, readers)
        self._ownership = ownership

    @classmethod
    async def started(cls, ownership: Ownership, readers: Readers, suspects: Suspects) -> PostgresStore:
        """A store that continues where the database ends."""
        for slot, table in SLOTS.items():
            query = f"SELECT id FROM {table} WHERE id = ANY($1::bigint[]) AND {OPEN[table]}"
            suspects.keep(slot, [row[0] for row in await readers.fetch(query, [*suspects.suspects[slot]])])
        store = cls(ownership, readers, suspects)
        store._writer.start()
        return store

    async def thread(self, thread_id: int) -> ThreadRow:
        """A thread as last committed."""
        return self._memory.thread(thread_id) or await super().thread(thread_id)

    async def close(self) -> None:
        """Finish what was accepted, and let go of the database."""
        self._ownership.closes()
        await self._writer.close()
        await self._source.close()
        await self._ownership.end()
        if self._suspects is not None:
            self._suspects.close(clean=not self._writer.failed)

    async def _fetch(self, query: str, *values: Any) -> list[Row]:  # noqa: ANN401 - the query's own
        """A database that cannot be read is as broken as one that cannot be written: the process has to hear of it."""
        try:
            return await super()._fetch(query, *values)
        except Broken as error:
            self._writer.fail(error)
            raise

    async def _transact(self, units: Sequence[Unit]) -> list[Result | StoreError]:
        """All units in one transaction. A COMMIT without an answer is looked up: it is never guessed."""
        connection = await self._ownership.connection()
        tx = Transaction(connection, self._memory)
        try:
            await connection.execute("BEGIN")
            results = await self._execute(tx, units)
        except BaseException as error:
            self._memory.rollback()
            await self._undo(connection, error)
            if isinstance(error, (asyncpg.PostgresError, *LOST)):
                raise translate(error) from error
            raise
        await self._commit(connection)
        self._memory.commit()
        return results

    async def _execute(self, tx: Transaction, units: Sequence[Unit]) -> list[Result | StoreError]:
        results: list[Result | StoreError] = [StoreError("not run")] * len(units)
        await tx.lock({*_threads_of(units)}, (arrival.ref for arrival in _arrivals_of(units) if arrival.ref))
        await self._ownership.count(tx, sum(_numbers_for(unit) for unit in units))
        by_kind = indexes_by_kind(units)
        for kind, bulk in _BULK.items():
            if indexes := by_kind.get(kind):
                done = await bulk(tx, [units[index].payload for index in indexes])
                for index, result in zip(indexes, done, strict=True):
                    results[index] = result
        return results

    async def _commit(self, connection: asyncpg.Connection) -> None:
        try:
            is_committed = await connection.execute("COMMIT") == "COMMIT"
        except (asyncpg.PostgresError, *LOST) as error:
            if is_lost(error) or connection.is_closed():
                try:
                    is_committed = await self._ownership.is_committed()
                except BaseException:
                    self._memory.rollback()
                    raise
            else:
                self._memory.rollback()
                raise translate(error) from error
        if not is_committed:
            self._memory.rollback()
            raise Unavailable("PostgreSQL did not commit")

    async def _undo(self, connection: asyncpg.Connection, error: BaseException) -> None:
        """Leave no transaction open; a connection that cannot promise that is ended."""
        if is_lost(error) or connection.is_closed():
            self._ownership.lose()
            return
        try:
            await connection.execute("ROLLBACK")
        except (asyncpg.PostgresError, *LOST):
            self._ownership.lose()


def _threads_of(units: Sequence[Unit]) -> Iterator[int]:
    """The threads that units name."""
    for unit in units:
        match unit.kind:
            case "commit turn":
                yield unit.payload.thread.id
            case "settle delivery" | "retry delivery" | "settle turn" | "retry turn" | "start step" | "end step":
                yield unit.payload.thread_id
            case "end dialog":
                yield unit.payload[0]
            case "give up unreadable":
                yield from (row.thread_id for row in unit.payload[1])


def _arrivals_of(units: Sequence[Unit]) -> Iterator[Any]:
    for unit in units:
        if unit.kind == "receive":
            yield from unit.payload


def _numbers_for(unit: Unit) -> int:
    """How many numbers a unit takes, mostly."""
    match unit.kind:
        case "receive":
            return len(unit.payload)
        case "commit turn":
            return len(unit.payload.sayings)
    return 0


async def open_store(url: str) -> PostgresStore:
    """The store at postgresql://user@host/database, owned by this process.

    Raises:
        StoreInUse: another process owns it.
        NewerSchema: a later version, or another application, wrote it.
        Unavailable: it cannot be reached now.
        Broken: its server may lose what it commits.
    """
    address = address_of(url)
    ownership, readers = Ownership(address), Readers(address)
    await ownership.begin()
    try:
        suspects = SuspectsFile(_note_of(address))
        try:
            return await PostgresStore.started(ownership, readers, suspects)
        except BaseException:
            suspects.close(clean=False)
            raise
    except BaseException:
        await readers.close()
        await ownership.end()
        raise


def _note_of(address: Address) -> Path:
    """Where this machine notes what is being worked on: see storage.suspects."""
    home = os.environ.get("STATE_DIRECTORY", "").partition(":")[0] or os.environ.get("XDG_STATE_HOME", "")
    folder = Path(home) if home else Path.home() / ".local" / "state"
    folder = folder / "threadbridge"
    with suppress(OSError):  # then the note is kept in memory, and says so
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{hashlib.sha256(address.name.encode()).hexdigest()[:16]}.running"
