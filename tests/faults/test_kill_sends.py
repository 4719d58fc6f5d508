"""kill -9 while one conversation sends to a thousand others: each message arrives once, in the order of its thread."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from tests.faults.harness import Gateways
from tests.faults.traffic import traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TURNS = 3


async def blasted(folder: Path, others: int, kills: int, report: Callable[[str], None]) -> None:
    dice = random.Random(20261129)
    async with Gateways(delay_ms=3).listening() as gateways:
        home = gateways.home(folder)
        async with traffic(home, gateways) as talk:
            try:
                await home.ready(home.start())
                said = [talk.compose("shop", "628120000001", f"blast {others}") for _ in range(TURNS)]
                assert [await talk.post(each) for each in said] == [200] * TURNS
                for _ in range(kills):
                    await asyncio.sleep(dice.uniform(0.0, 0.3))
                    home.kill()
                    await home.ready(home.start())
                await home.settled()
            finally:
                home.kill()
        order = [row[0] for row in home.rows("SELECT event_key FROM inbox WHERE kind = 'message' ORDER BY id")]
        seen: dict[str, list[str]] = {}
        for message in gateways.konnek.seen:
            seen.setdefault(message.conversation_id, []).append(message.text)
        answers = [text.partition("|")[2] for text in seen.pop("628120000001")]
        assert len(order) == len(set(answers)) == TURNS
        assert {tuple(text.partition("|")[2] for text in texts) for texts in seen.values()} == {tuple(answers)}
        assert len(seen) == others
        dead = home.rows("SELECT count(*) FROM outbox WHERE status = 'dead'")
        assert dead == [(0,)]
        calls = len(gateways.konnek.requests)
        report(f"{TURNS} turns to {others} others, {kills} kills: {calls} requests, each message seen once")


async def test_what_one_conversation_sends_to_many_survives_kills(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    await blasted(tmp_path, 100, 5, report)


@pytest.mark.soak
async def test_what_one_conversation_sends_to_a_thousand_survives_kills(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    await blasted(tmp_path, 1000, 40, report)
