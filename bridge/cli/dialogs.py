"""`threadbridge dialogs`: waiting dialogs, and dialogs that changed code would break."""

from __future__ import annotations

import asyncio
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bridge.cli.commands import Command, Group
from bridge.cli.handoff import ThreadId, change
from bridge.cli.looking import OfDemo, OfDev, StoreUrl, looked_at
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, complain, counting, exits, leave, listing, say, time_of
from bridge.cli.threads import Limit, OfAccount, no_store_yet
from bridge.config.load import load_config
from bridge.config.texts import read_texts
from bridge.conversation.journal import decode_journal
from bridge.engine.turns.dry_run import PATIENCE, DryRun
from bridge.routing.loading import load_routers
from bridge.routing.router import combine
from bridge.store.opening import open_reader
from bridge.units import micros
from bridge.web.control_protocol import NO_DIALOG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bridge.config.load import Config
    from bridge.conversation.journal import Journal
    from bridge.engine.turns.dry_run import Break
    from bridge.store.port import StoreReader
    from bridge.store.records import ThreadRow

_PAGE: Final = 100
"""Threads read at a time. The journal of each may hold 128 KiB."""

_BROKEN: Final = 1
_PLACE: Final = ("thread", "account", "channel", "conversation", "dialog", "version", "step")
_WAITING: Final = (*_PLACE, "question", "since", "until")
_BREAKS: Final = (*_PLACE, "action", "reason")

dialogs = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="List waiting dialogs, check them against changed code, and end one.",
)

Handlers = Annotated[
    list[str] | None,
    typer.Option("--handlers", metavar="MODULE", help="Rehearse with these handlers instead of the configured ones."),
]


@dialogs.command("list", cls=Command)
def list_(
    config: ConfigFile = DEFAULT,
    account: OfAccount = None,
    limit: Limit = 1000,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
    as_json: AsJson = False,
) -> None:
    """List the waiting dialogs: thread, step, question, and since and until when they wait.

    The list takes no lock, and works while the bridge runs.

    Example: `threadbridge dialogs list --account shop`
    """
    with exits():
        rows = asyncio.run(_waiting(looked_at(config, store, dev=dev, demo=demo, accounts=False), account, limit))
        listing(rows, columns=_WAITING, as_json=as_json, empty="no dialog is waiting")


@dialogs.command(cls=Command)
def check(config: ConfigFile = DEFAULT, handlers: Handlers = None, as_json: AsJson = False) -> None:
    """Rehearse every waiting dialog with the current code, and print one line for each that cannot continue.

    A line names the step where journal and code differ, and the action at the next answer. The script declares
    restart, finish or handoff. Otherwise the turn fails (fail), or the result cannot be predicted (unknown). The exit
    code is 1 when a dialog cannot continue, else 0.

    A rehearsal sends nothing, stores nothing and runs no step. It takes no lock, and works while the bridge runs. For
    CI, name a copy of the store in THREADBRIDGE_STORAGE__URL. The accounts' secrets may be missing.

    Example: `threadbridge dialogs check --handlers shop --json`
    """
    with exits():
        read = load_config(config, accounts=False)
        with redirect_stdout(sys.stderr):  # output of the author's code is not part of the list
            number, broken = asyncio.run(_rehearsed(read, handlers or read.handlers.load))
        if broken or as_json:
            listing(broken, columns=_BREAKS, as_json=as_json, empty="")
        if broken:
            complain(f"{len(broken)} of {_count(number)} cannot continue")
            leave(_BROKEN)
        if not as_json:
            say(f"ok: {_count(number)} can continue")


@dialogs.command(cls=Command)
def end(thread_id: ThreadId, config: ConfigFile = DEFAULT) -> None:
    """End the dialog that waits in a conversation: the next answer goes to the rules.

    The bot sends no message, and the state stays as it is. A running bridge ends the dialog at once.

    Example: `threadbridge dialogs end 7`
    """
    change(config, thread_id, "end-dialog", "its dialog is over", lambda by, id_: by.end_dialog(id_), missing=NO_DIALOG)


def _count(number: int) -> str:
    return f"{number} waiting dialog" if number == 1 else f"{number} waiting dialogs"


async def _waiting(config: Config, account: str | None, limit: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    if no_store_yet(config):
        return rows
    store = await open_reader(config.storage.url, config.storage.keys)
    try:
        async for thread in _threads(store):
            if account in {None, thread.ref.account}:
                rows.append(await _row(store, thread))
            if len(rows) == limit:
                break
    finally:
        await store.close()
    return rows


async def _rehearsed(config: Config, handlers: Sequence[str]) -> tuple[int, list[dict[str, object]]]:
    """The number of waiting dialogs, and a row for each that cannot continue."""
    router = combine(load_routers(handlers, config.folder, file=config.file))
    number = 0
    rows: list[dict[str, object]] = []
    if no_store_yet(config):
        return number, rows
    store = await open_reader(config.storage.url, config.storage.keys)
    dry_run = DryRun(store, router, texts=read_texts(config), patience=PATIENCE)
    try:
        with counting() as progress:
            task = progress.add_task("rehearsed", total=None)
            async for thread in _threads(store):
                number += 1
                if broken := await dry_run.of(thread):
                    rows.append(_break(thread, broken))
                progress.advance(task)
    finally:
        await store.close()
    return number, rows


async def _threads(store: StoreReader) -> AsyncIterator[ThreadRow]:
    """The threads in which a dialog waits, by id."""
    page = await store.dialogs(limit=_PAGE)
    while page:
        for thread in page:
            yield thread
        page = await store.dialogs(after=page[-1].id, limit=_PAGE)


async def _row(store: StoreReader, thread: ThreadRow) -> dict[str, object]:
    journal = _journal(thread)
    question = journal.entries[-1] if journal is not None and journal.entries else None
    until = await store.due_at(thread.id, journal.waiting) if journal is not None else None
    return {
        **_place(thread, journal),
        "step": len(journal.entries) if journal is not None else None,
        "question": question.label if question is not None else None,
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
    """The journal of the dialog; None when a later version wrote it."""
    try:
        return decode_journal(thread.dialog or b"")
    except (ValueError, TypeError, KeyError):
        return None
