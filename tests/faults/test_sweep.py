"""SIGKILL at the N-th write or flush of the store, for one N after another: whatever was answered 200 is there."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.faults.checker import check
from tests.faults.harness import Gateways, can_trace, traced, until
from tests.faults.traffic import traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.faults.harness import Home
    from tests.faults.traffic import Said, Traffic

pytestmark = pytest.mark.skipif(not can_trace(), reason="strace is not here, or may not trace")
WRITE, FLUSH = "pwrite64", "fdatasync"
"""A kill at a write finds a transaction half written; one at a flush finds it written and not answered."""
_FILES = ("bridge.db", "bridge.db-wal", "bridge.db-journal")


async def until_it_dies(home: Home, talk: Traffic, call: str, point: int) -> list[Said]:
    """Start a bridge that dies at its `point`-th `call`, talk to it while it lives; what it did not answer 200."""
    process = home.start(*traced(f"{call}:signal=SIGKILL:when={point}", *(home.folder / name for name in _FILES)))
    await until("ready, or the end", lambda: process.poll() is not None or home.is_ready())
    refused: list[Said] = []
    number = 0
    while process.poll() is None:
        number += 1
        said = talk.compose(("shop", "relay")[number % 2], f"c{number % 3}", f"pair {call} {point} {number}")
        if await talk.post(said) != 200:
            refused.append(said)
        assert number < 2000, "it does not die"
    assert process.wait() == -9, f"{call} {point}: it ended with {process.returncode}\n{home.log[-2000:]}"
    return refused


async def swept(folder: Path, points: Iterable[tuple[str, int]]) -> str:
    """One store, killed at one point after another."""
    unanswered = kills = 0
    async with Gateways().listening() as gateways:
        home = gateways.home(folder)
        async with traffic(home, gateways) as talk:
            try:
                for call, point in points:
                    refused = await until_it_dies(home, talk, call, point)
                    kills += 1
                    stored = stored_keys(home)
                    assert all(key in stored for _, key in talk.acked), f"{call} {point}: acknowledged and lost"
                    unanswered += sum(said.key in stored for said in refused)
                async with home.running() as process:
                    await home.settled()
                    counts = check(home, talk, gateways)
                    assert await home.stopped(process) == 0
            finally:
                home.kill()
    return f"{kills} kills; {unanswered} stored and not answered; {counts}"


async def side_by_side(folder: Path, *sweeps: Iterable[tuple[str, int]]) -> list[str]:
    """Several stores at once: each waits for its process most of the time."""
    folders = [folder / f"{number}" for number in range(len(sweeps))]
    for each in folders:
        each.mkdir()
    return await asyncio.gather(*map(swept, folders, sweeps))


def stored_keys(home: Home) -> set[object]:
    """What the dead process left behind, read from a copy: the recovery is left for the next start."""
    copy = home.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for name in _FILES:
        if (home.folder / name).exists():
            shutil.copy(home.folder / name, copy)
    with closing(sqlite3.connect(copy / home.store.name)) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'inbox'").fetchone():
            return set()
        return {key for (key,) in db.execute("SELECT event_key FROM inbox")}


async def test_killed_at_sampled_writes_nothing_acknowledged_is_lost(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    writes = [(WRITE, point) for point in (1, 2, 3, 4, 6, 9, 14, 21, 34, 55, 89, 144, 233)]
    flushes = [(FLUSH, point) for point in (1, 2, 3, 4, 5, 7, 11, 18)]
    report("; ".join(await side_by_side(tmp_path, flushes, writes)))


async def test_killed_while_the_store_is_made_the_next_start_finds_its_way(tmp_path: Path) -> None:
    await side_by_side(tmp_path, [(WRITE, 3)], [(WRITE, 40)], [(FLUSH, 2)])


@pytest.mark.soak
@pytest.mark.parametrize(("call", "last"), [(WRITE, 600), (FLUSH, 100)])
async def test_killed_at_every_write_nothing_acknowledged_is_lost(
    tmp_path: Path, report: Callable[[str], None], call: str, last: int
) -> None:
    report(await swept(tmp_path, [(call, point) for point in range(1, last + 1)]))


@pytest.mark.soak
async def test_killed_at_every_write_that_makes_a_store(tmp_path: Path, report: Callable[[str], None]) -> None:
    points = [*((WRITE, point) for point in range(1, 121)), *((FLUSH, point) for point in range(1, 11))]
    for call, point in points:
        folder = tmp_path / f"{call}{point}"
        folder.mkdir()
        await swept(folder, [(call, point)])
    report(f"{len(points)} kills while the store is made")
