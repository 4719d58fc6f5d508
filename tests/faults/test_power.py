"""The power is cut under load: what was answered 200 is there when it comes back."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.faults.fleet import PostgresHome
from tests.faults.harness import Gateways, Home
from tests.faults.kills import killed
from tests.support.cut_disk import CutDisk, cut_disk
from tests.support.postgres_server import own_server, vanish

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tests.faults.forks import Fork

    Kill = Callable[[Fork], Awaitable[None]]

SEED: Final = 20261129
LATE: Final = (
    "ALTER SYSTEM SET synchronous_commit = off",
    "ALTER SYSTEM SET wal_writer_delay = '10s'",
    "SELECT pg_reload_conf()",
)


@pytest.fixture
def disk() -> Iterator[CutDisk]:
    with cut_disk() as made:
        yield made


def test_a_disk_whose_power_is_cut_keeps_what_was_synced_and_nothing_else(disk: CutDisk) -> None:
    for name, synced in (("synced", True), ("written", False)):
        with (disk.path / name).open("wb") as file:
            file.write(b"x" * 9000)
            if synced:
                file.flush()
                os.fsync(file.fileno())
    disk.cut()
    with pytest.raises(OSError, match="Input/output error"):
        (disk.path / "later").touch()
    disk.switch_on()
    kept = {path.name: path.stat().st_size for path in disk.path.iterdir() if path.is_file()}
    assert kept == {"synced": 9000}


async def cut_again_and_again(home: Home, gateways: Gateways, kill: Kill, cycles: int, *, noted: bool = True) -> str:
    dice = random.Random(SEED)
    counts, slowest = await killed(
        home, gateways, dice, cycles, contacts=40, earliest=0.1, latest=1.0, kill=kill, noted=noted
    )
    return f"{cycles} power cuts (seed {SEED}): {counts}; ready again after {slowest:.2f} s at most"


async def on_sqlite(folder: Path, disk: CutDisk, cycles: int) -> str:
    async with Gateways(delay_ms=3).listening() as gateways:
        home = gateways.home(folder)
        home.store = disk.path / "bridge.db"
        home.environment |= {"BOT_SLOWEST": "0.01", "THREADBRIDGE_STORAGE__URL": f"sqlite:///{home.store}"}

        async def kill(process: Fork) -> None:
            stop(process.pid)
            disk.cut()
            process.kill()
            process.wait()
            disk.switch_on()

        return await cut_again_and_again(home, gateways, kill, cycles, noted=False)


def stop(pid: int) -> None:
    """Stop all threads of a process, none of them in the middle of a sync.

    ext4 says of a sync that runs while its journal is shut down that it succeeded, which no lost power does: of a
    program that appends and syncs, and nothing else, one in twenty such cuts loses the last block that it counted.
    """
    os.kill(pid, signal.SIGSTOP)
    while not all(map(_is_stopped, Path(f"/proc/{pid}/task").iterdir())):
        pass


def _is_stopped(task: Path) -> bool:
    """Whether a thread runs no more; one may end meanwhile."""
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0] in "TZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_power_cuts_lose_nothing(tmp_path: Path, disk: CutDisk, report: Callable[[str], None]) -> None:
    report(await on_sqlite(tmp_path, disk, 6))


@pytest.mark.soak
async def test_many_power_cuts_lose_nothing(tmp_path: Path, disk: CutDisk, report: Callable[[str], None]) -> None:
    report(await on_sqlite(tmp_path, disk, 200))


async def on_postgres(folder: Path, disk: CutDisk, cycles: int, *settings: str) -> str:
    """With `settings` the server may lose something."""
    with own_server(disk.path) as server:
        await server.execute(*settings)
        async with Gateways(delay_ms=3).listening() as gateways:
            home = PostgresHome(folder, shop=gateways.shop.url, relay=gateways.relay.url)
            home.database = server.url
            home.environment |= {"BOT_SLOWEST": "0.01", "THREADBRIDGE_STORAGE__URL": server.url}
            if settings:
                home.environment["THREADBRIDGE_STORAGE__DURABILITY"] = "relaxed"

            async def kill(process: Fork) -> None:
                running = server.processes()
                disk.cut()
                process.kill()
                process.wait()
                await asyncio.to_thread(vanish, running)
                disk.switch_on()
                await asyncio.to_thread(server.boot)

            return await cut_again_and_again(home, gateways, kill, cycles)


async def test_power_cuts_of_postgresql_lose_nothing(
    tmp_path: Path, disk: CutDisk, report: Callable[[str], None]
) -> None:
    report(await on_postgres(tmp_path, disk, 3))


@pytest.mark.soak
async def test_many_power_cuts_of_postgresql_lose_nothing(
    tmp_path: Path, disk: CutDisk, report: Callable[[str], None]
) -> None:
    report(await on_postgres(tmp_path, disk, 60))


async def test_a_server_that_answers_too_early_is_seen_to_lose(tmp_path: Path, disk: CutDisk) -> None:
    """Else the tests above would see nothing."""
    with pytest.raises(AssertionError, match="I1: answered 200 and not stored"):
        await on_postgres(tmp_path, disk, 1, *LATE)
