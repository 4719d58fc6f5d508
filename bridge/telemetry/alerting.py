"""Alerts: a look every few seconds, and a notice to each URL when there is something to tell."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bridge.log import kind_of, log
from bridge.telemetry.findings import Findings, Kind
from bridge.telemetry.grouping import Grouping, Notice
from bridge.telemetry.notifying import Outgoing, notifier_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from bridge.config.telemetry import Alerts
    from bridge.telemetry.notifying import Notifier
    from bridge.telemetry.sources import Sources

EVERY: Final = 10.0
"""Seconds between two looks."""
_LAST: Final = 5.0
"""Seconds for the last notice of a process that ends."""


class Alerting:
    """The alerts of one process."""

    def __init__(
        self,
        bounds: Alerts,
        sources: Sources,
        bridge: str,
        counts: Counter[str],
        notifier: Callable[[str], Notifier] = notifier_of,
    ) -> None:
        """Nobody looks yet. `bridge` is the name in each notice; `notifier` makes what tells a URL."""
        self._bridge = bridge
        self._clock = sources.clock
        self._findings = Findings(bounds, sources)
        self._grouping = Grouping(bridge, bounds.period, {Kind.DEAD_LETTERS: bounds.dead_letters})
        self._outgoing = [
            Outgoing(f"alerts.urls[{at}]", notifier(url.get_secret_value()), sources.clock, counts)
            for at, url in enumerate(bounds.urls)
        ]
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="alerts")

    async def stop(self, failure: str = "") -> None:
        """Look no more. `failure` is why the process ends by itself: that is told, whatever was told before."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if failure:
            self._tell(Notice(bridge=self._bridge, at=self._clock.now(), firing=[(Kind.STORE, "", failure)]))
        await asyncio.gather(*(each.stop(_LAST if failure else 0) for each in self._outgoing))

    async def look(self) -> None:
        """Tell what is to be told by now."""
        findings = await self._findings.now()
        if not self._findings.has_duty:
            self._grouping.forget({Kind.GUARD})
        if (notice := self._grouping.due(findings, self._clock.now())) is not None:
            self._tell(notice)

    def _tell(self, notice: Notice) -> None:
        for each in self._outgoing:
            each.put(notice)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - a fault here must not end the alerts, nor disturb traffic
                log.error("alerts_failed", reason=kind_of(error))
            await self._clock.sleep(EVERY)
