"""A bridge in memory for the console's tests: the playground provider, a scripted bot, a history and its wake-ups."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from bridge.engine.ingest import event_key
from bridge.errors import Unavailable, WebhookError
from bridge.events import Postback, ThreadRef, encode_event
from bridge.messages import Text, encode_message
from bridge.providers.playground import Playground, PlaygroundSettings
from bridge.providers.playground.wire import CHANNEL
from bridge.providers.port import Webhook
from bridge.store.lifecycle import InboxState, OutboxState
from bridge.store.looks import HistoryEntry, ThreadSummary
from bridge.web.console.backend import Wakeups

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from bridge.events import Event
    from bridge.messages import Outgoing

ACCOUNT = "page"
SECOND = 1_000_000


def silent(_event: Event) -> Sequence[Outgoing]:
    """A bot that never answers."""
    return ()


def parrot(event: Event) -> Sequence[Outgoing]:
    """A bot that says back what it hears, and which key was pressed."""
    said = f"pressed {event.key}" if isinstance(event, Postback) else getattr(event, "text", "")
    return (Text(f"echo: {said}"),) if said else ()


@dataclass
class MemoryBridge:
    """Implements the console's Backend. `down` makes every method fail as a store does that cannot be reached,
    `refusing` only what is said.
    """

    bot: Callable[[Event], Sequence[Outgoing]] = silent
    down: bool = False
    refusing: bool = False
    now: int = 1_700_000_000 * SECOND
    entries: dict[str, list[HistoryEntry]] = field(default_factory=dict)
    people: dict[str, Event] = field(default_factory=dict)
    posted: list[bytes] = field(default_factory=list)
    wakeups: Wakeups = field(default_factory=Wakeups)
    position: int = 0

    async def say(self, account: str, body: bytes) -> None:
        self._reachable(account)
        if self.refusing:
            raise Unavailable("the disk is full")
        try:
            json = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise WebhookError(400, "not JSON") from None
        webhook = Webhook(channel=None, body=body, json=json, received_at=self._tick())
        self.posted.append(body)
        for inbound in Playground(account, PlaygroundSettings(provider="playground")).parse(webhook):
            assert inbound.conversation_id is not None
            self.hear(inbound.conversation_id, inbound.event)

    def hear(self, conversation: str, event: Event) -> None:
        """Store what the contact said, once, and what the bot answers."""
        known = self.entries.setdefault(conversation, [])
        key = event_key(CHANNEL, conversation, event.id)
        if any(entry.key == key for entry in known):
            return
        self.people[conversation] = event
        self._append(conversation, "in", event.tag, InboxState.DONE, encode_event(event), key)
        self.answer(conversation, *self.bot(event))

    def answer(
        self,
        conversation: str,
        *messages: Outgoing,
        state: OutboxState = OutboxState.SENT,
        status: str = "delivered",
    ) -> None:
        """Store messages of the bot."""
        for message in messages:
            key = f"out-{self.position + 1}"
            self._append(conversation, "out", message.kind, state, encode_message(message), key, status)

    def change(self, conversation: str, key: str, **changes: Any) -> None:
        """Another state or status for something said."""
        entries = self.entries[conversation]
        self.entries[conversation] = [replace(e, **changes) if e.key == key else e for e in entries]
        self.wakeups.wake(ACCOUNT, conversation)

    async def conversations(self, account: str, *, limit: int) -> list[ThreadSummary]:
        self._reachable(account)
        rows = [
            ThreadSummary(
                id=number,
                ref=ThreadRef(account, "playground", "console", conversation),
                contact=self.people[conversation].contact if conversation in self.people else None,
                step=None,
                version=len(entries),
                open_events=0,
                open_messages=0,
                last_at=entries[-1].at,
            )
            for number, (conversation, entries) in enumerate(self.entries.items())
        ]
        return sorted(rows, key=lambda row: -row.last_at)[:limit]

    async def history(self, account: str, conversation: str, *, after: int, limit: int) -> list[HistoryEntry]:
        self._reachable(account)
        return [entry for entry in self.entries.get(conversation, ()) if entry.position > after][-limit:]

    def changes(self, account: str, conversation: str) -> AbstractContextManager[asyncio.Event]:
        return self.wakeups.changes(account, conversation)

    def _append(
        self, conversation: str, direction: str, kind: str, state: str, content: bytes, key: str, status: str = ""
    ) -> None:
        self.position += 1
        entry = HistoryEntry(
            position=self.position,
            id=self.position,
            direction=direction,
            kind=kind,
            state=state,
            status=status,
            content=content,
            key=key,
            at=self._tick(),
        )
        self.entries.setdefault(conversation, []).append(entry)
        self.wakeups.wake(ACCOUNT, conversation)

    def _reachable(self, account: str) -> None:
        assert account == ACCOUNT
        if self.down:
            raise Unavailable("the disk is full")

    def _tick(self) -> int:
        self.now += SECOND
        return self.now
