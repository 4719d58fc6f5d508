"""The control socket of a running bridge, wherever it runs: as a process of its own, or inside an application."""

from __future__ import annotations

import os
import uuid
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bridge.app.broadcasting import compose
from bridge.app.housekeeping import keep
from bridge.messages import decode_message
from bridge.web.control import start_control
from bridge.web.control_protocol import socket_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from bridge.app.bridge import Bridge
    from bridge.clock import Clock
    from bridge.store.port import Store


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
    runner = await start_control(
        socket_path(file),
        parts.letters,
        parts.handoffs,
        lambda: _status(bridge),
        lambda asked: _send(bridge, asked),
        lambda name: parts.jobs.run(name, uuid.uuid4().hex),
        lambda verb, asked: keep(parts, verb, asked),
        _People(parts.store, bridge.clock),
        compose=lambda verb, asked: compose(parts.composer, verb, asked),
    )
    try:
        yield
    finally:
        await runner.cleanup()


class _People:
    """See bridge.web.control.People."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def merge(self, contact_id: int, other_id: int) -> bool:
        return await self._store.merge_contacts(contact_id, other_id, self._clock.now())

    async def unmerge(self, contact_id: int) -> bool:
        return await self._store.unmerge_contact(contact_id, self._clock.now())


async def _send(bridge: Bridge, asked: Mapping[str, Any]) -> str:
    """See control_protocol.SEND. Raises ValueError, TypeError or KeyError for what is not so."""
    at = asked.get("at")
    return await bridge.send(
        asked["account"],
        asked["to"],
        decode_message(asked["message"]),
        channel=asked.get("channel"),
        at=None if at is None else datetime.fromisoformat(at),
        key=asked.get("key"),
    )


async def _status(bridge: Bridge) -> dict[str, object]:
    """See control_protocol.STATUS."""
    workers = bridge.parts.delivery.workers
    return {
        "pid": os.getpid(),
        "ready": await bridge.takes_webhooks(),
        "accounts": {name: worker.paused for name, worker in workers.items() if worker.paused},
        "handlers": bridge.parts.dispatcher.paused,
    }
