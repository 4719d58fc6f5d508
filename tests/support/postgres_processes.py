"""Several processes on one PostgreSQL database, in one test: each is a store on a desk of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg

from tests.support.postgres import plain, process_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.testing.contract.store.desk import Desk

    Open = Callable[[], Awaitable[Desk]]


WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""
"""How many transactions wait for another one."""


async def heard(desk: Desk, condition: Callable[[], bool]) -> None:
    """Wait until what a process was told makes the condition true."""
    told = asyncio.Event()
    desk.told.on_call = told.set
    async with asyncio.timeout(10):
        while not condition():
            await told.wait()
            told.clear()


async def die(desk: Desk) -> None:
    """As kill -9 does it: the connection ends, and nothing is said any more."""
    dying = process_of(desk)
    assert dying._tending._task is not None
    dying._tending._task.cancel()
    await asyncio.wait({dying._tending._task})
    dying._process.lose()
    dying._process._again_at = float("inf")


async def buried(by: Desk, dead: Desk) -> None:
    """A process looks until another one is found dead; the server may need a moment to end its connection."""
    epoch = process_of(dead)._process.epoch
    async with asyncio.timeout(10):
        while await asked(by, "SELECT count(*) FROM threadbridge.processes WHERE epoch = $1", epoch):
            await process_of(by)._tending.look()
    await process_of(by)._tending.look()


async def asked(desk: Desk, query: str, *values: object) -> Any:
    asking = await asyncpg.connect(plain(desk.url))
    try:
        return await asking.fetchval(query, *values)
    finally:
        await asking.close()
