"""Group commit: one task owns the writing connection, and all that wait to be written go into its next transaction."""

from __future__ import annotations

import asyncio
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from bridge.errors import Broken, StoreError, Unavailable
from bridge.frozen import dataclass
from bridge.store.measures import Commits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from .results import Result

    Waiting = dict[asyncio.Future[Result], "Unit"]
    """Units in their order, each by what its caller waits for."""


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
        committed: Callable[[Sequence[Result | StoreError]], None],
        broken: Callable[[Exception], None],
    ) -> None:
        """Nothing runs until `start`."""
        self._run = run
        self._committed = committed
        self._broken = broken
        self._queue: Waiting = {}
        """The line: a unit that lapses leaves it, for a cancelled future would hold its caller's frames."""
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
        if self._failure is not None:
            raise Broken(f"the store failed: {self._failure}")
        size = self._bytes + unit.size
        if self._closing or len(self._queue) >= QUEUE or (size > QUEUE_BYTES and self._queue):
            raise Unavailable("the store is closing" if self._closing else "the store cannot keep up")
        future = asyncio.get_running_loop().create_future()
        self._queue[future] = unit
        self._bytes = size
        if self._wake is not None:
            self._rouse(self._wake)
        return future

    async def submit(self, unit: Unit) -> Result:
        """Wait until `unit` is committed and return its result.

        A caller that is cancelled stops waiting. Its unit may still be committed, whole, unless it lapses: then it is
        let go at once, and what refused callers sent takes no memory.
        """
        future = self.put(unit)
        try:
            return await future
        except asyncio.CancelledError:
            if unit.lapses and self._queue.pop(future, None) is not None:
                self._bytes -= unit.size
            raise

    def _rouse(self, wake: asyncio.Future[None]) -> None:
        self._wake = None
        if not wake.done():
            wake.set_result(None)

    async def close(self) -> None:
        """Write what is waiting, then stop."""
        self._closing = True
        if self._wake is not None:
            self._rouse(self._wake)
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

    def _next(self) -> Waiting:
        """The units of the next transaction: nearly always all."""
        queue = self._queue
        if len(queue) <= BATCH:
            self._queue, self._bytes = {}, 0
            return queue
        batch = dict(islice(queue.items(), BATCH))
        for future, unit in batch.items():
            del queue[future]
            self._bytes -= unit.size
        return batch

    async def _transact(self, batch: Waiting) -> None:
        began = perf_counter()
        try:
            results = await self._run([*batch.values()])
        except Broken:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, each unit must learn of it
            self._commits.failed += 1
            for future, unit in batch.items():
                if len(batch) > 1:
                    await self._transact({future: unit})
                elif not future.done():
                    future.set_exception(error)
            return
        self._commits.seconds.add(perf_counter() - began)
        self._commits.units.add(len(batch))
        self._committed(results)
        for future, result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, StoreError):
                future.set_exception(result)
            else:
                future.set_result(result)

    def fail(self, error: Exception, batch: Iterable[asyncio.Future[Result]] = ()) -> None:
        """The store is broken: nothing is written any more, not even `batch`, and `broken` hears of it once."""
        is_first = self._failure is None
        self._failure = self._failure or error
        for future in (*batch, *self._queue):
            if not future.done():
                future.set_exception(Broken(str(error)))
        self._queue.clear()
        self._bytes = 0
        if is_first:
            self._broken(error)
