"""Many processes on one database and a virtual clock: who finds the dead, who takes over, and what the database reads.

The processes judge by bridge.store.watch, as those on PostgreSQL do; the database is a dictionary with the same rules.
"""

from __future__ import annotations

import heapq
import random
import sys
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final

from bridge.bench.measures import quantile
from bridge.store.watch import BEAT, ELDERS, GRACE, SPREAD, Watch, charges_of, delay_of, elders_of, is_dead

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_TRIP: Final = 0.005
"""Seconds that a question to the database takes."""
_CENSUS: Final = 30.0
"""Seconds between two counts of all processes."""
_QUIET: Final = 3.0
"""Seconds before anything happens."""
_RECONNECT: Final = 0.3
"""Seconds until a process has written over a new connection."""


@dataclass(slots=True)
class Database:
    """The rows of processes, their connections, and how much was asked."""

    transactions: dict[int, int] = field(default_factory=dict)
    connected: set[int] = field(default_factory=set)
    away_until: float = 0.0
    rows_read: int = 0
    looks: int = 0
    beats: int = 0
    burials: int = 0
    """Transactions that buried, or found that another one had."""
    takes: int = 0
    """Transactions that looked for what is left behind."""
    buried_at: dict[int, float] = field(default_factory=dict)
    taken_at: dict[int, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Process:
    epoch: int
    is_elder: bool
    census_at: float
    watch: Watch = field(default_factory=Watch)
    asleep_until: float = 0.0
    is_alive: bool = True
    last_count: int = -1


class HandOver:
    """A number of processes that have lived together for a while."""

    def __init__(self, processes: int, *, seed: int = 0) -> None:
        """Each looks at its own time of the second."""
        self.now = 0.0
        self.database = Database()
        self._random = random.Random(seed)
        self._killed: set[int] = set()
        self._elders: frozenset[int] = frozenset()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._processes = {
            epoch: _Process(epoch, epoch <= ELDERS, self._random.uniform(0, _CENSUS))
            for epoch in range(1, processes + 1)
        }
        for process in self._processes.values():
            self.database.transactions[process.epoch] = 0
            self.database.connected.add(process.epoch)
            self._at(self._random.uniform(0, BEAT), self._looker(process))

    @property
    def living(self) -> list[int]:
        """The epochs of the processes that run."""
        return [process.epoch for process in self._processes.values() if process.is_alive]

    def false_deaths(self) -> set[int]:
        """The processes that were buried, and that nobody killed."""
        return self.database.buried_at.keys() - self._killed

    def run(self, seconds: float) -> None:
        """Let the clock go on."""
        until = self.now + seconds
        while self._events and self._events[0][0] <= until:
            self.now, _, happen = heapq.heappop(self._events)
            happen()
        self.now = until

    def kill(self, epochs: Collection[int], *, hosts: bool = False) -> None:
        """Processes end; their connections end with them, unless their `hosts` are gone."""
        self._killed |= {*epochs}
        for epoch in epochs:
            self._processes[epoch].is_alive = False
            if not hosts:
                self.database.connected.discard(epoch)

    def pause(self, epochs: Collection[int], seconds: float) -> None:
        """Processes neither look nor write for a while."""
        for epoch in epochs:
            self._processes[epoch].asleep_until = self.now + seconds

    def cut(self, epochs: Collection[int]) -> None:
        """The connections of processes end, and nothing else."""
        self.database.connected -= {*epochs}

    def away(self, seconds: float) -> None:
        """The database answers nobody for a while, and every connection ends."""
        self.database.away_until = self.now + seconds
        self.database.connected.clear()

    def _at(self, delay: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay, next(self._order), happen))

    def _looker(self, process: _Process) -> Callable[[], None]:
        def look() -> None:
            if not process.is_alive:
                return
            if process.asleep_until > self.now:
                self._at(process.asleep_until - self.now, look)
            elif self.database.away_until > self.now:
                process.watch.forget()
                self._at(BEAT + _TRIP, look)
            else:
                self._look(process)
                self._at(BEAT + _TRIP, look)

        return look

    def _look(self, process: _Process) -> None:
        database = self.database
        if process.epoch not in database.transactions:
            process.is_alive = False  # it finds out that it was taken for dead
            return
        seen = self._seen_by(process)
        database.looks += 1
        database.rows_read += len(seen)
        process.last_count, is_silent = seen[process.epoch], seen[process.epoch] == process.last_count
        if is_silent:
            process.last_count += 1
            self._at(_TRIP if process.epoch in database.connected else _RECONNECT, lambda: self._beat(process))
        process.is_elder = process.epoch in elders_of(seen)
        charges = charges_of(process.epoch, seen)
        silent = process.watch.look({epoch: seen[epoch] for epoch in charges}, self.now)
        dead = [
            epoch
            for epoch, seconds in silent.items()
            if seconds >= GRACE and is_dead(seconds, connected=epoch in database.connected)
        ]
        if dead:
            self._bury({epoch: seen[epoch] for epoch in dead})

    def _beat(self, process: _Process) -> None:
        """A sign of life, over a connection that is made anew where it was lost."""
        database = self.database
        if process.is_alive and process.epoch in database.transactions and database.away_until <= self.now:
            database.beats += 1
            database.connected.add(process.epoch)
            database.transactions[process.epoch] += 1

    def _seen_by(self, process: _Process) -> dict[int, int]:
        rows = self.database.transactions
        if process.is_elder or process.census_at <= self.now:
            process.census_at = self.now + _CENSUS
            return dict(rows)
        self._elders = self._elders or elders_of(rows)
        return {epoch: rows[epoch] for epoch in {*self._elders, process.epoch}}

    def _bury(self, dead: dict[int, int]) -> None:
        self.database.burials += 1
        buried = [epoch for epoch, told in dead.items() if self.database.transactions.get(epoch) == told]
        for epoch in buried:
            del self.database.transactions[epoch]
            self._elders = frozenset()
            self.database.buried_at[epoch] = self.now
        if buried:
            for epoch in self.living:
                delay = delay_of(self._random.random(), len(self.database.transactions))
                if delay < SPREAD and self._processes[epoch].asleep_until <= self.now:
                    self._at(delay, self._take)

    def _take(self) -> None:
        self.database.takes += 1
        for epoch in self.database.buried_at.keys() - self.database.taken_at.keys():
            self.database.taken_at[epoch] = self.now


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of a scenario showed; times are seconds from the death to the take-over."""

    p50: float
    p99: float
    longest: float
    missed: int
    false_deaths: int
    rows_a_second: float
    burials: int
    takes: int


def outcome_of(run: HandOver, dead: Collection[int], died_at: float) -> Outcome:
    """Of `dead`, which died at that time."""
    database = run.database
    took = [database.taken_at[epoch] - died_at for epoch in dead if epoch in database.taken_at]
    return Outcome(
        p50=quantile(took, 0.5),
        p99=quantile(took, 0.99),
        longest=max(took, default=0.0),
        missed=len(dead) - len(took),
        false_deaths=len(run.false_deaths()),
        rows_a_second=database.rows_read / run.now,
        burials=database.burials,
        takes=database.takes,
    )


def after_deaths(
    processes: int, dead: Collection[int], *, hosts: bool = False, seconds: float = 15.0, seed: int = 0
) -> Outcome:
    """Some die after a quiet while."""
    run = HandOver(processes, seed=seed)
    run.run(_QUIET)
    run.kill(dead, hosts=hosts)
    run.run(seconds)
    return outcome_of(run, dead, _QUIET)


def after_absence(processes: int, dead: Collection[int], *, seconds: float = 30.0, seed: int = 0) -> Outcome:
    """The server is away for a while, and some processes die meanwhile."""
    run = HandOver(processes, seed=seed)
    run.run(_QUIET)
    run.away(seconds)
    run.kill(dead)
    run.run(seconds + 15)
    return outcome_of(run, dead, _QUIET + seconds)


def after_cuts(processes: int, *, times: int, seed: int = 0) -> Outcome:
    """All processes lose their connections, again and again."""
    run = HandOver(processes, seed=seed)
    run.run(_QUIET)
    for _ in range(times):
        run.cut(range(1, processes + 1))
        run.run(2.37)
    return outcome_of(run, (), _QUIET)


def after_pauses(processes: int, paused: Collection[int], *, seconds: float, seed: int = 0) -> Outcome:
    """Processes are frozen for a while, shorter than the lease."""
    run = HandOver(processes, seed=seed)
    run.run(_QUIET)
    run.pause(paused, seconds)
    run.run(seconds + 10)
    return outcome_of(run, (), _QUIET)


def table(processes: int = 1000) -> Iterator[str]:
    """The lines of a table of all scenarios."""
    pick = random.Random(1)
    scenarios = {
        "one process is killed": after_deaths(processes, [500]),
        "10 processes are killed": after_deaths(processes, pick.sample(range(1, processes + 1), 10)),
        "100 processes are killed": after_deaths(processes, pick.sample(range(1, processes + 1), 100)),
        "a host with 16 processes is gone": after_deaths(processes, range(200, 216), hosts=True),
        "the host with the first 16 is gone": after_deaths(processes, range(1, 17), hosts=True),
        "the host with the first 100 is gone": after_deaths(processes, range(1, 101), hosts=True, seconds=60.0),
        "100 on many hosts are gone": after_deaths(processes, pick.sample(range(1, processes + 1), 100), hosts=True),
        "the server is away for 30 s, 10 die": after_absence(processes, pick.sample(range(1, processes + 1), 10)),
        "the server is away for 1 s, 10 die": after_absence(
            processes, pick.sample(range(1, processes + 1), 10), seconds=1.0
        ),
        "every connection is cut, 10 times": after_cuts(processes, times=10),
        "all elders are frozen for 8 s": after_pauses(processes, range(1, 33), seconds=8),
    }
    yield "| what happens | p50 s | p99 s | longest s | false deaths | rows read a second | burials | take-overs |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, seen in scenarios.items():
        times = f"{seen.p50:.1f} | {seen.p99:.1f} | {seen.longest:.1f}"
        figures = f"{seen.false_deaths} | {seen.rows_a_second:,.0f} | {seen.burials} | {seen.takes}"
        yield f"| {name} | {times} | {figures} |"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in table())
