"""PostgreSQL crashes, hangs, is away, refuses connections and cuts them, under load: nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from typing import TYPE_CHECKING, Final

import asyncpg
import pytest

from tests.faults.checker import check
from tests.faults.fleet import Fleet
from tests.faults.harness import Gateways, until
from tests.faults.traffic import chatter, traffic
from tests.support.postgres_server import own_server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from tests.support.postgres_server import OwnServer

    Trouble = Callable[[Fleet], Awaitable[str]]

SEED: Final = 20261129
CONTACTS: Final = 10
_OURS: Final = "application_name LIKE 'threadbridge %' AND datname = current_database()"


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with own_server() as started:
        yield started


async def endured(folder: Path, url: str, *troubles: Trouble) -> str:
    """Two bridges under load in one trouble after another; in the end all is as it should be, and none began anew."""
    name = f"server_{time.time_ns()}"
    admin = await asyncpg.connect(url)
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    dice = random.Random(SEED)
    async with Gateways(delay_ms=3).listening() as gateways:
        fleet = Fleet(folder, shop=gateways.shop.url, relay=gateways.relay.url)
        fleet.database = url.replace("/postgres?", f"/{name}?")
        fleet.environment |= {"BOT_SLOWEST": "0.01", "THREADBRIDGE_STORAGE__URL": fleet.database}
        fleet.begin(2)
        async with traffic(fleet.anywhere, gateways) as talk:
            async with fleet.flying():
                async with talk.flowing(2 * CONTACTS, chatter(CONTACTS, dice.random), insist=True):
                    told = [await trouble(fleet) for trouble in troubles]
                await fleet.settled()
                starts = len(fleet.processes)
            counts = check(fleet, talk, gateways)
            statuses = dict(sorted(talk.statuses.items()))
    assert counts.acked == len(talk.said) > 0
    assert counts.turns == counts.stored == counts.acked
    assert counts.doubles_unkeyed <= counts.unknown
    assert starts == 2, "a bridge did not live through it"
    assert statuses.keys() <= {200, 503}, (statuses, talk.cut_off)
    return f"{'; '.join(told)}: {counts}; answers {statuses}, slowest {talk.slowest:.1f} s"


def answer(port: int, path: str) -> int:
    """The status of a GET."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return int(connection.recv(64).split()[1])


async def asked(port: int, path: str) -> int:
    return await asyncio.to_thread(answer, port, path)


def crashes(server: OwnServer, times: int) -> Trouble:
    async def crash(fleet: Fleet) -> str:
        away = 0.0
        for _ in range(times):
            await asyncio.sleep(2)
            began = time.monotonic()
            await asyncio.to_thread(server.stop, "immediate")
            await asyncio.to_thread(server.start)
            fleet.port = fleet.ports[0]
            await until("/health/ready", fleet.is_ready)
            away += time.monotonic() - began
        return f"{times} crashes of PostgreSQL, away {away:.1f} s in all"

    return crash


def outage(server: OwnServer, seconds: float) -> Trouble:
    async def stop(fleet: Fleet) -> str:
        await asyncio.sleep(1)
        await asyncio.to_thread(server.stop)
        try:
            await asyncio.sleep(seconds)
            found = [(await asked(port, "/health/live"), await asked(port, "/health/ready")) for port in fleet.ports]
        finally:
            await asyncio.to_thread(server.start)
        assert found == [(200, 503)] * 2
        waits = []
        for port in fleet.ports:
            fleet.port = port
            waits.append(await until("/health/ready", fleet.is_ready))
        return f"PostgreSQL away for {seconds:g} s, ready {max(waits):.1f} s after it"

    return stop


def freeze(server: OwnServer, seconds: float) -> Trouble:
    async def hang(fleet: Fleet) -> str:
        await asyncio.sleep(1)
        with server.frozen():
            await asyncio.sleep(seconds)
        began = time.monotonic()
        fleet.port = fleet.ports[0]
        await until("/health/ready", fleet.is_ready)
        return f"PostgreSQL frozen for {seconds:g} s, ready {time.monotonic() - began:.1f} s after it"

    return hang


def cuts(seconds: float) -> Trouble:
    async def cut(fleet: Fleet) -> str:
        connection = await asyncpg.connect(fleet.database)
        count, until_then = 0, time.monotonic() + seconds
        while time.monotonic() < until_then:
            count += await connection.fetchval(
                f"SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE {_OURS} "
                "ORDER BY random() LIMIT 1) r"
            )
            await asyncio.sleep(0.1)
        await connection.close()
        return f"{count} connections cut in {seconds:g} s"

    return cut


def full(seconds: float) -> Trouble:
    async def fill(fleet: Fleet) -> str:
        await asyncio.sleep(1)
        admin = await asyncpg.connect(fleet.database)
        held = []
        try:
            await admin.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {_OURS}")
            while True:
                held.append(await asyncpg.connect(fleet.database))
        except asyncpg.TooManyConnectionsError:
            pass
        await admin.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {_OURS}")
        held.append(await asyncpg.connect(fleet.database))
        await asyncio.sleep(seconds)
        for connection in [*held, admin]:
            await connection.close()
        return f"PostgreSQL full for {seconds:g} s"

    return fill


def failover(server: OwnServer, standby: OwnServer) -> Trouble:
    async def fail_over(fleet: Fleet) -> str:
        await asyncio.sleep(2)
        began = time.monotonic()
        await asyncio.to_thread(server.stop, "immediate")
        await asyncio.to_thread(standby.promote)
        fleet.port = fleet.ports[0]
        await until("/health/ready", fleet.is_ready)
        return f"a standby took over, ready after {time.monotonic() - began:.1f} s"

    return fail_over


async def test_a_server_in_every_trouble_loses_nothing(
    tmp_path: Path, server: OwnServer, report: Callable[[str], None]
) -> None:
    troubles = crashes(server, 1), outage(server, 3), freeze(server, 4), cuts(3), full(2)
    report(await endured(tmp_path, server.url, *troubles))


async def test_a_standby_that_had_every_commit_loses_nothing(tmp_path: Path, report: Callable[[str], None]) -> None:
    with own_server() as server:
        standby = await asyncio.to_thread(server.standby)
        admin = await asyncpg.connect(server.url)
        await admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await admin.execute("SELECT pg_reload_conf()")
        await admin.close()
        both = f"{server.url},{standby.data}&target_session_attrs=read-write"
        report(await endured(tmp_path, both, failover(server, standby)))


@pytest.mark.soak
async def test_ten_minutes_of_a_server_in_trouble_lose_nothing(
    tmp_path: Path, server: OwnServer, report: Callable[[str], None]
) -> None:
    troubles = crashes(server, 60), outage(server, 60), freeze(server, 30), cuts(60), full(30)
    report(await endured(tmp_path, server.url, *troubles))
