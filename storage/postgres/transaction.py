"""One transaction of the writing connection: its numbers, the threads that it locked, and what it leaves in memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from bridge.events import ThreadRef
from bridge.store.following import beside, is_follower
from bridge.store.records import Hold, ThreadRow

from ..rows import LOCKED, PLACE_OF
from ..sealing import plan_of
from .connection import fetch_sealed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import asyncpg

    from ..memory import ThreadMemory
    from ..records import Row
    from ..sealer import Sealer

_NUMBERS: Final = "SELECT nextval('places') FROM generate_series(1, $1::bigint)"
_PLACES: Final = """
SELECT t.id, t.leads_to FROM unnest($1::text[], $2::text[], $3::text[]) j (a, c, v)
JOIN threads t ON t.account = j.a AND t.channel = j.c AND t.conversation = j.v
"""
_LOCK: Final = f"""
SELECT {LOCKED} FROM threads t WHERE t.id = ANY($1::bigint[]) ORDER BY t.id FOR NO KEY UPDATE
"""
"""Always in this order: two transactions that lock the same threads wait for each other, and not in a circle."""
_NAMES: Final = f"SELECT {PLACE_OF} FROM threads WHERE id = ANY($1::bigint[])"

Place = tuple[str, str, str]
"""Account, channel and conversation: what names a thread."""


def place_of(ref: ThreadRef) -> Place:
    """What names a thread."""
    return ref.account, ref.channel, ref.conversation_id


def unnest(*types: str) -> str:
    """The call that makes rows of one array for each column: `columns` gives the arrays."""
    return f"unnest({', '.join(f'${number}::{kind}[]' for number, kind in enumerate(types, 1))})"


def columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Rows by their columns."""
    return [list(column) for column in zip(*rows, strict=True)]


class Transaction:
    """Belongs to the writer."""

    def __init__(
        self, connection: asyncpg.Connection, memory: ThreadMemory, epoch: int, *, works: bool, sealer: Sealer | None
    ) -> None:
        """The transaction of `connection` has begun. With `works` the process takes threads to work in them."""
        self.sealer = sealer
        self.memory = memory
        self.epoch = epoch
        self.works = works
        self.had_company = False
        """Whether any other process has shared the database since ours began."""
        self.holders: dict[int, int | None] = {}
        """Of each locked thread the epoch of who holds it, as it was before."""
        self.own: set[int] = set()
        """The locked threads that are ours."""
        self.threads: dict[int, ThreadRow] = {}
        """The threads that are locked, as this transaction leaves them so far; not all of each is sure to be read."""
        self.followers: Collection[str] = ()
        """The accounts of those who are told of what happens in threads: theirs are locked with these."""
        self._ids: dict[Place, int] = {}
        self._connection = connection
        self._numbers: deque[int] = deque()

    async def fetch(self, query: str, *values: Any) -> list[Row]:  # noqa: ANN401 - the query's own
        """The rows of a query."""
        if self.sealer is not None:
            return await fetch_sealed(self.sealer, self._connection, query, values)
        rows: list[Row] = await self._connection.fetch(query, *values)
        return rows

    async def execute(self, query: str, *values: Any) -> int:  # noqa: ANN401 - the query's own
        """How many rows a statement changed."""
        if self.sealer is not None and (plan := plan_of(query)) is not None:
            values = (*plan.seal(self.sealer, values),)
        status: str = await self._connection.execute(query, *values)
        return int(status.rpartition(" ")[2])

    async def run(self, query: str, *values: Any) -> None:  # noqa: ANN401 - the query's own
        """Run what gives nothing back; without values it may be several statements."""
        await self._connection.execute(query, *values)

    async def each(self, query: str, rows: Collection[Sequence[Any]]) -> None:
        """A statement for each of several rows of values; one that takes arrays costs less, see decision 66."""
        if rows and self.sealer is not None and (plan := plan_of(query)) is not None:
            rows = [plan.seal(self.sealer, row) for row in rows]
        if rows:
            await self._connection.executemany(query, rows)

    async def arrays(self, query: str, rows: Collection[Sequence[Any]], *more: Any) -> list[Row]:  # noqa: ANN401
        """One statement for all `rows` of values, which it takes as arrays, column by column; `more` comes behind."""
        if not rows:
            return []
        plan = None if self.sealer is None else plan_of(query)
        if self.sealer is None or plan is None:
            return await self.fetch(query, *columns(rows), *more)
        sealed = [plan.seal(self.sealer, row) for row in rows]
        found = await self._connection.fetch(query, *columns(sealed), *more)
        return [plan.open(self.sealer, row) for row in found]

    async def numbers(self, count: int) -> list[int]:
        """The next places in the order; drawn while the threads are locked, so in order inside each."""
        if (missing := count - len(self._numbers)) > 0:
            self.stock(row[0] for row in await self.fetch(_NUMBERS, missing))
        return [self._numbers.popleft() for _ in range(count)]

    def stock(self, numbers: Iterable[int]) -> None:
        """Numbers that are drawn already."""
        self._numbers.extend(numbers)

    async def lock(self, thread_ids: Iterable[int], refs: Iterable[ThreadRef] = ()) -> None:
        """Lock threads, by their ids or, where they exist, by their references."""
        wanted = {*thread_ids, *await self._ids_of(refs)}
        while wanted := wanted - self.threads.keys():  # again where one has begun to lead to another meanwhile
            if self.followers:
                wanted |= await self._ids_of(await self._beside(wanted))
            wanted = await self._lock(wanted - self.threads.keys())

    async def _ids_of(self, refs: Iterable[ThreadRef]) -> set[int]:
        """The threads of references, as far as they are there and not locked, and those that they lead to."""
        places: list[Place] = []
        found: set[int] = set()
        for ref in refs:
            if (remembered := self.memory.find(ref)) is not None:
                found |= {remembered.id, remembered.leads_to or remembered.id}
            elif place_of(ref) not in self._ids:
                places.append(place_of(ref))
        for row in await self.arrays(_PLACES, sorted(set(places))):
            found |= {row[0], row[1] or row[0]}
        return found

    async def _beside(self, thread_ids: Collection[int]) -> list[ThreadRef]:
        """Where followers are told of threads: these are locked with them."""
        remembered = {thread_id: self.memory.thread(thread_id) for thread_id in thread_ids}
        refs = [thread.ref for thread in remembered.values() if thread is not None]
        if missing := [thread_id for thread_id, thread in remembered.items() if thread is None]:
            rows = await self.fetch(_NAMES, missing)
            refs += [ThreadRef(account, "", channel, conversation) for _, account, channel, conversation in rows]
        return [beside(account, ref) for ref in refs if not is_follower(ref.account) for account in self.followers]

    async def _lock(self, thread_ids: Collection[int]) -> set[int]:
        """Lock threads; those that they lead to."""
        self._numbers.clear()  # whoever had these threads meanwhile has drawn later ones
        lead_to: set[int] = set()
        for thread_id, holder, *columns in await self.fetch(_LOCK, [*thread_ids]):
            *names, version, note, taken_seq, silenced_seq, at_gateway, contact_id, named, leads_to = columns
            hold = Hold(note=note, taken_seq=taken_seq, silenced_seq=silenced_seq, at_gateway=at_gateway)
            whose = {"contact_id": contact_id, "named": named, "leads_to": leads_to}
            self.see(ThreadRow(id=thread_id, ref=ThreadRef(*names), version=version, hold=hold, **whose))
            self.memory.check(thread_id, version, hold)
            self.hold(thread_id, holder)
            if leads_to is not None:
                lead_to.add(leads_to)
        return lead_to

    def hold(self, thread_id: int, holder: int | None) -> None:
        """Who holds a locked thread."""
        self.holders[thread_id] = holder
        if holder == self.epoch:
            self.own.add(thread_id)

    def see(self, thread: ThreadRow) -> None:
        """A thread of which not all is sure to be read: what it is called, its hold, whose it is."""
        self.threads[thread.id] = thread
        self._ids[place_of(thread.ref)] = thread.id

    def remember(self, thread: ThreadRow) -> None:
        """A thread of which all is known, as this transaction leaves it."""
        self.see(thread)
        self.memory.stage([thread])

    def find(self, ref: ThreadRef) -> ThreadRow | None:
        """A thread that is locked, by its reference."""
        thread_id = self._ids.get(place_of(ref))
        return None if thread_id is None else self.threads[thread_id]
