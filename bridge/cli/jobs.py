"""`threadbridge jobs`: the bot's jobs and their times, and a run of one by hand."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bridge.cli.commands import Command, Group
from bridge.cli.control import Control
from bridge.cli.looking import OfDemo, OfDev, StoreUrl, looked_at
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, complain, exits, leave, listing, say, time_of
from bridge.cli.threads import no_store_yet
from bridge.clock import SystemClock
from bridge.config.load import load_config
from bridge.engine.jobs import Jobs, named, next_of, progress_of
from bridge.routing.loading import load_routers
from bridge.routing.router import combine, rulebook_of
from bridge.store.opening import open_reader, open_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.config.load import Config
    from bridge.routing.rules import JobRule

jobs = typer.Typer(cls=Group, no_args_is_help=True, help="List the bot's jobs with their times, and run one now.")

_COLUMNS: Final = ("name", "times", "missed", "next", "gone_through")


@jobs.command("list", cls=Command)
def list_(
    config: ConfigFile = DEFAULT,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
    as_json: AsJson = False,
) -> None:
    """List the jobs of the handlers: their times, when each is due next, and up to when it was looked at.

    Example: `threadbridge jobs list`
    """
    with exits():
        looked = looked_at(config, store, dev=dev, demo=demo)
        rows = asyncio.run(_rows(looked, _jobs(looked)))
        listing(rows, columns=_COLUMNS, as_json=as_json, empty="no jobs: @router.every and @router.cron make some")


@jobs.command(cls=Command)
def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name from `jobs list`, or the function's alone.")],
    config: ConfigFile = DEFAULT,
) -> None:
    """Run a job now, beside its times.

    A running bridge runs it at once; otherwise it runs at the next start.

    Example: `threadbridge jobs run report`
    """
    with exits():
        loaded = load_config(config)
        known = _jobs(loaded)
        meant = named(known, name)
        if len(meant) != 1:
            several = f"several jobs are named so: {', '.join(meant)}"
            complain(f"{name}: {several if meant else 'there is no such job; `threadbridge jobs list` has all'}")
            leave(1)
        refusal = _asked(loaded, meant[0])
        if refusal:
            complain(f"{name}: {refusal}")
            leave(1)
        if refusal is None:
            asyncio.run(_run(loaded, known, meant[0]))
        say(f"{meant[0]}: {'to run at the next start' if refusal is None else 'runs'}")


def _jobs(config: Config) -> Mapping[str, JobRule]:
    router = combine(load_routers(config.handlers_to_load(), config.folder, file=config.file))
    return rulebook_of(router).jobs()


def _asked(config: Config, name: str) -> str | None:
    """Why the running bridge refused, or "" when it did not; None when no bridge runs."""
    if (database := config.storage.file) is None:
        return None
    try:
        missing = "the running bridge does not know it; start it anew with this code"
        return Control(database).ask("jobs", name, "run", missing=missing) or ""
    except ConnectionRefusedError:
        return None


async def _run(config: Config, known: Mapping[str, JobRule], name: str) -> None:
    store = await open_store(config.storage.url, config.storage.keys)
    try:
        await Jobs(store, known, SystemClock()).run(name, uuid.uuid4().hex)
    finally:
        await store.close()


async def _rows(config: Config, known: Mapping[str, JobRule]) -> list[dict[str, object]]:
    store = None if no_store_yet(config) else await open_reader(config.storage.url, config.storage.keys)
    rows: list[dict[str, object]] = []
    now = SystemClock().now()
    try:
        for job in known.values():
            progress = await progress_of(store, job) if store is not None else None
            due = next_of(job, progress, now)
            rows.append(
                {
                    "name": job.name,
                    "times": job.schedule.text,
                    "missed": job.missed,
                    "next": time_of(due) if due is not None else None,
                    "gone_through": time_of(progress.until) if progress else None,
                }
            )
    finally:
        if store is not None:
            await store.close()
    return rows
