"""The metrics of a process, read out of the engine's own counters when they are asked for."""

from __future__ import annotations

import platform
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from bridge.engine.counters import (
    ATTEMPT_OUTCOMES,
    GUARDS,
    MEDIA_OUTCOMES,
    MESSAGE_OUTCOMES,
    OTHER,
    SIDES,
    TURN_OUTCOMES,
)
from bridge.store.measures import UNITS, Histogram, Measured
from bridge.telemetry import families as f
from bridge.telemetry.sources import expiries
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bridge.telemetry.families import Family
    from bridge.telemetry.sources import Look, Source, Sources

_TAKEN: Final = "200"
_TOTAL: Final = "_total"
WORKER: Final = "worker"
"""The label of a worker's own figures, where there are several."""


class Metrics:
    """The registry of one process, and of no other."""

    def __init__(self, sources: Sources, alerts: Counter[str], worker: int | None = None) -> None:
        """`worker` is the number of this process, if it is one of several."""
        self._sources = sources
        self._alerts = alerts
        self._worker = worker
        self._registry = CollectorRegistry(auto_describe=False)
        self._process = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._process)
        self._shown = _Shown()
        self._registry.register(self._shown)

    async def own(self) -> str:
        """What this process alone can tell, for a worker that was asked."""
        look = await self._sources.look()
        self._shown.metrics = [*self._of_process(look)]
        return self._encoded("")[0].decode()

    async def scraped(self, accept: str, others: Iterable[str] = ()) -> tuple[bytes, str]:
        """All metrics and their content type; `others` is what other workers tell of themselves."""
        look = await self._sources.look()
        metrics = {metric.name: metric for metric in self._of_process(look)}
        for text in others:
            for metric in text_string_to_metric_families(text):
                metrics.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                metrics[metric.name].samples.extend(metric.samples)
        self._shown.metrics = [*metrics.values(), *_of_store(self._sources.each, look)]
        return self._encoded(accept)

    def _encoded(self, accept: str) -> tuple[bytes, str]:
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def _of_process(self, look: Look) -> Iterator[Metric]:
        own = {} if self._worker is None else {WORKER: str(self._worker)}
        for metric in (*_of_engine(self._sources.each, look), _counter(f.ALERTS, _by_one(self._alerts))):
            yield _labelled(metric, own)
        for metric in self._process.collect():
            yield _labelled(metric, own)


class _Shown(Collector):
    """Hands on what was read last."""

    def __init__(self) -> None:
        self.metrics: Sequence[Metric] = ()

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        return self.metrics


def _labelled(metric: Metric, own: Mapping[str, str]) -> Metric:
    if own:
        metric.samples = [sample._replace(labels={**sample.labels, **own}) for sample in metric.samples]
    return metric


def _of_engine(sources: Sequence[Source], look: Look) -> Iterator[Metric]:
    """What this process counted; an outcome that did not happen yet is there as 0, so that its first time shows."""
    counters = [source.counters for source in sources]
    accounts, senders = [name for source in sources for name in source.accounts], _senders(sources)
    yield _gauge(f.BUILD, {(_version(), platform.python_version()): 1})
    yield _gauge(f.READY, {(): look.ready})
    yield _gauge(f.STORE_REACHED, {(): look.reached})
    webhooks = ({(name, str(status)): count for (name, status), count in each.webhooks.items()} for each in counters)
    yield _counter(f.WEBHOOKS, _added({(name, _TAKEN): 0 for name in accounts}, webhooks, accounts))
    yield _counter(f.EVENTS, _added({}, (each.events for each in counters), accounts))
    for family, values, outcomes, names in (
        (f.TURNS, [each.turns for each in counters], TURN_OUTCOMES, accounts),
        (f.MESSAGES, [each.messages for each in counters], MESSAGE_OUTCOMES, senders),
        (f.ATTEMPTS, [each.attempts for each in counters], ATTEMPT_OUTCOMES, senders),
        (f.RETRIES, [each.retries for each in counters], SIDES, senders),
        (f.GIVEN_UP, [each.dead for each in counters], SIDES, senders),
        (f.MEDIA, [each.media for each in counters], MEDIA_OUTCOMES, accounts),
        (f.GUARD, [each.guard for each in counters], GUARDS, accounts),
    ):
        nothing = {(name, str(outcome)): 0 for name in names for outcome in outcomes}
        yield _counter(family, _added(nothing, values, names))
    yield _histogram(f.TURN_SECONDS, _by_account((each.turn_seconds for each in counters), accounts))
    yield _histogram(f.ATTEMPT_SECONDS, _by_account((each.attempt_seconds for each in counters), senders))
    yield from _of_accounts(sources, look.at)
    yield from _of_machine(sources)


def _senders(sources: Sequence[Source]) -> list[str]:
    """The accounts, and those who are told of events."""
    names = {name: None for source in sources for name in (*source.accounts, *source.delivery.workers)}
    return [*names]


def _of_accounts(sources: Sequence[Source], now: int) -> Iterator[Metric]:
    workers = [worker for source in sources for worker in source.delivery.workers.values()]
    yield _gauge(f.PAUSED, {(worker.account,): bool(worker.paused) for worker in workers})
    yield _gauge(f.HANDLERS_PAUSED, {(): sum(source.paused_handlers() for source in sources)})
    ends = {(worker.account, "obtained"): worker.client.renew_at for worker in workers}
    ends |= {(name, "configured"): at for name, at in expiries(sources).items()}
    yield _gauge(f.TOKEN, {labels: (at - now) / SECOND for labels, at in ends.items() if at is not None})


def _of_machine(sources: Sequence[Source]) -> Iterator[Metric]:
    """The writers of the stores, and the event loop, which has a watchdog of every bridge: one is enough."""
    seconds, units, lag = Histogram(), Histogram(UNITS), Histogram()
    failed = waiting = 0
    for source in sources:
        store: object = source.store
        if isinstance(store, Measured):
            commits = store.commits
            seconds.absorb(commits.seconds)
            units.absorb(commits.units)
            failed, waiting = failed + commits.failed, waiting + commits.waiting
    watchdog = next((source.watchdog for source in sources if source.watchdog is not None), None)
    if watchdog is not None:
        lag.absorb(watchdog.lag)
    yield _histogram(f.COMMIT_SECONDS, {(): seconds})
    yield _histogram(f.COMMIT_UNITS, {(): units})
    yield _counter(f.COMMIT_FAILED, {(): failed})
    yield _gauge(f.STORE_WAITING, {(): waiting})
    yield _histogram(f.LAG, {(): lag})
    yield _counter(f.BLOCKED, {(): watchdog.blocked if watchdog is not None else 0})


def _of_store(sources: Sequence[Source], look: Look) -> Iterator[Metric]:
    """What the stores tell, the same to every process."""
    accounts = _senders(sources)
    yield _gauge(f.PROCESSES, {(): look.processes})
    if look.disk_free is not None:
        yield _gauge(f.DISK, {(): look.disk_free})
    if not look.reached:
        return
    summaries = {name: look.summaries.get(name) for name in accounts}
    yield _gauge(f.DEAD, {(name,): each.dead if each else 0 for name, each in summaries.items()})
    yield _gauge(f.BACKLOG_EVENTS, {(name,): each.open_events if each else 0 for name, each in summaries.items()})
    yield _gauge(f.BACKLOG_MESSAGES, {(name,): each.open_messages if each else 0 for name, each in summaries.items()})
    oldest = {name: each.oldest if each else None for name, each in summaries.items()}
    ages: dict[tuple[str, ...], float] = {
        (name,): 0 if at is None else max(0, look.at - at) / SECOND for name, at in oldest.items()
    }
    yield _gauge(f.BACKLOG_AGE, ages)


def _added(
    nothing: Mapping[tuple[str, str], int],
    counters: Iterable[Mapping[tuple[str, str], int]] | Iterable[Mapping[tuple[str, str, str, str], int]],
    accounts: Sequence[str],
) -> Counter[tuple[str, ...]]:
    """The sum of several; an account that is not configured is another one."""
    added: Counter[tuple[str, ...]] = Counter(nothing)
    for counter in counters:
        for (account, *rest), count in counter.items():
            added[account if account in accounts else OTHER, *rest] += count
    return added


def _by_account(each: Iterable[Mapping[str, Histogram]], accounts: Sequence[str]) -> dict[tuple[str, ...], Histogram]:
    added: dict[tuple[str, ...], Histogram] = {(name,): Histogram() for name in accounts}
    for histograms in each:
        for name, histogram in histograms.items():
            added.setdefault((name if name in accounts else OTHER,), Histogram()).absorb(histogram)
    return added


def _by_one(counts: Mapping[str, int]) -> dict[tuple[str, ...], int]:
    return {(name,): count for name, count in counts.items()}


def _counter(family: Family, values: Mapping[tuple[str, ...], float]) -> Metric:
    metric = Metric(family.name.removesuffix(_TOTAL), family.help, "counter")
    for labels, value in values.items():
        metric.add_sample(family.name, _named(family, labels), value)
    return metric


def _gauge(family: Family, values: Mapping[tuple[str, ...], float]) -> Metric:
    metric = Metric(family.name, family.help, "gauge")
    for labels, value in values.items():
        metric.add_sample(family.name, _named(family, labels), float(value))
    return metric


def _histogram(family: Family, values: Mapping[tuple[str, ...], Histogram]) -> Metric:
    metric = Metric(family.name, family.help, "histogram")
    for labels, histogram in values.items():
        named, count = _named(family, labels), 0
        bounds = (*map(floatToGoString, histogram.bounds), "+Inf")
        for bound, more in zip(bounds, histogram.counts, strict=True):
            count += more
            metric.add_sample(f"{family.name}_bucket", {**named, "le": bound}, count)
        metric.add_sample(f"{family.name}_count", named, count)
        metric.add_sample(f"{family.name}_sum", named, histogram.total)
    return metric


def _named(family: Family, labels: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(family.labels, labels, strict=True))


def _version() -> str:
    try:
        return version("threadbridge")
    except PackageNotFoundError:
        return "unknown"
