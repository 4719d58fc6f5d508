"""Who removes rows for a command: the bridge that runs on a store, or the store itself."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from bridge.cli.control import Control
from bridge.engine.erasing import Eraser
from bridge.engine.media.fetching import remove_forgotten
from bridge.engine.media.opening import open_contents
from bridge.engine.retention import Sweeper
from bridge.store.encryption import Resealed
from bridge.store.erasure import Erased, ErasedContact
from bridge.store.opening import open_store
from bridge.store.retention import Swept

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bridge.config.load import Config
    from bridge.store.retention import Sweep


class Housekeeper(Sweeper, Eraser, Protocol):
    """A store that is ours, or a bridge that is asked for it."""

    async def reseal(self, limit: int = 500) -> Resealed:
        """See bridge.store.housekeeping."""
        ...

    async def wipe(self) -> bool:
        """See bridge.store.housekeeping."""
        ...


class Running:
    """A bridge that runs, asked for the housekeeping of its store."""

    def __init__(self, control: Control) -> None:
        """Asks nothing yet."""
        self._control = control

    async def sweep(self, sweep: Sweep, before: int, *, after: int = 0, limit: int = 200) -> Swept:
        """See bridge.store.housekeeping."""
        asked = {"sweep": sweep, "before": before, "after": after, "limit": limit}
        return Swept(**self._control.keep("sweep", asked))

    async def erase(self, thread_id: int, at: int, *, limit: int = 100) -> Erased:
        """See bridge.store.housekeeping."""
        return Erased(**self._control.keep("erase", {"thread": thread_id, "at": at, "limit": limit}))

    async def erase_contact(self, contact_id: int) -> ErasedContact:
        """See bridge.store.housekeeping."""
        return ErasedContact(**self._control.keep("erase contact", {"contact": contact_id}))

    async def reseal(self, limit: int = 500) -> Resealed:
        """See bridge.store.housekeeping."""
        return Resealed(**self._control.keep("reseal", {"limit": limit}))

    async def wipe(self) -> bool:
        """See bridge.store.housekeeping."""
        return bool(self._control.keep("wipe", {})["wiped"])


@asynccontextmanager
async def housekeeper(config: Config) -> AsyncIterator[Housekeeper]:
    """The bridge that runs on a store; without one, the store itself, whose forgotten media are removed at the end."""
    database = config.storage.file
    if database is not None and (control := Control(database)).listens():
        yield Running(control)
        return
    store = await open_store(config.storage.url, config.storage.keys)
    try:
        yield store
        if config.media.store is not None:
            contents = open_contents(config.media.store)
            while await remove_forgotten(store, contents):
                pass
    finally:
        await store.close()
