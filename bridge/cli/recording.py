"""What a store recorded of conversations: what came in, in its order, and what went out."""

from __future__ import annotations

from dataclasses import field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from bridge.cli.looking import looked_at
from bridge.cli.serve import demo_config
from bridge.config.load import Config
from bridge.engine.turns.signing import SIGNING
from bridge.events import Echo, Send, Status, Timer, Unrecognised, decode_event
from bridge.frozen import dataclass
from bridge.providers.registry import PLAYGROUND
from bridge.store.lifecycle import InboxState
from bridge.store.records import Arrival
from bridge.strict_json import read_object

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from bridge.events import Event, ThreadRef
    from bridge.store.port import StoreReader
    from bridge.store.traces import TracedEvent, TracedMessage

R = TypeVar("R", "TracedEvent", "TracedMessage")

PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One thread as recorded: all its events and messages, each in the order of the store."""

    id: int
    ref: ThreadRef
    events: Sequence[TracedEvent]
    messages: Sequence[TracedMessage] = ()

    def handled_since(self, since: int) -> bool:
        """Whether an event of it was received then or later (microseconds)."""
        return any(event.received_at >= since for event in self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Conversations, and the secret that signs the keys of buttons in them."""

    conversations: Sequence[Conversation]
    secret: str | None = field(default=None, repr=False)

    def arrivals(self, wants: Callable[[str], bool]) -> list[tuple[TracedEvent, Arrival]]:
        """All that came in from outside, in its order, beside its record; `wants` as for a webhook.

        What a turn sent to another thread came from inside, as a timer does: a replay makes these itself.
        """
        turns = {event.done_at for one in self.conversations for event in one.events}
        rows = [
            (event, arrival)
            for one in self.conversations
            for event in one.events
            if event.kind != Timer.tag and not (event.kind == Send.tag and event.received_at in turns)
            if (arrival := arrival_of(event, one.ref, wants)) is not None
        ]
        return sorted(rows, key=lambda row: (row[0].received_at, row[0].id))


def bot_and_store(file: Path, store: str | None, *, dev: bool, demo: bool) -> tuple[Config, Config]:
    """The configuration with the handlers to run, and one with the store that has the recording.

    Raises:
        ConfigError: the configuration or the URL cannot be used.
    """
    if demo:
        config = demo_config(8080, file if file.exists() else None)
        return config, config
    config = looked_at(file, dev=dev)
    return config, config if store is None else looked_at(file, store)


def with_account(config: Config, ref: ThreadRef) -> Config:
    """The configuration with the account of a conversation; `dev` adds one of the playground that no file has."""
    if ref.account in config.accounts or ref.provider != PLAYGROUND:
        return config
    added = Config.from_dict({"accounts": {ref.account: {"provider": PLAYGROUND}}}).accounts
    return replace(config, accounts=MappingProxyType({**config.accounts, **added}))


def arrival_of(event: TracedEvent, ref: ThreadRef, wants: Callable[[str], bool]) -> Arrival | None:
    """A recorded event as it came; None for what was not understood."""
    read = event_of(event)
    if read is None:
        return None
    return Arrival(
        account=event.account,
        key=event.key,
        ref=ref,
        event=read,
        encoded=event.content,
        raw=event.raw,
        state=_state(read, wants),
        address=event.address,
        channel=event.channel,
        received_at=event.received_at,
    )


def contact_of(event: TracedEvent) -> Mapping[str, Any]:
    """The contact of a recorded event, as its fields."""
    contact: Mapping[str, Any] = event.values.get("contact", {})
    return contact


def event_of(event: TracedEvent) -> Event | None:
    """The event itself; None for a webhook that was not understood."""
    if not event.content or event.state == InboxState.QUARANTINED:
        return None
    raw: Mapping[str, object] = read_object(event.raw) if event.raw else {}
    return decode_event(event.kind, event.content, raw)


def _state(event: Event, wants: Callable[[str], bool]) -> InboxState:
    """As bridge.engine.ingest has it."""
    if isinstance(event, Unrecognised) and not wants(event.tag):
        return InboxState.QUARANTINED
    if isinstance(event, Status | Echo) and not wants(event.tag) and not (isinstance(event, Echo) and event.human):
        return InboxState.DONE
    return InboxState.OPEN


async def record(store: StoreReader, accounts: Sequence[str], since: int, limit: int) -> Recording:
    """The latest conversations in which something was handled since then, at most `limit`, whole."""
    conversations: list[Conversation] = []
    for account in accounts:
        for thread in await store.threads(account=account, limit=limit):
            if thread.last_at < since:
                break
            one = await conversation(store, thread.id)
            if one.handled_since(since):
                conversations.append(one)
    return Recording(conversations=conversations[:limit], secret=await store.secret("", SIGNING))


async def conversation(store: StoreReader, thread_id: int) -> Conversation:
    """One thread, whole. Raises NoThread."""
    thread = await store.thread(thread_id)
    events = [event async for event in _all(store.recorded, thread_id)]
    messages = [message async for message in _all(store.spoken, thread_id)]
    return Conversation(id=thread_id, ref=thread.ref, events=events, messages=messages)


class _Read(Protocol[R]):
    async def __call__(self, thread_id: int, *, after: int = 0, limit: int = 1000) -> list[R]: ...


async def _all(read: _Read[R], thread_id: int) -> AsyncIterator[R]:
    after = 0
    while page := await read(thread_id, after=after, limit=PAGE):
        for row in page:
            yield row
        after = page[-1].id
