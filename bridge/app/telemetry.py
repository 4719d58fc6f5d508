"""What those see who watch a bridge: its metrics, those of its siblings too."""

from __future__ import annotations

import socket
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bridge.telemetry.sources import Source, Sources
from bridge.web.metrics import add_metrics
from bridge.workers.siblings import telling, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from bridge.app.bridge import Bridge
    from bridge.telemetry.alerting import Alerting
    from bridge.telemetry.metrics import Metrics
    from bridge.telemetry.recent import Recent
    from bridge.telemetry.tracing import Traces


class Telemetry:
    """Of one process, over all of its databases."""

    def __init__(self, bridge: Bridge) -> None:
        """Nothing is watched yet."""
        self._bridge = bridge
        self._sources = Sources(
            lambda: [source_of(shard) for shard in bridge.shards], bridge.takes_webhooks, bridge.clock
        )
        self._alerts: Counter[str] = Counter()
        self._made: Metrics | None = None
        self._recent: Recent | None = None
        self._traces = _traces_of(bridge)
        for shard in bridge.shards if self._traces is not None else ():
            shard.spans = self._traces

    @property
    def _metrics(self) -> Metrics:
        if self._made is None:
            from bridge.telemetry.metrics import Metrics  # noqa: PLC0415 - a bridge that nobody scrapes needs no Prometheus

            self._made = Metrics(self._sources, self._alerts, self._bridge.worker)
        return self._made

    def figures(self) -> Recent:
        """The figures of the last day, which are kept from now on."""
        if self._recent is None:
            from bridge.telemetry.recent import Recent  # noqa: PLC0415 - a bridge without a console keeps none

            self._recent = Recent(self._sources)
        return self._recent

    def serve(self, app: web.Application) -> None:
        """Answer GET /metrics."""
        token = self._bridge.config.telemetry.token
        add_metrics(app, self.scraped, self._bridge.peers, None if token is None else token.get_secret_value())

    def alerting(self) -> Alerting | None:
        """The alerts; None where nobody is to be told."""
        config = self._bridge.config
        if not config.alerts.urls:
            return None
        from bridge.telemetry.alerting import Alerting  # noqa: PLC0415 - few bridges tell by themselves

        name = urlsplit(config.server.public_url or "").hostname or socket.gethostname()
        return Alerting(config.alerts, self._sources, name, self._alerts)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """While the bridge runs."""
        async with AsyncExitStack() as stack:
            if self._bridge.worker is not None:
                await stack.enter_async_context(telling(self._metrics.own))
            if self._recent is not None:
                self._recent.start()
                stack.push_async_callback(self._recent.stop)
            if (alerting := self.alerting()) is not None:
                alerting.start()
                stack.push_async_callback(self._stop, alerting)
            yield

    async def close(self) -> None:
        """The bridge has stopped."""
        if self._traces is not None:
            await self._traces.stop()

    async def _stop(self, alerting: Alerting) -> None:
        failed = self._bridge.failed
        await alerting.stop("the store is broken, and the process ends; nothing is acknowledged" if failed else "")

    async def scraped(self, accept: str) -> tuple[bytes, str]:
        """The metrics, and their content type."""
        others: list[str] = []
        if self._bridge.worker is not None:
            others = await told(self._bridge.config.server.local_url.removeprefix("http://"))
        return await self._metrics.scraped(accept, others)


def _traces_of(bridge: Bridge) -> Traces | None:
    collector = bridge.config.telemetry.otlp
    if collector is None:
        return None
    from bridge.telemetry.tracing import traces_to  # noqa: PLC0415 - OpenTelemetry is an extra

    return traces_to(collector, bridge.clock)


def source_of(bridge: Bridge) -> Source:
    """Where the figures of a bridge come from that has started."""
    parts = bridge.parts
    return Source(
        accounts=bridge.config.accounts,
        counters=parts.counters,
        store=parts.store,
        delivery=parts.delivery,
        paused_handlers=lambda: len(parts.dispatcher.paused),
        watchdog=parts.watchdog,
        file=bridge.config.storage.file,
    )
