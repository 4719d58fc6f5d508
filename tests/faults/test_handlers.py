"""Handlers that raise, hang, block, stall the loop or end the process: they harm their own thread and no other."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING

from tests.faults.checker import check
from tests.faults.harness import Gateways, until
from tests.faults.traffic import chatter, traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.harness import Home
    from tests.faults.traffic import Traffic


def log_lines(home: Home, action: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in home.log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["action"] == action]


def status_of(home: Home, talk: Traffic, text: str) -> object:
    (key,) = [said.key for said in talk.said.values() if said.text == text]
    ((status,),) = home.rows("SELECT status FROM inbox WHERE event_key = ?", key)
    return status


def seen(gateways: Gateways) -> set[str]:
    """The beginnings of what contacts see."""
    return {each.text.split("|")[0] for each in (*gateways.konnek.seen, *gateways.relationlabs.seen)}


async def test_a_handler_that_raises_or_hangs_harms_only_its_own_thread(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    async with Gateways().listening() as gateways:
        home = gateways.home(tmp_path, handlers_more="timeout = 1\nattempts = 2")
        async with home.running() as process, traffic(home, gateways) as talk:
            troubles = ["raise 1", "hang 1", "block 1"]
            loop = asyncio.get_running_loop()
            began = loop.time()
            for trouble in troubles:
                assert await talk.say("shop", trouble.split()[0], trouble) == 200
                assert await talk.say("shop", trouble.split()[0], f"say after {trouble}") == 200
            others = [f"say {number}" for number in range(30)]
            for other in others:
                assert await talk.say("relay", other, other) == 200
            waited = await until("the others' replies", lambda: seen(gateways) >= set(others))
            early = {"say after hang 1", "say after block 1"} & seen(gateways)
            assert not early or loop.time() - began > 2, "the troubled went first, before their two seconds were over"
            await home.settled()
            counts = check(home, talk, gateways, dead=troubles)
            assert home.handled_texts().count("raise 1") == 2
            assert home.handled_texts().count("hang 1") == 2
            assert await home.stopped(process) == 0, "threads that block must not keep the process"
    assert seen(gateways) == {*others, *(f"say after {each}" for each in troubles)}
    report(f"others answered after {waited:.2f} s; {counts}")


async def test_many_blocking_handlers_block_nobody_else(tmp_path: Path, report: Callable[[str], None]) -> None:
    async with Gateways().listening() as gateways:
        home = gateways.home(tmp_path)
        async with home.running(), traffic(home, gateways) as talk:
            for number in range(40):
                assert await talk.say("shop", f"b{number}", f"block {number}") == 200
            others = [f"say {number}" for number in range(40)]
            for other in others:
                assert await talk.say("shop", other, other) == 200
            waited = await until("the others' replies", lambda: seen(gateways) == set(others))
            (tmp_path / "go").touch()
            await home.settled()
            counts = check(home, talk, gateways)
    report(f"40 others answered after {waited:.2f} s while 40 handlers blocked; {counts}")


async def test_a_handler_that_ends_the_process_is_dead_after_five_tries_and_alone(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    dice = random.Random(5)
    async with Gateways(delay_ms=3).listening() as gateways:
        home = gateways.home(tmp_path)
        home.environment["BOT_SLOWEST"] = "0.05"
        async with home.supervised(), traffic(home, gateways) as talk:
            await until("ready", home.is_ready)
            async with talk.flowing(60, chatter(60, dice.random), insist=True):
                await until("some talk", lambda: len(talk.acked) > 30)
                poison = talk.compose("shop", "mallory", "exit 1")
                await talk.insist(poison)
                await talk.insist(talk.compose("shop", "mallory", "say after"))
                await until("the end of the poison", lambda: status_of(home, talk, "exit 1") == "dead", 60)
            await home.settled()
            counts = check(home, talk, gateways, dead=["exit 1"])
            starts = len(home.processes)
    assert home.handled_texts().count("exit 1") == 5
    assert starts == 6
    ((attempt, error),) = home.rows("SELECT attempt, error FROM inbox WHERE event_key = ?", poison.key)
    assert (attempt, error) == (5, "given up after 5 tries: the process died while it was handled")
    assert counts.dead == 1
    report(f"{starts} starts; {counts}")


async def test_several_handlers_that_end_the_process_cost_no_neighbour_its_tries(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    poisons, others = [f"exit {number}" for number in range(2)], [f"say {number}" for number in range(30)]
    async with Gateways(delay_ms=3).listening() as gateways:
        home = gateways.home(tmp_path, handlers_more="attempts = 3")
        home.environment["BOT_SLOWEST"] = "0.3"
        async with home.supervised(), traffic(home, gateways) as talk:
            await until("ready", home.is_ready)
            await asyncio.gather(*(talk.insist(talk.compose("relay", text, text)) for text in [*others, *poisons]))
            await home.settled(60)
            counts = check(home, talk, gateways, dead=poisons)
    assert seen(gateways) == set(others)
    assert all(home.handled_texts().count(text) <= 3 for text in [*poisons, *others])
    report(f"{len(home.processes)} starts; {counts}")


async def test_a_handler_that_blocks_the_loop_loses_nothing_and_is_named(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    async with Gateways().listening() as gateways:
        home = gateways.home(tmp_path)
        async with home.running(), traffic(home, gateways) as talk:
            assert await talk.say("shop", "mallory", "stall 1") == 200
            others = [f"say {number}" for number in range(20)]
            assert await asyncio.gather(*(talk.say("relay", other, other) for other in others)) == [200] * 20
            await home.settled()
            counts = check(home, talk, gateways)
    source = (tmp_path / "bot.py").read_text("utf-8").splitlines()
    line = next(number for number, text in enumerate(source, 1) if "time.sleep(1.5)" in text)
    (told,) = [line for line in log_lines(home, "loop_blocked") if line["handler"]]  # a slow machine may block it too
    assert told["file"] == f"{tmp_path}/bot.py:{line}"
    assert told["handler"] == "bot:stalls"
    assert seen(gateways) == {"stall 1", *others}
    report(f"the slowest webhook took {talk.slowest:.2f} s; named {told['file']}; {counts}")
