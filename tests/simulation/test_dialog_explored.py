"""A dialog in worlds where everything goes wrong: the same words, and money paid back once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.testing.world import World
from tests.support.dialog_bots import Payments, refunds
from tests.support.worlds import ALL, LASTING

if TYPE_CHECKING:
    from collections.abc import Iterable

SAID = [
    "About order 7.",
    "What went wrong?",
    "Refund it?",
    "How many stars?",
    "Done: ref-7, 5 stars, because broken.",
]


def survives(faults: Iterable[str], seeds: int) -> None:
    async def scenario(world: World) -> None:
        payments.by_key.clear()
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("order 7")
        await ann.sees("~wrong?")
        await ann.says("broken")
        await ann.clicks("yes")
        await ann.sees("~stars?")
        await ann.says("5")
        await world.settle()
        assert ann.texts == SAID, ann.phone()
        assert payments.by_key == {"refund-7": 7}
        assert await ann.state() == {"orders": 1, "begun": 1, "reasons": ["broken"], "stars": 5}

    payments = Payments()
    with World(refunds(payments)) as world:
        assert world.explore(scenario, seeds=seeds, faults=faults).runs == seeds


def test_a_dialog_survives_whatever_goes_wrong() -> None:
    survives(ALL, 200)


def test_a_dialog_survives_what_goes_wrong_for_a_while() -> None:
    survives((*ALL, *LASTING), 5)


@pytest.mark.soak
def test_a_dialog_survives_what_goes_wrong_for_a_while_in_a_long_run() -> None:
    survives((*ALL, *LASTING), 500)
