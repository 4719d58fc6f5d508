"""Shares of a bound: one group may have all of it, and none can take the first few of another."""

from __future__ import annotations

import asyncio
import random

import pytest

from bridge.engine.shares import Places, RoundRobin, Shares


def filled(shares: Shares, group: str) -> int:
    """Take as many as the group may; how many those are."""
    count = 0
    while shares.has_room(group):
        shares.take(group)
        count += 1
    return count


@pytest.mark.parametrize(("bound", "groups", "others"), [(64, 2, 16), (64, 3, 8), (64, 17, 1), (8, 2, 2), (4, 2, 1)])
def test_one_group_has_the_whole_bound_and_leaves_every_other_its_first_few(
    bound: int, groups: int, others: int
) -> None:
    shares = Shares(bound, groups)
    assert filled(shares, "busy") == bound
    assert [filled(shares, f"g{number}") for number in range(1, groups)] == [others] * (groups - 1)
    assert shares.total == bound + bound // 4


@pytest.mark.parametrize(("bound", "groups"), [(64, 1), (1, 1), (1, 5), (3, 2)])
def test_a_single_group_and_a_small_bound_know_no_reserve(bound: int, groups: int) -> None:
    shares = Shares(bound, groups)
    assert filled(shares, "busy") == bound
    assert filled(shares, "other") == 0


def test_what_is_given_back_is_free_for_those_who_have_little_first() -> None:
    shares = Shares(8, 3)
    filled(shares, "busy")
    assert filled(shares, "ann") == 1
    shares.give("busy")
    assert shares.has_room("busy")
    shares.take("busy")
    assert not shares.has_room("busy")
    assert not shares.has_room("ann")
    assert shares.has_room("ben")


def test_the_numbers_are_right_after_any_number_of_moves() -> None:
    rng = random.Random(1)
    shares, used = Shares(12, 3), dict.fromkeys("abc", 0)
    for _ in range(2000):
        group = rng.choice("abc")
        if rng.random() < 0.6:
            has_room = shares.has_room(group)
            assert shares.enter(group) is has_room
            used[group] += has_room
        elif used[group]:
            shares.give(group)
            used[group] -= 1
        assert shares.total == sum(used.values()) <= 15
        missing = sum(max(1 - count, 0) for name, count in used.items() if name != group)
        assert used[group] > 0 or shares.total > 14 or shares.has_room(group)
        assert not shares.has_room(group) or shares.total < 12 or used[group] == 0 or 15 - shares.total > missing


def test_groups_have_their_turns_one_after_another_and_each_its_own_order() -> None:
    line: RoundRobin[str] = RoundRobin()
    for item in ("a1", "a2", "a3", "b1", "c1", "c2"):
        line.add(item[0], item)
    assert [line.take(lambda _: True) for _ in range(7)] == ["a1", "b1", "c1", "a2", "c2", "a3", None]
    assert not line


def test_a_group_that_is_not_admitted_keeps_its_turn() -> None:
    line: RoundRobin[str] = RoundRobin()
    for item in ("a1", "b1", "b2"):
        line.add(item[0], item)
    assert line.take(lambda group: group == "b") == "b1"
    assert line.take(lambda group: group == "c") is None
    assert [line.take(lambda _: True) for _ in range(2)] == ["a1", "b2"]


async def test_places_go_to_those_who_wait_in_turn_and_come_back_from_whoever_gave_up() -> None:
    places, order = Places(Shares(4, 2)), list[str]()
    release = asyncio.Event()

    async def stay(name: str) -> None:
        async with places.place(name[0]):
            order.append(name)
            await release.wait()

    tasks = [asyncio.create_task(stay(f"a{number}")) for number in range(6)]
    tasks.append(asyncio.create_task(stay("b0")))
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.0)
    assert order == ["a0", "a1", "a2", "a3", "b0"]
    for task in (tasks[0], tasks[4]):  # one that has a place, and one that waits for it
        task.cancel()
    for _ in range(5):
        await asyncio.sleep(0.0)
    assert order == ["a0", "a1", "a2", "a3", "b0", "a5"]
    release.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert places._shares.total == 0
