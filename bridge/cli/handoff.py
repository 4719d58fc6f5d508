"""`threadbridge handoff` and `threadbridge return`: a conversation moves to a person, and back to the bot."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.control import Control
from bridge.cli.output import DEFAULT, ConfigFile, complain, exits, leave, say
from bridge.cli.threads import no_store_yet
from bridge.clock import SystemClock
from bridge.config.load import load_config
from bridge.store.opening import open_store
from bridge.web.control_protocol import NO_THREAD, number_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from bridge.config.load import Config
    from bridge.engine.handoff import Handoffs

ThreadId = Annotated[str, typer.Argument(metavar="THREAD_ID", help="An id from the first column of `threads`.")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="A note for the person; `threads` shows it.")]


def handoff(thread_id: ThreadId, note: Note = "", config: ConfigFile = DEFAULT) -> None:
    """Hand a conversation to a person; the bot stays silent until its return.

    Unsent messages of the bot become dead letters. Events from the contact are kept for the bot's return. A running
    bridge hands over at once; otherwise the handoff is stored for the next start.

    Example: `threadbridge handoff 7 --note "wants to talk about the invoice"`
    """
    change(config, thread_id, "handoff", "with a person", lambda handoffs, id_: handoffs.hand_off(id_, note), note=note)


def return_(thread_id: ThreadId, config: ConfigFile = DEFAULT) -> None:
    """Return a conversation to the bot, with the events that it missed.

    The handler of `Returned` receives them; see the Python reference. A running bridge returns it at once; otherwise
    the return is stored for the next start.

    Example: `threadbridge return 7`
    """
    change(config, thread_id, "return", "returned to the bot", lambda handoffs, id_: handoffs.give_back(id_))


def change(
    path: Path,
    thread_id: str,
    verb: str,
    done: str,
    act: Callable[[Handoffs, int], Awaitable[bool]],
    *,
    note: str = "",
    missing: str = NO_THREAD,
) -> None:
    """Ask the running bridge; when it does not run, change the store here."""
    with exits():
        config = load_config(path, accounts=False)
        refusal = _asked(config, thread_id, verb, note, missing)
        if refusal is None:
            number = number_of(thread_id)
            refusal = "" if number is not None and asyncio.run(_do(config, number, act)) else missing
        if refusal:
            complain(f"{thread_id}: {refusal}")
            leave(1)
        say(f"{thread_id}: {done}")


def _asked(config: Config, thread_id: str, verb: str, note: str, missing: str) -> str | None:
    """Why the running bridge refused, or "" when it did not; None when no bridge runs."""
    if (database := config.storage.file) is None:
        return None
    if no_store_yet(config):
        return missing
    try:
        return Control(database).ask("threads", thread_id, verb, missing=missing, body=note) or ""
    except ConnectionRefusedError:
        return None


async def _do(config: Config, number: int, act: Callable[[Handoffs, int], Awaitable[bool]]) -> bool:
    from bridge.engine.handoff import Handoffs  # noqa: PLC0415 - only needed when no bridge runs

    store = await open_store(config.storage.url, config.storage.keys)
    try:
        return await act(Handoffs(store, SystemClock()), number)
    finally:
        await store.close()
