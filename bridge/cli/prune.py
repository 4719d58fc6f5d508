"""`threadbridge prune`: what is older than [retention] says is removed now."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.control import Control
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, complain, exits, leave, listing
from bridge.cli.threads import no_store_yet
from bridge.clock import SystemClock
from bridge.config.load import load_config
from bridge.engine.retention import parts
from bridge.store.opening import open_reader, open_store
from bridge.store.retention import Sweep, Swept, sweeps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bridge.config.load import Config
    from bridge.engine.retention import Sweeper
    from bridge.store.port import StoreReader

DryRun = Annotated[bool, typer.Option("--dry-run", help="Count what would be removed, and remove nothing.")]
_TOLD_AT = 10_000
"""Rows between two lines of progress."""


def prune(config: ConfigFile = DEFAULT, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Remove what is older than [retention] says, now.

    A running bridge does so by itself, little by little. This command asks it to go through everything at once.
    Otherwise the command opens the store itself. It can be interrupted, and begins anew.

    Example: `threadbridge prune --dry-run`
    """
    with exits():
        loaded = load_config(config, accounts=False)
        if not loaded.retention.ages:
            complain("[retention] is empty: everything is kept for good")
            leave(1)
        rows = asyncio.run(_prune(loaded, dry_run=dry_run))
        listing(rows, columns=("kind", "rows"), as_json=as_json, empty="nothing is old enough")


async def _prune(config: Config, *, dry_run: bool) -> list[dict[str, Any]]:
    found: dict[Sweep, int] = {}
    for part in config.by_database():
        if no_store_yet(part):
            continue
        for sweep, before in sweeps(config.retention.ages, SystemClock().now()):
            rows = await (_counted if dry_run else _removed)(part, sweep, before)
            found[sweep] = found.get(sweep, 0) + rows
    return [{"kind": str(sweep), "rows": rows} for sweep, rows in found.items()]


async def _counted(config: Config, sweep: Sweep, before: int) -> int:
    reader: StoreReader = await open_reader(config.storage.url)
    try:
        rows, after = 0, 0
        while True:
            swept = await reader.sweepable(sweep, before, after=after)
            rows += swept.rows
            if swept.after is None:
                return rows
            after = swept.after
    finally:
        await reader.close()


async def _removed(config: Config, sweep: Sweep, before: int) -> int:
    rows = told = 0
    async with sweeping(config) as sweeper:
        async for swept in parts(sweeper, sweep, before, SystemClock()):
            rows += swept.rows
            if rows - told >= _TOLD_AT:
                told = rows
                complain(f"{sweep}: {rows:,} rows so far")
    return rows


class Running:
    """A bridge that runs, asked for the housekeeping of its store."""

    def __init__(self, control: Control) -> None:
        """Asks nothing yet."""
        self._control = control

    async def sweep(self, sweep: Sweep, before: int, *, after: int = 0, limit: int = 200) -> Swept:
        """See bridge.store.housekeeping."""
        asked = {"sweep": sweep, "before": before, "after": after, "limit": limit}
        return Swept(**self._control.keep("sweep", asked))


@asynccontextmanager
async def sweeping(config: Config) -> AsyncIterator[Sweeper]:
    """The bridge that runs on a store; without one, the store itself."""
    database = config.storage.file
    if database is not None and (control := Control(database)).listens():
        yield Running(control)
        return
    store = await open_store(config.storage.url)
    try:
        yield store
    finally:
        await store.close()
