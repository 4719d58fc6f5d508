"""What processes do for each other: give signs of life, find the dead, take over from them, and hear news."""

from __future__ import annotations

import asyncio
import json
import random
from functools import partial
from typing import TYPE_CHECKING, Final

from bridge.errors import Broken, StoreError
from bridge.log import log
from bridge.store.shares import Claim, Shares
from bridge.store.watch import BEAT, ELDERS, GRACE, LEASE, SPREAD, Watch, charges_of, delay_of, elders_of, is_dead

from ..writer import Unit
from .broadcasts import STARTED
from .claims import AT_ONCE, FREE, PAUSED, RESOLVED
from .process import LOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from typing import Any

    from bridge.store.port import Listener
    from bridge.store.shares import Claims

    from ..records import Row
    from ..writer import Writer
    from .claims import Inheritance
    from .connection import Readers
    from .process import Process
    from .running import Running

_POLL: Final = 30.0
"""Seconds between two looks for threads that nobody holds, whether anybody told of some or not."""
PROCESSES: Final = "SELECT epoch, transactions, name, claims FROM processes"
_NEAR: Final = f"""
{PROCESSES} WHERE epoch = ANY(array(SELECT epoch FROM processes ORDER BY epoch LIMIT {ELDERS}) || $1::bigint)
"""
"""The elders and ourselves."""
_CENSUS: Final = 30.0
"""Seconds between two counts of all processes, for one that is no elder."""
_CONNECTED: Final = f"""
SELECT p.epoch FROM processes p JOIN pg_locks l ON l.objid = p.epoch & x'7fffffff'::bigint
JOIN pg_database d ON d.oid = l.database
WHERE p.epoch = ANY($1::bigint[]) AND l.locktype = 'advisory' AND l.granted AND d.datname = current_database()
    AND l.classid = {LOCK} AND l.objsubid = 2
"""
_CUT: Final = f"""
SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()
    AND l.classid = {LOCK} AND l.objsubid = 2 AND l.objid = $1::bigint & x'7fffffff'::bigint
"""
"""The transaction of a frozen process would keep its threads locked."""


class Tending:
    """A task beside the writer; `listener` is who hears of what it finds."""

    def __init__(
        self,
        process: Process,
        readers: Readers,
        writer: Writer,
        running: Running,
        *,
        listener: Callable[[], Listener | None],
    ) -> None:
        """Nothing happens until `start`; no thread is taken until `take_over`."""
        self._process = process
        self._readers = readers
        self._writer = writer
        self._running = running
        self._listener = listener
        self.works = False
        """Whether this process takes threads to work in them."""
        self._watch = Watch()
        self._names: Mapping[int, str] = {}
        self._processes = 1
        self._shares = Shares()
        self._claimed: str | None = None
        """What the others can read of our claims."""
        self._last_count = -1
        self._poll_at = 0.0
        self._is_elder = True
        """Whether this process looks at all others; until it has looked it is taken for one."""
        self._census_at = 0.0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._aside: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Give signs of life from now on."""
        self._task = asyncio.get_running_loop().create_task(self._tend(), name="tending")

    async def close(self) -> None:
        """Leave all threads to the others."""
        for task in [*self._aside, *([self._task] if self._task is not None else [])]:
            task.cancel()
            await asyncio.wait({task})
        self.works = False
        try:
            await self._writer.submit(Unit("release", (self._running.rows,)))
        except StoreError as error:
            log.warning("threads_left_behind", reason=str(error))

    def hear(self, told: str) -> None:
        """What another process tells."""
        word, _, rest = told.partition(" ")
        listener = self._listener()
        if word == FREE:
            self._come(SPREAD)
        elif word == RESOLVED and listener is not None:
            listener.resolved([*map(int, rest.split())])
        elif word == PAUSED and listener is not None:
            listener.paused(*json.loads(rest))
        elif word == STARTED and listener is not None:
            listener.broadcasting()
        elif word:
            self._begin(self._read(word, [*map(int, rest.split())]))
        else:
            self._come(_POLL)
            asyncio.get_running_loop().call_soon(partial(self._inherited, missed=True))

    async def take_over(self) -> None:
        """Take the threads that nobody holds, or the first of them: the task goes on. Raises Unavailable, Broken."""
        if not self.works:
            self.works = True
            self._census_at = 0.0
            await self.look()
        self._poll_at = asyncio.get_running_loop().time() + _POLL
        inheritance: Inheritance = (await self._writer.submit(Unit("take over", ()))).value
        if inheritance.threads:
            log.info("threads_taken_over", count=inheritance.threads)
            self._running.inherit(inheritance)
            self._inherited(missed=False)
        if inheritance.threads == AT_ONCE:
            self._poll_at = 0.0
            self._wake.set()

    def _inherited(self, *, missed: bool) -> None:
        if (listener := self._listener()) is not None:
            listener.inherited(missed=missed)

    def _come(self, within: float) -> None:
        """Look for what is left behind: many processes that hear of it do not come all at once, nor all of them."""
        delay = delay_of(random.SystemRandom().random(), self._processes)
        if delay < within:
            asyncio.get_running_loop().call_later(delay, self._look_soon)

    def _look_soon(self) -> None:
        self._poll_at = 0.0
        self._wake.set()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def _read(self, slot: str, row_ids: list[int]) -> None:
        """Rows that others stored in our threads: they come in the order of our own commits."""
        try:
            await self._writer.submit(Unit("read news", (slot, row_ids)))
        except StoreError:
            self.hear("")

    async def _tend(self) -> None:
        while True:
            try:
                async with asyncio.timeout(BEAT):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self.look()
            except Broken:
                return
            except StoreError as error:
                self._watch.forget()
                log.debug("processes_not_seen", reason=str(error))

    async def look(self) -> None:
        """One round: a sign of life where nothing else gave one, a look at the others, and at what is left behind."""
        now = asyncio.get_running_loop().time()
        rows = await self._others(now)
        counts = {epoch: count for epoch, count, *_ in rows}
        self._names = {epoch: name for epoch, _, name, _ in rows}
        await self._share(rows)
        own = counts.get(self._process.epoch, 0)
        self._last_count, is_silent = own, own == self._last_count
        if is_silent:
            self._last_count += 1  # the next look comes to the same where nothing else is written
            await self._writer.submit(Unit("beat", ()))
        watched = {epoch: counts[epoch] for epoch in charges_of(self._process.epoch, counts)}
        silent = {epoch: for_ for epoch, for_ in self._watch.look(watched, now).items() if for_ >= GRACE}
        if silent:
            await self._judge(silent, counts)
        if self.works and now >= self._poll_at:
            await self.take_over()

    async def _others(self, now: float) -> list[Row]:
        """The processes that this one has to see now; whoever is no elder counts them all now and then."""
        if not self._is_elder and now < self._census_at:
            rows = await self._readers.fetch(_NEAR, self._process.epoch)
        else:
            self._census_at = now + _CENSUS
            rows = await self._readers.fetch(PROCESSES)
            if self.works:
                self._processes = len(rows)
        self._is_elder = self._process.epoch in elders_of([row[0] for row in rows])
        return rows

    async def _share(self, rows: Sequence[Row]) -> None:
        """Divide the accounts' rates: as each can use them, where all processes see each other, else in equal parts."""
        listener = self._listener()
        if listener is None or not self.works:
            return
        if self._processes > ELDERS + 1 or len(rows) != self._processes:
            listener.shared(self._processes, {})
            return
        uses = listener.uses()
        if self._processes == 1:
            self._shares.alone(uses)
        else:
            self._shares.claim(uses, self._claims_of_others(rows))
        listener.shared(self._processes, self._shares.slots)
        await self._write_claims()
        if self._shares.has_more_to_claim:
            self._shares.settle(uses, self._claims_of_others(await self._readers.fetch(PROCESSES)))
            listener.shared(self._processes, self._shares.slots)
            await self._write_claims()

    def _claims_of_others(self, rows: Sequence[Row]) -> list[Claims | None]:
        written = [claims for epoch, *_, claims in rows if epoch != self._process.epoch]
        return [
            None if claims is None else {account: Claim(*claim) for account, claim in json.loads(claims).items()}
            for claims in written
        ]

    async def _write_claims(self) -> None:
        claims = None if self._processes == 1 else json.dumps(self._shares.claims)
        if claims != self._claimed:
            await self._writer.submit(Unit("claim slots", (claims,)))
            self._claimed = claims

    async def _judge(self, silent: Mapping[int, float], counts: Mapping[int, int]) -> None:
        connected = {row[0] for row in await self._readers.fetch(_CONNECTED, [*silent])}
        dead = {}
        for epoch, seconds in silent.items():
            if is_dead(seconds, connected=epoch in connected):
                dead[epoch] = counts[epoch]
            if epoch in connected and seconds >= LEASE:
                await self._readers.fetch(_CUT, epoch)
        if dead:
            buried: list[int] = (await self._writer.submit(Unit("bury", (dead,)))).value
            for epoch in buried:
                log.warning("process_dead", process=self._names[epoch], seconds=round(silent[epoch], 1))
            if buried:
                self._poll_at = 0.0
