"""Which handler an event leads to: the dialog that waits, the first rule that fits, or the function of a timer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.engine.turns.dialogs import is_for_a_dialog
from bridge.events import FROM_CONTACT, Job, Send, Timer
from bridge.messages import decode_message
from bridge.routing.loading import named_function
from bridge.routing.rules import Match
from bridge.routing.schedule import timer_handler

if TYPE_CHECKING:
    from bridge.conversation.state import StateModel
    from bridge.conversation.turn import Reply
    from bridge.engine.turns.consent import Consent
    from bridge.engine.turns.dialogs import Dialogs
    from bridge.events import Event
    from bridge.messages import Outgoing
    from bridge.routing.handlers import Handler
    from bridge.routing.rulebook import RuleBook
    from bridge.store.records import ThreadRow

_OURS: Final = (Timer, Send, Job)
"""Events that were made here: no rule is for them."""


class Matcher:
    """Finds handlers by the rules and dialogs of a bridge."""

    def __init__(self, book: RuleBook, dialogs: Dialogs, consent: Consent) -> None:
        """The words of `consent` come before `dialogs`, and those before the rules of the `book`."""
        self.consent = consent
        self._book = book
        self._dialogs = dialogs

    def match(self, event: Event, thread: ThreadRow, step: str | None, dialog: bytes | None) -> Match | Reply | None:
        """The handler of an event while a thread is at `step` and `dialog` waits there; or the messages it brings."""
        if self.consent.asked and (consent := self.consent.match(event, thread.ref)) is not None:
            return consent
        from_contact = isinstance(event, FROM_CONTACT)
        if from_contact and thread.hold.note is not None:
            return self._book.match_held(event, thread.ref, step)
        if dialog is not None and (match := self._dialogs.match(event, thread, step, dialog)) is not None:
            return match
        if not from_contact:
            if is_for_a_dialog(event):
                return None
            if isinstance(event, _OURS):
                return self._match_own(event, thread)
        return self._book.match(event, thread.ref, step)

    def speaks(self, event: Event, thread: ThreadRow) -> bool:
        """Whether the bot has a turn for an event while a person has the thread.

        The contact's words have one where a rule is for them, and what the person writes has one. A timer has one if
        it was set for this while, until the person does something: from then on the bot would talk over them.
        """
        if isinstance(event, Timer):
            return event.held == thread.hold.taken_seq
        if isinstance(event, Send):
            return event.human
        return isinstance(event, FROM_CONTACT) and self.handler(event, thread) is not None

    def handler(self, event: Event, thread: ThreadRow) -> Handler | None:
        """The handler of an event as the thread stands. What a filter raises is left to the turn itself."""
        try:
            match = self.match(event, thread, thread.step, thread.dialog)
        except BaseException:  # noqa: BLE001 - a filter may raise anything
            return None
        return match.handler if isinstance(match, Match) else None

    def state_model(self, event: Event, match: Match) -> StateModel | None:
        """The model that a matched handler sees the state as."""
        if isinstance(event, Timer) and event.handler is not None:
            return self._book.state_model_for_timer(event)
        return match.scope.state_model

    def _match_own(self, event: Timer | Send | Job, thread: ThreadRow) -> Match | Reply | None:
        """What comes of one of _OURS."""
        if isinstance(event, Timer):
            return _match_timer(event, thread)
        if isinstance(event, Job):
            return self._book.match_job(event.name)
        return [decode_message(message.encode()) for message in event.messages]


def _match_timer(event: Timer, thread: ThreadRow) -> Match | Outgoing | None:
    """The function of a timer, or its message; None where the contact replied before."""
    if event.unless == "replied" and thread.heard > event.since:
        return None
    if event.message is not None:
        return decode_message(event.message.encode())
    handler = timer_handler(named_function(event.handler or ""))
    arguments = handler.accept(event.arguments)
    if arguments is None:
        raise handler.error("the arguments it was to be called with do not fit it any more")
    return Match(handler=handler, arguments=arguments)
