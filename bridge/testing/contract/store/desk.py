"""A store on the desk: opened, listened to, and fed with arrivals and turns in a line each."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.events import Contact, Message, Status, ThreadRef, Unrecognised, encode_event
from bridge.messages import Text, encode_message
from bridge.store.lifecycle import InboxState, OutboxState, Outcome
from bridge.store.opening import open_store
from bridge.store.records import Arrival, Retry, Saying, Settled, TurnCommit
from bridge.units import micros

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from bridge.events import StatusValue
    from bridge.store.encryption import EncryptionKey
    from bridge.store.port import Store
    from bridge.store.records import InboxRow, OutboxRow, Receipt
    from bridge.store.shares import Use

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
AT: Final = micros(NOON)


def ref_of(conversation: str, account: str = "shop") -> ThreadRef:
    """A thread of the account."""
    return ThreadRef(account, "konnek", "whatsapp", conversation)


def arrival(key: str, conversation: str = "ann", *, account: str = "shop", text: str = "", **changes: Any) -> Arrival:
    """A message of `conversation`'s contact; its webhook's bytes tell its key and text."""
    raw = {"id": key, "text": text or key}
    event = Message(id=key, contact=Contact(id=conversation), at=NOON, text=text or key, raw=raw)
    made = Arrival(
        account=account,
        key=key,
        ref=ref_of(conversation, account),
        event=event,
        encoded=encode_event(event),
        raw=orjson.dumps(raw),
        state=InboxState.OPEN,
        received_at=AT,
    )
    return replace(made, **changes)


def news(message_id: str, value: StatusValue, *, key: str = "", account: str = "shop", **changes: Any) -> Arrival:
    """A status of a message, from a provider that names only the message."""
    event = Status(id=key or uuid.uuid4().hex, contact=Contact(id="ann"), at=NOON, message_id=message_id, value=value)
    raw = orjson.dumps({"id": event.id, "of": message_id, "is": value})
    made = Arrival(
        account=account,
        key=event.id,
        ref=None,
        event=event,
        encoded=encode_event(event),
        raw=raw,
        state=InboxState.DONE,
        received_at=AT,
    )
    return replace(made, **changes)


def riddle(key: str, reason: str = "no idea", **changes: Any) -> Arrival:
    """A webhook that nobody understood."""
    made = arrival(key, text=reason, state=InboxState.QUARANTINED, reason=reason, ref=None, event=None, encoded=b"")
    return replace(made, **changes)


def strange(key: str, reason: str) -> Arrival:
    """An event of a kind that nobody knows, of a known conversation."""
    event = Unrecognised(id=key, contact=Contact(id="ann"), at=NOON, type=reason)
    made = arrival(key, state=InboxState.QUARANTINED, reason=reason)
    return replace(made, event=event, encoded=encode_event(event))


def saying(text: str, key: str | None = None, **changes: Any) -> Saying:
    """A text to be sent, under the idempotency key `key`."""
    message = Text(text)
    return replace(Saying(key=key or f"key-{text}", message=message, encoded=encode_message(message)), **changes)


def sent(row: OutboxRow, message_id: str | None = None, **changes: Any) -> Settled:
    """The provider took the message."""
    made = Settled(
        row_id=row.id,
        thread_id=row.thread_id,
        attempt=row.attempt,
        state=OutboxState.SENT,
        at=AT,
        outcome=Outcome.SENT,
        message_id=message_id,
    )
    return replace(made, **changes)


def refused(row: OutboxRow, reason: str = "refused") -> Settled:
    """The provider refused the message for good."""
    return sent(row, state=OutboxState.DEAD, outcome=Outcome.REJECTED, reason=reason)


def given_up(row: InboxRow, reason: str = "given up") -> Settled:
    """The event's turn failed too often."""
    return Settled(
        row_id=row.id, thread_id=row.thread_id, attempt=row.attempt, state=InboxState.DEAD, at=AT, reason=reason
    )


def again(row: InboxRow | OutboxRow, outcome: Outcome | None = None, **changes: Any) -> Retry:
    """The row failed and is tried again in a second."""
    made = Retry(
        row_id=row.id,
        thread_id=row.thread_id,
        attempt=row.attempt + 1,
        reason="not now",
        available_at=AT + 1_000_000,
        at=AT,
        outcome=outcome,
    )
    return replace(made, **changes)


@dataclass(slots=True)
class Told:
    """A listener that keeps all it is told; `on_call` is run first, whenever it is told anything."""

    log: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    events: list[InboxRow] = field(default_factory=list)
    messages: list[OutboxRow] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    processes: int = 1
    used: dict[str, Use] = field(default_factory=dict)
    slots: dict[str, int] = field(default_factory=dict)
    pauses: list[tuple[str, str, float]] = field(default_factory=list)
    on_call: Callable[[], None] = lambda: None

    def received(self, rows: Sequence[InboxRow]) -> None:
        self.on_call()
        self.log.append(("received", tuple(row.id for row in rows)))
        self.events += rows

    def queued(self, rows: Sequence[OutboxRow]) -> None:
        self.on_call()
        self.log.append(("queued", tuple(row.id for row in rows)))
        self.messages += rows

    def resolved(self, row_ids: Sequence[int]) -> None:
        self.on_call()
        self.settled += row_ids

    def changed(self, thread_ids: Collection[int]) -> None:
        self.on_call()
        self.log.append(("changed", tuple(sorted(thread_ids))))

    def paused(self, account: str, reason: str, seconds: float) -> None:
        self.pauses.append((account, reason, seconds))
        self.on_call()

    def uses(self) -> Mapping[str, Use]:
        return self.used

    def shared(self, processes: int, slots: Mapping[str, int]) -> None:
        self.processes, self.slots = processes, {**slots}
        self.on_call()

    def inherited(self, *, missed: bool) -> None:
        del missed
        self.on_call()

    def fetchable(self) -> None:
        self.log.append(("fetchable", ()))

    def broadcasting(self) -> None:
        self.log.append(("broadcasting", ()))

    def timed(self, due_at: int) -> None:
        self.log.append(("timed", (due_at,)))

    def broken(self, error: Exception) -> None:
        self.failures.append(error)


class Desk:
    """An open store, its listener, and short ways to feed it."""

    def __init__(self, url: str, keys: Sequence[EncryptionKey] = ()) -> None:
        """Nothing is opened until `open`."""
        self.url = url
        self.keys = keys
        self.told = Told()
        self.store: Store

    async def open(self) -> Desk:
        """Open the store; what it tells is kept in `told`."""
        self.store = await open_store(self.url, self.keys)
        self.told = Told()
        self.store.listen(self.told)
        await self.store.take_over()
        return self

    async def reopen(self) -> None:
        """Close the store and open it again, with a listener that has heard nothing."""
        await self.store.close()
        await self.open()

    async def receive(self, *arrivals: Arrival) -> list[Receipt]:
        """One webhook."""
        return await self.store.receive(arrivals)

    async def hear(self, *keys: str, conversation: str = "ann", account: str = "shop") -> list[InboxRow]:
        """One webhook with messages of these keys; the rows they became."""
        before = len(self.told.events)
        await self.receive(*(arrival(key, conversation, account=account) for key in keys))
        return self.told.events[before:]

    async def turn(self, row: InboxRow, *sayings: Saying | str, **changes: Any) -> list[OutboxRow]:
        """Commit a turn for `row` that says all of `sayings`; the rows they became."""
        before = len(self.told.messages)
        await self.store.commit_turn(await self.commit_of(row, *sayings, **changes))
        return self.told.messages[before:]

    async def commit_of(self, row: InboxRow, *sayings: Saying | str, **changes: Any) -> TurnCommit:
        """A turn for `row`, ready to be committed; `changes` are those of the thread, `note` that of its hold."""
        thread = await self.store.thread(row.thread_id)
        if "note" in changes:
            changes["hold"] = replace(thread.hold, note=changes.pop("note"))
        thread = replace(thread, **changes)
        said = [saying(each) if isinstance(each, str) else each for each in sayings]
        return TurnCommit(row=row, thread=thread, sayings=said, at=AT)

    async def said(self, *texts: str, conversation: str = "ann", account: str = "shop") -> list[OutboxRow]:
        """Messages waiting to leave, out of one turn."""
        key = uuid.uuid4().hex
        (row,) = await self.hear(key, conversation=conversation, account=account)
        return await self.turn(row, *(saying(text, f"{conversation}-{text}-{key}") for text in texts))

    async def events(self, thread_id: int) -> list[InboxRow]:
        """All open events of a thread."""
        return await self.store.inbox_after(thread_id, 0, 1000)

    async def messages(self, thread_id: int) -> list[OutboxRow]:
        """All open messages of a thread."""
        return await self.store.outbox_after(thread_id, 0, 1000)

    async def states(self, thread_id: int) -> list[str]:
        """What became of everything said in a thread: "out sent read" and the like."""
        found = await self.store.history(thread_id, limit=1000)
        return [" ".join(filter(None, (each.direction, each.state, each.status))) for each in found]

    async def fate(self, row: OutboxRow) -> tuple[str, str]:
        """A message's state and status."""
        found = await self.store.history(row.thread_id, limit=1000)
        return next((each.state, each.status) for each in found if each.id == row.id)
