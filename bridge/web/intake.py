"""Whether events are stored right now: proven by the last one, or else by a small commit of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bridge.errors import StoreError

if TYPE_CHECKING:
    from bridge.store.port import Store

FRESH: Final = 5.0
"""Seconds for which a commit proves that the store takes the next one."""
AGAIN: Final = 1.0
"""Seconds between two attempts to prove it after a failure."""
_COMMIT_SECONDS: Final = 2.0
_NAME: Final = "intake"
"""The cursor that is written, of no account."""


class Intake:
    """What /health/ready answers by. It writes when it is asked and the last proof is old, one commit at a time."""

    def __init__(self, store: Store) -> None:
        """Nothing is proven yet."""
        self._store = store
        self._fine = False
        self._until = 0.0
        self._proof: asyncio.Task[None] | None = None

    def took(self) -> None:
        """Events were stored."""
        self._fine = True
        self._until = asyncio.get_running_loop().time() + FRESH

    def failed(self) -> None:
        """Events were not stored."""
        self._fine = False
        self._until = asyncio.get_running_loop().time() + AGAIN

    async def takes(self) -> bool:
        """Whether the store takes events."""
        if asyncio.get_running_loop().time() >= self._until:
            if self._proof is None or self._proof.done():
                self._proof = asyncio.create_task(self._prove(), name="intake")
            await asyncio.shield(self._proof)
        return self._fine

    async def _prove(self) -> None:
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                await self._store.advance("", _NAME, "taken")
        except (StoreError, TimeoutError):
            self.failed()
        else:
            self.took()
