"""`threadbridge migrate`: the store at this version's schema."""

from __future__ import annotations

import asyncio

from bridge.cli.output import DEFAULT, ConfigFile, exits, say
from bridge.config.load import load_config
from bridge.store.opening import open_store


def migrate(config: ConfigFile = DEFAULT) -> None:
    """Create the store, or migrate its schema to this version.

    `threadbridge run` migrates at its start; this command does it beforehand. The bridge must not be running. Back up
    the database first: an older threadbridge refuses a newer schema.

    Example: `threadbridge migrate -c shop/threadbridge.toml`
    """
    with exits():
        parts = load_config(config).by_database()
        for part in parts:
            asyncio.run(_migrate(part.storage.url))
            name = "the store" if len(parts) == 1 else part.storage.url.partition("?")[0]
            say(f"ok: {part.storage.file or name} is up to date")


async def _migrate(url: str) -> None:
    store = await open_store(url)
    await store.close()
