"""What the engine counts of its own work, as plain numbers: they cost a message nothing that could be measured."""

from __future__ import annotations

from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bridge.planning.plan import Bar
from bridge.store import lifecycle, records
from bridge.store.lifecycle import Outcome
from bridge.store.measures import Histogram

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bridge.store.records import Arrival, Receipt

OTHER: Final = "other"
"""In the place of a name that no configuration holds: what a peer makes up is no label."""
QUARANTINED: Final = "quarantined"
STORED: Final = records.STORED.value
SENT: Final = Outcome.SENT.value
"""Plain texts for what happens most: the members of an enum cost more as keys."""

TURN_OUTCOMES: Final = ("done", "kept", "guarded", "retried", "interrupted", "repeated", "dead")
ATTEMPT_OUTCOMES: Final = (SENT, Outcome.REJECTED.value, Outcome.NOT_SENT.value, Outcome.UNKNOWN.value)
MESSAGE_OUTCOMES: Final = (*ATTEMPT_OUTCOMES, Outcome.RESOLVED.value, *(bar.value for bar in Bar))
MEDIA_OUTCOMES: Final = ("kept", "retried", "given_up")
GUARDS: Final = ("loop", "flood")
SIDES: Final = ("event", "message")


class Counters:
    """Counts since this process began. A part adds to a number with its own hands; `bridge.telemetry` reads them.

    They are no `Counter`: that is a class of Python, and it takes 1,300 instructions more to add to one.
    """

    def __init__(self, channels: Mapping[str, Collection[str]] = MappingProxyType({})) -> None:
        """`channels` are those that are known of each account."""
        self._channels = channels
        self.webhooks: defaultdict[tuple[str, int], int] = defaultdict(int)
        """By account and status."""
        self.events: defaultdict[tuple[str, str, str, str], int] = defaultdict(int)
        """By account, channel, kind and receipt."""
        self.turns: defaultdict[tuple[str, str], int] = defaultdict(int)
        """By account and one of TURN_OUTCOMES."""
        self.turn_seconds: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.messages: defaultdict[tuple[str, str], int] = defaultdict(int)
        """By account and one of MESSAGE_OUTCOMES: what became of each in the end."""
        self.attempts: defaultdict[tuple[str, str], int] = defaultdict(int)
        """By account and one of ATTEMPT_OUTCOMES."""
        self.attempt_seconds: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.retries: defaultdict[tuple[str, str], int] = defaultdict(int)
        """By account and one of SIDES: tries that are to be made again; so with `dead`."""
        self.dead: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.media: defaultdict[tuple[str, str], int] = defaultdict(int)
        """By account and one of MEDIA_OUTCOMES."""
        self.guard: defaultdict[tuple[str, str], int] = defaultdict(int)
        """By account and one of GUARDS."""

    def webhook(self, name: str, status: int, *, known: bool) -> None:
        """A webhook is answered; a `name` that is not `known` is the peer's own word."""
        self.webhooks[name if known else OTHER, status] += 1

    def arrived(self, arrivals: Sequence[Arrival], receipts: Sequence[Receipt]) -> bool:
        """Events came from outside, and this became of them; whether all are stored, and wait for no person."""
        is_usual = True
        for arrival, receipt in zip(arrivals, receipts, strict=True):
            account, ref, event = arrival.account, arrival.ref, arrival.event
            channel = OTHER
            if ref is not None and ref.channel in self._channels.get(account, ()):
                channel = ref.channel
            became = STORED
            if receipt is not records.STORED or arrival.state is lifecycle.QUARANTINED:
                is_usual = False
                became = QUARANTINED if receipt is records.STORED else receipt.value
            self.events[account, channel, OTHER if event is None else event.tag, became] += 1
        return is_usual

    def ended(self, account: str, outcome: str, *, dead: bool) -> None:
        """A message is sent, or never will be."""
        self.messages[account, outcome] += 1
        if dead:
            self.dead[account, "message"] += 1
