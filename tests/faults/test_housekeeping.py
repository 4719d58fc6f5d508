"""kill -9 while a conversation is erased and history is pruned: each goes on, and nothing else is lost."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from bridge.store.lifecycle import InboxState
from bridge.testing.contract.store.desk import Desk, arrival, ref_of, sent
from tests.faults.harness import SECRETS, Gateways, Home, until
from tests.faults.traffic import chatter, traffic
from tests.support.warm_python import python

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLD: Final = 6000
"""Events of the conversation that is erased, and of one that is pruned."""
CANARY: Final = "kenari"
_LEFT: Final = "SELECT count(*) FROM inbox WHERE thread_id = ?"
AGES: Final = '[retention]\nmessages = "1d"\nwebhooks = "1d"\nexchanges = "1d"'


async def past(store: Path) -> int:
    """Two long conversations of the first day of the year; the one to erase."""
    desk = await Desk(f"sqlite:///{store}").open()
    for name in (CANARY, "harmless"):
        keys = (f"{name}-{number}" for number in range(OLD))
        await desk.receive(*(arrival(key, name, state=InboxState.DONE) for key in keys))
        (message,) = await desk.said(f"{name} is told", conversation=name)
        await desk.store.settle_delivery(sent(message, f"{name}-m", exchange=b"{}"))
    thread_id = await desk.store.find_thread(ref_of(CANARY))
    assert thread_id is not None
    await desk.store.close()
    return thread_id


def left_in(folder: Path) -> list[str]:
    """The files of the store that hold a word of the erased conversation."""
    files = [file for file in folder.glob("bridge.db*") if file.is_file()]
    return [file.name for file in files if CANARY.encode() in file.read_bytes()]


def command(home: Home, *arguments: str, program: str = sys.executable) -> subprocess.Popen[bytes]:
    """A command of its own process, beside the bridge."""
    words = (program, "-m", "bridge", *arguments, "-c", "threadbridge.toml")
    environment = {**home.inherited(), **SECRETS}
    return subprocess.Popen(
        words, cwd=home.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


async def test_an_erasure_and_a_pruning_go_on_after_kills(tmp_path: Path, report: Callable[[str], None]) -> None:
    dice = random.Random(20261129)
    async with Gateways(delay_ms=3).listening() as gateways:
        home = gateways.home(tmp_path, handlers_more=AGES)
        thread_id = await past(home.store)
        left_by_kills: list[int] = []

        def left() -> int:
            return int(str(home.rows(_LEFT, thread_id)[0][0]))

        async with traffic(home, gateways) as talk:
            try:
                async with talk.flowing(10, chatter(5, dice.random), insist=True):
                    words = (("erase", "--thread", str(thread_id), "--yes"), ("prune",))
                    for wanted in (OLD * 4 // 5, OLD * 3 // 5, OLD * 2 // 5):
                        await home.ready(home.start())
                        commands = [command(home, *arguments, program=python()) for arguments in words]
                        await until("a part is erased", lambda wanted=wanted: left() <= wanted)  # type: ignore[misc] # bound
                        home.kill()
                        left_by_kills.append(left())
                        for process in commands:
                            await asyncio.to_thread(process.wait)
                    await home.ready(home.start())
                await home.settled()
                for arguments in words:
                    await asyncio.to_thread(command(home, *arguments).wait)
                assert left_in(tmp_path) == []
                there = {(str(account), str(key)) for account, key in home.rows("SELECT account, event_key FROM inbox")}
                assert talk.acked <= there
                assert {key for account, key in there - talk.acked if account == "shop"} <= {
                    key for _, key in talk.said
                }
                assert home.rows("SELECT count(*) FROM outbox WHERE status <> 'sent'") == [(0,)]
                assert home.rows("PRAGMA integrity_check") == [("ok",)]
            finally:
                home.kill()
        assert any(0 < rows < OLD for rows in left_by_kills), left_by_kills  # the last kill may come too late
        report(f"after kills {left_by_kills} of {OLD} events were left to erase; all {len(talk.acked)} taken are there")
