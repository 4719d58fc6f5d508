"""Group commit: one task owns the writing connection, and all that wait to be written go into its next transaction."""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from bridge.errors import Broken, StoreError, Unavailable
from bridge.frozen import dataclass
from bridge.store.measures import Commits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from .results import Result

    Waiting = tuple["Unit", asyncio.Future[Result]]


BATCH: Final = 256
"""Units in one transaction, at most: a bound on how long the first waits for the last."""
QUEUE: Final = 20_000
"""Units waiting, at most: beyond it the store says it cannot keep up."""
QUEUE_BYTES: Final = 64 << 20
"""Bytes of what waits, at most, as the units count them."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of work: what to do, a word that the store knows, and with what.

    `size` is in bytes, where it may be large. With `lapses` it is of no use to anybody once its caller is cancelled.
    """

    kind: str
    payload: Any
    size: int = 0
    lapses: bool = False


class Writer:
    """Turns units of work into transactions.

    `run` executes a batch in one transaction and returns a result a unit, or an exception in the place of one that
    failed alone. When `run` itself fails, the units are run again one by one, so that a bad one fails alone.
    `committed` is called with the results after each commit, in order, before any submitter is answered.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Unit]], Awaitable[list[Result | StoreError]]],
        committed: Callable[[Sequence[Result]], None],
        broken: Callable[[Exception], None],
    ) -> None:
        """Nothing runs until `start`."""
        self._run = run
        self._committed = committed
        self._broken = broken
        self._queue: deque[list[Waiting]] = deque()
        """Places in the line; one is empty where its unit lapsed: a cancelled future would hold its caller's frames."""
        self._bytes = 0
        """Of what waits in the line."""
        self._wake: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._failure: Exception | None = None
        self._commits = Commits()

    @property
    def commits(self) -> Commits:
        """What was committed so far, and how much waits."""
        self._commits.waiting = len(self._queue)
        return self._commits

    @property
    def failed(self) -> bool:
        """Whether the store is broken."""
        return self._failure is not None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.get_running_loop().create_task(self._write(), name="writer")

    def put(self, unit: Unit) -> asyncio.Future[Result]:
        """The result of `unit`, which comes once that is committed; it may be even when nobody waits any more.

        Raises:
            StoreError: it is not written.
        """
        return self._line_up(unit)[0][1]

    async def submit(self, unit: Unit) -> Result:
        """Wait until `unit` is committed and return its result.

        A caller that is cancelled stops waiting. Its unit may still be committed, whole, unless it lapses: then it is
        let go at once, and what refused callers sent takes no memory.
        """
        place = self._line_up(unit)
        try:
            return await place[0][1]
        except asyncio.CancelledError:
            if unit.lapses and place:
                self._bytes -= unit.size
                place.clear()
            raise

    def _line_up(self, unit: Unit) -> list[Waiting]:
        """Give a unit its place."""
        if self._failure is not None:
            raise Broken(f"the store failed: {self._failure}")
        size = self._bytes + unit.size
        if self._closing or len(self._queue) >= QUEUE or (size > QUEUE_BYTES and self._queue):
            raise Unavailable("the store is closing" if self._closing else "the store cannot keep up")
        place: list[Waiting] = [(unit, asyncio.get_running_loop().create_future())]
        self._queue.append(place)
        self._bytes = size
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        return place

    async def close(self) -> None:
        """Write what is waiting, then stop."""
        self._closing = True
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        if self._task is not None:
            await self._task

    async def _write(self) -> None:
        while self._failure is None:
            if not self._queue:
                if self._closing:
                    return
                self._wake = asyncio.get_running_loop().create_future()
                await self._wake
                continue
            batch = self._next()
            try:
                await self._transact(batch)
            except Exception as error:  # noqa: BLE001 - without its writer the store is broken, whatever the reason
                self.fail(error, batch)

    def _next(self) -> list[Waiting]:
        """The units of the next transaction; those that lapsed are not among them."""
        batch: list[Waiting] = []
        while self._queue and len(batch) < BATCH:
            place = self._queue.popleft()
            if place:
                batch += place
                self._bytes -= place[0][0].size
                place.clear()
        return batch

    async def _transact(self, batch: list[Waiting]) -> None:
        if not batch:
            return
        began = perf_counter()
        try:
            results = await self._run([unit for unit, _ in batch])
        except Broken:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, each unit must learn of it
            self._commits.failed += 1
            if len(batch) > 1:
                for waiting in batch:
                    await self._transact([waiting])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        self._commits.seconds.add(perf_counter() - began)
        self._commits.units.add(len(batch))
        self._committed([result for result in results if not isinstance(result, StoreError)])
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, StoreError):
                future.set_exception(result)
            else:
                future.set_result(result)

    def fail(self, error: Exception, batch: Sequence[Waiting] = ()) -> None:
        """The store is broken: nothing is written any more, not even `batch`, and `broken` hears of it once."""
        is_first = self._failure is None
        self._failure = self._failure or error
        for _, future in (*batch, *(place[0] for place in self._queue if place)):
            if not future.done():
                future.set_exception(Broken(str(error)))
        self._queue.clear()
        self._bytes = 0
        if is_first:
            self._broken(error)
