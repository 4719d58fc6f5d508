"""The figures of the last day: a sample every ten seconds, in arrays that never grow."""

from __future__ import annotations

import asyncio
from array import array
from itertools import pairwise
from math import ceil, isnan, nan
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.engine.counters import SENT
from bridge.log import kind_of, log
from bridge.planning.plan import Bar
from bridge.store.lifecycle import Outcome
from bridge.store.measures import SECONDS, Histogram, Measured
from bridge.telemetry.sources import expiries
from bridge.units import SECOND
from bridge.web.operator.figures import AccountState, Curves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from bridge.engine.counters import Counters
    from bridge.telemetry.sources import Look, Source, Sources

EVERY: Final = 10.0
"""Seconds between two samples."""
KEPT: Final = 24 * 360
"""Samples of a day."""
PER_SECOND: Final = ("webhooks", "turns", "sent")
PER_MINUTE: Final = ("again", "given_up", "unknown", "held_back", "denied", "invalid", "busy", "quarantined")
GREATEST: Final = (
    "turn_p50",
    "turn_p95",
    "attempt_p95",
    "commit_p95",
    "open_events",
    "open_messages",
    "oldest",
    "dead",
)
"""Of several samples the highest counts; of the others the mean."""
SERIES: Final = (*PER_SECOND, *PER_MINUTE, *GREATEST)
_DENIED: Final = frozenset({401, 403})
_TAKEN: Final = 200
_ERROR: Final = 400
_OURS: Final = 500
_BARS: Final = frozenset(bar.value for bar in Bar)
_MINUTE: Final = 60.0


class _Counted(NamedTuple):
    """What was counted since the process began."""

    counts: Mapping[str, int]
    turns: Histogram
    attempts: Histogram
    commits: Histogram


class Recent:
    """The samples of one process, over all of its databases."""

    def __init__(self, sources: Sources, kept: int = KEPT) -> None:
        """Nothing is sampled until `start`."""
        self._sources = sources
        self._kept = kept
        self._times = array("q", [0]) * kept
        self._values = {name: array("f", [nan]) * kept for name in SERIES}
        self._taken = 0
        """Samples so far: the next one has its place at the remainder."""
        self._before: tuple[int, _Counted] | None = None
        self._task: asyncio.Task[None] | None = None
        self.is_one_of = 1
        self.heard: list[Callable[[], None]] = []
        """Called after each sample."""

    def start(self) -> None:
        """Take a sample every ten seconds from now on."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="figures")

    async def stop(self) -> None:
        """Take no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def sample(self) -> None:
        """Take one now. The first one only begins; so does one after the clock was set back, and forgets the rest."""
        look = await self._sources.look()
        now, counted = self._sources.clock.now(), _counted(self._sources.each)
        self.is_one_of = max(look.processes, 1)
        before, self._before = self._before, (now, counted)
        if before is None:
            return
        seconds = (now - before[0]) / SECOND
        if seconds <= 0:
            self._taken = 0
            return
        self._keep(now // SECOND, {**dict(_since(before[1], counted, seconds)), **_standing(look)})

    def curves(self, seconds: int, most: int) -> Curves:
        """The last so many seconds, in at most so many steps."""
        since = self._sources.clock.now() // SECOND - seconds
        first = max(0, self._taken - self._kept)
        places = [at % self._kept for at in range(first, self._taken)]
        places = [place for place in places if self._times[place] > since]
        step = max(1, ceil(len(places) / most))
        groups = [places[at : at + step] for at in range(0, len(places), step)]
        return Curves(
            every=EVERY * step,
            times=[self._times[group[-1]] for group in groups],
            values={
                name: [_together(name, [values[place] for place in group]) for group in groups]
                for name, values in self._values.items()
            },
        )

    async def accounts(self) -> list[AccountState]:
        """Each account, by name."""
        look = await self._sources.look()
        sources = self._sources.each
        ends = expiries(sources)
        workers = {name: worker for source in sources for name, worker in source.delivery.workers.items()}
        states = []
        for name, account in sorted((name, each) for source in sources for name, each in source.accounts.items()):
            summary, worker = look.summaries.get(name), workers.get(name)
            states.append(
                AccountState(
                    account=name,
                    provider=account.provider.name,
                    last_received=summary.last_received if summary else None,
                    open_events=summary.open_events if summary else 0,
                    open_messages=summary.open_messages if summary else 0,
                    oldest=summary.oldest if summary else None,
                    dead=summary.dead if summary else 0,
                    paused=worker.paused if worker else "",
                    token_ends=ends.get(name),
                )
            )
        return states

    async def _run(self) -> None:
        while True:
            try:
                await self.sample()
            except Exception as error:  # noqa: BLE001 - a fault here must not end the figures, nor disturb traffic
                log.error("figures_failed", reason=kind_of(error))
            await self._sources.clock.sleep(EVERY)

    def _keep(self, at: int, values: Mapping[str, float]) -> None:
        place = self._taken % self._kept
        self._times[place] = at
        for name, series in self._values.items():
            series[place] = values.get(name, nan)
        self._taken += 1
        for tell in self.heard:
            tell()


def _counted(sources: Sequence[Source]) -> _Counted:
    counts = dict.fromkeys((*PER_SECOND, *PER_MINUTE), 0)
    turns, attempts, commits = Histogram(), Histogram(), Histogram()
    for source in sources:
        for name, count in _counts_of(source.counters):
            counts[name] += count
        for total, each in ((turns, source.counters.turn_seconds), (attempts, source.counters.attempt_seconds)):
            for histogram in each.values():
                total.absorb(histogram)
        store: object = source.store
        if isinstance(store, Measured):
            commits.absorb(store.commits.seconds)
    return _Counted(counts, turns, attempts, commits)


def _counts_of(counters: Counters) -> Iterator[tuple[str, int]]:
    for (_, status), count in counters.webhooks.items():
        if status < _ERROR:
            yield "webhooks", count if status == _TAKEN else 0
        else:
            yield "busy" if status >= _OURS else "denied" if status in _DENIED else "invalid", count
    yield "turns", sum(counters.turns.values())
    yield "again", sum(counters.retries.values())
    yield "given_up", sum(counters.dead.values())
    for (_, outcome), count in counters.messages.items():
        if outcome in {SENT, Outcome.RESOLVED.value}:
            yield "sent", count
        elif outcome == Outcome.UNKNOWN.value:
            yield "unknown", count
        elif outcome in _BARS:
            yield "held_back", count
    yield "quarantined", sum(count for (*_, receipt), count in counters.events.items() if receipt == "quarantined")


def _since(before: _Counted, counted: _Counted, seconds: float) -> Iterable[tuple[str, float]]:
    for name, count in counted.counts.items():
        rate = (count - before.counts[name]) / seconds
        yield name, rate if name in PER_SECOND else rate * _MINUTE
    for name, share, earlier, now in (
        ("turn_p50", 0.5, before.turns, counted.turns),
        ("turn_p95", 0.95, before.turns, counted.turns),
        ("attempt_p95", 0.95, before.attempts, counted.attempts),
        ("commit_p95", 0.95, before.commits, counted.commits),
    ):
        yield name, quantile([one - other for one, other in zip(now.counts, earlier.counts, strict=True)], share)


def quantile(counts: Sequence[int], share: float) -> float:
    """The value below which a share of those lies that stand between bounds of seconds; NaN where none is.

    It is a straight line between two bounds. Of what lies beyond the last one no more is known than that.
    """
    wanted, below = share * sum(counts), 0
    if not wanted:
        return nan
    for (low, high), count in zip(pairwise((0.0, *SECONDS)), counts, strict=False):
        if below + count >= wanted:
            return low + (high - low) * (wanted - below) / count
        below += count
    return SECONDS[-1]


def _standing(look: Look) -> dict[str, float]:
    if not look.reached:
        return {}
    summaries = look.summaries.values()
    oldest = [summary.oldest for summary in summaries if summary.oldest is not None]
    return {
        "open_events": sum(summary.open_events for summary in summaries),
        "open_messages": sum(summary.open_messages for summary in summaries),
        "oldest": max(0, look.at - min(oldest)) / SECOND if oldest else 0,
        "dead": sum(summary.dead for summary in summaries),
    }


def _together(name: str, values: Sequence[float]) -> float | None:
    known = [value for value in values if not isnan(value)]
    if not known:
        return None
    value = max(known) if name in GREATEST else sum(known) / len(known)
    return float(f"{value:.4g}")
