"""The bot's own tables, whatever goes wrong: as many rows as confirmations as orders, and each statement done once."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import pytest

from bridge.testing import World
from tests.support.order_books import in_folder, router

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FAULTS: Final = {"crash": 4, "duplicate": 1, "store_fails": 1, "slow_store": 1, "lost_answer": 1}
ORDERS: Final = 3
SEEDS: Final = 20


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(router, settings={"storage": {"migrations": in_folder(tmp_path)}})


async def orders(world: World) -> None:
    """Two contacts order, side by side, and one of them buys in a dialog."""
    ann, bob = (world.contact("konnek", "whatsapp", name) for name in ("ann", "bob"))
    for number in range(ORDERS):
        await ann.says(f"order {number}")
        await bob.says(f"order {10 + number}")
    await bob.says("buy 20")
    await world.settle()
    await bob.says("5")
    await world.settle()
    wanted = [*range(ORDERS), *range(10, 10 + ORDERS), 20]
    assert [order["no"] for order in await world.fetch("SELECT no FROM bot_orders ORDER BY no")] == wanted
    assert await world.fetch("SELECT what, amount FROM bot_orders WHERE no = 20") == [("tea", 5)]
    assert await world.fetch("SELECT n FROM bot_count") == [(len(wanted) + 1,)]
    noted = [text for text in (*ann.texts, *bob.texts) if text.endswith("is noted")]
    assert sorted(noted) == sorted(f"order {number} is noted" for number in wanted[:-1])
    assert bob.texts[-1] == "5 instead of 0"


def died(world: World, deaths: int) -> tuple[int, int]:
    """How many deaths there were, and in how many runs: as many as it takes for so many deaths."""
    found = runs = 0

    async def scenario(world: World) -> None:
        await orders(world)
        nonlocal found
        found += sum(" crash (" in line for line in world.trace)

    for first in itertools.count(step=SEEDS):
        runs += world.explore(scenario, seeds=range(first, first + SEEDS), faults=FAULTS).runs
        if found >= deaths:
            return found, runs
    raise AssertionError


def test_rows_confirmations_and_orders_are_as_many_however_often_the_process_dies(world: World) -> None:
    found, runs = died(world, 20)
    assert found >= 20
    assert runs >= SEEDS


@pytest.mark.soak
def test_it_is_so_for_ten_thousand_deaths(world: World, record_property: Callable[[str, object], None]) -> None:
    found, runs = died(world, 10_000)
    record_property("fault run", f"{found} deaths in {runs} runs: rows = confirmations = orders in each of them")
