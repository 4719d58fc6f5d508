"""A disk that is full, broken or somebody else's for a while: never a 200 without a row, and a way back."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.faults.checker import check
from tests.faults.harness import Gateways, can_trace, traced, until
from tests.faults.traffic import traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.harness import Home
    from tests.faults.traffic import Traffic

needs_strace = pytest.mark.skipif(not can_trace(), reason="strace is not here, or may not trace")


async def prepared(home: Home) -> tuple[Path, Path]:
    """A store that is there already; the two files that are written to."""
    async with home.running() as process:
        assert await home.stopped(process) == 0
    return home.store, home.store.with_name(f"{home.store.name}-wal")


async def post_until(talk: Traffic, done: Callable[[list[int]], bool], name: str) -> list[int]:
    """One webhook after another, each in a thread of its own; the statuses."""
    statuses: list[int] = []
    while not done(statuses):
        assert len(statuses) < 500, statuses
        statuses.append(await talk.say("shop", f"{name}{len(statuses)}", f"say {name} {len(statuses)}"))
    return statuses


async def ends_and_starts_again(home: Home, talk: Traffic, gateways: Gateways, *before: str) -> str:
    """A bridge that meets a broken disk stops acknowledging, exits 70, and finds everything when the disk is back."""
    process = home.start(*before)
    await home.ready(process)
    if not before:
        written = home.store.with_name(f"{home.store.name}-wal").stat().st_size
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (written + 100_000, resource.RLIM_INFINITY))
    statuses = await post_until(talk, lambda found: found[-1:] == [0], "a")
    assert await home.ended(process) == 70, home.log[-2000:]
    refused = statuses.index(next(status for status in statuses if status != 200))
    assert refused > 0
    assert 200 not in statuses[refused:], "acknowledged after the disk failed"
    assert set(statuses[refused:]) <= {0, 503}
    assert "store_broken" in home.log
    async with home.running():
        assert await talk.say("shop", "later", "say later") == 200
        await home.settled()
        counts = check(home, talk, gateways)
    return f"{refused} answered 200, then {statuses[refused:]}, exit 70; {counts}"


async def test_a_file_that_may_not_grow_is_a_broken_disk(tmp_path: Path, report: Callable[[str], None]) -> None:
    async with Gateways().listening() as gateways:
        home = gateways.home(tmp_path)
        async with traffic(home, gateways) as talk:
            try:
                async with home.running() as process:  # so that there is a log of writes to measure
                    assert await talk.say("shop", "first", "say first") == 200
                    process.kill()
                    process.wait()
                report(await ends_and_starts_again(home, talk, gateways))
            finally:
                home.kill()


@needs_strace
@pytest.mark.parametrize("call", ["fdatasync:error=EIO:when=8", "pwrite64:error=EIO:when=60"])
async def test_an_input_output_error_ends_the_process(tmp_path: Path, report: Callable[[str], None], call: str) -> None:
    async with Gateways().listening() as gateways:
        home = gateways.home(tmp_path)
        async with traffic(home, gateways) as talk:
            try:
                files = await prepared(home)
                report(await ends_and_starts_again(home, talk, gateways, *traced(call, *files)))
            finally:
                home.kill()


@needs_strace
@pytest.mark.parametrize("call", ["pwrite64:error=EIO:when=2", "fdatasync:error=EIO:when=1"])
async def test_an_error_while_the_store_is_made_starts_nothing_half_made(tmp_path: Path, call: str) -> None:
    async with Gateways().listening() as gateways:
        home = gateways.home(tmp_path)
        try:
            files = (home.store, home.store.with_name("bridge.db-wal"), home.store.with_name("bridge.db-journal"))
            assert await home.ended(home.start(*traced(call, *files))) == 70
            assert "Traceback" not in home.log
            async with home.running(), traffic(home, gateways) as talk:
                assert home.rows("PRAGMA journal_mode") == [("wal",)]
                assert await talk.say("shop", "ann", "say hello") == 200
                await home.settled()
                check(home, talk, gateways)
        finally:
            home.kill()


@needs_strace
async def test_a_full_disk_is_503_until_there_is_room_again(tmp_path: Path, report: Callable[[str], None]) -> None:
    async with Gateways().listening() as gateways:
        home = gateways.home(tmp_path)
        files = await prepared(home)
        async with (
            home.running(*traced("pwrite64:error=ENOSPC:when=120..150", *files)) as process,
            traffic(home, gateways) as talk,
        ):
            statuses = await post_until(talk, lambda found: 503 in found and found[-5:] == [200] * 5, "a")
            assert set(statuses) == {200, 503}
            assert process.poll() is None
            await home.settled()
            counts = check(home, talk, gateways)
    report(f"{statuses.count(503)} answered 503, {statuses.count(200)} answered 200, no restart; {counts}")


async def test_while_somebody_else_writes_webhooks_are_503_in_time_and_then_taken(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    async with Gateways().listening() as gateways:
        home = gateways.home(tmp_path)
        async with home.running() as process, traffic(home, gateways) as talk:
            assert await talk.say("shop", "ann", "say before") == 200
            await home.settled()
            with closing(sqlite3.connect(home.store, isolation_level=None)) as foreign:
                foreign.execute("BEGIN IMMEDIATE")
                during = [talk.compose("shop", f"c{number}", f"say during {number}") for number in range(20)]
                assert await asyncio.gather(*(talk.post(said) for said in during)) == [503] * 20
                refused_after = talk.slowest
                assert refused_after < 10, "before any gateway gives up"
                assert not await asyncio.to_thread(home.is_ready)
                foreign.execute("ROLLBACK")
            began = time.monotonic()
            await home.ready(process)
            await talk.insist(talk.compose("shop", "ann", "say after"), tries=30)
            recovered_after = time.monotonic() - began
            assert recovered_after < 20
            await asyncio.gather(*(talk.insist(said, tries=3) for said in during))
            await until("every event", lambda: home.rows("SELECT count(*) FROM inbox") == [(22,)])
            await home.settled()
            counts = check(home, talk, gateways)
    report(f"503 after {refused_after:.2f} s at most, 200 again after {recovered_after:.2f} s; {counts}")
