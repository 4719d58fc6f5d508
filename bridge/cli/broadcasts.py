"""`threadbridge broadcasts`: the broadcasts of a store: their list and reports, and how they are paused and resumed."""

from __future__ import annotations

import asyncio
import csv
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from bridge.cli.broadcast_progress import follow, summary
from bridge.cli.commands import Command, Group
from bridge.cli.composing import composer
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, complain, exits, leave, listing, say, time_of
from bridge.cli.persons import reading
from bridge.cli.threads import OfAccount, no_store_yet
from bridge.config.load import load_config
from bridge.engine.broadcasts.composing import Content

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bridge.config.load import Config
    from bridge.store.broadcasts import Broadcast, Recipient
    from bridge.store.port import StoreReader

broadcasts = typer.Typer(
    cls=Group, no_args_is_help=True, help="List and report on broadcasts, and pause, resume and cancel them."
)
Id = Annotated[str, typer.Argument(metavar="ID", help="An id of `broadcasts list`.")]
_COLUMNS: Final = ("id", "account", "state", "title", "created_at", "reason")
_OUTCOMES: Final = ("number", "to", "channel", "state", "reason", "opted_out", "unanswered")
_PAGE: Final = 1000
_MOVES: Final = {"start": "resumed", "pause": "paused", "cancel": "cancelled"}


@broadcasts.command("list", cls=Command)
def list_(config: ConfigFile = DEFAULT, account: OfAccount = None, as_json: AsJson = False) -> None:
    """List the broadcasts, the newest first.

    Example: `threadbridge broadcasts list --account shop`
    """
    with exits():
        rows = asyncio.run(_listed(load_config(config, accounts=False), account))
        listing(rows, columns=_COLUMNS, as_json=as_json, empty="no broadcasts")


@broadcasts.command(cls=Command)
def report(
    broadcast_id: Id,
    config: ConfigFile = DEFAULT,
    file: Annotated[str | None, typer.Option("--csv", metavar="FILE", help="Write each recipient's outcome.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what became of a broadcast: how many recipients stand where, and why messages did not leave.

    Example: `threadbridge broadcasts report 3f9a1c2e5b --csv outcomes.csv`
    """
    with exits():
        part = asyncio.run(_home(load_config(config, accounts=False), broadcast_id))
        if file is not None:
            _write(file, asyncio.run(_outcomes(part, broadcast_id)))
        told = asyncio.run(summary(part, broadcast_id, reasons=True))
        if as_json:
            typer.echo(json.dumps(told, indent=2))
            return
        for name, value in told.items():
            for line in [f"{count:,} {key}" for key, count in value.items()] if isinstance(value, dict) else [value]:
                say(f"{name:12} {line}")


@broadcasts.command(cls=Command)
def pause(broadcast_id: Id, config: ConfigFile = DEFAULT) -> None:
    """Pause a broadcast: what is on the wire arrives, and nothing more leaves until it is resumed.

    Example: `threadbridge broadcasts pause 3f9a1c2e5b`
    """
    with exits():
        asyncio.run(_move(config, broadcast_id, "pause"))
        say(f"{broadcast_id}: paused")


@broadcasts.command(cls=Command)
def resume(
    broadcast_id: Id,
    config: ConfigFile = DEFAULT,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Show the progress until it is over.")] = True,
    as_json: AsJson = False,
) -> None:
    """Resume a broadcast that was paused, or that paused itself, and show its progress.

    The shares at which it pauses itself are counted anew from here.

    Example: `threadbridge broadcasts resume 3f9a1c2e5b`
    """
    with exits():
        part, runs = asyncio.run(_move(config, broadcast_id, "start"))
        if not as_json:
            say(f"{broadcast_id}: {'resumed' if runs else 'it goes on when the bridge runs'}")
        if wait and runs:
            follow(part, broadcast_id, as_json=as_json)


@broadcasts.command(cls=Command)
def cancel(broadcast_id: Id, config: ConfigFile = DEFAULT) -> None:
    """Cancel a broadcast: what is on the wire arrives, and nothing more ever leaves.

    Example: `threadbridge broadcasts cancel 3f9a1c2e5b`
    """
    with exits():
        asyncio.run(_move(config, broadcast_id, "cancel"))
        say(f"{broadcast_id}: cancelled")


@broadcasts.command(cls=Command)
def watch(broadcast_id: Id, config: ConfigFile = DEFAULT, as_json: AsJson = False) -> None:
    """Show the progress of a broadcast until it is over, and change nothing.

    Example: `threadbridge broadcasts watch 3f9a1c2e5b`
    """
    with exits():
        follow(asyncio.run(_home(load_config(config, accounts=False), broadcast_id)), broadcast_id, as_json=as_json)


def _stores(config: Config) -> Iterator[Config]:
    """The configuration with each of its databases."""
    for url in dict.fromkeys((config.storage.url, *config.storage.shards.values())):
        yield replace(config, storage=config.storage.model_copy(update={"url": url, "shards": {}}))


async def _listed(config: Config, account: str | None) -> list[dict[str, object]]:
    async def read(store: StoreReader) -> list[Broadcast]:
        return await store.broadcasts(account=account, limit=_PAGE)

    found: list[Broadcast] = []
    for part in _stores(config):
        if not no_store_yet(part):
            found += await reading(part, read)
    found.sort(key=lambda each: each.created_at, reverse=True)
    return [
        {
            "id": each.id,
            "account": each.account,
            "state": each.state,
            "title": Content.decode(each.content).title,
            "created_at": time_of(each.created_at),
            "reason": each.reason or None,
        }
        for each in found
    ]


async def _home(config: Config, broadcast_id: str) -> Config:
    """The configuration with the database of a broadcast; ends the command where there is none."""
    for part in _stores(config):
        if not no_store_yet(part) and await reading(part, lambda store: store.broadcast(broadcast_id)) is not None:
            return part
    return _refuse(f"{broadcast_id}: there is no broadcast of that id; `threadbridge broadcasts list` has all")


def _refuse(why: str) -> NoReturn:
    complain(why)
    leave(1)


async def _move(path: Path, broadcast_id: str, verb: str) -> tuple[Config, bool]:
    """Start, pause or cancel; the configuration with its database, and whether a bridge runs there."""
    part = await _home(load_config(path, accounts=False), broadcast_id)
    async with composer(path, part) as (composes, runs):
        acts = {"start": composes.start, "pause": composes.pause, "cancel": composes.cancel}
        if await acts[verb](broadcast_id):
            return part, runs
    state = (await summary(part, broadcast_id))["state"]
    return _refuse(f"{broadcast_id}: it is {state}, so it cannot be {_MOVES[verb]}")


async def _outcomes(config: Config, broadcast_id: str) -> list[tuple[object, ...]]:
    async def read(store: StoreReader) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = []
        after = 0
        while page := await store.recipients(broadcast_id, after=after, limit=_PAGE):
            rows += map(_outcome, page)
            after = page[-1].number
        return rows

    return await reading(config, read)


def _write(file: str, rows: Sequence[tuple[object, ...]]) -> None:
    """The outcomes of recipients, for the user's eyes."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8", newline="") as out:  # noqa: PTH123 - of a descriptor
        csv.writer(out).writerows([_OUTCOMES, *rows])


def _outcome(recipient: Recipient) -> tuple[object, ...]:
    to = recipient.to or recipient.conversation
    return (
        *(recipient.number, to, recipient.channel, recipient.state, recipient.reason),
        *(int(recipient.opted_out), recipient.unanswered),
    )
