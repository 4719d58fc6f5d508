"""Whom each of many processes looks at, who is dead, and how many come for what is left behind."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.store.watch import (
    BEAT,
    ELDERS,
    GRACE,
    LEASE,
    SPREAD,
    TAKERS,
    Watch,
    charges_of,
    delay_of,
    elders_of,
    is_dead,
)

LIVING = st.integers(1, 300).flatmap(
    lambda count: st.integers(0, 10_000).map(lambda first: [first + 3 * number for number in range(count)])
)


@given(LIVING)
def test_all_elders_look_at_each_process_and_everybody_looks_at_an_elder(epochs: list[int]) -> None:
    elders = elders_of(epochs)
    charges = {epoch: charges_of(epoch, epochs) for epoch in epochs}
    assert len(elders) == min(ELDERS, len(epochs))
    for epoch in epochs:
        lookers = {looker for looker, looked_at in charges.items() if epoch in looked_at}
        assert lookers == ({*epochs} if epoch in elders else {*elders}) - {epoch}


@given(LIVING)
def test_what_is_looked_at_grows_with_the_number_of_processes_and_not_with_its_square(epochs: list[int]) -> None:
    assert sum(len(charges_of(epoch, epochs)) for epoch in epochs) <= 2 * ELDERS * len(epochs)


@given(st.lists(st.tuples(st.floats(0.1, 3 * BEAT), st.booleans()), min_size=1, max_size=40))
def test_a_process_is_silent_since_it_was_seen_to_have_written(looks: list[tuple[float, bool]]) -> None:
    watch, now, wrote, count = Watch(), 100.0, 100.0, 0
    assert watch.look({7: count}, now) == {7: 0.0}
    for later, has_written in looks:
        now += later
        if has_written:
            count, wrote = count + 1, now
        assert watch.look({7: count}, now) == {7: now - wrote}


@given(st.floats(3 * BEAT + 0.01, 1000.0))
def test_who_comes_late_begins_anew(gap: float) -> None:
    watch = Watch()
    watch.look({7: 1}, 100.0)
    assert watch.look({7: 1}, 100.0 + gap) == {7: 0.0}


def test_after_a_look_that_failed_nobody_is_silent() -> None:
    watch = Watch()
    watch.look({7: 1}, 100.0)
    watch.forget()
    assert watch.look({7: 1}, 102.0) == {7: 0.0}


def test_a_process_without_a_connection_is_dead_sooner() -> None:
    assert [is_dead(GRACE, connected=connected) for connected in (True, False)] == [False, True]
    assert is_dead(LEASE, connected=True)


@given(st.integers(1, 5000))
def test_of_many_processes_a_few_come_at_once_and_of_few_all(processes: int) -> None:
    delays = [delay_of((number + 0.5) / processes, processes) for number in range(processes)]
    assert sum(delay < SPREAD for delay in delays) == min(processes, TAKERS)
