"""Processes divide an account's rate by what they can use, and never have more of it than there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.store.shares import Shares, Use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.shares import Claims

MOST = 100


@dataclass
class Table:
    """What processes write down, and a process at any step of its look."""

    most: int = MOST
    written: dict[int, Claims | None] = field(default_factory=dict)
    processes: dict[int, Shares] = field(default_factory=dict)
    read: dict[int, list[Claims | None]] = field(default_factory=dict)
    """What a process that begins with a look has read of the others."""
    claimed: set[int] = field(default_factory=set)
    """Processes that have written what they claim, and not read yet whether it fits."""
    numbers: count[int] = field(default_factory=count)

    def join(self) -> int:
        number = next(self.numbers)
        self.written[number], self.processes[number] = None, Shares()
        return number

    def step(self, number: int, wanted: int, used: int) -> None:
        """A third of a look: read, claim and write, settle and write. Nobody uses more slots than it has."""
        shares = self.processes[number]
        used = min(used, shares.slots.get("shop", 0))
        uses = {"shop": Use(self.most, max(wanted, used), used)}
        if len(self.processes) == 1:
            shares.alone(uses)
            return
        others = [claims for other, claims in self.written.items() if other != number]
        if number in self.claimed:
            self.claimed.discard(number)
            shares.settle(uses, others)
        elif number in self.read:
            shares.claim(uses, self.read.pop(number))
            if shares.has_more_to_claim:
                self.claimed.add(number)
        else:
            self.read[number] = others
            return
        self.written[number] = {**shares.claims}

    def slots(self) -> list[int]:
        return [shares.slots.get("shop", 0) for shares in self.processes.values()]

    def settled(self, wanted: Sequence[int], used: Sequence[int] = ()) -> list[int]:
        """The slots after some looks of all."""
        for _ in range(6):
            for number, wants in zip(list(self.processes), wanted, strict=True):
                for _ in range(3):
                    self.step(number, wants, used[number] if used else 0)
        return self.slots()


STEP = st.tuples(st.integers(0, 4), st.sampled_from([0, 5, 60]), st.integers(0, 60))


@given(st.integers(1, 40), st.integers(1, 4), st.lists(st.one_of(st.just("join"), STEP), max_size=60))
def test_together_they_never_have_more_than_there_is(
    most: int, settled: int, steps: list[str | tuple[int, int, int]]
) -> None:
    table = Table(most=most)
    table.step(table.join(), 0, 0)
    for _ in range(settled - 1):
        table.join()
    table.settled([0] * settled)
    for step in steps:
        if isinstance(step, str):
            table.join()
        else:
            number, wanted, used = step
            table.step(number % len(table.processes), wanted, used)
        assert sum(table.slots()) <= most


@pytest.mark.parametrize(
    ("wanted", "least"),
    [
        ([0, 0, 0, 0], [25, 25, 25, 25]),
        ([500, 500, 500, 500], [25, 25, 25, 25]),
        ([500, 0, 0, 0], [87, 4, 4, 4]),
        ([500, 500, 0, 0], [45, 45, 2, 2]),
        ([500, 10, 0, 0], [80, 11, 3, 3]),
    ],
)
def test_each_has_what_it_can_use(wanted: list[int], least: list[int]) -> None:
    table = Table()
    for _ in wanted:
        table.join()
    slots = table.settled(wanted)
    assert all(found >= wants for found, wants in zip(slots, least, strict=True)), slots


def test_who_was_alone_gives_up_nothing_that_is_used_in_this_period() -> None:
    table = Table()
    first = table.join()
    table.step(first, 100, 90)
    table.join()
    assert table.settled([100, 100], [90, 0]) == [90, 10]
    assert table.settled([100, 100], [60, 10]) == [60, 40]
    assert table.settled([100, 100], [0, 0]) == [50, 50]


def test_nobody_begins_before_the_others_have_said_what_they_have() -> None:
    table = Table()
    first, second = table.join(), table.join()
    for _ in range(6):
        table.step(second, 50, 0)
    assert table.slots() == [0, 0]
    for _ in range(3):
        table.step(first, 0, 0)
    assert sum(table.settled([0, 50])) > 0


def test_who_does_not_use_an_account_takes_nothing_of_it() -> None:
    shares, uses = Shares(), {"shop": Use(1, 5, 0)}
    others: list[Claims | None] = [{}]
    shares.claim(uses, others)
    shares.settle(uses, others)
    assert shares.slots == {"shop": 1}


def test_of_few_slots_those_who_want_one_have_it() -> None:
    table = Table(most=3)
    for _ in range(8):
        table.join()
    assert sum(table.settled([0, 0, 0, 0, 0, 9, 9, 9])[5:]) == 3
