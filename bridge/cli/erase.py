"""`threadbridge erase`: a person or a conversation is removed, and a receipt says what it was."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from bridge.cli.housekeeping import housekeeper
from bridge.cli.output import DEFAULT, ConfigFile, complain, exits, leave, say, time_of
from bridge.cli.persons import reading, whom
from bridge.cli.threads import no_store_yet
from bridge.clock import SystemClock
from bridge.config.load import load_config
from bridge.engine.erasing import erase as erase_thread
from bridge.engine.erasing import erase_person
from bridge.errors import NoThread
from bridge.store.erasure import receipt
from bridge.web.control_protocol import NO_THREAD, number_of

if TYPE_CHECKING:
    from collections import Counter

    from bridge.config.load import Config
    from bridge.store.people.cards import ContactCard
    from bridge.store.port import StoreReader

Who = Annotated[
    str | None,
    typer.Argument(metavar="CONTACT", help="A number of `contacts list`, a phone number or another identity."),
]
OfThread = Annotated[
    str | None,
    typer.Option("--thread", metavar="ID", help="Erase this conversation alone, by its number of `threads`."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Erase without asking.")]
ReceiptFile = Annotated[
    Path | None,
    typer.Option("--receipt", metavar="FILE", help="Where the receipt goes.  [default: erased-thread-ID.json]"),
]
_LEFT: Final = {
    "log": "a program reads the database: its log still holds what was erased, until that program ends",
    "server": "the server overwrites what is erased in its own time: see the page about erasure",
}
_TOLD_AT: Final = 1_000
"""Rows between two lines of progress."""


def erase(
    contact: Who = None,
    thread: OfThread = None,
    yes: Yes = False,
    file: ReceiptFile = None,
    config: ConfigFile = DEFAULT,
) -> None:
    """Erase a person: all of their conversations, and what is known of them.

    With `--thread` one conversation is erased, and the person stays.

    Messages that wait are never sent. Events are not handled again when a gateway repeats them. A running bridge
    erases at once; otherwise the command opens the store itself. After an interruption the same command continues.

    Example: `threadbridge erase +6281234567890 --yes`
    """
    if (contact is None) == (thread is None):
        raise typer.BadParameter("want a contact, or --thread and a conversation", param_hint="CONTACT")
    with exits():
        loaded = load_config(config, accounts=False)
        erasure = _of_contact(whom(loaded, contact)) if contact is not None else _thread(loaded, thread or "")
        if not yes and not typer.confirm(f"Erase {erasure.what}?"):
            complain("nothing is erased")
            leave(1)
        receipt_file = file or Path(f"erased-{erasure.kind}-{erasure.number}.json")
        written = asyncio.run(_erase(loaded, erasure))
        _write(receipt_file, written)
        for kind, rows in written["removed"].items():
            if rows:
                say(f"{kind}: {rows:,}")
        for left in written["left"]:
            complain(left)
        say(f"{erasure.kind} {erasure.number}: erased; the receipt is {receipt_file}")


class _Erasure(NamedTuple):
    """What is to be erased: a thread or a contact, its number, and both in words for a person."""

    kind: str
    number: int
    what: str
    account: str


def _thread(config: Config, asked: str) -> _Erasure:
    """A conversation; ends the command where there is none."""
    number = number_of(asked)
    erasure = None if number is None or no_store_yet(config) else asyncio.run(_of_thread(config, number))
    if erasure is None:
        complain(f"{asked}: {NO_THREAD}")
        leave(1)
    return erasure


async def _of_thread(config: Config, number: int) -> _Erasure | None:
    async def read(store: StoreReader) -> _Erasure:
        account = (await store.thread(number)).ref.account
        return _Erasure("thread", number, f"conversation {number} of the account {account}", account)

    try:
        return await reading(config, read)
    except NoThread:
        return None


def _of_contact(card: ContactCard) -> _Erasure:
    threads = ", ".join(str(thread.id) for thread in card.threads) or "none"
    accounts = sorted({thread.ref.account for thread in card.threads})
    return _Erasure("contact", card.id, f"contact {card.id} and their conversations ({threads})", ", ".join(accounts))


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
