"""Plans: a message becomes parts that one channel carries. The plan names each loss."""

from __future__ import annotations

from dataclasses import field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from bridge.frozen import dataclass
from bridge.messages import Raw, Template, is_plain_text
from bridge.planning.degrade import degrade
from bridge.planning.plain import BLANK, Degraded
from bridge.text.equal_text import is_blank
from bridge.units import SECOND, micros, moment

if TYPE_CHECKING:
    from bridge.messages import Outgoing
    from bridge.planning.capabilities import Capabilities
    from bridge.planning.choices import Choice

_HOUR: Final = 3600
_DOOMSDAY: Final = micros(datetime.fromisoformat("9999-01-01T00:00:00Z"))


class Bar(StrEnum):
    """What keeps a message from leaving."""

    WINDOW = "window"
    EXPIRED = "expired"
    FORM = "form"
    """The channel has no form for it."""
    CONSENT = "consent"
    MOVED = "moved"
    """The id of the conversation is another person's now."""
    PERSON = "person"
    """A person has the conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The form of a message on one channel.

    `parts` are messages that the channel carries natively, in order, one provider call each. `choices` are the
    contact's options in them. `given_up` names in plain words each difference from the message. A message that is
    not sent has no parts, and its reason in `dropped`, of which `bar` is the kind.
    """

    parts: tuple[Outgoing, ...] = ()
    choices: tuple[Choice, ...] = ()
    given_up: tuple[str, ...] = ()
    dropped: str | None = None
    bar: Bar | None = field(default=None, compare=False)


def plan(message: Outgoing, capabilities: Capabilities, *, now: int, last_heard: int | None) -> Plan:
    """The plan of `message` for a channel at `now`, in microseconds.

    `last_heard` is the time of the contact's last message; None: never, or unknown. A closed window for free text
    lets a Template, a Raw or a message with one of the channel's tags pass. Any other message is replaced by the
    first of its `fallback` that can go; so is a message without a form on the channel. If the state of the window is
    unknown and no fallback can go, the message is sent: the provider decides.

    Each part keeps the message's `tag`, `at` and `expires` (as a moment). The first part also keeps its `reply_to`
    and `fallback`. So a part can be planned again when it leaves, and its plan is the part itself.
    """
    window = capabilities.window
    if (
        is_plain_text(message)
        and not is_blank(message.text)
        and capabilities.takes_text(message.text)
        and (window is None or (last_heard is not None and now - last_heard <= window * SECOND))
        and "text" in capabilities.kinds
    ):
        return Plan(parts=(message,))
    if window is None:
        return _plan(message, capabilities, now, None)
    if last_heard is not None:
        return _plan(message, capabilities, now, last_heard + round(window * SECOND))
    closed = _plan(message, capabilities, now, 0)
    if closed.dropped is None:
        return closed
    opened = _plan(message, capabilities, now, None)
    note = "window: not known when the contact last wrote; sent all the same"
    return opened if opened.dropped else replace(opened, given_up=(note, *opened.given_up))


def expires_at(message: Outgoing, now: int) -> int | None:
    """The time when a message of `now` expires, in microseconds; None: never."""
    expires = message.expires
    if isinstance(expires, timedelta):
        ends = now + expires // timedelta(microseconds=1)
        return ends if ends < _DOOMSDAY else None
    return None if expires is None else micros(expires)


def _plan(message: Outgoing, capabilities: Capabilities, now: int, closes: int | None) -> Plan:
    """The plan when the window closes at `closes` (None: never)."""
    ends = expires_at(message, now)
    leaves = now if message.at is None else max(now, micros(message.at))
    if ends is not None and ends <= leaves:
        return Plan(dropped=f"expired: worth nothing after {moment(ends):%Y-%m-%d %H:%M:%S} UTC", bar=Bar.EXPIRED)
    bar = Bar.FORM
    message, notes = _admissible(message, capabilities, ends)
    if closes is not None and leaves > closes and not message.tag and not isinstance(message, Template | Raw):
        hours, bar = (capabilities.window or 0) / _HOUR, Bar.WINDOW
        degraded = Degraded(dropped=f"window: free text goes only within {hours:g} hours of the contact's last message")
    elif is_blank(getattr(message, "text", message.kind)):
        degraded = Degraded(dropped=f"{message.kind}: {BLANK}")
    else:
        degraded = degrade(message, capabilities)
    if degraded.dropped is None:
        parts = tuple(_part(part, message, first=not index) for index, part in enumerate(degraded.parts))
        return Plan(parts=parts, choices=degraded.choices, given_up=(*notes, *degraded.notes))
    reasons = [degraded.dropped]
    for fallback in message.fallback:
        heir = replace(fallback, at=fallback.at or message.at, expires=fallback.expires or message.expires)
        instead = _plan(heir, capabilities, now, closes)
        if instead.dropped is None:
            given_up = (*notes, *reasons, f"{message.kind}: the fallback is sent instead", *instead.given_up)
            return replace(instead, given_up=given_up)
        reasons.append(f"fallback: {instead.dropped}")
    return Plan(given_up=notes, dropped="; ".join(reasons), bar=bar)


def _admissible(message: Outgoing, capabilities: Capabilities, ends: int | None) -> tuple[Outgoing, tuple[str, ...]]:
    """The message without a tag or reply that the channel does not take, its expiry as a moment."""
    notes = []
    tag, reply_to = message.tag, message.reply_to
    if tag and tag not in capabilities.tags:
        notes.append(f"tag {tag}: not taken here")
        tag = None
    if reply_to and not capabilities.reply_to:
        notes.append("reply_to: not possible here")
        reply_to = None
    expires = None if ends is None else moment(ends)
    return replace(message, tag=tag, reply_to=reply_to, expires=expires), tuple(notes)


def _part(part: Outgoing, message: Outgoing, *, first: bool) -> Outgoing:
    return replace(
        part,
        tag=message.tag,
        at=message.at,
        expires=message.expires,
        reply_to=message.reply_to if first else None,
        fallback=message.fallback if first else (),
    )
