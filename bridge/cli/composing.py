"""Who makes a broadcast for a command: the bridge that runs on a store, or the store itself."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from bridge.cli.control import Control
from bridge.config.load import load_config
from bridge.engine.broadcasts.composing import Flaw
from bridge.store.opening import open_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from bridge.config.load import Config
    from bridge.engine.broadcasts.composing import Row
    from bridge.store.broadcasts import Bounds

_MOST = 100
"""Recipients in one request."""
_MOST_BYTES = 32 * 1024
"""Bytes of them, about: the bridge takes 64 KiB."""


class Composes(Protocol):
    """See bridge.engine.broadcasts.composing.Composer."""

    async def begin(
        self,
        account: str,
        message: object,
        *,
        channel: str | None,
        at: datetime | None,
        bounds: Bounds,
        title: str,
        columns: Collection[str] | None,
    ) -> str:
        """Begin a draft."""
        ...

    async def add(self, broadcast_id: str, rows: Sequence[Row]) -> list[Flaw]:
        """Add recipients to a draft."""
        ...

    async def start(self, broadcast_id: str) -> bool:
        """Start a draft, or resume."""
        ...

    async def pause(self, broadcast_id: str) -> bool:
        """Release nothing more until it is resumed."""
        ...

    async def cancel(self, broadcast_id: str) -> bool:
        """Release nothing more."""
        ...


class Running:
    """A bridge that runs, asked to make a broadcast."""

    def __init__(self, control: Control) -> None:
        """Asks nothing yet."""
        self._control = control

    async def begin(
        self,
        account: str,
        message: object,
        *,
        channel: str | None,
        at: datetime | None,
        bounds: Bounds,
        title: str,
        columns: Collection[str] | None,
    ) -> str:
        """Begin a draft."""
        asked = {"account": account, "message": message, "channel": channel, "at": at.isoformat() if at else None}
        asked |= {"bounds": [*bounds], "title": title, "columns": None if columns is None else [*columns]}
        return str(self._control.compose("begin", asked)["id"])

    async def add(self, broadcast_id: str, rows: Sequence[Row]) -> list[Flaw]:
        """Add recipients to a draft."""
        answer = self._control.compose("add", {"id": broadcast_id, "rows": [[*row] for row in rows]})
        return [Flaw(*flaw) for flaw in answer["flaws"]]

    async def start(self, broadcast_id: str) -> bool:
        """Start a draft, or resume."""
        return self._moved("start", broadcast_id)

    async def pause(self, broadcast_id: str) -> bool:
        """Release nothing more until it is resumed."""
        return self._moved("pause", broadcast_id)

    async def cancel(self, broadcast_id: str) -> bool:
        """Release nothing more."""
        return self._moved("cancel", broadcast_id)

    def _moved(self, verb: str, broadcast_id: str) -> bool:
        return bool(self._control.compose(verb, {"id": broadcast_id})["moved"])


@asynccontextmanager
async def composer(path: Path, config: Config) -> AsyncIterator[tuple[Composes, bool]]:
    """Who makes broadcasts in the store of `config`, and whether a bridge runs on it. `path` is of the whole file."""
    database = config.storage.file
    if database is not None and (control := Control(database)).listens():
        yield Running(control), True
        return
    import uuid  # noqa: PLC0415 - only needed when no bridge runs, like the accounts

    from bridge.clock import SystemClock  # noqa: PLC0415
    from bridge.engine.broadcasts.composing import Composer  # noqa: PLC0415

    accounts = load_config(path).accounts
    store = await open_store(config.storage.url)
    try:
        others = len(await store.processes()) > 1
        yield Composer(store, accounts, SystemClock(), lambda: uuid.uuid4().hex), others
    finally:
        await store.close()


def portions(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Recipients as many at a time as one request holds."""
    portion: list[Row] = []
    size = 0
    for row in rows:
        length = len(json.dumps([*row]))
        if portion and (len(portion) >= _MOST or size + length > _MOST_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(row)
        size += length
    if portion:
        yield portion
