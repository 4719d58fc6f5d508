"""The way of one event as a timeline: a line for each thing that happened to it, in order."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.events import Echo, Status, Timer
from bridge.frozen import dataclass
from bridge.store.lifecycle import InboxState, OutboxState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bridge.store.traces import Trace, TracedEvent, TracedMessage, TracedTimer, Try

_SHOWN: Final = 60
"""Characters of a text that a line shows."""
_ENDS: Final = {
    InboxState.DONE: "done",
    InboxState.DEAD: "dead",
    InboxState.HELD: "held",
    InboxState.DROPPED: "dropped",
    InboxState.QUARANTINED: "quarantined",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened, or is to happen, at a time (microseconds); `facts` are the same for programs."""

    at: int
    id: str
    what: str
    about: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def timeline(trace: Trace, *, handler: str = "", sends: Sequence[TracedEvent] = ()) -> list[Happening]:
    """All that happened, in order. `handler` ran the turn, and `sends` are events that it sent to other threads."""
    happenings = [*_of_event(trace, handler)] if trace.event is not None else []
    happenings += [_of_send(sent) for sent in sends]
    for timer in trace.timers:
        happenings += _of_timer(timer)
    for message in trace.messages:
        happenings += _of_message(message)
    happenings += [_of_news(news) for news in trace.later]
    return sorted(happenings, key=lambda happening: happening.at)


def _of_event(trace: Trace, handler: str) -> Iterator[Happening]:
    event = trace.event
    assert event is not None
    yield _happening(event, event.received_at, "stored", _line(_place(event), _said(event.values)), _facts(event))
    if event.replay:
        yield _happening(event, event.received_at, "replayed", f"{event.replay} times", {"replay": event.replay})
    if event.tried_at and event.tried_at != event.done_at:
        reason = event.reason if event.done_at is None else ""  # that of its end has taken its place
        about = _line(f"try {max(event.attempt - 1, 1)}", reason)
        yield _happening(event, event.tried_at, "failed", about, {"reason": reason or None})
    if event.done_at is not None:
        yield _end_of(event, len(trace.messages), handler)
    elif event.state == InboxState.OPEN:
        at = max(event.available_at, event.tried_at, event.received_at)
        yield _happening(event, at, "waits", f"for try {max(event.attempt, 1)}", {"attempt": event.attempt})


def _end_of(event: TracedEvent, messages: int, handler: str) -> Happening:
    """The commit of its turn, or the reason why it has none."""
    state = InboxState(event.state)
    assert event.done_at is not None
    tries = f"try {event.attempt}" if event.attempt else ""
    said = f"{messages} message{'' if messages == 1 else 's'}" if event.attempt and state is InboxState.DONE else ""
    facts = {"attempt": event.attempt, "handler": handler or None, "reason": event.reason or None, "trace": event.trace}
    about = _line(tries, f"handler {handler}" if handler else "", said, event.reason, _where(event.trace))
    return _happening(event, event.done_at, "turn" if said else _ENDS.get(state, event.state), about, facts)


def _where(trace: str) -> str:
    """The innermost line of a traceback."""
    lines = [line.strip() for line in trace.splitlines() if line.lstrip().startswith("File ")]
    return lines[-1] if lines else ""


def _of_message(message: TracedMessage) -> Iterator[Happening]:
    values = orjson.loads(message.content)
    given_up = f"given up: {'; '.join(message.given_up)}" if message.given_up else ""
    planned = {
        "key": message.key,
        "thread": message.thread,
        "seq": message.seq,
        "message": values,
        "given_up": list(message.given_up),
    }
    about = _line(message.kind, _said(values), given_up, f"key {message.key}")
    yield _step(message, message.created_at, "planned", about, planned)
    for one in message.tries:
        yield _of_try(message, one)
    if message.done_at is not None:
        name = f"the gateway calls it {message.message_id}" if message.message_id else ""
        news = f"status {message.status}" if message.status else ""
        facts = {"message_id": message.message_id, "status": message.status or None, "reason": message.reason or None}
        about = _line(name, news, message.status_error, message.reason)
        yield _step(message, message.done_at, message.state, about, facts)
    elif message.state == OutboxState.OPEN:
        at = max(message.available_at, message.created_at, *(one.at for one in message.tries))
        about = _line(f"for try {max(message.attempt, 1)}", message.reason)
        yield _step(message, at, "waits", about, {"attempt": message.attempt})


def _of_try(message: TracedMessage, one: Try) -> Happening:
    exchange = orjson.loads(one.exchange) if one.exchange else []
    wire = [" ".join(f"{request[name]}" for name in _WIRE if request.get(name)) for request in exchange]
    facts = {"attempt": one.attempt, "outcome": one.outcome, "reason": one.reason or None, "exchange": exchange}
    return _step(message, one.at, "tried", _line(f"try {one.attempt}", one.outcome, one.reason, *wire), facts)


_WIRE: Final = ("method", "path", "status", "error", "answer")


def _of_timer(timer: TracedTimer) -> Iterator[Happening]:
    facts = {"name": timer.name, "due_at": timer.due_at, "state": timer.state}
    name = f"timer {timer.name}" if timer.name else "timer"
    yield Happening(at=timer.set_at, id=f"timer:{timer.id}", what="sets", about=name, facts=facts)
    yield Happening(at=timer.due_at, id=f"timer:{timer.id}", what=timer.state, about=name, facts=facts)


def _of_send(sent: TracedEvent) -> Happening:
    return _happening(sent, sent.received_at, "sends", f"to {sent.account} {sent.thread}", _facts(sent))


def _of_news(news: TracedEvent) -> Happening:
    values = news.values
    match news.kind:
        case Status.tag:
            about = _line(f"{values.get('value')}", f"{values.get('error', '')}")
        case Timer.tag:
            about = _line(f"{values.get('name') or ''}", f"turn {news.state}")
        case _:
            about = "the gateway reports it" if news.kind == Echo.tag else ""
    return _happening(news, news.received_at, news.kind, about, _facts(news))


def _facts(event: TracedEvent) -> dict[str, Any]:
    return {
        "account": event.account,
        "thread": event.thread,
        "thread_id": event.thread_id,
        "seq": event.seq,
        "key": event.key,
        "kind": event.kind,
        "state": event.state,
        "event": event.values,
    }


def _place(event: TracedEvent) -> str:
    return _line(event.kind, f"{event.account} {event.thread}".strip(), f"seq {event.seq}", f"key {event.key}")


def _said(values: Mapping[str, Any]) -> str:
    """The text of an event or a message, or the key that was pressed."""
    text = values.get("text") or values.get("key") or ""
    if not isinstance(text, str) or not text:
        return ""
    return f'"{text[:_SHOWN]}…"' if len(text) > _SHOWN else f'"{text}"'


def _line(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _happening(event: TracedEvent, at: int, what: str, about: str, facts: Mapping[str, Any]) -> Happening:
    return Happening(at=at, id=event.letter, what=what, about=about, facts=facts)


def _step(message: TracedMessage, at: int, what: str, about: str, facts: Mapping[str, Any]) -> Happening:
    return Happening(at=at, id=message.letter, what=what, about=about, facts=facts)
