"""How long history is kept: which rows may go, at which age, and what has to stay whatever the settings say."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.store.admission import REDELIVERED
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEYS_KEPT: Final = REDELIVERED
"""How long an event's key is kept at least (microseconds): a gateway that delivers it again runs no handler again."""
WAITS_LONGER: Final = 22 * 86_400 * SECOND
"""How much longer news of a message is kept that is not known yet: a message waits for 30 days at most."""


class Kept(StrEnum):
    """What has an age of its own in [retention]; rows go before contents."""

    MESSAGES = "messages"
    STATUSES = "statuses"
    DEAD_LETTERS = "dead_letters"
    WEBHOOKS = "webhooks"
    EXCHANGES = "exchanges"
    OUTGOING_EVENTS = "outgoing_events"


class Sweep(StrEnum):
    """A walk through a table, which removes or empties the rows that are old enough."""

    EXCHANGES = "exchanges"
    """The request and answer of a try."""
    WEBHOOKS = "webhooks"
    """The bytes of a webhook whose event is done."""
    EVENT_CONTENTS = "event contents"
    """What an event says, where its key has to stay."""
    MESSAGE_CONTENTS = "message contents"
    """What a message says, where its key has to stay."""
    EVENTS = "events"
    MESSAGES = "messages"
    """Messages, with their tries."""
    TIMERS = "timers"
    """Timers that fired or were cancelled."""
    MEDIA = "media rows"
    """What is left of media whose bytes are removed."""
    BROADCASTS = "broadcasts"
    """Recipients of broadcasts that are over, or were never begun, and then these themselves."""
    STATUSES = "statuses"
    """Statuses, also of messages that never became known."""
    DEAD_EVENTS = "dead events"
    """Dead letters and quarantined webhooks."""
    DEAD_MESSAGES = "dead messages"
    OUTGOING_EVENTS = "outgoing events"
    """Events that followers took."""


_SWEEPS: Final[Mapping[Kept, tuple[Sweep, ...]]] = {
    Kept.EXCHANGES: (Sweep.EXCHANGES,),
    Kept.WEBHOOKS: (Sweep.WEBHOOKS,),
    Kept.MESSAGES: (
        *(Sweep.EVENTS, Sweep.MESSAGES, Sweep.TIMERS, Sweep.MEDIA),
        *(Sweep.BROADCASTS, Sweep.EVENT_CONTENTS, Sweep.MESSAGE_CONTENTS),
    ),
    Kept.STATUSES: (Sweep.STATUSES,),
    Kept.DEAD_LETTERS: (Sweep.DEAD_EVENTS, Sweep.DEAD_MESSAGES),
    Kept.OUTGOING_EVENTS: (Sweep.OUTGOING_EVENTS,),
}
_AT_ANY_AGE: Final = frozenset(
    {Sweep.EXCHANGES, Sweep.WEBHOOKS, Sweep.EVENT_CONTENTS, Sweep.MESSAGE_CONTENTS, Sweep.OUTGOING_EVENTS}
)
"""What takes no key along."""
_CONTENTS: Final = frozenset({Sweep.EVENT_CONTENTS, Sweep.MESSAGE_CONTENTS})


class Swept(NamedTuple):
    """A part of a sweep: how many rows it removed or emptied, and after which row it goes on (None: it is over)."""

    rows: int
    after: int | None


def sweeps(ages: Mapping[Kept, float], now: int) -> Iterator[tuple[Sweep, int]]:
    """The sweeps that seconds of age ask for, each with the time before which rows are old enough (microseconds).

    Rows with keys stay for KEYS_KEPT at least; until then only their contents go.
    """
    for kept in Kept:
        if kept not in ages:
            continue
        age = round(ages[kept] * SECOND)
        for sweep in _SWEEPS[kept]:
            if sweep in _CONTENTS and age >= KEYS_KEPT:
                continue
            yield sweep, now - (age if sweep in _AT_ANY_AGE else max(age, KEYS_KEPT))
