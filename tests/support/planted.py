"""A bridge with a mistake in its store, planted on purpose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bridge.app.bridge import Bridge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.encryption import EncryptionKey
    from bridge.store.port import Store


class Other:
    """A store with something else in one place."""

    def __init__(self, store: Store, bridge: Bridge) -> None:
        self.store = store
        self.bridge = bridge

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


def over(kind: type[Other]) -> type[Bridge]:
    """A bridge that uses this store."""

    class Planted(Bridge):
        async def start(self) -> None:
            open_store = self._outside.open_store

            async def opened(url: str, keys: Sequence[EncryptionKey]) -> Store:
                return kind(await open_store(url, keys), self)

            self._outside = replace(self._outside, open_store=opened)
            await super().start()

    return Planted
