"""What a turn does beside what it leaves in its thread, and how a dialog puts that aside while it plays the past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.events import Event
    from bridge.later import Later
    from bridge.messages import Outgoing


@dataclass(slots=True, eq=False)
class Effects:
    """What a turn does when it is committed, beside what it leaves in its thread."""

    replies: list[Outgoing]
    laters: list[Later]
    cancelled: list[str]
    handoff: str | None = None
    """The note to the person who is to take over; None: nobody is."""

    def forget(self, name: str) -> None:
        """Cancel the timers of a name, also those that the turn itself sets."""
        self.laters = [each for each in self.laters if each.name != name]
        self.cancelled.append(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What a turn really is, while a dialog goes through its past in it."""

    happened: tuple[Event, tuple[Event, ...], tuple[Event, ...]]
    values: dict[str, Any]
    step: str | None
    effects: Effects
