"""The control socket of a running bridge, wherever it runs: as a process of its own, or inside an application."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bridge.web.control import start_control
from bridge.web.control_protocol import socket_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bridge.app.bridge import Bridge


@asynccontextmanager
async def controlled(bridge: Bridge) -> AsyncIterator[None]:
    """Take commands beside the database of a bridge that has started; a store without a file has no socket.

    Raises:
        OSError: the socket cannot be made there.
    """
    if (file := bridge.config.storage.file) is None:
        yield
        return
    parts = bridge.parts
    runner = await start_control(socket_path(file), parts.letters, parts.handoffs, lambda: _status(bridge))
    try:
        yield
    finally:
        await runner.cleanup()


async def _status(bridge: Bridge) -> dict[str, object]:
    """See control_protocol.STATUS."""
    workers = bridge.parts.delivery.workers
    return {
        "pid": os.getpid(),
        "ready": await bridge.takes_webhooks(),
        "accounts": {name: worker.paused for name, worker in workers.items() if worker.paused},
        "handlers": bridge.parts.dispatcher.paused,
    }
