"""`threadbridge threads`: the list of conversations."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.looking import OfDemo, OfDev, StoreUrl, looked_at
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, complain, exits, listing, time_of
from bridge.store.opening import open_reader

if TYPE_CHECKING:
    from bridge.config.load import Config
    from bridge.store.looks import ThreadSummary

Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, metavar="N", help="List at most this many.")]
OfAccount = Annotated[str | None, typer.Option("--account", metavar="NAME", help="List one account only.")]


Held = Annotated[bool, typer.Option("--held", help="List held conversations only.")]


def threads(
    config: ConfigFile = DEFAULT,
    account: OfAccount = None,
    limit: Limit = 1000,
    held: Held = False,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
    as_json: AsJson = False,
) -> None:
    """List the conversations, the latest first.

    A person has a `held` conversation; `note` is its handoff's note, and `kept_events` counts the events kept until
    its return. `reason` tells why a conversation waits.

    The list takes no lock, and works while the bridge runs. Off a terminal it prints one line a conversation, with
    tabs between the columns.

    Example: `threadbridge threads --account shop --json`
    """
    with exits():
        rows = asyncio.run(thread_rows(looked_at(config, store, dev=dev, demo=demo), account, limit, held=held))
        empty = "no conversation is held" if held else "no conversations yet"
        listing(rows, columns=_COLUMNS, as_json=as_json, empty=empty)


_COLUMNS = (
    *("id", "account", "channel", "conversation", "contact", "step"),
    *("held", "note", "kept_events", "open_events", "open_messages", "reason", "last_at"),
)


def _row(thread: ThreadSummary) -> dict[str, object]:
    return {
        "id": thread.id,
        "account": thread.ref.account,
        "provider": thread.ref.provider,
        "channel": thread.ref.channel,
        "conversation": thread.ref.conversation_id,
        "contact": thread.contact.name or thread.contact.id if thread.contact else None,
        "step": thread.step,
        "held": "held" if thread.note is not None else None,
        "note": thread.note or None,
        "kept_events": thread.kept_events,
        "open_events": thread.open_events,
        "open_messages": thread.open_messages,
        "last_at": time_of(thread.last_at),
        "reason": thread.reason or None,
    }


async def thread_rows(config: Config, account: str | None, limit: int, *, held: bool) -> list[dict[str, object]]:
    """The list of conversations, the latest first."""
    if no_store_yet(config):
        return []
    store = await open_reader(config.storage.url, config.storage.keys)
    try:
        return [_row(summary) for summary in await store.threads(account=account, limit=limit, held=held)]
    finally:
        await store.close()


def no_store_yet(config: Config) -> bool:
    """Whether the store does not exist yet; complains if so."""
    missing = missing_store(config)
    if missing:
        complain(missing)
    return bool(missing)


def missing_store(config: Config) -> str:
    """A line about a store that does not exist yet; "": it does, as far as a file tells."""
    database = config.storage.file
    if database is None or database.exists():
        return ""
    return f"no store yet: the first `threadbridge run` creates {database}"
