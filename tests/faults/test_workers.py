"""Workers and their parent: whoever of them dies, hangs or fails, what was answered 200 comes to its end once."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from bridge.workers.words import DEPLOY
from tests.faults.checker import check
from tests.faults.harness import Gateways, Home, until
from tests.faults.parents import answers, asked, workers
from tests.faults.traffic import traffic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.faults.forks import Fork
    from tests.faults.traffic import Traffic


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Home, Traffic, Fork, Gateways]]:
    """A bridge with a worker under a parent, which has ended in the end."""
    async with Gateways(delay_ms=3).listening() as gateways:
        home = gateways.home(folder)
        parent = home.start(options=["--workers", "1"])
        async with traffic(home, gateways) as talk:
            try:
                await home.ready(parent)
                yield home, talk, parent, gateways
                if parent.poll() is None:
                    assert await home.stopped(parent) == 0, home.log[-2000:]
            finally:
                home.kill()


def gone(pid: int) -> Callable[[], bool]:
    """Whether a process has ended; a child that nobody has waited for counts, too."""

    def has_ended() -> bool:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123 - one of Linux' own
                return file.read().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    return has_ended


async def draining(home: Home) -> asyncio.Task[list[dict[str, Any]]]:
    """A deploy whose old worker has begun to finish what runs."""
    begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def deploy() -> list[dict[str, Any]]:
        told = []
        async for line in answers(home, DEPLOY):
            told.append(line)
            if line["action"] == "worker_prepared":
                begun.set_result(None)
        return told

    task = asyncio.create_task(deploy())
    await begun
    await until("the old worker hears of it", lambda: "handing_over" in home.log)
    return task


async def test_a_worker_that_is_killed_is_followed_by_the_next_one_and_new_connections_wait(tmp_path: Path) -> None:
    async with serving(tmp_path) as (home, talk, _, gateways):
        for number in range(3):
            assert await talk.say("shop", "ann", f"say before {number}") == 200
            dead = (await workers(home))["serving"]
            os.kill(dead, signal.SIGKILL)
            await until("its end", gone(dead))
            await talk.insist(talk.compose("shop", "bob", f"say after {number}"), pause=0)
        await home.settled()
        counts = check(home, talk, gateways)
    assert talk.statuses[200] == counts.turns == 6
    assert talk.statuses.get(0, 0) <= 3, "only a connection that the dead one had is cut off"
    assert '"status": 137' in home.log
    pauses = [line for line in home.log.splitlines() if "worker_restarts" in line]
    assert [line.partition('"seconds": ')[2][:3] for line in pauses] == ["0.1", "0.2", "0.4"]


async def test_webhooks_are_stored_while_the_old_worker_finishes_a_turn(tmp_path: Path) -> None:
    async with serving(tmp_path) as (home, talk, _, gateways):
        assert await talk.say("shop", "ann", "wait 1") == 200
        await until("the handler", lambda: home.handled_texts() == ["wait 1"])
        deploy = await draining(home)
        for contact in ("ann", "bob"):
            assert await talk.say("shop", contact, f"say meanwhile {contact}") == 200
        assert home.handled_texts() == ["wait 1"], "the old one begins nothing new, and the new one waits"
        assert home.is_ready(), "a load balancer sees nothing of it"
        (tmp_path / "go").touch()
        assert (await deploy)[-1]["action"] == "deployed"
        await home.settled()
        check(home, talk, gateways)
    assert home.handled_texts()[0] == "wait 1"
    assert len(home.handled_texts()) == 3, "the turn was finished, and not begun again"


async def test_an_old_worker_that_dies_while_it_hands_over_leaves_all_to_the_new_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as (home, talk, _, gateways):
        assert await talk.say("shop", "ann", "wait 1") == 200
        await until("the handler", lambda: home.handled_texts() == ["wait 1"])
        deploy = await draining(home)
        (tmp_path / "go").touch()
        os.kill((await workers(home)).get("leaving", 0) or os.getpid(), signal.SIGKILL)
        assert (await deploy)[-1]["action"] == "deployed"
        assert await talk.say("shop", "ann", "say after") == 200
        await home.settled()
        check(home, talk, gateways)


async def test_a_new_worker_that_fails_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as (home, talk, _, gateways):
        before = (await workers(home))["serving"]
        good = (tmp_path / "threadbridge.toml").read_text("utf-8")
        for bad in ("[server]\nport = 'x'", good.replace(f"port = {home.port}", f"port = {home.port + 1}")):
            (tmp_path / "threadbridge.toml").write_text(bad, "utf-8")
            told = await asked(home, DEPLOY)
            assert told[-1]["action"] == "deploy_failed"
            assert told[-1]["reason"] == "worker 1 ended with exit code 78 before it served"
        assert await workers(home) == {"serving": before}
        (tmp_path / "threadbridge.toml").write_text(good, "utf-8")
        assert await talk.say("shop", "ann", "say still here") == 200
        assert (await asked(home, DEPLOY))[-1]["action"] == "deployed"
        assert (await workers(home))["serving"] != before
        await home.settled()
        check(home, talk, gateways)
    assert "only a new start changes that" in home.log


async def test_a_bridge_on_several_databases_is_deployed_as_a_whole(tmp_path: Path) -> None:
    async with Gateways(delay_ms=3).listening() as gateways:
        home = gateways.home(tmp_path)
        with (tmp_path / "threadbridge.toml").open("a", encoding="utf-8") as file:
            file.write('[storage.shards]\nrelay = "sqlite:///relay.db"\n')
        parent = home.start(options=["--workers=1"])
        async with traffic(home, gateways) as talk:
            try:
                await home.ready(parent)
                for number in range(2):
                    assert await talk.say("shop", "ann", f"say shop {number}") == 200
                    assert await talk.say("relay", "bob", f"say relay {number}") == 200
                    assert (await asked(home, DEPLOY))[-1]["action"] == "deployed"
                for database in (home.store, tmp_path / "relay.db"):
                    home.store = database
                    await home.settled()
                    assert home.rows("SELECT status, count(*) FROM outbox GROUP BY 1") == [("sent", 2)]
                assert await home.stopped(parent) == 0
            finally:
                home.kill()


async def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    async with serving(tmp_path) as (home, talk, parent, gateways):
        assert await talk.say("shop", "ann", "say hello") == 200
        worker = (await workers(home))["serving"]
        parent.kill()
        await until("the end of the worker", gone(worker), 15)
        async with home.running():
            await home.settled()
            check(home, talk, gateways)
    assert "its parent has ended" in home.log


async def test_a_stop_in_the_middle_of_a_deploy_ends_all_of_them(tmp_path: Path) -> None:
    async with serving(tmp_path) as (home, talk, parent, gateways):
        assert await talk.say("shop", "ann", "wait 1") == 200
        await until("the handler", lambda: home.handled_texts() == ["wait 1"])
        deploy = await draining(home)
        parent.send_signal(signal.SIGTERM)
        assert (await deploy)[-1] | {"seconds": 0} == {
            "action": "deploy_failed",
            "seconds": 0,
            "reason": "the bridge is stopping",
        }
        (tmp_path / "go").touch()
        assert await home.ended(parent) == 0
        async with home.running():
            await home.settled()
            check(home, talk, gateways)


async def test_a_second_signal_does_not_wait_for_workers(tmp_path: Path) -> None:
    async with serving(tmp_path) as (home, talk, parent, _):
        assert await talk.say("shop", "ann", "wait 1") == 200
        await until("the handler", lambda: home.handled_texts() == ["wait 1"])
        parent.send_signal(signal.SIGTERM)
        await until("the worker's line", lambda: "its parent stops" in home.log)
        parent.send_signal(signal.SIGTERM)
        assert await home.ended(parent, 8) == 1


async def test_a_first_start_that_fails_ends_with_its_exit_code(tmp_path: Path) -> None:
    async with Gateways().listening() as gateways:
        other, home = gateways.home(tmp_path), gateways.home(tmp_path)
        async with home.running():  # on the same store, at another port
            (tmp_path / "threadbridge.toml").write_text(
                (tmp_path / "threadbridge.toml").read_text("utf-8").replace(str(home.port), str(other.port)), "utf-8"
            )
            second = home.start(options=["--workers=1"])
            assert await home.ended(second) == 73
