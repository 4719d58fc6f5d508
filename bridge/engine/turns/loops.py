"""What two machines that answer each other look like, told from a person by the pace and by the words. Pure."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from bridge.events import Message
from bridge.frozen import dataclass
from bridge.planning.choices import answer
from bridge.text.equal_text import fold
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bridge.events import Event
    from bridge.planning.choices import Choice
    from bridge.store.records import InboxRow, Saying

_MINUTE: Final = timedelta(minutes=1)
_PERIOD: Final = 60 * SECOND
SOON: Final = 10 * SECOND
"""How soon after the bot spoke a contact's words may be an answer of a machine."""
SHORT: Final = 12
"""Characters: a shorter text, like a number, a title or "hello?", is what people say again and again."""
STANDSTILL: Final = 4
"""So many times `repeats` both sides say the same again before that is a loop: an annoyed person repeats themselves."""
_SAID: Final = 3
"""Texts of the bot that are remembered: a machine may answer each part of a turn."""
_REMEMBERED: Final = 200
"""Characters of a text that are remembered."""
_COMPARED: Final = 2 * _REMEMBERED
"""Characters of the contact's words that are looked at: those of the bot may stand in them as a quotation."""
_PUT_OFF: Final = 2
"""Rounds that are counted together: mostly the latest one says something new, and the one before needs no look."""
_DIGITS: Final = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPolicy:
    """The bounds of one contact in one conversation; 0: none. `own` are the ids and numbers of our own accounts.

    `turns_per_minute` bounds the turns in which the bot spoke, `repeats` how often in a row the contact says back what
    the bot said, `flood_per_minute` the turns of any kind.
    """

    turns_per_minute: int = 0
    repeats: int = 0
    flood_per_minute: int = 0
    own: frozenset[str] = frozenset()

    def owns(self, event: Event) -> bool:
        """Whether an event's contact is one of our own accounts."""
        contact = event.contact
        return bare(contact.id) in self.own or bare(contact.phone or "") in self.own


UNGUARDED: Final = GuardPolicy()
"""No bounds."""


@dataclass(frozen=True, slots=True)
class _Round:
    """What a contact said soon after the bot, and what the bot had `said` before, the latest first."""

    heard: str
    heard_at: int
    said: tuple[str, ...]
    is_again: bool
    """Both sides said what they had said right before."""


class Talk:
    """What is remembered of one contact in one conversation."""

    __slots__ = (
        "_answers",
        "_began_at",
        "_full_at",
        "_heard",
        "_heard_at",
        "_repeated_since",
        "_repeats",
        "_round_at",
        "_said",
        "_said_at",
        "_since",
        "_standstill",
        "_unseen",
        "floods",
        "is_caught",
        "waits_until",
    )

    def __init__(self, at: datetime) -> None:
        """The contact speaks for the first time, `at` this time."""
        self._since = at
        self._answers = 0
        """What the bot answered that may itself have been an answer, in the minute since."""
        self._began_at = 0
        """When the bot spoke first, since the contact was silent for a minute."""
        self._round_at = 0
        """When the bot spoke to the latest event that may have been an answer to what it said before."""
        self._heard_at = 0
        self._said: tuple[str, ...] = ()
        self._said_at = 0
        self._heard = ""
        self._repeats = 0
        self._repeated_since = 0
        self._standstill = 0
        self._unseen: list[_Round] = []
        """The latest rounds, which no count has yet: to compare texts is dear, and so few can change no verdict."""
        self._full_at = 0
        """When all of the turns that it may have at once would be free again (microseconds)."""
        self.waits_until = 0
        """When its next turn may begin (microseconds); 0: at once."""
        self.floods = False
        """A turn of it waits, or waited just now."""
        self.is_caught = False
        """Its conversation was held for a loop, and was not seen returned yet."""

    def loop(self, row: InboxRow, choices: Sequence[Choice], policy: GuardPolicy) -> str | None:
        """Why an event is a part of a loop, if it is; `choices` are those open in the thread."""
        event, reason = row.event, None
        if not self._may_answer(row.received_at):
            return None
        if self._standstill >= policy.repeats > 0 and isinstance(event, Message) and not answer(event, choices):
            reason = self._round(event.text, row.received_at, policy.repeats)
        if reason is None and self._answers >= policy.turns_per_minute > 0 and abs(event.at - self._since) < _MINUTE:
            reason = f"the bot answered {self._answers} times in {_seconds(abs(event.at - self._since))} s"
        return reason

    def answered(self, row: InboxRow, sayings: Sequence[Saying], at: int, repeats: int) -> None:
        """The bot spoke in the turn of an event, committed `at` (microseconds); `repeats` is the policy's."""
        event, heard_at = row.event, row.received_at
        said: tuple[str, ...] = ()
        for saying in sayings[:_SAID]:
            said = (*said, getattr(saying.message, "text", "")[:_REMEMBERED])
        if abs(heard_at - self._heard_at) > _PERIOD:
            self._began_at, self._round_at = at, 0
        if self._may_answer(heard_at):
            if abs(event.at - self._since) >= _MINUTE:
                self._since, self._answers = event.at, 0
            self._answers += 1
            if repeats:
                self._note(event.text if isinstance(event, Message) else "", heard_at, said, repeats)
        if heard_at > self._round_at:
            self._round_at = at
        self._said, self._said_at, self._heard_at = (*said, *self._said)[:_SAID], at, heard_at

    def was_silent(self) -> None:
        """The bot said nothing to an event: whatever went round ends there."""
        self._repeats = self._standstill = 0
        self._unseen.clear()

    def took_turn(self, at: int, flood_per_minute: int) -> None:
        """A turn was committed: of those that may come at once there is one less."""
        step = _PERIOD // flood_per_minute
        full_at = self._full_at if at < self._full_at <= at + 2 * _PERIOD else at  # the clock may have been set back
        self._full_at = full_at + step
        free_at = self._full_at - _PERIOD + step
        self.waits_until = free_at if free_at > at else 0
        self.floods = self.floods and self.waits_until > 0

    def must_wait(self, now: int) -> bool:
        """Whether the next turn may not begin yet."""
        return 0 < self.waits_until - now <= _PERIOD

    def _may_answer(self, heard_at: int) -> bool:
        """Whether an event may be an answer to the bot: a burst, or what waited for us, was said before, and is none.

        A contact who goes on for longer than a minute answers too: where two answers come back for each of ours, what
        comes is always older than what we say.
        """
        return heard_at > self._round_at or heard_at > self._began_at + _PERIOD

    def _round(self, heard: str, heard_at: int, most: int) -> str | None:
        """Why an answer goes round, if the ones before did."""
        if heard_at - self._said_at > SOON:
            return None
        if self._repeats >= most and is_back(heard, self._said):
            seconds = _seconds(timedelta(microseconds=heard_at - self._repeated_since))
            return f"the contact said back what the bot said, {self._repeats + 1} times in {seconds} s"
        if self._standstill >= STANDSTILL * most and heard[:_REMEMBERED] == self._heard:
            return f"the contact and the bot said the same again, {self._standstill + 1} times in a row"
        return None

    def _note(self, heard: str, heard_at: int, said: tuple[str, ...], repeats: int) -> None:
        """Count what is said back and what is said again, each for as long as nothing else is said."""
        short = heard[:_REMEMBERED]
        if len(short) < SHORT or heard_at - self._said_at > SOON:
            self.was_silent()
        else:
            is_again = short == self._heard and said == self._said[: len(said)]
            self._unseen.append(_Round(heard[:_COMPARED], heard_at, self._said, is_again))
            if len(self._unseen) >= min(repeats - self._standstill, _PUT_OFF):
                self._count()
        self._heard = short

    def _count(self) -> None:
        """Count the rounds that were put off, the newest first: one that says something else ends what was before."""
        counted: list[tuple[int, bool]] = []
        while self._unseen:
            latest = self._unseen.pop()
            back = is_back(latest.heard, latest.said)
            if not back and not latest.is_again:
                self.was_silent()
                break
            counted.append((latest.heard_at, back))
        for heard_at, back in reversed(counted):
            self._standstill += 1
            if back and not self._repeats:
                self._repeated_since = heard_at
            self._repeats = self._repeats + 1 if back else 0


def is_back(heard: str, said: Sequence[str]) -> bool:
    """Whether a contact says one of the bot's texts, whole or in a quotation; digits, as of a clock, do not count."""
    theirs, longest = "", 4 * len(heard) // 3
    for ours in said:
        if SHORT <= len(ours) <= longest:  # most answers are longer than the question
            theirs = theirs or _compared(heard[:_COMPARED])
            compared = _compared(ours)
            if len(compared) >= SHORT and compared in theirs:
                return True
    return False


def _compared(text: str) -> str:
    return _DIGITS.sub("", fold(text))


def bare(address: str) -> str:
    """An id or a number as it is compared: some gateways write a plus before numbers, and some do not."""
    return address.removeprefix("+")


def _seconds(span: timedelta) -> int:
    return max(1, round(span.total_seconds()))
