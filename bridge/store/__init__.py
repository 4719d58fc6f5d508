"""The Store port, the rows a store keeps, and every rule of judgement that a database must not know."""

from __future__ import annotations

from bridge.store.admission import OWN_KEYS
from bridge.store.lifecycle import INBOX_MOVES, OUTBOX_MOVES, STATUS_RANK, InboxState, OutboxState, Outcome
from bridge.store.port import Listener, Store, StoreReader
from bridge.store.records import (
    AccountSummary,
    Arrival,
    DeadLetter,
    HistoryEntry,
    Hold,
    InboxRow,
    OutboxRow,
    Receipt,
    Retry,
    Saying,
    Settled,
    StepRow,
    ThreadRow,
    ThreadSummary,
    TimerRow,
    TurnCommit,
)
from bridge.store.statuses import Unconfirmed

__all__ = [
    "INBOX_MOVES",
    "OUTBOX_MOVES",
    "OWN_KEYS",
    "STATUS_RANK",
    "AccountSummary",
    "Arrival",
    "DeadLetter",
    "HistoryEntry",
    "Hold",
    "InboxRow",
    "InboxState",
    "Listener",
    "OutboxRow",
    "OutboxState",
    "Outcome",
    "Receipt",
    "Retry",
    "Saying",
    "Settled",
    "StepRow",
    "Store",
    "StoreReader",
    "ThreadRow",
    "ThreadSummary",
    "TimerRow",
    "TurnCommit",
    "Unconfirmed",
]
