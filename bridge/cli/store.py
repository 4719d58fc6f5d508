"""`threadbridge migrate`: the store at this version's schema."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bridge.app.own_tables import migrate as migrate_own
from bridge.cli.output import DEFAULT, ConfigFile, exits, say
from bridge.clock import SystemClock
from bridge.config.load import load_config
from bridge.store.opening import open_store

if TYPE_CHECKING:
    from bridge.config.load import Config


def migrate(config: ConfigFile = DEFAULT) -> None:
    """Create the store, or migrate its schema to this version.

    The migrations of the bot's own tables, `migrations` in [storage], come after that.

    `threadbridge run` migrates at its start; this command does it beforehand. The bridge must not be running. Back up
    the database first: an older threadbridge refuses a newer schema.

    Example: `threadbridge migrate -c shop/threadbridge.toml`
    """
    with exits():
        parts = load_config(config).by_database()
        for part in parts:
            asyncio.run(_migrate(part))
            name = "the store" if len(parts) == 1 else part.storage.url.partition("?")[0]
            say(f"ok: {part.storage.file or name} is up to date")


async def _migrate(part: Config) -> None:
    store = await open_store(part.storage.url, part.storage.keys)
    try:
        await migrate_own(store, part, SystemClock().now())
    finally:
        await store.close()
