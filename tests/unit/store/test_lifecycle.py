"""The life cycles: every chain of moves stays within its machine, and what is no move is refused."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.events import STATUS_VALUES
from bridge.store import INBOX_MOVES, OUTBOX_MOVES
from bridge.store.broadcasts import (
    BROADCAST,
    RECIPIENT,
    BroadcastMove,
    BroadcastState,
    RecipientMove,
    RecipientState,
)
from bridge.store.lifecycle import (
    HOLDS,
    INBOX,
    OUTBOX,
    STATUS_RANK,
    TIMERS,
    HoldMove,
    HoldState,
    InboxMove,
    InboxState,
    OutboxMove,
    OutboxState,
    TimerMove,
    TimerState,
    climbs,
)

if TYPE_CHECKING:
    from enum import StrEnum

    from bridge.store.lifecycle import Machine

MACHINES: Final[tuple[tuple[Machine[Any, Any], type[StrEnum], type[StrEnum]], ...]] = (
    (INBOX, InboxState, InboxMove),
    (OUTBOX, OutboxState, OutboxMove),
    (TIMERS, TimerState, TimerMove),
    (HOLDS, HoldState, HoldMove),
    (BROADCAST, BroadcastState, BroadcastMove),
    (RECIPIENT, RecipientState, RecipientMove),
)
every = pytest.mark.parametrize(("machine", "states", "moves"), MACHINES, ids=lambda value: getattr(value, "name", ""))


@every
@given(data=st.data())
@pytest.mark.slow
def test_every_chain_of_moves_stays_within_the_machine(
    machine: Machine[Any, Any], states: type[StrEnum], moves: type[StrEnum], data: st.DataObject
) -> None:
    state = data.draw(st.sampled_from([*machine.starts]))
    for happened in data.draw(st.lists(st.sampled_from([*moves]), max_size=12)):
        if not machine.can(state, happened):
            with pytest.raises(ValueError, match=machine.name):
                machine.move(state, happened)
            continue
        target = machine.move(state, happened)
        assert isinstance(target, states)
        assert target in machine.targets()[state]
        assert machine.reach(state, target) is target
        assert state in machine.before(happened)
        state = target


@every
def test_every_state_is_told_of_and_reached_and_every_move_is_made(
    machine: Machine[Any, Any], states: type[StrEnum], moves: type[StrEnum]
) -> None:
    assert set(machine.moves) == set(states)
    reached = set(machine.starts).union(*machine.targets().values())
    assert reached == set(states)
    assert {happened for leading in machine.moves.values() for happened in leading} == set(moves)


@pytest.mark.parametrize("machine", [INBOX, OUTBOX, TIMERS], ids=lambda machine: machine.name)
def test_what_happens_to_rows_in_bulk_leads_to_one_state(machine: Machine[Any, Any]) -> None:
    targets = defaultdict(set)
    for leading in machine.moves.values():
        for happened, target in leading.items():
            targets[happened].add(target)
    assert {happened: {machine.after(happened)} for happened in targets} == targets


@pytest.mark.parametrize(
    ("machine", "ends"),
    [
        (INBOX, {InboxState.DONE, InboxState.DROPPED}),
        (OUTBOX, {OutboxState.SENT, OutboxState.EXPIRED, OutboxState.DROPPED}),
        (TIMERS, {TimerState.FIRED, TimerState.CANCELLED, TimerState.UNREADABLE}),
        (HOLDS, set()),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_only_what_is_over_is_at_its_end(machine: Machine[Any, Any], ends: set[Any]) -> None:
    assert {state for state, leading in machine.moves.items() if not leading} == ends


def test_what_is_no_move_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing leads from sent to open"):
        OUTBOX.reach(OutboxState.SENT, OutboxState.OPEN)
    with pytest.raises(ValueError, match="cannot happen in the state done"):
        INBOX.move(InboxState.DONE, InboxMove.REPLAYED)


def test_the_moves_by_state_are_what_they_were() -> None:
    assert {
        InboxState.OPEN: {InboxState.DONE, InboxState.DEAD, InboxState.HELD},
        InboxState.HELD: {InboxState.DONE, InboxState.OPEN},
        InboxState.DONE: set(),
        InboxState.DEAD: {InboxState.OPEN, InboxState.DROPPED},
        InboxState.QUARANTINED: {InboxState.OPEN, InboxState.DONE, InboxState.DROPPED},
        InboxState.EARLY: {InboxState.OPEN, InboxState.DONE},
        InboxState.DROPPED: set(),
    } == INBOX_MOVES
    assert {
        OutboxState.OPEN: {OutboxState.SENT, OutboxState.DEAD, OutboxState.EXPIRED},
        OutboxState.SENT: set(),
        OutboxState.DEAD: {OutboxState.SENT, OutboxState.OPEN, OutboxState.DROPPED},
        OutboxState.EXPIRED: set(),
        OutboxState.DROPPED: set(),
    } == OUTBOX_MOVES


def test_statuses_only_climb() -> None:
    assert STATUS_RANK.keys() == STATUS_VALUES
    rising = ["", *sorted(STATUS_RANK, key=STATUS_RANK.__getitem__)]
    assert [[value for value in rising[1:] if climbs(before, value)] for before in rising] == [
        rising[at + 1 :] for at in range(len(rising))
    ]
    assert climbs(None, "sent")
