"""A worker's beginning: everything that takes long comes before its predecessor is asked to end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bridge.errors import StoreInUse
from bridge.store.opening import open_store, store_type
from bridge.web.server import calm_collector
from bridge.workers.address import check_address

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Sequence

    from bridge.config.load import Config
    from bridge.store.encryption import EncryptionKey
    from bridge.store.port import Store
    from bridge.workers.link import Link

_PATIENCE: Final = 5.0
"""Seconds for a store that somebody else holds: a command may have taken it between two workers."""
_LOOK: Final = 0.01


async def get_ready(config: Config, link: Link) -> Iterable[socket.socket]:
    """Wait for the moment to open the store; the connections that the predecessor gives.

    Raises:
        ConfigError: the parent's sockets are not those that the configuration names.
    """
    link.attend()
    await link.listens()
    check_address(link.listening, config.server.host, config.server.port, config.file)
    store_type(config.storage.url)
    calm_collector()
    before = await link.prepared()
    return before.connections() if before is not None else ()


async def opened_soon(url: str, keys: Sequence[EncryptionKey]) -> Store:
    """The store at `url`. Raises StoreInUse when somebody else keeps it, NewerSchema, Unavailable, Broken."""
    until = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        try:
            return await open_store(url, keys)
        except StoreInUse:
            if asyncio.get_running_loop().time() >= until:
                raise
        await asyncio.sleep(_LOOK)
