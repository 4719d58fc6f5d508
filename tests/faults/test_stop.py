"""Stopping under load, and a second process on the same store."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

from tests.faults.checker import check
from tests.faults.harness import Gateways, until
from tests.faults.traffic import chatter, traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.traffic import Traffic


def enough(talk: Traffic, acked: int) -> Callable[[], bool]:
    return lambda: len(talk.acked) >= acked


async def test_sigterm_drains_exits_0_and_loses_nothing(tmp_path: Path, report: Callable[[str], None]) -> None:
    dice = random.Random(9)
    drains, lines = [], chatter(60, dice.random)
    async with Gateways(delay_ms=20).listening() as gateways:
        home = gateways.home(tmp_path)
        home.environment["BOT_SLOWEST"] = "0.2"
        async with traffic(home, gateways) as talk:
            try:
                for round_ in range(3):
                    process = home.start()
                    await home.ready(process)
                    async with talk.flowing(150, lines, insist=False):
                        await until("some talk", enough(talk, 80 * (round_ + 1)))
                        began = time.monotonic()
                        assert await home.stopped(process) == 0, home.log[-2000:]
                        drains.append(time.monotonic() - began)
                assert set(talk.statuses) <= {0, 200, 503}
                assert talk.statuses.keys() & {0, 503}, "nobody was turned away: the load ended too early"
                home.start()
                await home.ready(home.processes[-1])
                await home.settled()
                counts = check(home, talk, gateways)
                assert await home.stopped(home.processes[-1]) == 0
            finally:
                home.kill()
    assert counts.unknown == 0, "a drained bridge leaves no outcome unknown"
    report(f"drained in {max(drains):.2f} s at most; answers {talk.statuses}; {counts}")


async def test_a_second_sigterm_does_not_wait(tmp_path: Path, report: Callable[[str], None]) -> None:
    async with Gateways().listening() as gateways:
        home = gateways.home(tmp_path)
        async with traffic(home, gateways) as talk:
            async with home.running() as process:
                assert await talk.say("shop", "ann", "wait 1") == 200
                await until("the handler", lambda: home.handled_texts() == ["wait 1"])
                process.send_signal(signal.SIGTERM)
                await until("the first signal's line", lambda: '"stopping"' in home.log)
                assert await talk.say("shop", "ann", "say late") in {0, 503}
                assert process.poll() is None, "it drains"
                process.send_signal(signal.SIGTERM)
                seconds = await until("the exit", lambda: process.poll() is not None, 8)
                assert process.returncode == 1
            (tmp_path / "go").touch()
            async with home.running():
                await home.settled()
                counts = check(home, talk, gateways)
    assert home.handled_texts() == ["wait 1", "wait 1"]
    report(f"gone {seconds:.2f} s after the second signal; {counts}")


async def test_a_second_process_on_the_same_file_exits_73_and_names_the_first(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    async with Gateways().listening() as gateways:
        home = gateways.home(tmp_path)
        async with home.running() as first, traffic(home, gateways) as talk:
            second = home.start()
            assert await home.ended(second) == 73
            (line,) = [line for line in home.log.splitlines() if "is in use" in line]
            assert f"process {first.pid}" in line
            assert await talk.say("shop", "ann", "say still here") == 200
            await home.settled()
            counts = check(home, talk, gateways)
    report(f"{line!r}; {counts}")
