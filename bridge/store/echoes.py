"""Whose an echo is: our own message come back, or the words of a person who uses the same account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from bridge.store.lifecycle import OutboxState
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.events import Echo
    from bridge.messages import Outgoing

PATIENCE: Final = 60 * SECOND
"""How long an echo waits for what is on the wire: longer than any request, so that all tries of then are written down.
"""
RECENT: Final = 600 * SECOND
"""How long the words of a message that left are taken for an echo of it."""
JUST_NOW: Final = 60 * SECOND
"""How long a message without words is, by its kind; where a try had no answer, as long as words."""
TRIED: Final = 100
"""So many of a thread's last tried messages can be what an echo is of."""
_WORDED: Final = frozenset({"text", "buttons", "menu"})
_WRITTEN_ELSEWHERE: Final = frozenset({"template", "cards", "raw"})
"""Messages whose words are made at the gateway."""


class Tried(NamedTuple):
    """A message that was sent, or tried: when it left (microseconds), and whether a try of it had no answer."""

    message: Outgoing
    state: OutboxState
    left_at: int
    unanswered: bool


class Evidence(Protocol):
    """What a store knows of the messages in an echo's thread; each is looked up only when it is asked for."""

    def is_named(self, echo: Echo) -> bool:
        """Whether a message of the account has the echo's id as its own, or its key."""
        ...

    def is_on_the_wire(self) -> bool:
        """Whether the thread has an open message with an attempt."""
        ...

    def tried(self) -> Iterable[Tried]:
        """The thread's last `TRIED` messages with an attempt."""
        ...


def is_ours(echo: Echo, evidence: Evidence, *, at: int, waited: int) -> bool | None:
    """Whether an echo is of a message of ours; it came `at`, and `waited` since (microseconds).

    Its id decides. An echo may overtake the answer that would tell the id: while a message of its thread may be on the
    wire, the answer is None. A try without an answer never gets an id, and a gateway may call a message otherwise in
    its answer than in its echo. So the words of a message that just left, or of such a try, are taken for ours too: a
    bot is never silenced by itself.
    """
    if evidence.is_named(echo):
        return True
    if waited < PATIENCE and evidence.is_on_the_wire():
        return None
    return any(_may_be_of(echo, tried, at - tried.left_at) for tried in evidence.tried())


def _may_be_of(echo: Echo, tried: Tried, ago: int) -> bool:
    message = tried.message
    if _same_words(echo, message):
        return tried.unanswered or (tried.state is not OutboxState.DEAD and ago < RECENT)
    return message.kind not in _WORDED and ago < (RECENT if tried.unanswered else JUST_NOW) and _alike(echo, message)


def _same_words(echo: Echo, message: Outgoing) -> bool:
    """Whether an echo reads like a message; choices may stand below its text."""
    ours, theirs = _letters(str(getattr(message, "text", ""))), _letters(echo.text)
    return bool(ours) and (ours == theirs or (message.kind != "text" and theirs.startswith(ours)))


def _alike(echo: Echo, message: Outgoing) -> bool:
    """Whether an echo may be of a message that has no words of its own."""
    return message.kind == echo.kind or message.kind in _WRITTEN_ELSEWHERE


def _letters(text: str) -> str:
    """A text as far as no gateway changes it."""
    return "".join(filter(str.isalnum, text)).casefold()
