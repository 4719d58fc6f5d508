"""Lanes: the rows of each thread worked on one at a time and in order, many threads at once, in bounded memory.

Turns and deliveries both run in lanes. A lane holds a short window of its thread's rows and the knowledge whether
the store holds more; a row that has to be tried again holds up its own lane only.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from bridge.errors import Broken, ClaimLost, StoreError
from bridge.log import kind_of, log
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator, Mapping

    from bridge.clock import Alarm, Clock

WINDOW: Final = 32
"""Rows of one thread in memory."""
LANES: Final = 10_000
"""Threads in memory; the rest waits in the store."""
ROWS: Final = 20_000
"""Rows in memory, about: many threads have shorter windows each."""
_LEAST_WINDOW: Final = 4
PAGE: Final = 500
_PAUSE: Final = SECOND // 2
"""How long a lane waits when the store could not take its result."""
_LONG_PAUSE: Final = 5 * SECOND


class QueuedRow(Protocol):
    """What lanes need to know of a row: InboxRow and OutboxRow of bridge.store.records are such rows."""

    @property
    def id(self) -> int: ...  # noqa: D102 - as the class says
    @property
    def seq(self) -> int: ...  # noqa: D102
    @property
    def thread_id(self) -> int: ...  # noqa: D102
    @property
    def attempt(self) -> int: ...  # noqa: D102
    @property
    def available_at(self) -> int: ...  # noqa: D102


R = TypeVar("R", bound=QueuedRow)


class Source(Protocol[R]):
    """The store of rows that are not in memory, and the work on each row."""

    name: str

    async def heads(self, after_seq: int, limit: int) -> list[R]:
        """The first open row of each thread that has one, by seq, from `after_seq` on."""
        ...

    async def more(self, thread_id: int, seq: int, limit: int) -> list[R]:
        """A thread's open rows after `seq`, in order."""
        ...

    async def work(self, row: R) -> R | None:
        """Do it: None when the row is settled, or the row as it is to be tried again."""
        ...


@dataclass(slots=True, eq=False)
class _Lane(Generic[R]):
    """One thread's rows. A lane is in the line, worked on, waiting for its time, or held; never just lying there."""

    thread_id: int
    rows: deque[R] = field(default_factory=deque)
    last_seq: int = 0
    more: bool = False
    """The store holds rows after `last_seq`; what is offered meanwhile is found there too."""
    missed: bool = False
    """Something was offered while `more` was set."""
    due: bool = False
    """The pause before its head is over, even if the clock was set back since."""


class Lanes(Generic[R]):
    """Works through the rows of one source, `concurrency` threads at a time."""

    def __init__(self, source: Source[R], clock: Clock, *, concurrency: int, capacity: int = LANES) -> None:
        """Nothing runs until `start`."""
        self._source = source
        self._clock = clock
        self._concurrency = concurrency
        self._capacity = capacity
        self._lanes: dict[int, _Lane[R]] = {}
        self._ready: deque[_Lane[R]] = deque()
        self._active: set[asyncio.Task[None]] = set()
        self._aside = 0
        """How many of the active ones do not count, because they take long."""
        self._starting = 0
        self._running = False
        self._stopped = False
        self._beyond = False
        self._filling = False
        self._ended: set[int] = set()
        """Threads that ran dry while heads were read: what was read of them is done already."""
        self._waiting: dict[int, tuple[_Lane[R], Alarm]] = {}
        """By the row at its head, each lane that waits for its time."""
        self._widths: dict[int, int] = {}
        """By row, of each suspect that did not run yet, how many suspects may run side by side while it does."""
        self._held: list[_Lane[R]] = []
        """Lanes of suspects in line for their probation, the least suspected first."""
        self._on_probation: set[_Lane[R]] = set()
        self._idle = asyncio.Event()

    async def start(self, suspects: Mapping[int, int] = MappingProxyType({})) -> None:
        """Take up what the store holds. `suspects`: rows, each with how many of them may run while it does."""
        self._widths = dict(suspects)
        await self._fill()
        self._running = not self._stopped
        self._release()
        self._pump()

    def offer(self, rows: Iterable[R]) -> None:
        """Rows that were just committed, in commit order."""
        for row in rows:
            lane = self._lanes.get(row.thread_id)
            if lane is None:
                self._open(row)
            elif row.seq > lane.last_seq:
                self._append(lane, row)
        self._pump()

    def forget(self, row_ids: Iterable[int]) -> None:
        """Rows that were settled elsewhere while they waited for their time: their threads go on."""
        for row_id in row_ids:
            if row_id in self._waiting:
                lane, alarm = self._waiting.pop(row_id)
                alarm.cancel()
                lane.rows.popleft()
                self._next(lane)
        self._pump()

    def wake(self, row_ids: Iterable[int]) -> int:
        """What these rows wait for has come: each is worked on before its time. Returns how many did wait."""
        woken = 0
        for row_id in row_ids:
            if row_id in self._waiting:
                lane, alarm = self._waiting.pop(row_id)
                alarm.cancel()
                lane.due = True
                self._line_up(lane)
                woken += 1
        self._pump()
        return woken

    def done(self, thread_id: int, seq: int) -> None:
        """The row that a thread is worked on with took along those behind it, up to `seq`: they are settled too."""
        lane = self._lanes[thread_id]
        lane.rows = deque(row for at, row in enumerate(lane.rows) if not at or row.seq > seq)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Around work that takes long: it leaves its place among the `concurrency` to other threads."""
        self._aside += 1
        self._pump()
        try:
            yield
        finally:
            self._aside -= 1

    async def settle(self) -> None:
        """Return when nothing is being worked on or could be; what waits for its time does not count."""
        while self._active or (self._ready and self._running):
            self._idle.clear()
            await self._idle.wait()

    async def stop(self, seconds: float) -> None:
        """Begin nothing new; let what runs finish within `seconds`, then cancel it."""
        self._running, self._stopped = False, True
        if self._active:
            await asyncio.wait(self._active, timeout=seconds)
        for task in self._active:
            task.cancel()
        if self._active:
            await asyncio.wait(self._active, timeout=1)

    def __len__(self) -> int:
        """Threads in memory."""
        return len(self._lanes)

    def _open(self, row: R) -> None:
        """A lane for a thread that has none. When the row is not its thread's head, the head is in the store."""
        if self._beyond or len(self._lanes) >= self._capacity:
            self._beyond = True
            return
        lane = self._lanes[row.thread_id] = _Lane(row.thread_id)
        if row.attempt:
            self._append(lane, row)
        else:
            lane.more = True
        self._ready.append(lane)

    @property
    def _window(self) -> int:
        return min(WINDOW, max(_LEAST_WINDOW, ROWS // max(len(self._lanes), 1)))

    def _append(self, lane: _Lane[R], row: R) -> None:
        if lane.more:
            lane.missed = True
        elif len(lane.rows) >= self._window:
            lane.more = True
        else:
            lane.rows.append(row)
            lane.last_seq = row.seq

    def _pump(self) -> None:
        """As many workers as there are lanes in the line, up to the limit."""
        while (
            self._running and len(self._ready) > self._starting and len(self._active) - self._aside < self._concurrency
        ):
            self._starting += 1
            self._spawn(self._work())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=f"{self._source.name} lanes")
        self._active.add(task)
        task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._active.discard(task)
        self._pump()
        if not self._active:
            self._idle.set()

    async def _work(self) -> None:
        self._starting -= 1
        while self._running and self._ready and len(self._active) - self._aside <= self._concurrency:
            lane = self._ready.popleft()
            try:
                await self._step(lane)
            except Broken:
                return
            except StoreError as error:
                log.warning("store_unavailable", lane=self._source.name, thread=lane.thread_id, reason=str(error))
                self._wait(lane, self._clock.now() + _PAUSE)
            except Exception as error:  # noqa: BLE001 - whatever went wrong here, the row stays and is tried again
                log.error("lane_failed", lane=self._source.name, thread=lane.thread_id, reason=kind_of(error))
                self._wait(lane, self._clock.now() + _LONG_PAUSE)

    async def _step(self, lane: _Lane[R]) -> None:
        """One row of one lane."""
        if not lane.rows:
            await self._refill(lane)
        try:
            if lane.rows and self._may_begin(lane):
                await self._work_on(lane, lane.rows[0])
        finally:
            self._end_probation(lane)
        self._next(lane)

    def _may_begin(self, lane: _Lane[R]) -> bool:
        if self._width(lane) and lane not in self._on_probation:
            return False  # it came out of the store only now
        return lane.due or lane.rows[0].available_at <= self._clock.now()

    async def _work_on(self, lane: _Lane[R], head: R) -> None:
        lane.due = False
        try:
            again = await self._source.work(head)
        except ClaimLost as error:
            log.info("claim_lost", lane=self._source.name, thread=lane.thread_id, reason=str(error))
            again = None
        if again is None:
            lane.rows.popleft()
        else:
            lane.rows[0] = again
        if again is None or again.attempt != head.attempt:
            self._widths.pop(head.id, None)

    async def _refill(self, lane: _Lane[R]) -> None:
        """The next window out of the store; what is offered meanwhile is left for the window after it."""
        lane.more, lane.missed = True, False
        window = self._window
        rows = await self._source.more(lane.thread_id, lane.last_seq, window)
        lane.rows.extend(rows)
        if rows:
            lane.last_seq = rows[-1].seq
        lane.more = lane.missed or len(rows) == window

    def _next(self, lane: _Lane[R]) -> None:
        if lane.rows and lane.rows[0].available_at > self._clock.now():
            self._wait(lane, lane.rows[0].available_at)
        elif lane.rows or lane.more:
            self._line_up(lane)
        else:
            del self._lanes[lane.thread_id]
            if self._filling:
                self._ended.add(lane.thread_id)
            self._fill_up()

    def _wait(self, lane: _Lane[R], until: int) -> None:
        head = lane.rows[0].id if lane.rows else 0

        def due() -> None:
            self._waiting.pop(head, None)
            lane.due = bool(lane.rows) and lane.rows[0].available_at <= until
            self._line_up(lane)
            self._pump()

        alarm = self._clock.call_at(until, due)
        if head:
            self._waiting[head] = (lane, alarm)

    def _fill_up(self) -> None:
        """There may be room for threads that wait in the store."""
        if self._beyond and not self._filling and len(self._lanes) <= self._capacity // 2:
            self._filling = True
            self._spawn(self._fill_again())

    async def _fill_again(self) -> None:
        """Fill, and look once more: what ran dry meanwhile may have left room that nothing else notices."""
        if not self._running:
            return
        try:
            await self._fill()
        except Broken:
            return
        except Exception as error:  # noqa: BLE001 - whatever went wrong here, the threads wait and are looked for again
            log.warning("store_unavailable", lane=self._source.name, reason=kind_of(error))
            self._beyond = True
            self._clock.call_at(self._clock.now() + _PAUSE, lambda: self._spawn(self._fill_again()))
            return
        self._filling = False
        self._fill_up()

    async def _fill(self) -> None:
        """Lanes for the threads that wait in the store, as many as fit."""
        after = 0
        self._beyond = False
        self._ended.clear()
        while (rows := await self._source.heads(after, PAGE)) and not self._stopped:
            for row in rows:
                if row.thread_id not in self._lanes and row.thread_id not in self._ended:
                    if len(self._lanes) >= self._capacity:
                        self._beyond = True
                        return
                    self._take_up(row)
            after = rows[-1].seq
            self._ended.clear()

    def _take_up(self, row: R) -> None:
        lane = self._lanes[row.thread_id] = _Lane(row.thread_id, deque([row]), last_seq=row.seq, more=True)
        self._line_up(lane)

    def _line_up(self, lane: _Lane[R]) -> None:
        if self._width(lane):
            insort(self._held, lane, key=lambda held: (-self._width(held), held.rows[0].seq))
            self._release()
        else:
            self._ready.append(lane)

    def _width(self, lane: _Lane[R]) -> int:
        return self._widths.get(lane.rows[0].id, 0) if self._widths and lane.rows else 0

    def _release(self) -> None:
        """Let suspects begin: a lane that waits for its time meanwhile goes back into the line, and takes no place."""
        while self._running and self._held:
            lane = self._held[0]
            if len(self._on_probation) >= min(map(self._width, (lane, *self._on_probation))):
                return
            del self._held[0]
            self._on_probation.add(lane)
            self._ready.append(lane)

    def _end_probation(self, lane: _Lane[R]) -> None:
        if lane in self._on_probation:
            self._on_probation.remove(lane)
            self._release()
            self._pump()
