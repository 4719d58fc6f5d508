"""The journal of a dialog: its operations and their outcomes, by which it is played again up to its question."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import BaseModel

from bridge.conversation.suspension import JournalFull
from bridge.events import FROM_CONTACT, Signal, decode_event, encode_event
from bridge.own import lasting_name
from bridge.strict_json import trimmed

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.events import Event

JOURNAL_LIMIT: Final = 128 * 1024
"""Bytes of JSON that a dialog's journal may have."""

ROOM: Final = 16 * 1024
"""Bytes that have to be free for the outcome of a step before it is taken."""
WAIT: Final = "wait"
"""The entry of a wait for a signal."""
_LABEL: Final = 40


@dataclass(slots=True, kw_only=True)
class Leg:
    """What a dialog woke up with: the event, and the state and step where they are not what the dialog left.

    `person` is what was kept of the contact then, where a dialog has one.
    `older` and `skipped` are the turn's, if it answered several events: only one that begins a dialog does.
    """

    event: Event
    older: tuple[Event, ...] = ()
    skipped: tuple[Event, ...] = ()
    values: dict[str, Any] | None = None
    step: str | None = None
    person: dict[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class JournalEntry:
    """One thing a dialog did: `op` is say, ask, wait, step or handoff, `call` a digest of what exactly.

    `label` is for people. `outcome` is what came of it, as JSON; a question or a wait that is open has none. `leg` is
    the number of the leg that answered it.
    """

    op: str
    call: str
    label: str = ""
    leg: int | None = None
    outcome: dict[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class Journal:
    """A dialog under way: which script, `run` (unique), with which arguments, and all that happened so far."""

    name: str
    version: int
    run: str
    arguments: list[Any]
    whom: str | None = None
    """The contact who is asked; None: whoever speaks in the thread."""
    legs: list[Leg] = field(default_factory=list)
    entries: list[JournalEntry] = field(default_factory=list)

    @property
    def waiting(self) -> str:
        """The name of the timer that ends the wait for the answer to the open question."""
        return timer_name(self.run, len(self.entries) - 1)

    def waits_for(self, event: Event) -> bool:
        """Whether an event that no person sent, or a person, may answer what is open; a signal by its name alone."""
        last = self.entries[-1] if self.entries else None
        if last is not None and last.op == WAIT:
            return isinstance(event, Signal) and last.call == digest(event.name)
        return isinstance(event, FROM_CONTACT)

    @property
    def has_steps(self) -> bool:
        """Whether it did anything outside."""
        return any(entry.op == "step" for entry in self.entries)

    def encode(self) -> bytes:
        """As JSON. Raises JournalFull when that is more than 128 KiB."""
        return trimmed(self._checked(JOURNAL_LIMIT))

    def make_room(self) -> None:
        """Refuse what acts outside while its outcome may find no room. Raises JournalFull."""
        self._checked(JOURNAL_LIMIT - ROOM)

    def _checked(self, limit: int) -> bytes:
        data = orjson.dumps(
            {
                "name": self.name,
                "version": self.version,
                "run": self.run,
                "arguments": self.arguments,
                "whom": self.whom,
                "legs": [
                    [*_packed(leg.event), leg.values, leg.step, *map(_all_packed, (leg.older, leg.skipped)), leg.person]
                    for leg in self.legs
                ],
                "entries": [[entry.op, entry.call, entry.label, entry.leg, entry.outcome] for entry in self.entries],
            }
        )
        if len(data) > limit:
            raise JournalFull(self.name, len(data), limit)
        return data


def decode_journal(data: bytes) -> Journal:
    """The inverse of Journal.encode."""
    values = orjson.loads(data)
    legs = [
        Leg(
            event=_unpacked(tag, event),
            values=state,
            step=step,
            older=tuple(_unpacked(*packed) for packed in older),
            skipped=tuple(_unpacked(*packed) for packed in skipped),
            person=next(iter(person), None),
        )
        for tag, event, state, step, older, skipped, *person in values.pop("legs")
    ]
    entries = [
        JournalEntry(op=op, call=call, label=label, leg=leg, outcome=outcome)
        for op, call, label, leg, outcome in values.pop("entries")
    ]
    return Journal(legs=legs, entries=entries, **values)


def timer_name(run: str, position: int) -> str:
    """The name of the timer of a question."""
    return f":ask {run} {position}"


def is_question_timer(name: str) -> bool:
    """Whether a timer's name is that of a question."""
    return name.startswith(":ask ")


def digest(*parts: object) -> str:
    """What tells one call from another, the same in every process. What is not JSON counts by its class."""
    data = orjson.dumps(parts, default=_plain, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS)
    return hashlib.sha256(data).hexdigest()[:12]


def label_of(text: str) -> str:
    """A few words for people."""
    words = " ".join(text.split())
    return words if len(words) <= _LABEL else f"{words[: _LABEL - 1]}…"


def op_of(op: str, label: str) -> str:
    """One thing a dialog does, for people."""
    return f"{op} {label!r}" if label else op


def call_of(function: Callable[..., object], arguments: tuple[object, ...]) -> str:
    """The digest of a call, with what a partial adds to it."""
    added: list[object] = []
    while isinstance(function, partial):
        added += [list(function.args), function.keywords]
        function = function.func
    return digest(name_of(function), list(arguments), *added)


def name_of(function: Callable[..., object]) -> str:
    """module:qualname of a function, or of the class of what can be called; of a partial, of what is behind it."""
    while isinstance(function, partial):
        function = function.func
    return lasting_name(function if hasattr(function, "__qualname__") else type(function))


def as_kept(event: Event) -> Event:
    """An event as a journal gives it back: without its webhook's own JSON, and what else is for its own turn alone."""
    return decode_event(event.tag, encode_event(event))


def _packed(event: Event) -> list[object]:
    return [event.tag, orjson.Fragment(encode_event(event))]


def _all_packed(events: tuple[Event, ...]) -> list[list[object]]:
    return [_packed(event) for event in events]


def _unpacked(tag: str, event: object) -> Event:
    return decode_event(tag, orjson.dumps(event))


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, Decimal | Fraction | PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    return f"<{type(value).__module__}:{type(value).__qualname__}>"
