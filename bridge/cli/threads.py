"""`threadbridge threads`: the conversations, the latest first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.output import DEFAULT, AsJson, ConfigFile, complain, exits, listing, time_of
from bridge.config.load import load_config
from bridge.store.opening import open_reader

if TYPE_CHECKING:
    from bridge.config.load import Config
    from bridge.store.records import ThreadSummary

Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, metavar="N", help="How many at most.")]
OfAccount = Annotated[str | None, typer.Option("--account", metavar="NAME", help="Only those of one account.")]


Held = Annotated[bool, typer.Option("--held", help="Only those that a person has.")]


def threads(
    config: ConfigFile = DEFAULT,
    account: OfAccount = None,
    limit: Limit = 1000,
    held: Held = False,
    as_json: AsJson = False,
) -> None:
    """List the conversations, the latest first.

    `held` says that a person has a conversation, and `note` what for; `kept_events` counts what waits for its return.

    Reads the store without a lock, also while the bridge runs. Off a terminal it prints one line a conversation,
    its columns parted by tabs.

    Example: `threadbridge threads --account shop --json`
    """
    with exits():
        found = asyncio.run(_threads(load_config(config), account, limit, held=held))
        empty = "nobody has a conversation" if held else "no conversations yet"
        listing([_row(each) for each in found], columns=_COLUMNS, as_json=as_json, empty=empty)


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


async def _threads(config: Config, account: str | None, limit: int, *, held: bool) -> list[ThreadSummary]:
    if no_store_yet(config):
        return []
    store = await open_reader(config.storage.url)
    try:
        return await store.threads(account=account, limit=limit, held=held)
    finally:
        await store.close()


def no_store_yet(config: Config) -> bool:
    """Whether the bridge never ran with this configuration; says so."""
    database = config.storage.file
    if database is None or database.exists():
        return False
    complain(f"there is no store yet: {database} is made by the first `threadbridge run`")
    return True
