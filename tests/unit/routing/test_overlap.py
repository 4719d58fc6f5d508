"""Policies of overlap as they are written, and the rows that a burst takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import HandlerError, Router
from bridge.callsite import call_site
from bridge.engine.turns.batching import Batch, grown
from bridge.routing.handlers import handler_of
from bridge.routing.overlap import Overlap, as_overlap, debounce
from bridge.store.records import InboxRow
from bridge.testing.contract.store.desk import ref_of
from bridge.units import SECOND
from tests.support.bursting_bots import account_for, message
from tests.support.turn_engine import ATTEMPTS


@pytest.mark.slow
@given(
    rows=st.lists(st.tuples(st.integers(0, ATTEMPTS), st.booleans()), min_size=1, max_size=12),
    attempts=st.integers(1, ATTEMPTS),
)
@settings(max_examples=200)
def test_a_burst_is_the_longest_run_of_events_that_fit(rows: list[tuple[int, bool]], attempts: int) -> None:
    row = InboxRow(id=0, seq=0, thread_id=1, ref=ref_of("ann"), key="", event=message(text="x"), attempt=0)
    waiting = [replace(row, id=at, attempt=tried) for at, (tried, _) in enumerate(rows)]
    handler = handler_of(account_for, None, call_site())
    head = Batch(rows=(waiting[0],), handler=handler)
    batch = grown(head, waiting, attempts, lambda each: handler if rows[each.id][1] else None)
    taken = [each.id for each in batch.rows]
    assert taken == list(range(len(taken)))
    assert all(rows[at][1] for at in taken[1:])
    last = [each for each in batch.rows[1:] if each.attempt and each.attempt + 1 >= attempts]
    assert last == []
    if len(taken) > 1:
        assert rows[0][0] <= 1 or rows[0][0] < attempts
    if not batch.closed:
        assert len(taken) == len(rows)


@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        ({"overlap": "drop"}, "overlap is one of queue, merge, latest, interrupt"),
        ({"overlap": None}, "overlap is one of"),
        ({"timeout": "soon"}, "a duration is a number"),
        ({"timeout": 0}, "timeout is more than nothing"),
        ({"timeout": "2d"}, "at most a day"),
    ],
)
def test_a_manner_that_cannot_be_is_told_at_once(manner: dict[str, Any], reason: str) -> None:
    with pytest.raises(HandlerError, match=reason) as caught:
        Router().message(**manner)
    assert "test_overlap.py:" in str(caught.value)


def test_an_unknown_keyword_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="overlp"):
        Router().message(overlp="merge")  # type: ignore[call-arg]


@pytest.mark.parametrize(("quiet", "more"), [("0s", {}), ("2h", {}), ("2s", {"at_most": "1s"}), ("x", {})])
def test_a_debounce_that_cannot_be_is_told_at_once(quiet: str, more: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"debounce|duration"):
        debounce(quiet, **more)


def test_policies_are_told_by_their_name() -> None:
    assert as_overlap("merge") == Overlap(name="merge")
    assert as_overlap(debounce(2)) == Overlap(name="debounce", quiet=2 * SECOND, at_most=20 * SECOND)
