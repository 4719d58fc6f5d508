"""A turn as the engine holds it: the events it answers, and everything that its commit would do."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.conversation.effects import Effects, Shelf
from bridge.conversation.journal import decode_journal
from bridge.conversation.kept_contact import KeptContact
from bridge.conversation.members import Members, is_for, person_of
from bridge.conversation.state import State, over
from bridge.conversation.suspension import Ended, StoreWatch
from bridge.errors import HandlerError
from bridge.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from bridge.conversation.effects import Sending
    from bridge.conversation.journal import Leg
    from bridge.events import Event
    from bridge.messages import Outgoing

    Happened = tuple[Event, tuple[Event, ...], tuple[Event, ...]]


SEND_LIMIT: Final = 10_000
"""Messages that one turn may send to other threads."""
REPLY_LIMIT: Final = 1000
"""Messages that one turn may reply with: a handler that never stops must not take the memory along."""


@dataclass(slots=True, eq=False)
class Draft:
    """Behind each Turn stands one draft. The commit reads it; a dialog swaps its contents to play back the past.

    It begins with what the thread holds; see Turn.
    """

    event: Any
    older: tuple[Event, ...]
    skipped: tuple[Event, ...]
    state: State
    step: str | None
    dialog: bytes | None
    """The dialog that waits in the thread, as stored."""
    members: Members
    contact: KeptContact
    whom: str | None
    """The member to whom a dialog that begins now puts its questions; None: to whoever speaks in the thread."""
    now: int | None
    watch: StoreWatch
    """Notes a failure of the store under the author's code."""
    opted_out: bool = False
    """Whether the contact opted out before this turn."""
    effects: Effects = field(default_factory=Effects)
    stepped: set[str] = field(default_factory=set)
    """The runs of dialogs that took steps in this turn, or ended."""
    plays: bool = False
    """A dialog runs right now."""
    in_step: bool = False
    """A step of the dialog runs right now."""
    asked: bool = False
    """A dialog put a question or ended, which closes the choices that were open before."""
    begun: int = 0
    """How many dialogs began in this turn."""
    unbegun: list[Coroutine[Any, Any, None]] = field(default_factory=list)
    """Calls of `turn.begin` that were not awaited yet."""
    is_over: bool = False

    @property
    def events(self) -> tuple[Event, ...]:
        """All events that the turn answers, oldest first."""
        return (*self.older, self.event)

    @property
    def happened(self) -> Happened:
        """The event, the older ones, and those skipped."""
        return self.event, self.older, self.skipped

    @happened.setter
    def happened(self, happened: Happened) -> None:
        self.event, self.older, self.skipped = happened

    def want_open(self) -> None:
        """Refuse whatever comes after the end. Raises HandlerError."""
        if self.is_over:
            raise over()

    def say(self, messages: Sequence[Outgoing]) -> None:
        """Add messages. Raises HandlerError when there are too many."""
        replies = self.effects.replies
        if len(replies) + len(messages) > REPLY_LIMIT:
            raise HandlerError(f"a turn replies with at most {REPLY_LIMIT} messages")
        replies.extend(messages)

    def send(self, sending: Sending) -> None:
        """Add messages to another thread. Raises HandlerError when there are too many."""
        sends = self.effects.sends
        if sum(len(other.messages) for other in sends) + len(sending.messages) > SEND_LIMIT:
            raise HandlerError(f"a turn sends at most {SEND_LIMIT} messages to other threads")
        sends.append(sending)

    def check_begun(self) -> None:
        """Raises HandlerError when a dialog was to begin and its coroutine was never awaited."""
        if self.unbegun:
            for beginning in self.unbegun:
                beginning.close()
            raise HandlerError("turn.begin() was not awaited, so the dialog did not begin; await it in an async def")

    def values(self) -> dict[str, Any]:
        """The state as JSON gives it back, in a copy."""
        values: dict[str, Any] = orjson.loads(self.state.encode())
        return values

    def set_aside(self) -> Shelf:
        """Put the turn on a shelf; from now on nothing it does has an effect."""
        shelf = Shelf(
            happened=self.happened,
            values=self.values(),
            step=self.step,
            effects=self.effects,
            person=self.contact.values(),
        )
        self.effects = Effects()
        return shelf

    def recall(self, leg: Leg) -> None:
        """Become the next turn of the past; without `values` the state stays as the last one left it."""
        self.happened = (leg.event, leg.older, leg.skipped)
        if leg.values is not None:
            self.state.become(deepcopy(leg.values))  # what is written to them now is no part of the past
            self.step = leg.step
        if leg.person is not None:
            self.contact.become(deepcopy(leg.person))

    def resume(self, shelf: Shelf) -> bool:
        """Become the present turn again; returns whether its state is another than the past made of it."""
        self.contact.become(shelf.person)
        differs = self.values() != shelf.values or self.step != shelf.step
        self.happened = shelf.happened
        if differs:
            self.state.become(shelf.values)
            self.step = shelf.step
        self.effects = shelf.effects
        return differs

    def end_dialog(self) -> None:
        """End the dialog that waits for this person, its question and the time for that; see Turn.end.

        Raises:
            HandlerError: it runs, in a step.
            Ended: it runs.
        """
        if self.in_step:
            raise HandlerError("a step cannot end its dialog: return from the dialog after it")
        if self.plays:
            raise Ended
        if self.dialog is None:
            return
        journal = decode_journal(self.dialog)
        if not (self.contact.is_known or is_for(journal.whom, self.event)):
            return
        self.effects.forget(journal.waiting)
        self.stepped.add(journal.run)
        self.dialog = None
        self.asked = True

    def close(self) -> None:
        """End the turn: a handler that was left behind gets an error for whatever it still does."""
        self.is_over = True
        self.state.close()
        self.members.close()
        self.contact.close()


def begun_draft(
    happened: Happened,
    state: State,
    step: str | None,
    dialog: bytes | None,
    members: bytes | None,
    person: bytes | None,
    now: int | None,
    watch: StoreWatch,
) -> Draft:
    """The draft of a turn that begins; see Turn."""
    event, older, skipped = happened
    is_alone = person is not None
    whom = None if is_alone else person_of(event)
    kept, contact = Members(members, is_alone), KeptContact(person)
    return Draft(event, older, skipped, state, step, dialog, kept, contact, whom, now, watch)
