"""Messages: sent once under a key, and looked up until they have arrived."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import orjson

from bridge.engine.turns.parts import parts_of
from bridge.engine.turns.sending import destination, event_key
from bridge.events import Send as SendEvent
from bridge.messages import encode_message
from bridge.planning.plan import plan
from bridge.store.answering import may_write
from bridge.units import moment
from bridge.web.api import models
from bridge.web.api.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.events import ThreadRef
    from bridge.messages import Outgoing
    from bridge.planning.plan import Plan
    from bridge.store.looks import EventSummary, MessageSummary
    from bridge.web.api.backend import Backend
    from bridge.web.api.calls import Call

_OPTED_OUT: Final = "the contact opted out, and wrote nothing since: nothing leaves until they write again"
_ERASED: Final = "a message was sent under this key before, and its contact was erased since: take another key"
_NOT_FOUND: Final = "there is no message of this id"
_ENDS: Final = ("dead", "open", "expired", "dropped", "sent")
"""States of parts: the first one that is there is that of the message."""
_OF_EVENT: Final = {"open": "accepted", "held": "held", "dropped": "dropped", "done": "nothing to send"}
_WAITS: Final = "send:"


async def send(call: Call) -> models.Accepted:
    """Store a message. It leaves when its turn in the conversation comes."""
    asked: models.Send = call.body
    backend = call.of_account(asked.account)
    destination(backend.accounts, asked.account, asked.to, asked.channel)
    key = asked.idempotency_key or secrets.token_hex(16)
    message_id = f"{asked.account}:{event_key(key)}"
    await call.audit(backend, "send", asked.account, message_id)
    await backend.sender.send(asked.account, asked.to, asked.message, channel=asked.channel, at=asked.send_at, key=key)
    ref = destination(backend.accounts, asked.account, asked.to, asked.channel).ref
    return models.Accepted(id=message_id, plan=await _planned(backend, ref, asked.message, event_key(key)))


async def write(call: Call) -> models.Accepted:
    """Write in a conversation as a person, who has it from then on: the bot is silent until it is returned."""
    asked: models.Write = call.body
    backend, summary = await call.thread()
    ref = summary.ref
    key = asked.idempotency_key or secrets.token_hex(16)
    is_new = await backend.store.event(ref.account, event_key(key)) is None
    if is_new and not await may_write(backend.store, summary.id):
        raise Refusal(409, _OPTED_OUT)
    message_id = f"{ref.account}:{event_key(key)}"
    await call.audit(backend, "write", ref.account, f"thread {summary.id}: {message_id}")
    await backend.sender.send(ref.account, ref, asked.message, channel=None, at=None, key=key, human=True)
    return models.Accepted(id=message_id, plan=await _planned(backend, ref, asked.message, event_key(key)))


async def _planned(backend: Backend, ref: ThreadRef, message: Outgoing, key: str) -> models.PlanOut:
    """The plan as of the time at which the message was stored: the same however often it is asked for."""
    store = backend.store
    event = await store.event(ref.account, key)
    if event is None:
        raise Refusal(409, _ERASED)
    thread = await store.thread(event.thread_id or 0)
    capabilities = backend.accounts[ref.account].provider.capabilities(ref.channel)
    made: Plan = plan(message, capabilities, now=event.at, last_heard=thread.last_heard)
    return models.PlanOut(
        parts=[orjson.loads(encode_message(part)) for part in made.parts],
        given_up=list(made.given_up),
        dropped=made.dropped,
    )


async def look(call: Call) -> models.MessageState:
    """Where a message stands: one that was sent by this API, or a part of any by its idempotency key."""
    message_id = call.path["message_id"]
    account, _, key = message_id.partition(":")
    if key.startswith(_WAITS):
        return await _sent(call, message_id, account, key)
    for backend in call.backends:
        for part in await backend.store.messages([[message_id]]):
            if call.sees(part.account):
                return _state(call, message_id, part.account, part.thread_id, part.at, [part])
    raise Refusal(404, _NOT_FOUND)


async def _sent(call: Call, message_id: str, account: str, key: str) -> models.MessageState:
    store = call.of_account(account).store
    event = await store.event(account, key)
    if event is None or event.kind != SendEvent.tag or event.thread_id is None:
        raise Refusal(404, _NOT_FOUND)
    parts = await parts_of(store, account, key, event.replay)
    for timer_id in event.timers:
        own = f"timer:{timer_id}"
        if (later := await store.event(account, own)) is not None:
            parts += await parts_of(store, account, own, later.replay)
    return _state(call, message_id, account, event.thread_id, event.at, parts, event)


def _state(
    call: Call,
    message_id: str,
    account: str,
    thread_id: int,
    at: int,
    parts: Sequence[MessageSummary],
    event: EventSummary | None = None,
) -> models.MessageState:
    states = {part.state for part in parts}
    state = next((name for name in _ENDS if name in states), "")
    reason = next((part.reason for part in parts if part.state == state and part.reason), "")
    due_at = event.due_at if event is not None else None
    if event is not None and not parts:
        state, reason = _OF_EVENT.get(event.state, "dead"), event.reason
        if event.state == "done" and (due_at is not None or event.timers):
            state = "scheduled"
    return models.MessageState.model_validate(
        {
            "id": message_id,
            "account": account,
            "thread": call.id_of(account, thread_id),
            "state": "sending" if state == "open" else state,
            "reason": reason or None,
            "at": moment(at),
            "send_at": None if due_at is None else moment(due_at),
            "parts": [_part(part) for part in parts],
        }
    )


def _part(part: MessageSummary) -> dict[str, object]:
    return {
        "id": part.key,
        "kind": part.kind,
        "state": part.state,
        "outcome": part.outcome or None,
        "status": part.status or None,
        "reason": part.reason or None,
        "message_id": part.message_id,
        "attempt": part.attempt,
        "at": moment(part.at),
    }
