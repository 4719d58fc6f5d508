"""Whether a message may leave, as things stand in the moment that it is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bridge.planning.plan import plan
from bridge.store.consent import OPTED_OUT, forbids
from bridge.store.lifecycle import OutboxState
from bridge.store.people.identities import TAKEN, is_lost
from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.planning.capabilities import Capabilities
    from bridge.store.records import OutboxRow, ThreadRow

_FRESH: Final = 60 * SECOND
"""A message younger than this keeps the plan that was made when it was committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """It must not leave. `silenced`: because a person has taken the conversation."""

    state: OutboxState = OutboxState.DEAD
    reason: str = ""
    silenced: bool = False


def fit(row: OutboxRow, thread: ThreadRow, carries: Capabilities, now: int, *, may_be_out: bool) -> OutboxRow | Unfit:
    """The message as it may leave now. One that `may_be_out` already is not silenced: it was said before."""
    if thread.hold.silences(row.seq) and not may_be_out:
        return Unfit(silenced=True)
    if forbids(thread, row) or is_lost(thread, row.address):
        return Unfit(reason=OPTED_OUT if forbids(thread, row) else TAKEN)
    if row.expires_at is not None and row.expires_at <= now:
        return Unfit(state=OutboxState.EXPIRED, reason="it was worth nothing any more when it could leave")
    if carries.window is None or now - row.created_at < _FRESH:
        return row
    made = plan(row.message, carries, now=now, last_heard=thread.last_heard)
    if len(made.parts) == 1:
        return replace(row, message=made.parts[0])
    return Unfit(reason=made.dropped or "it waited too long for its window, and its fallback takes several messages")
