"""What a turn says, as rows: messages for the outbox, and timers for what it says or does later."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from bridge.conversation.effects import AT
from bridge.engine.turns.idempotency import idempotency_key
from bridge.errors import HandlerError
from bridge.log import log
from bridge.messages import Buttons, Cards, Menu, Text, encode_message
from bridge.planning.plain import BLANK
from bridge.planning.plan import expires_at
from bridge.store.records import Saying, TimerRow
from bridge.units import micros

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from bridge.conversation.effects import Later
    from bridge.messages import Outgoing
    from bridge.planning.plan import Plan
    from bridge.store.records import InboxRow

REPLY_SIZE: Final = 128 * 1024
"""Characters that one turn may say: they are split, planned and stored in one go, and nothing else runs meanwhile."""
_WHEN: Final = attrgetter("at")
_OPTION: Final = 64
"""Characters that an option counts as."""


def check_size(replies: Sequence[Outgoing]) -> None:
    """Raises HandlerError for more than one turn may say."""
    size = 0
    for message in replies:
        size += _size(message)
    if size > REPLY_SIZE:
        raise HandlerError(f"a turn says {size} characters, and it may {REPLY_SIZE}: send a document instead")


def sayings_of(
    row: InboxRow, handler: str, replies: Sequence[Outgoing], plans: Sequence[Plan], later: Container[int], now: int
) -> list[Saying]:
    """The outbox rows of replies, but for the ordinals that are said `later`.

    A reply that cannot be sent at all still gets a row, so it is not lost.
    """
    sayings: list[Saying] = []
    for ordinal, message in enumerate(replies):
        if ordinal in later:
            continue
        planned = plans[ordinal]
        if planned.dropped is not None:
            log.warning("message_dropped", thread=row.thread_id, event_key=row.key, reason=planned.dropped)
            if planned.dropped.endswith(BLANK):
                continue  # nothing is lost, and nobody has to look at it
        for number, part in enumerate(planned.parts or (message,)):
            saying = Saying(
                key=idempotency_key(row.ref.account, row.key, row.replay, handler, ordinal, number),
                message=part,
                encoded=encode_message(part),
                expires_at=None if message.expires is None else expires_at(message, now),
                given_up=planned.given_up,
                dropped=planned.dropped or "",
                bar=planned.bar,
            )
            sayings.append(saying)
    return sayings


def timer_of(later: Later, now: int, held: int | None) -> TimerRow:
    """A timer that the turn asked for, now that its delay begins to count; a question's is for the bot alone."""
    return TimerRow(
        due_at=now + later.delay if later.at is None else later.at,
        name=later.name,
        unless=later.unless,
        handler=later.handler,
        arguments=later.arguments,
        model=later.model,
        held=held if later.handler else None,
    )


def later_messages(replies: Sequence[Outgoing], now: int, held: int | None, night: int | None) -> dict[int, TimerRow]:
    """Messages with `at=`, by their ordinal: each is a timer until then, so tomorrow's never holds up today's.

    None leaves before the `night` ends, if it is one.
    """
    if night is None and not any(map(_WHEN, replies)):
        return {}
    times = [max(now if message.at is None else micros(message.at), night or now) for message in replies]
    return {
        ordinal: TimerRow(due_at=at, name=AT, message=encode_message(replace(message, at=None)), held=held)
        for ordinal, (message, at) in enumerate(zip(replies, times, strict=True))
        if at > now
    }


def _size(message: Outgoing) -> int:
    """About how many characters a message makes work with."""
    match message:
        case Text():
            return len(message.text)
        case Buttons():
            return len(message.text) + _OPTION * len(message.buttons)
        case Menu():
            return len(message.text) + _OPTION * sum(len(section.rows) for section in message.sections)
        case Cards():
            return sum(len(card.title) + _OPTION * len(card.buttons) for card in message.cards)
        case _:
            return len(getattr(message, "caption", ""))
