"""The benchmarks by name, and a run of several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import uvloop

from bridge.bench.growth import growth
from bridge.bench.growth_postgres import growth_postgres
from bridge.bench.ingest import ingest
from bridge.bench.memory import memory
from bridge.bench.processes import cores
from bridge.bench.replies import e2e, events, latency, peers
from bridge.bench.scale import scale
from bridge.bench.shares import stages
from bridge.bench.startup import startup
from bridge.bench.sweeping import retention

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from bridge.bench.report import Report
    from bridge.bench.slices import Settings

BENCHMARKS: Final[dict[str, Callable[[Settings], Coroutine[Any, Any, Report]]]] = {
    "ingest": ingest,
    "e2e": e2e,
    "latency": latency,
    "stages": stages,
    "growth": growth,
    "growth-postgres": growth_postgres,
    "memory": memory,
    "startup": startup,
    "scale": scale,
    "events": events,
    "retention": retention,
    "peers": peers,
}
ASKED_FOR: Final = frozenset({"growth", "growth-postgres", "scale", "events", "retention", "peers"})
"""Benchmarks that run only when they are named."""


def benchmark(names: Sequence[str], settings: Settings) -> list[Report]:
    """The reports of the named benchmarks, or of all that need no asking.

    Raises:
        BenchError: one cannot be run here.
    """
    wanted = names or [name for name in BENCHMARKS if name not in ASKED_FOR]
    server_core, load_core = cores()
    reports = [uvloop.run(BENCHMARKS[name](settings)) for name in wanted]
    if server_core == load_core:
        for report in reports:
            report.notes.append("this machine has one core: the load takes time from the server it measures")
    return reports
