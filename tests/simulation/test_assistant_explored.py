"""The assistant, whatever dies meanwhile: money stays within its budget, tools act once, an answer arrives whole."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import pytest

from bridge.testing import World
from handlers.assistant import Limits, to_person
from handlers.assistant.money import millionths
from tests.support.assistants import STORY, Till, shop
from tests.support.priced_model import PricedModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.testing.contacts import Contact

FAULTS: Final = {"crash": 4, "duplicate": 1, "store_fails": 1, "slow_store": 1}
SEEDS: Final = 20
SORRY: Final = "Somebody will help you."
LIMITS: Final = {"ample": "1", "tight": "0.018"}


class Stand:
    """One assistant, its model and its till, in many worlds."""

    def __init__(self, limit: str) -> None:
        self.till = Till()
        self.limit = millionths(limit, "the limit")
        self.given_up = 0
        self.deaths = 0
        self.paid_twice = 0
        self.refunded_twice = 0
        self.assistant = shop(
            till=self.till,
            limits=Limits(contact_day=limit, account_day="5"),
            fallback=to_person(SORRY),
            max_tokens=2000,
        )
        assert isinstance(self.assistant.model, PricedModel)
        self.model = self.assistant.model

    async def talk(self, world: World) -> None:
        """A long answer, and a refund that is confirmed."""
        self.model.empty()
        self.till.receipts.clear()
        self.till.asked.clear()
        ann = world.contact("konnek", "whatsapp", "ann")
        for words, press in (("story", None), ("refund 7", "Yes")):
            await ann.says(words)
            await world.settle()
            if press is not None and await ann.handoff() is None:
                await ann.clicks(press)
                await world.settle()
        self.deaths += sum(" crash (" in line for line in world.trace)
        self.paid_twice += len(self.model.requests) > 3
        self.refunded_twice += len(self.till.asked) > 1
        await self.check(ann, world)

    async def check(self, ann: Contact, world: World) -> None:
        """Nothing is overspent, done twice, or cut."""
        note = await ann.handoff()
        spent = await world.inside(world.bridge.store.spent("konnek", "assistant contact 1 day"))
        assert spent is not None
        assert self.model.paid <= spent.amount, "more was paid than was counted"
        assert spent.amount <= self.limit, "more was counted than the budget"
        assert len(self.till.receipts) <= 1, "a refund was paid twice"
        if note is not None:
            assert note == "assistant: budget"
            ann.saw_once(SORRY)
            self.given_up += 1
        else:
            assert [*self.till.receipts.values()] == [7]
            ann.saw_once("Refund order 7?")
            ann.saw_once("~Done: paid back order 7")
            story = " ".join(" ".join(ann.texts).split()).replace("*", "")
            assert " ".join(STORY.split()).replace("*", "") in story, "the answer is cut"
            assert story.count("Paragraph 7 ") == 1


def survives(stand: Stand, deaths: int) -> int:
    """As many runs as it takes for so many deaths."""
    runs = 0
    with World(stand.assistant.router) as world:
        for first in itertools.count(step=SEEDS):
            runs += world.explore(stand.talk, seeds=range(first, first + SEEDS), faults=FAULTS).runs
            if stand.deaths >= deaths:
                return runs
    raise AssertionError


def test_money_tools_and_answers_survive_deaths() -> None:
    stand = Stand(LIMITS["ample"])
    survives(stand, 40)
    assert stand.given_up == 0
    assert stand.paid_twice, "no death fell into a call of the model"


def test_a_tight_budget_is_not_overspent_by_deaths() -> None:
    stand = Stand(LIMITS["tight"])
    runs = survives(stand, 40)
    assert 0 < stand.given_up < runs


@pytest.mark.soak
@pytest.mark.parametrize("budget", LIMITS)
def test_it_is_so_for_ten_thousand_deaths(budget: str, record_property: Callable[[str, object], None]) -> None:
    stand = Stand(LIMITS[budget])
    runs = survives(stand, 5_000)
    assert stand.refunded_twice, "no death fell between a refund and the note of it"
    record_property("fault run", f"{stand.deaths} deaths in {runs} runs: spent <= budget + one call in each of them")
