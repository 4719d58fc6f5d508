"""When a failed try is repeated, and when it is given up."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.engine.backoff import Backoff
from bridge.units import SECOND

NOW = 1_767_225_600 * SECOND


def pause(backoff: Backoff, attempt: int, **given: float | None) -> float | None:
    again_at = backoff.again_at(attempt, NOW, random.Random(0), **given)  # type: ignore[arg-type]
    return None if again_at is None else (again_at - NOW) / SECOND


@settings(max_examples=50)
@given(attempt=st.integers(1, 200), seed=st.integers(0, 1000))
def test_pauses_double_up_to_the_cap_and_half_of_each_is_chance(attempt: int, seed: int) -> None:
    again_at = Backoff(attempts=1000, base=2, cap=60).again_at(attempt, NOW, random.Random(seed))
    assert again_at is not None
    full = min(60, 2 * 2 ** (attempt - 1))
    assert full / 2 <= (again_at - NOW) / SECOND <= full


def test_pauses_differ_from_one_another() -> None:
    rng = random.Random(1)
    backoff = Backoff(attempts=9)
    assert len({backoff.again_at(1, NOW, rng) for _ in range(20)}) == 20


@pytest.mark.parametrize(("attempt", "given_up"), [(1, False), (4, False), (5, True), (6, True)])
def test_the_last_attempt_is_the_last(attempt: int, *, given_up: bool) -> None:
    assert (pause(Backoff(attempts=5), attempt) is None) is given_up


@pytest.mark.parametrize(("asked", "least", "most"), [(30.0, 30, 30), (0.0, 1, 1), (-5.0, 1, 1), (86_400.0, 900, 900)])
def test_what_the_other_side_asks_for_is_obeyed_within_reason(asked: float, least: float, most: float) -> None:
    found = pause(Backoff(attempts=5, base=0.001), 1, retry_after=asked)
    assert found is not None
    assert least <= found <= most


def test_a_short_wish_does_not_shorten_the_pause() -> None:
    found = pause(Backoff(attempts=9, base=40), 1, retry_after=2.0)
    assert found is not None
    assert found >= 20


@pytest.mark.parametrize(("age", "given_up"), [(0, False), (50, False), (61, True)])
def test_what_is_too_old_is_given_up_however_few_the_attempts(age: int, *, given_up: bool) -> None:
    backoff = Backoff(attempts=99, base=1, give_up_after=60)
    assert (pause(backoff, 1, since=NOW - age * SECOND) is None) is given_up
    assert pause(Backoff(attempts=99), 1, since=NOW - age * SECOND) is not None
