"""`threadbridge prune`: what is older than [retention] says is removed now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.housekeeping import housekeeper
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, complain, exits, leave, listing
from bridge.cli.threads import no_store_yet
from bridge.clock import SystemClock
from bridge.config.load import load_config
from bridge.engine.retention import old_rows, parts
from bridge.store.opening import open_reader
from bridge.store.retention import sweeps

if TYPE_CHECKING:
    from bridge.config.load import Config
    from bridge.store.port import StoreReader
    from bridge.store.retention import Sweep

DryRun = Annotated[bool, typer.Option("--dry-run", help="Count what would be removed, and remove nothing.")]
_TOLD_AT = 10_000
"""Rows between two lines of progress."""


def prune(config: ConfigFile = DEFAULT, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Remove what is older than [retention] says, now.

    A running bridge does so by itself, little by little. This command asks it to go through everything at once.
    Otherwise the command opens the store itself. It can be interrupted, and begins anew.

    A row may count for several kinds: its content goes before it does.

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
    reader: StoreReader = await open_reader(config.storage.url, config.storage.keys)
    try:
        return await old_rows(reader, sweep, before)
    finally:
        await reader.close()


async def _removed(config: Config, sweep: Sweep, before: int) -> int:
    rows = told = 0
    async with housekeeper(config) as sweeper:
        async for swept in parts(sweeper, sweep, before, SystemClock()):
            rows += swept.rows
            if rows - told >= _TOLD_AT:
                told = rows
                complain(f"{sweep}: {rows:,} rows so far")
    return rows
