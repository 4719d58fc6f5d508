"""Which arrivals are new: event keys, repetitions, conflicts, and the state that an event begins in."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from bridge.errors import KeyTaken, ThreadMoved
from bridge.events import Handoff, Job, Merged, Returned, Send, Signal, Status, Timer, Unmerged
from bridge.frozen import changed, dataclass
from bridge.store.lifecycle import OPEN, QUARANTINED, InboxState
from bridge.store.records import STORED, Receipt
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.errors import StoreError
    from bridge.events import Event
    from bridge.store.records import Arrival, TurnCommit

OWN_KEYS: Final = ("timer:", "send:", "job:", "by hand:", "quarantine:", "conflict:", "replayed:", "gateway:")
"""How the event keys begin that are made here. A gateway's key never does: one that would has `gateway:` before it."""
OWN_KINDS: Final = tuple(kind.tag for kind in (Timer, Handoff, Returned, Send, Signal, Job, Merged, Unmerged))
"""Events that are made here: no gateway sent them."""
REDELIVERED: Final = 8 * 86_400 * SECOND
"""How long after an upgrade a gateway may deliver again what has a former key. The longest is known to try for 7 days.
"""

_EMPTIED: Final = b"\0"
"""How a digest begins that stands in the place of a content: no JSON does."""
ERASED: Final = _EMPTIED
"""What stands in the place of a content of which not even a digest is left."""
EARLIER: Final = -1
"""The unit of an event that was stored before all units at hand."""

_UNDER_WAY: Final = (OPEN, InboxState.EARLY)

Key = tuple[str, str]
"""Account and event key."""


def place_of(channel: str, conversation_id: str) -> str:
    """What the key of a gateway's event begins with: a digest of its conversation, whose id may be a phone number.

    Keys are logged, and it never changes: a redelivery would be taken for news.
    """
    return hashlib.blake2b(f"{channel}\0{conversation_id}".encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Known:
    """The content under an event key, and the unit (one webhook's arrivals) that brought it."""

    encoded: bytes
    raw: bytes
    unit: int = EARLIER


def keys_of(units: Sequence[Sequence[Arrival]], former_until: int) -> list[Key]:
    """The keys to look up before units are admitted; the former ones too, of arrivals before `former_until`."""
    keys = [(arrival.account, arrival.key) for unit in units for arrival in unit]
    return keys + [
        (arrival.account, key)
        for unit in units
        for arrival in unit
        if arrival.received_at < former_until
        for key in arrival.former_keys
    ]


def conflict_keys_of(units: Sequence[Sequence[Arrival]], known: Mapping[Key, Known]) -> list[Key]:
    """The keys to look up next, because those of some arrivals are known with another content."""
    if not known:
        return []
    return [
        (arrival.account, conflict_key(arrival))
        for number, unit in enumerate(units)
        for arrival in unit
        if (stored := known.get((arrival.account, arrival.key))) and not is_repeated(stored, arrival, number)
    ]


def refused(
    turns: Sequence[TurnCommit], verdicts: Sequence[StoreError | None], known: Mapping[Key, Known]
) -> list[StoreError | None]:
    """The verdicts on turns of one transaction, and on what they send; None: the turn may be committed.

    `known` holds what is stored under the keys of all that they send. A turn that sends other messages than one of the
    same transaction runs again: that one may come to nothing yet.
    """
    sent: dict[Key, bytes] = {}
    judged: list[StoreError | None] = []
    for turn, verdict in zip(turns, verdicts, strict=True):
        sends = {} if verdict else {(arrival.account, arrival.key): arrival.raw for arrival in turn.sends}
        taken = [key for key, raw in sends.items() if (stored := known.get(key)) and not is_same(stored.raw, raw)]
        if taken:
            judged.append(KeyTaken(f"the key {taken[0][1]} is known with other messages"))
        elif any(sent.get(key, raw) != raw for key, raw in sends.items()):
            judged.append(ThreadMoved("another turn sends under the same key"))
        else:
            sent |= sends
            judged.append(verdict)
    return judged


def admit(known: dict[Key, Known], arrival: Arrival, unit: int) -> tuple[Arrival | None, Receipt]:
    """The arrival to store (None: it is stored already, or refused), and its receipt. `known` learns of it.

    Another content under a known key is quarantined under a key of its own, once. Other messages to send under a known
    key are refused, and so is another signal: their sender is there to hear of it.
    """
    key = (arrival.account, arrival.key)
    stored = known.get(key)
    if stored is None and _has_former_key(known, arrival, unit):
        return None, Receipt.REPEATED
    if stored is None:
        known[key] = Known(arrival.encoded, arrival.raw, unit)
        return arrival, STORED
    if is_repeated(stored, arrival, unit):
        return None, Receipt.REPEATED
    own_key = conflict_key(arrival)
    if isinstance(arrival.event, Send | Signal) or (arrival.account, own_key) in known:
        return None, Receipt.CONFLICT
    known[arrival.account, own_key] = Known(arrival.encoded, arrival.raw, unit)
    reason = f"the event key {arrival.key} is known with another content"
    return changed(arrival, key=own_key, state=QUARANTINED, reason=reason), Receipt.CONFLICT


def _has_former_key(known: Mapping[Key, Known], arrival: Arrival, unit: int) -> bool:
    """Whether an arrival is stored under a key without its conversation, which another one's event may have had."""
    for key in arrival.former_keys:
        stored = known.get((arrival.account, key))
        if stored is not None and is_repeated(stored, arrival, unit):
            return True
    return False


def is_repeated(stored: Known, arrival: Arrival, unit: int) -> bool:
    """Whether an arrival has the same content, or comes by the same webhook again, even if that is read differently.

    An event without a time of its own has that of its arrival, which differs. Two events of one webhook share its
    bytes, and are no repetition of each other. For messages to send, and for a signal, `raw` is what they say,
    whenever that is.
    """
    if isinstance(arrival.event, Send | Signal):
        return is_same(stored.raw, arrival.raw)
    return is_same(stored.encoded, arrival.encoded) or (is_same(stored.raw, arrival.raw) and stored.unit != unit)


def digest(content: bytes) -> bytes:
    """What stands in the place of a content that is removed: it still tells whether another one is the same."""
    return _EMPTIED + hashlib.sha256(content).digest()


def is_same(stored: bytes, content: bytes) -> bool:
    """Whether a content is the one that is stored, or that was until it was removed; of what is erased any is."""
    return stored in (content, ERASED) or (stored.startswith(_EMPTIED) and stored == digest(content))


def conflict_key(arrival: Arrival) -> str:
    """The key under which another content of a known key is kept."""
    return f"conflict:{arrival.key}#{hashlib.sha256(arrival.encoded).hexdigest()[:16]}"


def joins_message(arrival: Arrival) -> bool:
    """Whether an arrival speaks of a message, and belongs in the thread of that."""
    return arrival.state is not QUARANTINED and isinstance(arrival.event, Status)


def wants_turn(state: InboxState, event: Event | None, thread_id: int | None) -> bool:
    """Whether an event that begins in `state` goes to the engine at once."""
    return state is OPEN and event is not None and thread_id is not None


def done_at(state: InboxState, received_at: int) -> int | None:
    """When an event that begins in `state` is over: at its arrival, unless something is still to happen to it."""
    return None if state in _UNDER_WAY else received_at
