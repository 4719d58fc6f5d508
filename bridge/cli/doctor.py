"""`threadbridge doctor`: everything that `check` sees, and a live look at the store, the world and the gateways."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bridge.cli.check import examined
from bridge.cli.doctor_network import of_network
from bridge.cli.doctor_store import of_store
from bridge.cli.findings import Finding, fine
from bridge.cli.looking import OfDemo, OfDev, StoreUrl, looked_at
from bridge.cli.output import CONFIGURATION, DEFAULT, AsJson, ConfigFile, bot_at_work, exits, leave, listing
from bridge.clock import SystemClock

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.config.load import Config

_COLUMNS = ("level", "subject", "about", "do")


def doctor(
    config: ConfigFile = DEFAULT,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
    as_json: AsJson = False,
) -> None:
    """Examine a bridge: what `check` sees, and a live look at store, disk, clock, certificate and gateways.

    Prints one line for each finding: "ok", "warning", "problem" or "not asked", how it stands, and what to do.
    A gateway is asked only where its documentation has a request that changes nothing. New fields in webhooks are
    found by the names of their keys. With a problem the exit code is 78, else 0.

    The command takes no lock, and works while the bridge runs.

    Example: `threadbridge doctor --json`
    """
    with exits():
        findings = [] if store or demo else _configuration(config)
        if all(finding.level != "problem" for finding in findings):
            findings += asyncio.run(_live(looked_at(config, store, dev=dev, demo=demo)))
        rows = [{name: getattr(finding, name) for name in _COLUMNS} for finding in findings]
        listing(rows, columns=_COLUMNS, as_json=as_json, empty="")
        if any(finding.level == "problem" for finding in findings):
            leave(CONFIGURATION)


def _configuration(config: Path) -> list[Finding]:
    with bot_at_work():
        problems, ok = examined(config)
    findings = [
        Finding(level="warning" if problem.warning else "problem", subject="configuration", about=str(problem))
        for problem in problems
    ]
    return findings or [fine("configuration", ok.removeprefix("ok: "))]


async def _live(config: Config) -> list[Finding]:
    clock = SystemClock()
    findings = [finding for part in config.by_database() for finding in await of_store(part, clock.now())]
    return [*findings, *await of_network(config, clock)]
