"""`threadbridge erase`: a conversation is removed, and a receipt says what it was."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from bridge.cli.housekeeping import housekeeper
from bridge.cli.output import DEFAULT, ConfigFile, complain, exits, leave, say, time_of
from bridge.cli.threads import no_store_yet
from bridge.clock import SystemClock
from bridge.config.load import load_config
from bridge.engine.erasing import erase as erase_thread
from bridge.engine.erasing import erase_person
from bridge.errors import NoThread
from bridge.store.erasure import receipt
from bridge.store.opening import open_reader
from bridge.web.control_protocol import NO_THREAD, number_of

if TYPE_CHECKING:
    from collections import Counter

    from bridge.config.load import Config

Conversation = Annotated[
    str | None, typer.Argument(metavar="[THREAD_ID]", help="An id from the first column of `threads`.")
]
OfContact = Annotated[str | None, typer.Option("--contact", metavar="ID", help="Erase this person, everywhere.")]
Yes = Annotated[bool, typer.Option("--yes", help="Erase without asking.")]
ReceiptFile = Annotated[
    Path | None,
    typer.Option("--receipt", metavar="FILE", help="Where the receipt goes.  [default: erased-thread-ID.json]"),
]
_LEFT: Final = {
    "log": "a program reads the database: its log still holds what was erased, until that program ends",
    "server": "the server overwrites what is erased in its own time: see the page about erasure",
}
NO_CONTACT: Final = "there is no contact of that number"
_TOLD_AT: Final = 1_000
"""Rows between two lines of progress."""


def erase(
    thread_id: Conversation = None,
    contact: OfContact = None,
    yes: Yes = False,
    file: ReceiptFile = None,
    config: ConfigFile = DEFAULT,
) -> None:
    """Erase a conversation: all that was said in it, its state, its timers and its media.

    With `--contact` all conversations of a person are erased, and then what is known of the person.

    Messages that wait in it are never sent. Its events are not handled again when a gateway repeats them. A
    running bridge erases at once; otherwise the command opens the store itself. After an interruption the same command
    continues.

    Example: `threadbridge erase 7 --yes`
    """
    if (thread_id is None) == (contact is None):
        raise typer.BadParameter("want a conversation, or --contact", param_hint="THREAD_ID")
    with exits():
        loaded = load_config(config, accounts=False)
        asked = thread_id or contact or ""
        number = number_of(asked)
        erasure = None
        if number is not None and not no_store_yet(loaded):
            erasure = asyncio.run((_of_thread if contact is None else _of_contact)(loaded, number))
        if erasure is None:
            complain(f"{asked}: {NO_THREAD if contact is None else NO_CONTACT}")
            leave(1)
        if not yes and not typer.confirm(f"Erase {erasure.what}?"):
            complain("nothing is erased")
            leave(1)
        receipt_file = file or Path(f"erased-{erasure.kind}-{number}.json")
        written = asyncio.run(_erase(loaded, erasure))
        _write(receipt_file, written)
        for kind, rows in written["removed"].items():
            if rows:
                say(f"{kind}: {rows:,}")
        for left in written["left"]:
            complain(left)
        say(f"{asked}: erased; the receipt is {receipt_file}")


class _Erasure(NamedTuple):
    """What is to be erased: a thread or a contact, its number, and both in words for a person."""

    kind: str
    number: int
    what: str
    account: str


async def _of_thread(config: Config, number: int) -> _Erasure | None:
    reader = await open_reader(config.storage.url)
    try:
        account = (await reader.thread(number)).ref.account
        return _Erasure("thread", number, f"conversation {number} of the account {account}", account)
    except NoThread:
        return None
    finally:
        await reader.close()


async def _of_contact(config: Config, number: int) -> _Erasure | None:
    reader = await open_reader(config.storage.url)
    try:
        card = await reader.contact(number)
    finally:
        await reader.close()
    if card is None:
        return None
    threads = ", ".join(str(thread.id) for thread in card.threads) or "none"
    accounts = sorted({thread.ref.account for thread in card.threads})
    return _Erasure("contact", number, f"contact {number} and their conversations ({threads})", ", ".join(accounts))


async def _erase(config: Config, erasure: _Erasure) -> dict[str, Any]:
    told = 0

    def tell(rows: Counter[str]) -> None:
        nonlocal told
        if rows.total() - told >= _TOLD_AT:
            told = rows.total()
            complain(f"{told:,} rows so far")

    began = SystemClock().now()
    act = erase_thread if erasure.kind == "thread" else erase_person
    async with housekeeper(config) as keeper:
        rows = await act(keeper, erasure.number, SystemClock(), tell)
        wiped = await keeper.wipe()
    left = [] if wiped else [_LEFT["log"]]
    return {
        erasure.kind: erasure.number,
        "account": erasure.account,
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
