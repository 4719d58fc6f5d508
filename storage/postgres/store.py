"""The Store on PostgreSQL: one writing connection with group commit, and a few to read by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from bridge.errors import Broken, ClaimLost, StoreError, Unavailable

from .. import records
from ..memory import FORMER_KEYS, ThreadMemory
from ..owner import Owner, indexes_by_kind
from ..writer import Unit
from . import (
    audit,
    broadcasts,
    claims,
    cursors,
    dead_letters,
    dialogs,
    encryption,
    erasure,
    following,
    inbox,
    media,
    merges,
    news,
    outbox,
    retention,
    statements,
    steps,
    threads,
    timers,
    turns,
    unreadable,
    work,
)
from .claims import PAUSED
from .connection import LOST, Readers, address_of, is_contended, is_lost, translate
from .process import LOCK, Process
from .reader import MINE, Reader
from .running import Running
from .standing import Standing
from .tending import Tending
from .transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bridge.statements import Record, Statement
    from bridge.store.encryption import EncryptionKey
    from bridge.store.media import MediaRow
    from bridge.store.migrations import Migration
    from bridge.store.records import InboxRow, OutboxRow, ThreadRow

    from ..records import Row
    from ..results import Result

    Bulk = Callable[[Transaction, list[Any]], Awaitable[Sequence[Result | StoreError]]]

_SAID: Final = 500
"""Characters of a reason that others are told: a notification has room for 8,000 bytes."""
_TRIES: Final = 3
"""Times that a transaction is begun which others got in the way of."""


def _in_turn(function: Callable[..., Awaitable[Result | StoreError]]) -> Bulk:
    """Units that are done one after the other: few come together."""

    async def bulk(tx: Transaction, calls: list[Any]) -> Sequence[Result | StoreError]:
        return [await function(tx, *call) for call in calls]

    return bulk


_BULK: Final[dict[str, Bulk]] = {
    "take over": _in_turn(claims.take_over),  # what the others leave behind is theirs, and not of this transaction
    "settle delivery": outbox.settle,
    "retry delivery": outbox.retry,
    "claim delivery": outbox.claim,
    "settle turn": turns.settle,
    "retry turn": turns.retry,
    "try suspect": turns.try_suspects,
    "end dialog": _in_turn(dialogs.end),
    "start step": steps.start,
    "end step": steps.end,
    "commit turn": turns.commit,
    "receive": inbox.receive,
    "advance": cursors.advance,
    "keep secret": cursors.keep_secrets,
    "renew secret": cursors.renew_secrets,
    "give up unreadable": _in_turn(unreadable.give_up),
    "fire timers": _in_turn(timers.fire),
    "claim media": _in_turn(media.claim),
    "retry fetch": media.retry,
    "settle fetch": media.settle,
    "forget media": _in_turn(media.forget),
    "remove media": media.remove,
    "replay": _in_turn(dead_letters.replay),
    "drop": _in_turn(dead_letters.drop),
    "erase": _in_turn(erasure.erase),
    "erase contact": _in_turn(erasure.erase_contact),
    "leap": _in_turn(timers.leap),
    "sweep": _in_turn(retention.sweep_once),
    "add broadcast": _in_turn(broadcasts.add),
    "add recipients": _in_turn(broadcasts.add_recipients),
    "move broadcast": _in_turn(broadcasts.move),
    "step broadcast": _in_turn(broadcasts.step),
    "audit": audit.note,
    "reseal": _in_turn(lambda tx, limit: encryption.reseal(tx, limit, LOCK)),
    "merge": _in_turn(merges.merge),
    "unmerge": _in_turn(merges.unmerge),
    "read news": _in_turn(news.read),
    "release": _in_turn(claims.release),
    "bury": _in_turn(claims.bury),
    "ask for duty": _in_turn(claims.ask_for_duty),
    "tell": _in_turn(claims.tell),
    "claim slots": _in_turn(claims.claim_slots),
    "beat": _in_turn(claims.beat),
}
"""What one transaction does, kind by kind, in this order; units of one kind go through it together."""


class PostgresStore(Owner, Reader):
    """Implements bridge.store.Store; opened by `open_store`."""

    def __init__(self, process: Process, readers: Readers) -> None:
        """Take over the connections."""
        running = Running()
        Owner.__init__(self, ThreadMemory(), running)
        Reader.__init__(self, readers)
        self._process = process
        self._own_reads = Readers(process.address, statements.READING)
        self._tending = Tending(process, readers, self._writer, running, listener=lambda: self._listener)
        self._standing = Standing(readers, process)
        self._had_company = False

    def begin(self, former: Sequence[Row]) -> None:
        """Write, and look after what the processes have in common. `former` is what FORMER_KEYS found."""
        self._memory.note_former(former)
        self._writer.start()
        self._tending.start()

    def notified(self, told: str) -> None:
        """Another process told something; "" when that may be lost."""
        self._tending.hear(told)

    async def take_over(self) -> None:
        """Take the threads that nobody works in."""
        await self._tending.take_over()

    async def thread(self, thread_id: int) -> ThreadRow:
        """A thread as last committed. A process that was frozen finds out first whether it is taken for dead."""
        if self._process.was_away:
            await self._writer.submit(Unit("beat", ()))
        return self._memory.thread(thread_id) or await super().thread(thread_id)

    async def try_suspect(self, row_id: int) -> None:
        """Note durably that a suspect event is about to run."""
        await self._writer.submit(Unit("try suspect", row_id))

    async def tell_pause(self, account: str, reason: str, seconds: float) -> None:
        """Tell the other processes that an account is paused, or by 0 seconds that it is not any more."""
        if self._had_company:
            await self._writer.submit(Unit("tell", (f"{PAUSED} {json.dumps([account, reason[:_SAID], seconds])}",)))

    async def has_duty(self, name: str) -> bool:
        """Whether this process is the one that has a duty."""
        return bool((await self._writer.submit(Unit("ask for duty", (name,)))).value)

    async def claim_media(self, now: int, limit: int) -> tuple[list[MediaRow], int | None]:
        """Media to be fetched now, which no other living process has."""
        result = await self._writer.submit(Unit("claim media", (now, limit)))
        claimed: tuple[list[MediaRow], int | None] = result.value
        return claimed

    async def claimed(self, thread_id: int) -> ThreadRow:
        """A thread that is ours, as it stands now. Raises ClaimLost, NoThread."""
        version, hold = await self._standing.ask(thread_id)
        thread = self._memory.thread(thread_id)
        if thread is None or (thread.version, thread.hold) != (version, hold):
            thread = await super().thread(thread_id)
        return thread

    async def inbox_after(self, thread_id: int, seq: int, limit: int) -> list[InboxRow]:
        """Open events of a thread that is ours, after `seq` and in order."""
        query = MINE["inbox"].after
        return await self._readable("inbox", records.inbox_row, query, thread_id, seq, limit, self._process.epoch)

    async def outbox_after(self, thread_id: int, seq: int, limit: int) -> list[OutboxRow]:
        """Open messages of a thread that is ours, after `seq` and in order."""
        query = MINE["outbox"].after
        return await self._readable("outbox", records.outbox_row, query, thread_id, seq, limit, self._process.epoch)

    async def inbox_heads(self, after_seq: int, limit: int, account: str | None = None) -> list[InboxRow]:
        """The first open event of each thread that is ours and has one, by seq."""
        query = MINE["inbox"].heads
        return await self._readable("inbox", records.inbox_row, query, after_seq, account, limit, self._process.epoch)

    async def outbox_heads(self, after_seq: int, limit: int, account: str | None = None) -> list[OutboxRow]:
        """The first open message of each thread that is ours and has one, by seq."""
        query = MINE["outbox"].heads
        return await self._readable("outbox", records.outbox_row, query, after_seq, account, limit, self._process.epoch)

    def statement(self, sql: str, parameters: Sequence[Any]) -> Statement:
        """A statement of the author's that changes rows."""
        return statements.change(sql, parameters)

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> list[Record]:
        """The rows of a query of the author's, as last committed."""
        return await statements.fetch(self._own_reads, statements.query(sql, parameters))

    async def migrate(self, migration: Migration, at: int) -> bool:
        """Apply a migration of the author's, and note it; False: another process did."""
        return await statements.migrate(self._process.address, migration, at)

    async def close(self) -> None:
        """Finish what was accepted, leave our threads to the others, and let go of the database."""
        self._process.closes()
        await self._tending.close()
        await self._writer.close()
        await self._source.close()
        await self._own_reads.close()
        await self._process.end()

    async def _fetch(self, query: str, *values: Any) -> list[Row]:  # noqa: ANN401 - the query's own
        """A database that cannot be read is as broken as one that cannot be written: the process has to hear of it."""
        try:
            return await super()._fetch(query, *values)
        except Broken as error:
            self._writer.fail(error)
            raise

    async def _transact(self, units: Sequence[Unit]) -> list[Result | StoreError]:
        """All units in one transaction; what others got in the way of is begun again."""
        for tries in range(_TRIES, 0, -1):
            try:
                return await self._try(units)
            except (asyncpg.PostgresError, *LOST) as error:
                if tries == 1 or not is_contended(error):
                    raise translate(error) from error
        raise AssertionError

    async def _try(self, units: Sequence[Unit]) -> list[Result | StoreError]:
        """All units in one transaction. A COMMIT without an answer is looked up: it is never guessed."""
        connection = await self._process.connection()
        process, works = self._process, self._tending.works
        tx = Transaction(connection, self._memory, process.epoch, works=works, sealer=process.sealer)
        tx.followers = [*self._followers.types] if self._followers is not None else ()
        tx.had_company = self._had_company
        try:
            await connection.execute("BEGIN")
            results = await self._execute(tx, units)
        except BaseException as error:
            self._memory.rollback()
            await self._undo(connection, error)
            raise
        await self._commit(connection)
        self._memory.commit()
        self._had_company = tx.had_company
        return results

    async def _execute(self, tx: Transaction, units: Sequence[Unit]) -> list[Result | StoreError]:
        arrivals = [*work.arrivals_of(units)]
        wanted = {*work.threads_of(units), *await work.threads_to_come(tx, units, arrivals)}
        await tx.lock(wanted, (arrival.ref for arrival in arrivals if arrival.ref))
        tx.had_company |= await self._process.count(tx, sum(work.numbers_for(unit) for unit in units))
        results: list[Result | StoreError] = [
            StoreError("not run")
            if (thread_id := work.fenced(unit)) is None or thread_id in tx.own
            else work.lost(thread_id)
            for unit in units
        ]
        by_kind = indexes_by_kind(units)
        if by_kind.keys() <= {"beat", "claim slots"}:
            await tx.fetch("SET LOCAL synchronous_commit = off")
        for kind, bulk in _BULK.items():
            indexes = [index for index in by_kind.get(kind, ()) if not isinstance(results[index], ClaimLost)]
            if indexes:
                done = await bulk(tx, [units[index].payload for index in indexes])
                for index, result in zip(indexes, done, strict=True):
                    results[index] = result
        if self._followers is not None:
            await following.tell(tx, self._followers, units, results, by_kind)
        good = [result for result in results if not isinstance(result, StoreError)]
        await claims.claim(tx, good)
        await threads.recall(tx, good)
        return results

    async def _commit(self, connection: asyncpg.Connection) -> None:
        try:
            is_committed = await connection.execute("COMMIT") == "COMMIT"
        except (asyncpg.PostgresError, *LOST) as error:
            if is_lost(error) or connection.is_closed():
                try:
                    is_committed = await self._process.is_committed()
                except BaseException:
                    self._memory.rollback()
                    raise
            else:
                self._memory.rollback()
                raise
        if not is_committed:
            self._memory.rollback()
            raise Unavailable("PostgreSQL did not commit")

    async def _undo(self, connection: asyncpg.Connection, error: BaseException) -> None:
        """Leave no transaction open; a connection that cannot promise that is ended."""
        if is_lost(error) or connection.is_closed():
            self._process.lose()
            return
        try:
            await connection.execute("ROLLBACK")
        except (asyncpg.PostgresError, *LOST):
            self._process.lose()


async def open_store(url: str, keys: Sequence[EncryptionKey] = ()) -> PostgresStore:
    """The store at postgresql://user@host/database, for one more process. With `keys` its values are encrypted.

    Raises:
        ConfigError: a key is missing.
        NewerSchema: a later version, or another application, wrote it.
        Unavailable: it cannot be reached now.
        Broken: its server may lose what it commits.
    """
    address = address_of(url)
    store: PostgresStore | None = None

    def notified(told: str) -> None:
        if store is not None:
            store.notified(told)

    process, readers = Process(address, notified, keys), Readers(address)
    await process.begin()
    readers.sealer = process.sealer
    try:
        former = await readers.fetch(FORMER_KEYS)
    except BaseException:
        await readers.close()
        await process.end()
        raise
    store = PostgresStore(process, readers)
    store.begin(former)
    return store
