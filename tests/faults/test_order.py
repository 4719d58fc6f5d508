"""Order and repetition under load: each thread's events one at a time and in turn, and one webhook fifty times over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.faults.checker import check
from tests.faults.harness import Gateways
from tests.faults.traffic import traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.traffic import Traffic

THREADS = 1000


async def converse(talk: Traffic, contact: str, events: int, rounds: asyncio.Semaphore) -> None:
    """The contact's messages, each posted when the one before was answered: so their order is beyond doubt."""
    for number in range(events):
        async with rounds:
            assert await talk.say("shop", contact, f"say {contact} {number}") == 200


async def ordered(tmp_path: Path, events: int) -> str:
    """Let each of the threads have so many events; the order that came of it, as a line."""
    async with Gateways().listening() as gateways:
        home = gateways.home(tmp_path, handlers_more="concurrency = 256")
        home.environment["BOT_SLOWEST"] = "0.02"
        async with home.running() as process, traffic(home, gateways) as talk:
            rounds = asyncio.Semaphore(48)
            loop = asyncio.get_running_loop()
            began = loop.time()
            await asyncio.gather(*(converse(talk, f"c{number}", events, rounds) for number in range(THREADS)))
            await home.settled()
            seconds = loop.time() - began
            counts = check(home, talk, gateways)
            assert await home.stopped(process) == 0
    handled: dict[str, list[int]] = {}
    for line in home.handled_texts():
        _, contact, number = line.split()
        handled.setdefault(contact, []).append(int(number))
    seen: dict[str, list[int]] = {}
    for each in gateways.konnek.seen:
        seen.setdefault(each.conversation_id, []).append(int(each.text.split("|")[0].split()[2]))
    expected = {f"c{number}": list(range(events)) for number in range(THREADS)}
    inversions = sum(found[name] != order for found in (handled, seen) for name, order in expected.items())
    assert inversions == 0
    assert handled.keys() == seen.keys() == expected.keys()
    return f"{inversions} threads out of order of {THREADS}; {counts}; {THREADS * events / seconds:.0f} events/s"


async def test_a_thousand_threads_of_five_events_keep_their_order(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    report(await ordered(tmp_path, 5))


@pytest.mark.soak
async def test_a_thousand_threads_of_fifty_events_keep_their_order(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    report(await ordered(tmp_path, 50))


async def test_the_same_webhook_fifty_times_at_once_is_one_turn_and_one_reply(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    async with Gateways().listening() as gateways:
        home = gateways.home(tmp_path)
        async with home.running(), traffic(home, gateways) as talk:
            for account in ("shop", "relay"):
                said = talk.compose(account, "ann", f"say {account}")
                statuses = await asyncio.gather(*(talk.post(said) for _ in range(50)))
                assert statuses == [200] * 50
            await home.settled()
            counts = check(home, talk, gateways)
            assert (counts.stored, counts.turns, counts.messages, counts.calls) == (2, 2, 2, 2)
            assert sorted(home.handled_texts()) == ["say relay", "say shop"]
    report(f"100 posts of 2 webhooks: {counts}")
