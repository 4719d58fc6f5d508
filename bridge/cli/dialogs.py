"""`threadbridge dialogs`: those that wait for an answer, and those that a change of code would break."""

from __future__ import annotations

import asyncio
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from bridge.cli.commands import Command, Group
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, complain, exits, leave, listing, say, time_of
from bridge.cli.threads import Limit, OfAccount, no_store_yet
from bridge.config.load import load_config
from bridge.conversation.journal import decode_journal
from bridge.engine.turns.dry_run import PATIENCE, Rehearsals
from bridge.routing.loading import load_routers
from bridge.routing.router import combine
from bridge.store.opening import open_reader
from bridge.units import micros

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from rich.progress import Progress

    from bridge.config.load import Config
    from bridge.conversation.journal import Journal
    from bridge.engine.turns.dry_run import Break
    from bridge.store.port import StoreReader
    from bridge.store.records import ThreadRow

_PAGE: Final = 100
"""Threads read at a time: each brings its dialog's journal, which may be 128 KiB."""

_BROKEN: Final = 1
_PLACE: Final = ("thread", "account", "channel", "conversation", "dialog", "version", "step")
_WAITING: Final = (*_PLACE, "question", "since", "until")
_BREAKS: Final = (*_PLACE, "action", "reason")

dialogs = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="List waiting dialogs, and check them against changed code.",
)

Handlers = Annotated[
    list[str] | None,
    typer.Option("--handlers", metavar="MODULE", help="Handlers to rehearse with, instead of the configured ones."),
]


@dialogs.command("list", cls=Command)
def list_(
    config: ConfigFile = DEFAULT, account: OfAccount = None, limit: Limit = 1000, as_json: AsJson = False
) -> None:
    """List the dialogs that wait: where, at which step and question, since when, and until when they do.

    Reads the store without a lock, also while the bridge runs.

    Example: `threadbridge dialogs list --account shop`
    """
    with exits():
        found = asyncio.run(_waiting(load_config(config, accounts=False), account, limit))
        listing(found, columns=_WAITING, as_json=as_json, empty="no dialog waits")


@dialogs.command(cls=Command)
def check(config: ConfigFile = DEFAULT, handlers: Handlers = None, as_json: AsJson = False) -> None:
    """Rehearse every dialog that waits with the code as it is now, and print a line for each that could not go on.

    A line says where they part, and what would become of the dialog at the next answer: it is begun anew (restart),
    ended (finish) or given to a person (handoff), as its script declares; or that turn would fail (fail), or nobody can
    tell (unknown). Exits with 1 when there is any, else with 0.

    Nothing is said, kept or sent, and no step is taken. Reads the store without a lock, also while the bridge runs; for
    CI name a copy of it in THREADBRIDGE_STORAGE__URL. No account is spoken to, so their secrets need not be there.

    Example: `threadbridge dialogs check --handlers shop --json`
    """
    with exits():
        read = load_config(config, accounts=False)
        with redirect_stdout(sys.stderr):  # what the author's code prints is no part of the list
            number, found = asyncio.run(_rehearsed(read, handlers or read.handlers.load))
        if found or as_json:
            listing(found, columns=_BREAKS, as_json=as_json, empty="")
        if found:
            complain(f"of {_count(number)} {len(found)} could not go on")
            leave(_BROKEN)
        if not as_json:
            say(f"ok: {_count(number)}, and nothing keeps any from going on")


def _count(number: int) -> str:
    return f"{number} dialog that waits" if number == 1 else f"{number} dialogs that wait"


async def _waiting(config: Config, account: str | None, limit: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    if no_store_yet(config):
        return found
    store = await open_reader(config.storage.url)
    try:
        async for thread in _threads(store):
            if account in {None, thread.ref.account}:
                found.append(await _row(store, thread))
            if len(found) == limit:
                break
    finally:
        await store.close()
    return found


async def _rehearsed(config: Config, handlers: Sequence[str]) -> tuple[int, list[dict[str, object]]]:
    """How many dialogs wait, and those that could not go on."""
    router = combine(load_routers(handlers, config.folder, file=config.file))
    number, found = 0, []
    if no_store_yet(config):
        return number, []
    store = await open_reader(config.storage.url)
    rehearsals = Rehearsals(store, router, patience=PATIENCE)
    try:
        with _progress() as progress:
            task = progress.add_task("rehearsed", total=None)
            async for thread in _threads(store):
                number += 1
                if broken := await rehearsals.of(thread):
                    found.append(_break(thread, broken))
                progress.advance(task)
    finally:
        await store.close()
    return number, found


def _progress() -> Progress:
    """How far it is, on a terminal."""
    from rich.progress import Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - no other command shows one

    shown = Console(stderr=True)
    columns = (TextColumn("{task.description} {task.completed:g}"), TimeElapsedColumn())
    return Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal)


async def _threads(store: StoreReader) -> AsyncIterator[ThreadRow]:
    """Those in which a dialog waits, by id."""
    page = await store.dialogs(limit=_PAGE)
    while page:
        for thread in page:
            yield thread
        page = await store.dialogs(after=page[-1].id, limit=_PAGE)


async def _row(store: StoreReader, thread: ThreadRow) -> dict[str, object]:
    journal = _journal(thread)
    asks = journal.entries[-1] if journal is not None and journal.entries else None
    until = await store.due_at(thread.id, journal.waiting) if journal is not None else None
    return {
        **_place(thread, journal),
        "step": len(journal.entries) if journal is not None else None,
        "question": asks.label if asks is not None else None,
        "since": time_of(micros(journal.legs[-1].event.at)) if journal is not None and journal.legs else None,
        "until": time_of(until) if until is not None else None,
    }


def _break(thread: ThreadRow, broken: Break) -> dict[str, object]:
    place = _place(thread, _journal(thread))
    return {**place, "step": broken.step, "action": broken.action, "reason": broken.reason}


def _place(thread: ThreadRow, journal: Journal | None) -> dict[str, object]:
    return {
        "thread": thread.id,
        "account": thread.ref.account,
        "provider": thread.ref.provider,
        "channel": thread.ref.channel,
        "conversation": thread.ref.conversation_id,
        "dialog": journal.name if journal is not None else None,
        "version": journal.version if journal is not None else None,
    }


def _journal(thread: ThreadRow) -> Journal | None:
    """What a dialog did so far; None: a later version wrote it, and this one cannot read it."""
    try:
        return decode_journal(thread.dialog or b"")
    except (ValueError, TypeError, KeyError):
        return None
