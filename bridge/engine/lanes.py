"""Lanes: the rows of each thread worked on one at a time and in order, many threads at once, in bounded memory.

Turns and deliveries both run in lanes. A lane holds a short window of its thread's rows and the knowledge whether
the store holds more; a row that has to be tried again holds up its own lane only.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from bridge.engine.company import Company
from bridge.engine.crew import Crew
from bridge.engine.lane import Lane, QueuedRow
from bridge.engine.shares import Room, RoundRobin, Shares
from bridge.errors import Broken, ClaimLost, StoreError
from bridge.log import kind_of, log
from bridge.store.records import READ_BYTES
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from bridge.clock import Alarm, Clock
    from bridge.engine.lane import Source

WINDOW: Final = 32
"""Rows of one thread in memory."""
LANES: Final = 10_000
"""Threads in memory whose head may be worked on; the rest waits in the store."""
HEADS: Final = 1000
"""Threads that wait for their time with rows in memory; those beyond leave their rows to the store."""
ROWS: Final = 20_000
"""Rows in memory, about: many threads have shorter windows each."""
BYTES: Final = 32 << 20
"""Stored bytes of the rows in memory, about; they take up to ten times as much there."""
_LEAST_WINDOW: Final = 4
PAGE: Final = 500
_PAUSE: Final = SECOND // 2
"""How long a lane waits when the store could not take its result."""
_LONG_PAUSE: Final = 5 * SECOND

R = TypeVar("R", bound=QueuedRow)


class Lanes(Generic[R]):
    """Works through the rows of one source, `concurrency` threads at a time.

    Rows are of `groups`, which share places and memory: a group that hangs or floods leaves room for every other. A
    thread whose head waits for its time takes no place, and no memory from those that can go on.
    """

    def __init__(
        self,
        source: Source[R],
        clock: Clock,
        *,
        concurrency: int,
        capacity: int = LANES,
        groups: Collection[str] = (),
    ) -> None:
        """Nothing runs until `start`."""
        self._source = source
        self._clock = clock
        self._groups = groups
        self._places = Shares(concurrency, len(groups))
        self._room = Room(capacity, len(groups))
        self._lanes: dict[int, Lane[R]] = {}
        self._ready: RoundRobin[Lane[R]] = RoundRobin()
        self._crew: Crew[Lane[R]] = Crew(f"{source.name} lanes", self._work, self._pump)
        self._running = False
        self._stopped = False
        self._beyond: set[str | None] = set()
        """Groups of which threads wait in the store, because there was no room; None: any group may have some."""
        self._filling = False
        self._ended: set[int] = set()
        """Threads that ran dry while heads were read: what was read of them is done already."""
        self._waiting: dict[int, tuple[Lane[R], Alarm]] = {}
        """By the row at its head, each lane that waits for its time."""
        self._company: Company[R] | None = None
        """While there are suspects."""
        self._bytes = 0

    async def start(self, suspects: Mapping[int, int] = MappingProxyType({})) -> None:
        """Take up what the store holds. `suspects`: rows, each with how many of them may run while it does."""
        self._suspect(suspects)
        self._stopped = False
        self._crew.start()
        await self._fill({None, *self._groups})
        self._running = not self._stopped
        self._admit()
        self._pump()

    def look_again(self, suspects: Mapping[int, int], *, everywhere: bool) -> None:
        """There are threads in the store that were not offered; `suspects` are among their heads, as at the start.

        `everywhere`: and rows of threads that are in memory.
        """
        self._suspect(suspects)
        for lane in self._lanes.values() if everywhere else ():
            lane.more = lane.missed = True
        self._beyond.add(None)
        if self._running:
            self._fill_up()

    def offer(self, rows: Iterable[R]) -> None:
        """Rows that were just committed, in commit order."""
        for row in rows:
            lane = self._lanes.get(row.thread_id)
            if lane is None:
                self._open(row)
            elif row.seq > lane.last_seq:
                self._append(lane, row)
        if self._ready:
            self._pump()

    def forget(self, row_ids: Iterable[int]) -> None:
        """Rows that were settled elsewhere while they waited for their time: their threads go on."""
        for lane in self._roused(row_ids):
            if lane.rows:
                del lane.rows[0]
            self._next(lane)
        self._pump()

    def wake(self, row_ids: Iterable[int]) -> int:
        """What these rows wait for has come: each is worked on before its time. Returns how many did wait."""
        woken = 0
        for lane in self._roused(row_ids):
            lane.due = True
            self._line_up(lane)
            woken += 1
        self._pump()
        return woken

    def done(self, thread_id: int, seq: int) -> None:
        """The row that a thread is worked on with took along those behind it, up to `seq`: they are settled too."""
        lane = self._lanes[thread_id]
        lane.rows = [row for at, row in enumerate(lane.rows) if not at or row.seq > seq]

    @contextmanager
    def aside(self, row: R) -> Iterator[None]:
        """Around work that takes long: it leaves its place among the `concurrency` to other threads."""
        group = self._source.group(row)
        self._places.give(group)
        self._pump()
        try:
            yield
        finally:
            self._places.take(group)

    async def settle(self) -> None:
        """Return when nothing is being worked on or could be; what waits for its time does not count."""
        while self._crew.is_busy or (self._ready and self._running):
            await self._crew.settle()

    async def stop(self, seconds: float) -> None:
        """Begin nothing new; let what runs finish within `seconds`, then cancel it."""
        self._running, self._stopped = False, True
        await self._crew.stop(seconds)

    def __len__(self) -> int:
        """Threads in memory."""
        return len(self._lanes)

    def _suspect(self, suspects: Mapping[int, int]) -> None:
        if suspects:
            self._company = self._company or Company()
            self._company.suspect(suspects)

    def _open(self, row: R) -> None:
        """A lane for a thread that has none. When the row is not its thread's head, the head is in the store."""
        group = self._source.group(row)
        if group in self._beyond or not self._room.enter(group):
            self._beyond.add(group)
            return
        if row.attempt and not row.after and self._bytes < BYTES:
            lane = Lane(row.thread_id, group, [row], row.seq, size=row.size)
            self._bytes += row.size
        else:
            lane = Lane(row.thread_id, group, more=True)
        self._lanes[row.thread_id] = lane
        self._line_up(lane)

    @property
    def _window(self) -> int:
        return 1 if self._bytes >= BYTES else min(WINDOW, max(_LEAST_WINDOW, ROWS // max(self._room.ready.total, 1)))

    def _append(self, lane: Lane[R], row: R) -> None:
        if lane.more:
            lane.missed = True
        elif row.after > lane.last_seq:
            lane.more = lane.missed = True  # another process stored what stands between
        elif lane.rows and len(lane.rows) >= self._window:
            lane.more = True
        else:
            lane.rows.append(row)
            lane.last_seq = row.seq
            lane.size += row.size
            self._bytes += row.size

    def _line_up(self, lane: Lane[R]) -> None:
        if self._company is not None and self._company.needs(lane):
            self._company.join(lane)
            self._admit()
        elif self._running and not self._ready and self._places.enter(lane.group):
            self._crew.begin(lane)  # nobody is before it, and there is a place
        else:
            self._ready.add(lane.group, lane)

    def _admit(self) -> None:
        """Let suspects begin."""
        while self._running and self._company is not None and (lane := self._company.next()) is not None:
            self._ready.add(lane.group, lane)

    def _pump(self) -> None:
        """A worker for each lane in the line that may have a place."""
        while (lane := self._taken()) is not None:
            self._crew.begin(lane)

    def _taken(self) -> Lane[R] | None:
        """The next lane, with its place."""
        return self._ready.take(self._places.enter) if self._ready and self._running else None

    async def _work(self, first: Lane[R]) -> None:
        """One row of one lane after the other. Whatever goes wrong with a row, it stays and is tried again."""
        lane: Lane[R] | None = first
        while lane is not None:
            try:
                if not lane.rows:
                    await self._refill(lane)
                try:
                    if self._may_begin(lane):
                        lane.due, head, again = False, lane.rows[0], None
                        try:
                            again = await self._source.work(head)
                        except ClaimLost as error:
                            log.info("claim_lost", lane=self._source.name, thread=lane.thread_id, reason=str(error))
                        self._worked(lane, head, again)
                finally:
                    if self._company is not None:
                        self._leave(lane, self._company)
                self._next(lane)
            except Broken:
                return
            except Exception as error:  # noqa: BLE001 - as it says
                self._failed(lane, error)
            finally:
                self._places.give(lane.group)
            lane = self._taken() or await self._crew.rest()

    def _may_begin(self, lane: Lane[R]) -> bool:
        """Whether its head may be worked on now: what came out of the store may be a suspect, or have to wait."""
        if not lane.rows or (self._company is not None and self._company.needs(lane)):
            return False
        available_at = lane.rows[0].available_at
        return not available_at or lane.due or available_at <= self._clock.now()

    def _worked(self, lane: Lane[R], head: R, again: R | None) -> None:
        """A lane's head was worked on; `again` is the row as it is to be tried again, None: it is settled."""
        if again is None:
            del lane.rows[0]
        else:
            lane.rows[0] = again.as_of(self._clock.now())  # the clock may have been set while that was written down
        if self._company is not None and (again is None or (again.id, again.attempt) != (head.id, head.attempt)):
            self._company.clear(head.id)

    def _leave(self, lane: Lane[R], company: Company[R]) -> None:
        if company.leave(lane):
            self._admit()
            self._pump()

    def _failed(self, lane: Lane[R], error: Exception) -> None:
        if isinstance(error, StoreError):
            log.warning("store_unavailable", lane=self._source.name, thread=lane.thread_id, reason=str(error))
            self._wait(lane, self._clock.now() + _PAUSE)
        else:
            log.error("lane_failed", lane=self._source.name, thread=lane.thread_id, reason=kind_of(error))
            self._wait(lane, self._clock.now() + _LONG_PAUSE)

    async def _refill(self, lane: Lane[R]) -> None:
        """The next window out of the store; what is offered meanwhile is left for the window after it."""
        lane.more, lane.missed = True, False
        window = self._window
        rows = await self._source.more(lane.thread_id, lane.last_seq, window)
        lane.rows.extend(rows)
        if rows:
            lane.last_seq = rows[-1].seq
        self._bytes += lane.weigh()
        lane.more = lane.missed or len(rows) == window or lane.size >= READ_BYTES

    def _next(self, lane: Lane[R]) -> None:
        if lane.rows or lane.more:
            self._go_on(lane)
            return
        del self._lanes[lane.thread_id]
        self._bytes -= lane.size
        self._room.ready.give(lane.group)
        if self._filling:
            self._ended.add(lane.thread_id)
        if self._beyond:
            self._fill_up()

    def _go_on(self, lane: Lane[R]) -> None:
        self._bytes += lane.weigh()
        if lane.rows and lane.rows[0].available_at and lane.rows[0].available_at > self._clock.now():
            self._wait(lane, lane.rows[0].available_at)
        else:
            self._line_up(lane)

    def _wait(self, lane: Lane[R], until: int) -> None:
        head = lane.rows[0].id if lane.rows else 0

        def due() -> None:
            self._waiting.pop(head, None)
            lane.due = bool(lane.rows) and lane.rows[0].available_at <= until
            self._room.rouse(lane.group)
            self._line_up(lane)
            self._pump()

        alarm = self._clock.call_at(until, due)
        if head:
            self._waiting[head] = (lane, alarm)
        self._room.rest(lane.group)
        if lane.rows and self._room.waiting.total > HEADS:
            lane.drop_rows()
            self._bytes += lane.weigh()
        self._fill_up()

    def _roused(self, row_ids: Iterable[int]) -> Iterator[Lane[R]]:
        """Those of the lanes that wait for their time with these rows at their heads, their alarms cancelled."""
        for row_id in row_ids:
            if row_id in self._waiting:
                lane, alarm = self._waiting.pop(row_id)
                alarm.cancel()
                self._room.rouse(lane.group)
                yield lane

    def _fill_up(self) -> None:
        """There may be room for threads that wait in the store."""
        if self._beyond and not self._filling and any(map(self._room.has_half, self._beyond)):
            self._filling = True
            self._crew.run(self._fill_again())

    async def _fill_again(self) -> None:
        """Fill, and look once more: what ran dry meanwhile may have left room that nothing else notices."""
        if not self._running:
            return
        groups = {group for group in self._beyond if self._room.has_half(group)}
        self._beyond -= groups
        try:
            await self._fill(groups)
        except Broken:
            return
        except Exception as error:  # noqa: BLE001 - whatever went wrong here, the threads wait and are looked for again
            log.warning("store_unavailable", lane=self._source.name, reason=kind_of(error))
            self._beyond |= groups
            self._clock.call_at(self._clock.now() + _PAUSE, lambda: self._crew.run(self._fill_again()))
            return
        self._filling = False
        self._fill_up()

    async def _fill(self, groups: set[str | None]) -> None:
        """Lanes for the threads of `groups` that wait in the store, as many as fit."""
        if None in groups and await self._take_up(None):
            return
        for group in sorted(group for group in groups - self._beyond if group is not None):
            await self._take_up(group)

    async def _take_up(self, group: str | None) -> bool:
        """Lanes for the threads of a group, None: of all groups; whether there was room for all."""
        after = 0
        self._ended.clear()
        while (rows := await self._source.heads(after, PAGE, group)) and not self._stopped:
            for row in rows:
                if row.thread_id not in self._lanes and row.thread_id not in self._ended:
                    if not self._room.enter(own := self._source.group(row)):
                        self._beyond |= {group, own}
                        return False
                    lane = self._lanes[row.thread_id] = Lane(row.thread_id, own, [row], row.seq, more=True)
                    if self._bytes >= BYTES and self._company is None:
                        lane.drop_rows()
                    self._bytes += lane.weigh()
                    self._line_up(lane)
            after = rows[-1].seq
            self._ended.clear()
        return True
