"""`threadbridge status`: what waits at each account, and whether the process is ready."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import typer

from bridge.cli.control import Control
from bridge.cli.looking import OfDemo, OfDev, StoreUrl, looked_at
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, exits, listing, say, time_of
from bridge.cli.threads import no_store_yet
from bridge.config.load import read_file
from bridge.errors import Unavailable
from bridge.store.looks import AccountSummary
from bridge.store.opening import open_reader

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bridge.config.load import Config

_COLUMNS = ("account", "last_received", "open_events", "open_messages", "oldest", "dead", "reason")


def status(
    config: ConfigFile = DEFAULT,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
    as_json: AsJson = False,
) -> None:
    """Show what waits at each account, and whether the bridge is ready.

    The first line is about the running process, and each handler that is paused has a line. Of processes that share a
    PostgreSQL database each has a line instead. Then each account has one:
    its last webhook, what waits and since when, its dead letters, and why it is paused. An account without a time has
    none among the latest 5000 events.

    The command takes no lock, needs no secret, and works while the bridge runs.

    Example: `threadbridge status --json`
    """
    with exits():
        read = looked_at(config, store, dev=dev, demo=demo, accounts=False)
        summaries, processes = asyncio.run(_stored(read))
        process = _process(read, processes)
        rows = [_row(summary, process) for summary in _with_configured(None if store or demo else config, summaries)]
        if as_json:
            typer.echo(json.dumps({"process": process, "accounts": rows}, indent=2, default=str))
            return
        for line in _about(process):
            say(line)
        empty = "the store has nothing of any account yet" if store or demo else "no accounts are configured"
        listing(rows, columns=_COLUMNS, as_json=False, empty=empty)


def _row(summary: AccountSummary, process: Mapping[str, Any] | None) -> dict[str, object]:
    paused = (process or {}).get("accounts", {}).get(summary.account)
    return {
        "account": summary.account,
        "last_received": None if summary.last_received is None else time_of(summary.last_received),
        "open_events": summary.open_events,
        "open_messages": summary.open_messages,
        "oldest": None if summary.oldest is None else time_of(summary.oldest),
        "dead": summary.dead,
        "paused": paused is not None,
        "reason": paused,
    }


def _about(process: Mapping[str, Any] | None) -> list[str]:
    """The process in words, and its paused handlers."""
    if process is None:
        return ["no bridge runs"]
    if "processes" in process:
        return [f"process {name}" for name in process["processes"]]
    if "error" in process:
        return [f"a bridge may run: {process['error']}"]
    ready = "ready" if process["ready"] else "not ready: no webhook can be stored, or it is stopping"
    paused = [f"handler {name} is paused: {reason}" for name, reason in process["handlers"].items()]
    return [f"process {process['pid']}: {ready}", *paused]


def _process(config: Config, processes: list[str]) -> dict[str, Any] | None:
    """What the running process tells, or who shares a database; None when none runs."""
    if config.storage.file is None:
        return {"processes": processes} if processes else None
    try:
        return Control(config.storage.file).status()
    except ConnectionRefusedError:
        return None
    except (OSError, Unavailable) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return {"error": reason}


def _with_configured(file: Path | None, summaries: list[AccountSummary]) -> list[AccountSummary]:
    """The accounts of the store, and those of the configuration of which it holds nothing."""
    tables = {} if file is None else read_file(file).get("accounts", {})
    known = {summary.account for summary in summaries}
    quiet = [AccountSummary(account=name) for name in tables if name not in known]
    return sorted([*summaries, *quiet], key=lambda summary: summary.account)


async def _stored(config: Config) -> tuple[list[AccountSummary], list[str]]:
    """What waits at each account, and the processes that share the store."""
    if no_store_yet(config):
        return [], []
    store = await open_reader(config.storage.url, config.storage.keys)
    try:
        return await store.accounts(), await store.processes()
    finally:
        await store.close()
