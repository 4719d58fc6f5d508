"""Where rows stand is said once, in bridge.store.lifecycle: no SQL has a state of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

import storage
from bridge.store.broadcasts import BroadcastState, RecipientState
from bridge.store.lifecycle import STATUS_RANK, HoldState, InboxState, OutboxState, Outcome, TimerState

SOURCES: Final = sorted(
    path
    for path in Path(str(storage.__file__)).parent.rglob("*.py")
    if not path.name.startswith("schema")  # a migration, once released, never changes
)
STATES: Final = {
    *InboxState,
    *OutboxState,
    *TimerState,
    *Outcome,
    *HoldState,
    *STATUS_RANK,
    *BroadcastState,
    *RecipientState,
}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_no_state_is_written_into_sql(source: Path) -> None:
    written = set(re.findall(r"'([a-z ]+)'", source.read_text()))
    assert not written & STATES
