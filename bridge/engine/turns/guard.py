"""Looks at each turn before it begins: a conversation that answers itself is held, and a contact that floods waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.engine.counters import Counters
from bridge.engine.turns.loops import Talk
from bridge.events import FROM_CONTACT, Echo, Status
from bridge.log import log

if TYPE_CHECKING:
    from bridge.clock import Clock
    from bridge.engine.turns.loops import GuardPolicy
    from bridge.store.records import InboxRow, ThreadRow, TurnCommit

TALKS: Final = 10_000
"""The most contacts that are remembered, those that spoke last: a loop speaks all the time, so it stays among them."""
_STILL: Final = "a loop was found there before, and the conversation is held"
"""Why an event has no turn by a rule for held conversations: such a rule is as good at going round."""


class Guard:
    """Remembers of each contact in each conversation how it goes there.

    It does so in memory: after a restart a loop may run until it is caught anew.
    """

    def __init__(
        self, policy: GuardPolicy, clock: Clock, *, most: int = TALKS, counters: Counters | None = None
    ) -> None:
        """Nobody has spoken yet."""
        self._counters = counters or Counters()
        self._policy = policy
        self._clock = clock
        self._most = most
        self._talks: dict[tuple[int, str | None], Talk] = {}
        """The one that spoke last stands last."""

    def verdict(self, row: InboxRow, thread: ThreadRow) -> str | int | None:
        """Nearly always None. A text: the event is part of a loop, and why. A number: its turn waits until then."""
        name = _name(row)
        if name is None:
            return None
        talk = self._talks.get(name)
        if talk is not None and talk.is_caught:
            if thread.is_held:
                return _STILL
            self._talks[name] = talk = Talk(row.event.at)  # the conversation was returned: all begins anew
        if self._policy.own and name[1] is not None and self._policy.owns(row.event):
            return "the contact is one of our own accounts"
        if talk is None:
            return None
        reason = talk.loop(row, thread.choices, self._policy)
        if reason is None and talk.waits_until and talk.must_wait(self._clock.now()):
            return self._waiting(talk, row)
        return reason

    def held(self, row: InboxRow, reason: str) -> None:
        """The conversation of an event is held for a loop, or goes on to be."""
        name = _name(row)
        talk = self._talk(name, row) if name is not None else None
        if talk is not None and not talk.is_caught:
            talk.is_caught = True
            self._counters.guard[row.ref.account, "loop"] += 1
            log.warning("loop_guard", account=row.ref.account, thread=row.thread_id, reason=reason)

    def committed(self, row: InboxRow, commit: TurnCommit) -> None:
        """The turn that began with an event was committed."""
        name = _name(row)
        if name is None or (name[1] is None and not commit.sayings):
            return
        talk = self._talk(name, row)
        if self._policy.flood_per_minute and name[1] is not None:
            talk.took_turn(commit.at, self._policy.flood_per_minute)
        if commit.sayings:
            talk.answered(row, commit.sayings, commit.at, self._policy.repeats)
        else:
            talk.was_silent()

    def _talk(self, name: tuple[int, str | None], row: InboxRow) -> Talk:
        """What is remembered under a name, from now on as what was used last."""
        talk = self._talks.pop(name, None)
        if talk is None:
            talk = Talk(row.event.at)
            if len(self._talks) >= self._most:
                del self._talks[next(iter(self._talks))]
        self._talks[name] = talk
        return talk

    def _waiting(self, talk: Talk, row: InboxRow) -> int:
        if not talk.floods:
            talk.floods = True
            self._counters.guard[row.ref.account, "flood"] += 1
            reason = f"the contact has more than {self._policy.flood_per_minute} turns a minute, and the next ones wait"
            log.warning("flood_guard", account=row.ref.account, thread=row.thread_id, reason=reason)
        return talk.waits_until


def _name(row: InboxRow) -> tuple[int, str | None] | None:
    """The thread and the contact who speaks in it; no contact where the bot's own messages come back; or neither."""
    event = row.event
    if isinstance(event, FROM_CONTACT):
        return row.thread_id, event.contact.id
    if isinstance(event, Status) or (isinstance(event, Echo) and not event.human):
        return row.thread_id, None
    return None
