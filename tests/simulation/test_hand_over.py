"""Many processes on one database, in virtual time: the dead are found, and the living are not taken for dead."""

from __future__ import annotations

import pytest

from bridge.store.watch import BEAT, ELDERS, GRACE, LEASE, SPREAD, TAKERS
from tests.support.hand_over import HandOver, after_absence, after_cuts, after_deaths, after_pauses

PROCESSES = 120
SEEDS = [1, 2, 3]


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_processes_are_found_after_the_grace_and_their_threads_taken_at_once(seed: int) -> None:
    seen = after_deaths(PROCESSES, range(20, 60), seed=seed)
    assert (seen.missed, seen.false_deaths) == (0, 0)
    assert seen.longest <= GRACE + BEAT + SPREAD


@pytest.mark.parametrize("seed", SEEDS)
def test_processes_whose_host_is_gone_are_found_after_the_lease(seed: int) -> None:
    seen = after_deaths(PROCESSES, range(60, 90), hosts=True, seed=seed)
    assert (seen.missed, seen.false_deaths) == (0, 0)
    assert LEASE - BEAT <= seen.longest <= LEASE + BEAT + SPREAD


def test_where_all_elders_are_gone_at_once_others_become_elders() -> None:
    seen = after_deaths(PROCESSES, range(1, 2 * ELDERS + 1), hosts=True, seconds=30.0)
    assert (seen.missed, seen.false_deaths) == (0, 0)
    assert LEASE + BEAT < seen.longest <= 2 * (LEASE + BEAT) + SPREAD


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0, 30.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_is_taken_for_dead_because_the_server_was_away(seconds: float, seed: int) -> None:
    seen = after_absence(PROCESSES, range(40, 50), seconds=seconds, seed=seed)
    assert (seen.missed, seen.false_deaths) == (0, 0)


def test_nobody_is_taken_for_dead_because_a_connection_is_cut() -> None:
    assert after_cuts(PROCESSES, times=20).false_deaths == 0


def test_frozen_processes_take_nobody_for_dead_when_they_wake() -> None:
    assert after_pauses(PROCESSES, range(1, ELDERS + 1), seconds=LEASE - 2 * BEAT).false_deaths == 0


def test_a_process_frozen_beyond_the_lease_finds_out() -> None:
    run = HandOver(PROCESSES)
    run.run(3)
    run.pause([50], LEASE + 5)
    run.run(LEASE + 10)
    assert 50 in run.database.buried_at
    assert 50 not in run.living


def test_of_many_processes_a_few_come_for_what_a_dead_one_left() -> None:
    seen = after_deaths(PROCESSES, [50])
    assert 0 < seen.takes <= 2 * TAKERS
