"""A conversation with a guard and no engine: who speaks when, and what the guard says to that."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bridge.engine.turns.guard import Guard
from bridge.engine.turns.loops import GuardPolicy
from bridge.events import Contact, Message, Postback, ThreadRef
from bridge.messages import Text, encode_message
from bridge.store.records import Hold, InboxRow, Saying, ThreadRow, TurnCommit
from bridge.units import SECOND, moment
from tests.support.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bridge.events import Event
    from bridge.planning.choices import Choice

DEFAULTS = GuardPolicy(turns_per_minute=30, repeats=5, flood_per_minute=60)
"""As [guard] has them without a word of the author's."""


@dataclass
class Guarded:
    """One conversation; `bot` answers a text, or says nothing (None)."""

    bot: Callable[[str], str | None]
    policy: GuardPolicy = DEFAULTS
    clock: ManualClock = field(default_factory=ManualClock)
    note: str | None = None
    choices: tuple[Choice, ...] = ()
    answers: list[str] = field(default_factory=list)
    waited: float = 0.0
    """The longest that an event waited for its turn, in seconds."""
    took: float = 0.01
    """Seconds from the start of a turn to its commit."""

    def __post_init__(self) -> None:
        self.guard = Guard(self.policy, self.clock)

    def hears(self, text: str, who: str = "ann", *, pressed: bool = False, came: int | None = None) -> str | None:
        """A contact says something now, or said it (`came`, microseconds); what the bot answers; None: nothing.

        What is held has no turn, and `note` tells why. What has to wait has its turn then.
        """
        came = self.clock.now() if came is None else came
        about: dict[str, Any] = {"id": "1", "contact": Contact(id=who), "at": moment(came)}
        event: Event = Postback(key=text, **about) if pressed else Message(text=text, **about)
        return self.handles(event, came)

    def handles(self, event: Event, came: int) -> str | None:
        """The turn of an event."""
        ref = ThreadRef("shop", "konnek", "whatsapp", "ann")
        row = InboxRow(id=1, seq=1, thread_id=1, ref=ref, key="1", event=event, attempt=1, received_at=came)
        thread = ThreadRow(id=1, ref=ref, choices=self.choices, hold=Hold(note=self.note))
        while isinstance(verdict := self.guard.verdict(row, thread), int):
            assert verdict > self.clock.now()
            self.clock.advance((verdict - self.clock.now()) / SECOND)
        self.waited = max(self.waited, (self.clock.now() - came) / SECOND)
        if verdict is not None:
            self.guard.held(row, verdict)
            self.note = self.note or verdict
            return None
        said = self.bot(getattr(event, "text", getattr(event, "key", "")))
        self.clock.advance(self.took)
        sayings = [Saying(key="1", message=Text(said), encoded=encode_message(Text(said)))] if said else []
        self.guard.committed(row, TurnCommit(row=row, thread=thread, sayings=sayings, at=self.clock.now()))
        self.answers += [said] if said else []
        return said

    def meets(self, other: Callable[[str], Iterable[str]], first: str, latency: float, *, events: int = 1000) -> None:
        """Another bot says something `first`, and after each answer what it makes of that, `latency` seconds later."""
        waiting = deque([(self.clock.now(), first)])
        for _ in range(events):
            if not waiting or self.note is not None:
                return
            came, text = waiting.popleft()
            if came > self.clock.now():
                self.clock.advance((came - self.clock.now()) / SECOND)
            if (said := self.hears(text, came=came)) is not None:
                at = self.clock.now() + round(latency * SECOND)
                waiting.extend((at, answer) for answer in other(said))
