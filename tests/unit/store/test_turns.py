"""Which turns may be committed, and which rows begin their first attempt."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Final

import pytest

from bridge.errors import ClaimLost, ThreadMoved
from bridge.store.fencing import fence
from bridge.store.heads import begins
from bridge.store.lifecycle import INBOX, InboxMove, InboxState, OutboxState
from bridge.store.records import Hold, InboxRow, ThreadRow, TurnCommit
from bridge.testing.contract.store.desk import AT, arrival, ref_of, saying

MESSAGE: Final = arrival("1").event


def turn(*row_ids: int, thread_id: int = 1, version: int = 3, taken_seq: int = 0) -> TurnCommit:
    assert MESSAGE is not None
    ref = ref_of("ann")
    rows = [
        InboxRow(id=each, seq=each, thread_id=thread_id, ref=ref, key=f"{each}", event=MESSAGE, attempt=1)
        for each in row_ids
    ]
    thread = ThreadRow(id=thread_id, ref=ref, version=version, hold=Hold(taken_seq=taken_seq))
    return TurnCommit(row=rows[-1], others=rows[:-1], thread=thread, at=AT)


MORE: Final = {each.name for each in fields(TurnCommit)} - {"row", "thread", "was_held", "sayings", "at"}


@pytest.mark.parametrize("name", sorted(MORE))
def test_a_turn_that_does_anything_beside_answering_is_not_plain(name: str) -> None:
    plain = turn(1)
    assert plain.is_plain
    more: dict[str, Any] = {name: [1]}
    assert not replace(plain, **more).is_plain


NOW: Final = (3, 0)
"""The fence of the thread as the turns found it."""


@pytest.mark.parametrize(
    ("turns", "standing", "verdicts"),
    [
        ([turn(1)], {1: NOW}, [None]),
        ([turn(1, 2)], {1: NOW, 2: NOW}, [None]),
        ([turn(1)], {}, [ClaimLost]),
        ([turn(1, 2)], {2: NOW}, [ClaimLost]),  # one of its events had its turn alone
        ([turn(1, version=2)], {1: NOW}, [ThreadMoved]),
        ([turn(1)], {1: (3, 5)}, [ThreadMoved]),  # a person took the thread meanwhile
        ([turn(1), turn(1)], {1: NOW}, [None, ClaimLost]),
        ([turn(1), turn(2)], {1: NOW, 2: NOW}, [None, ThreadMoved]),
        ([turn(1), turn(2, thread_id=2)], {1: NOW, 2: NOW}, [None, None]),
        ([turn(1, version=2), turn(1)], {1: NOW}, [ThreadMoved, None]),
    ],
)
def test_a_turn_is_committed_only_as_it_found_its_thread(
    turns: list[TurnCommit], standing: dict[int, tuple[int, int]], verdicts: list[type | None]
) -> None:
    found = fence(turns, standing)
    assert [None if verdict is None else type(verdict) for verdict in found] == verdicts


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, InboxState.DONE),
        ({"holds": True}, InboxState.HELD),
        ({"dead": "no"}, InboxState.DEAD),
        ({"holds": True, "dead": "no"}, InboxState.DEAD),
    ],
)
def test_what_a_turn_does_to_its_events(changes: dict[str, object], state: InboxState) -> None:
    move: InboxMove = replace(turn(1), **changes).move  # type: ignore[arg-type]
    assert INBOX.move(InboxState.OPEN, move) is state


def test_a_message_that_its_plan_dropped_is_dead_from_the_start() -> None:
    assert (saying("a").state, saying("a", dropped="too long").state) == (OutboxState.OPEN, OutboxState.DEAD)


def test_the_first_of_each_idle_thread_begins_its_attempt() -> None:
    busy = {2}
    assert [begins(thread_id, busy) for thread_id in (1, 1, 2, 3, 3)] == [True, False, False, True, False]
    assert busy == {1, 2, 3}
