"""Copies of stores as tests make them, and looks into what came of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bridge.store.copying import copy_store
from bridge.store.opening import copy_type, open_reader, open_store
from tests.support.kept_connections import connections
from tests.support.postgres import empty_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.store.copying import Copied, CopySource, CopyTarget, Progress


def place(kind: str, folder: Path) -> str:
    """Where a store may be made."""
    return empty_store() if kind == "postgresql" else f"sqlite:///{folder}/target.db"


def copied(source: str, target: str, wrapped: Callable[[Any], Any] = lambda end: end) -> list[Copied]:
    """Copy a store, with both ends `wrapped`."""
    return connections().run(copying_of(source, target, wrapped))


async def copying_of(
    source_url: str, target_url: str, wrapped: Callable[[Any], Any], tell: Callable[[Progress], None] = lambda _: None
) -> list[Copied]:
    source: CopySource = await copy_type(source_url).open_copy_source(source_url)
    try:
        target: CopyTarget = await copy_type(target_url).open_copy_target(target_url)
        try:
            return await copy_store(wrapped(source), wrapped(target), tell)
        finally:
            await target.close()
    finally:
        await source.close()


def opened(url: str) -> None:
    """Look into a store."""

    async def look() -> None:
        await (await open_reader(url)).close()

    asyncio.run(look())


def owned(url: str) -> None:
    """Open a store as the bridge does."""

    async def own() -> None:
        await (await open_store(url)).close()

    asyncio.run(own())
