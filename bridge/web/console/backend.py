"""What the console needs of the bridge behind it, and how it hears that something changed."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from bridge.store.looks import HistoryEntry, ThreadSummary


class Backend(Protocol):
    """The bridge, as the console sees it. Every method is about one account and touches no other."""

    async def say(self, account: str, body: bytes) -> None:
        """Take what the page posted, on the path every webhook takes; returns after the commit.

        Raises:
            WebhookError: the body is refused.
            StoreError: it is not stored.
        """
        ...

    async def conversations(self, account: str, *, limit: int) -> Sequence[ThreadSummary]:
        """The account's conversations, the latest first. Raises StoreError."""
        ...

    async def history(self, account: str, conversation: str, *, after: int, limit: int) -> Sequence[HistoryEntry]:
        """The latest `limit` things said after position `after`, oldest first; none when there is no such conversation.

        Raises:
            StoreError: it cannot be read.
        """
        ...

    def changes(self, account: str, conversation: str) -> AbstractContextManager[asyncio.Event]:
        """An Event that is set after every commit that changes the conversation, for as long as the context is held."""
        ...


class Wakeups:
    """Waiters for news of a conversation. Several pieces of news before a waiter looks are one."""

    def __init__(self) -> None:
        """Begin without a waiter."""
        self._waiting: dict[tuple[str, str], set[asyncio.Event]] = {}

    @contextmanager
    def changes(self, account: str, conversation: str) -> Iterator[asyncio.Event]:
        """An Event that every `wake` for this conversation sets, as long as the context is held."""
        changed = asyncio.Event()
        waiting = self._waiting.setdefault((account, conversation), set())
        waiting.add(changed)
        try:
            yield changed
        finally:
            waiting.discard(changed)
            if not waiting:
                self._waiting.pop((account, conversation), None)

    def wake(self, account: str, conversation: str) -> None:
        """Something was committed for this conversation."""
        for changed in self._waiting.get((account, conversation), ()):
            changed.set()

    def wake_all(self) -> None:
        """Something was committed, for an unknown conversation."""
        for waiting in self._waiting.values():
            for changed in waiting:
                changed.set()
