"""Whether a contact wants to hear from the bot: what opting out forbids, and what it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.events import FROM_CONTACT, speaks_for_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.events import Event
    from bridge.store.records import OutboxRow, ThreadRow

OPTED_OUT: Final = "the contact opted out"
"""Why a message does not leave that answers nothing the contact said since."""


def is_direct(events: Sequence[Event]) -> bool:
    """Whether what a turn says answers something that the contact just said, or is what a person writes to them."""
    return any(isinstance(event, FROM_CONTACT) or speaks_for_us(event) for event in events)


def latest(events: Sequence[int]) -> int:
    """The last of the events by which somebody opted out; 0: by none."""
    return max(events, default=0)


def forbids(thread: ThreadRow, row: OutboxRow) -> bool:
    """Whether a message must not leave: it answers nothing, or something from before the contact opted out."""
    return thread.opted_out > row.answers
