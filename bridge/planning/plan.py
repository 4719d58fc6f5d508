"""Message and capabilities to a plan: what a message becomes on one channel, purely.

Nothing is silently lost: whatever a channel cannot carry is named in the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from bridge.messages import Raw, Template, Text
from bridge.planning.choices import Choice, answer, next_choices
from bridge.planning.degrade import Shaped, shape
from bridge.units import SECOND, micros, moment

if TYPE_CHECKING:
    from bridge.messages import Outgoing
    from bridge.planning.capabilities import Capabilities

_HOUR: Final = 3600
_DOOMSDAY: Final = micros(datetime.fromisoformat("9999-01-01T00:00:00Z"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a message becomes on one channel.

    `parts` are messages the channel carries natively, in order, one provider call each; `choices` what the contact
    may choose from them; `given_up` says in plain words what was done differently from what was asked. A message
    that is not sent at all has no parts, and its reason in `dropped`.
    """

    parts: tuple[Outgoing, ...] = ()
    choices: tuple[Choice, ...] = ()
    given_up: tuple[str, ...] = ()
    dropped: str | None = None


def plan(message: Outgoing, capabilities: Capabilities, *, now: int, last_heard: int | None) -> Plan:
    """What `message` becomes on a channel, at `now`; both times in microseconds.

    `last_heard` is when the contact last wrote, None when never or not known. Where the channel's window for free
    text is closed, a Template, a Raw or a message with a `tag` the channel takes is sent, and of any other the first
    of its `fallback` that can go; so it is with a message the channel has no form for. Where it is not known whether
    the window is open and nothing else can go, the message is sent: the provider knows.

    The parts hold their message's `tag`, `at` and `expires` (as a moment), the first also its `reply_to` and
    `fallback`, so that a part can be planned again when it leaves; planning a part again gives the part.
    """
    window = capabilities.window
    if (
        type(message) is Text
        and (capabilities.text is None or len(message.text) <= capabilities.text)
        and (window is None or (last_heard is not None and now - last_heard <= window * SECOND))
        and message.expires is None
        and message.at is None
        and message.tag is None
        and message.reply_to is None
        and "text" in capabilities.kinds
    ):
        return Plan(parts=(message,))
    if window is None:
        return _plan(message, capabilities, now, None)
    if last_heard is not None:
        return _plan(message, capabilities, now, last_heard + round(window * SECOND))
    made = _plan(message, capabilities, now, 0)
    if made.dropped is None:
        return made
    made = _plan(message, capabilities, now, None)
    note = "window: not known when the contact last wrote; sent all the same"
    return made if made.dropped else replace(made, given_up=(note, *made.given_up))


def expires_at(message: Outgoing, now: int) -> int | None:
    """When a message said at `now` is worth nothing any more, in microseconds; None: never."""
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
        return Plan(dropped=f"expired: worth nothing after {moment(ends):%Y-%m-%d %H:%M:%S} UTC")
    message, notes = _admissible(message, capabilities, ends)
    if closes is not None and leaves > closes and not message.tag and not isinstance(message, Template | Raw):
        hours = (capabilities.window or 0) / _HOUR
        shaped = Shaped(dropped=f"window: free text goes only within {hours:g} hours of the contact's last message")
    else:
        shaped = shape(message, capabilities)
    if shaped.dropped is None:
        parts = tuple(_part(each, message, first=not at) for at, each in enumerate(shaped.parts))
        return Plan(parts=parts, choices=shaped.choices, given_up=(*notes, *shaped.notes))
    reasons = [shaped.dropped]
    for other in message.fallback:
        heir = replace(other, at=other.at or message.at, expires=other.expires or message.expires)
        instead = _plan(heir, capabilities, now, closes)
        if instead.dropped is None:
            given_up = (*notes, *reasons, f"{message.kind}: the fallback is sent instead", *instead.given_up)
            return replace(instead, given_up=given_up)
        reasons.append(f"fallback: {instead.dropped}")
    return Plan(given_up=notes, dropped="; ".join(reasons))


def _admissible(message: Outgoing, capabilities: Capabilities, ends: int | None) -> tuple[Outgoing, tuple[str, ...]]:
    """The message without what the channel has no place for, its expiry as a moment."""
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


__all__ = ["Choice", "Plan", "answer", "expires_at", "next_choices", "plan"]
