"""Bursts in the worst of worlds: whatever the policy, each event is part of exactly one committed turn."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Message, Router, Turn, debounce
from bridge.testing.world import World
from tests.support.searches import seeds

if TYPE_CHECKING:
    from bridge.routing.overlap import Overlap

BURST = 50
WORDS = [f"line {number}" for number in range(BURST)]


def gathering(overlap: Any) -> Router:
    """A bot that keeps, with each turn, what the turn answered and passed over, and says how much that was."""
    router = Router()

    @router.message(overlap=overlap)
    async def gather(turn: Turn[Any]) -> str:
        heard = [each.text for each in (*turn.skipped, *turn.events) if isinstance(each, Message)]
        turn.state["turns"] = [*turn.state.get("turns", []), heard]
        await asyncio.sleep(0.1)
        return f"turn {len(turn.state['turns'])}: {len(turn.skipped)} + {len(turn.events)}"

    return router


@pytest.mark.parametrize("overlap", ["queue", "merge", "latest", "interrupt", debounce("2s")], ids=str)
def test_every_event_of_a_burst_is_in_exactly_one_committed_turn(overlap: str | Overlap) -> None:
    gathered: set[bool] = set()

    async def scenario(world: World) -> None:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says(*WORDS)
        await world.settle()
        turns = (await ann.state())["turns"]
        told = [each for turn in turns for each in turn]
        assert sorted(told, key=WORDS.index) == WORDS, told
        assert [text.partition(":")[0] for text in ann.texts] == [f"turn {at + 1}" for at in range(len(turns))]
        assert [sum(map(int, text.partition(":")[2].split("+"))) for text in ann.texts] == [*map(len, turns)]
        gathered.add(len(turns) < BURST)

    with World(gathering(overlap)) as world:
        assert world.explore(scenario, seeds=seeds(48), faults={"crash", "reorder", "duplicate"}).runs == seeds(48)
    assert gathered == {overlap != "queue"}
