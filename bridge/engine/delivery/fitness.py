"""Whether a message may leave, as things stand in the moment that it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.frozen import changed
from bridge.planning.plan import Bar, plan
from bridge.store.consent import OPTED_OUT, forbids
from bridge.store.lifecycle import OutboxState
from bridge.store.people.identities import TAKEN, is_lost
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.planning.capabilities import Capabilities
    from bridge.store.records import OutboxRow, ThreadRow

    Carries = Callable[[str], Capabilities]

_FRESH: Final = 60 * SECOND
"""A message younger than this keeps the plan that was made when it was committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """It must not leave; under Bar.PERSON because a person has taken the conversation."""

    bar: Bar
    state: OutboxState = OutboxState.DEAD
    reason: str = ""


def fit(row: OutboxRow, thread: ThreadRow, carries: Carries, now: int, *, may_be_out: bool) -> OutboxRow | Unfit:
    """The message as it may leave now, by what its channel `carries`.

    One that `may_be_out` already is not silenced: it was said before.
    """
    if thread.hold.silences(row.seq) and not may_be_out:
        return Unfit(bar=Bar.PERSON)
    opted_out = forbids(thread, row)
    if opted_out or (thread.lost and is_lost(thread, row.address)):
        return Unfit(bar=Bar.CONSENT if opted_out else Bar.MOVED, reason=OPTED_OUT if opted_out else TAKEN)
    if row.expires_at is not None and row.expires_at <= now:
        reason = "it was worth nothing any more when it could leave"
        return Unfit(bar=Bar.EXPIRED, state=OutboxState.EXPIRED, reason=reason)
    if now - row.created_at < _FRESH or (capabilities := carries(row.ref.channel)).window is None:
        return row
    made = plan(row.message, capabilities, now=now, last_heard=thread.last_heard)
    if len(made.parts) == 1:
        return changed(row, message=made.parts[0])
    reason = made.dropped or "it waited too long for its window, and its fallback takes several messages"
    return Unfit(bar=made.bar or Bar.WINDOW, reason=reason)
