"""`threadbridge erase`: a conversation is removed, and a receipt says what it was."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bridge.cli.handoff import ThreadId  # noqa: TC001 - typer reads the annotations
from bridge.cli.housekeeping import housekeeper
from bridge.cli.output import DEFAULT, ConfigFile, complain, exits, leave, say, time_of
from bridge.cli.threads import no_store_yet
from bridge.clock import SystemClock
from bridge.config.load import load_config
from bridge.engine.erasing import erase as erase_thread
from bridge.errors import NoThread
from bridge.store.erasure import receipt
from bridge.store.opening import open_reader
from bridge.web.control_protocol import NO_THREAD, thread_number

if TYPE_CHECKING:
    from collections import Counter

    from bridge.config.load import Config
    from bridge.store.records import ThreadRow

Yes = Annotated[bool, typer.Option("--yes", help="Erase without asking.")]
ReceiptFile = Annotated[
    Path | None,
    typer.Option("--receipt", metavar="FILE", help="Where the receipt goes.  [default: erased-thread-<ID>.json]"),
]
_LEFT: Final = {
    "log": "a program reads the database: its log still holds what was erased, until that program ends",
    "server": "the server overwrites what is erased in its own time: see the page about erasure",
}
_TOLD_AT: Final = 1_000
"""Rows between two lines of progress."""


def erase(thread_id: ThreadId, yes: Yes = False, file: ReceiptFile = None, config: ConfigFile = DEFAULT) -> None:
    """Erase a conversation: all that was said in it, its state, its timers and its media.

    Messages that wait in it are never sent. Its events are not handled again when a gateway repeats them. A
    running bridge erases at once; otherwise the command opens the store itself. After an interruption the same command
    continues.

    Example: `threadbridge erase 7 --yes`
    """
    with exits():
        loaded = load_config(config, accounts=False)
        number = thread_number(thread_id)
        thread = None if number is None or no_store_yet(loaded) else asyncio.run(_thread(loaded, number))
        if thread is None:
            complain(f"{thread_id}: {NO_THREAD}")
            leave(1)
        if not yes and not typer.confirm(f"Erase conversation {thread.id} of the account {thread.ref.account}?"):
            complain("nothing is erased")
            leave(1)
        receipt_file = file or Path(f"erased-thread-{thread.id}.json")
        written = asyncio.run(_erase(loaded, thread))
        _write(receipt_file, written)
        for kind, rows in written["removed"].items():
            if rows:
                say(f"{kind}: {rows:,}")
        for left in written["left"]:
            complain(left)
        say(f"{thread.id}: erased; the receipt is {receipt_file}")


async def _thread(config: Config, number: int) -> ThreadRow | None:
    reader = await open_reader(config.storage.url)
    try:
        return await reader.thread(number)
    except NoThread:
        return None
    finally:
        await reader.close()


async def _erase(config: Config, thread: ThreadRow) -> dict[str, Any]:
    told = 0

    def tell(rows: Counter[str]) -> None:
        nonlocal told
        if rows.total() - told >= _TOLD_AT:
            told = rows.total()
            complain(f"{told:,} rows so far")

    began = SystemClock().now()
    async with housekeeper(config) as keeper:
        rows = await erase_thread(keeper, thread.id, SystemClock(), tell)
        wiped = await keeper.wipe()
    left = [] if wiped else [_LEFT["log"]]
    return {
        "thread": thread.id,
        "account": thread.ref.account,
        "began": time_of(began),
        "ended": time_of(SystemClock().now()),
        "removed": receipt(rows),
        "left": left if config.storage.file is not None else [_LEFT["server"]],
    }


def _write(file: Path, content: dict[str, Any]) -> None:
    """The receipt, which names no contact, for the user's eyes."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as out:  # noqa: PTH123 - of a descriptor
        json.dump(content, out, indent=2)
        out.write("\n")
