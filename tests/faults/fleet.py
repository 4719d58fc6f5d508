"""Bridges whose store is in PostgreSQL: one, or some side by side."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from tests.faults.harness import Home, until
from tests.support.free_ports import free_port
from tests.support.postgres import plain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.faults.forks import Fork

_OPEN: Final = """
SELECT (SELECT count(*) FROM threadbridge.inbox WHERE status = 'open')
     + (SELECT count(*) FROM threadbridge.outbox WHERE status = 'open')
"""
_LOOK: Final = 0.05
"""Seconds between two looks."""
_TABLES: Final = ("inbox", "outbox", "threads", "attempts")


class PostgresHome(Home):
    """A bridge whose store is looked at through a copy of its tables."""

    database = ""

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with ThreadPoolExecutor(1) as aside, closing(sqlite3.connect(":memory:")) as copy:
            for table, (names, rows) in aside.submit(asyncio.run, _tables(self.database)).result().items():
                copy.execute(f"CREATE TABLE {table} ({', '.join(names)})")
                copy.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", rows)
            yield copy

    async def settled(self, seconds: float = 60.0) -> float:
        """Wait until nothing is open any more; the seconds it took."""
        began = time.monotonic()
        connection = await asyncpg.connect(plain(self.database))
        try:
            while await connection.fetchval(_OPEN):
                assert time.monotonic() - began < seconds, "events or messages stay open"
                await asyncio.sleep(_LOOK)
        finally:
            await connection.close()
        return time.monotonic() - began


async def _tables(url: str) -> dict[str, tuple[list[str], list[tuple[Any, ...]]]]:
    connection = await asyncpg.connect(plain(url))
    try:
        tables = {}
        for table in _TABLES:
            statement = await connection.prepare(f"SELECT * FROM threadbridge.{table}")
            names = [column.name for column in statement.get_attributes()]
            tables[table] = (names, [tuple(row) for row in await statement.fetch()])
        return tables
    finally:
        await connection.close()


class Fleet(PostgresHome):
    """Some bridges in one folder, each at a port of its own; one that ends is started again."""

    def begin(self, size: int) -> None:
        self.ports = [free_port() for _ in range(size)]
        self.slots: list[Fork | None] = [None] * size
        self._any: Iterator[int] = cycle(self.ports)

    @property
    def anywhere(self) -> Any:
        """Stands for the home before traffic: each webhook goes to the next bridge, as a load balancer has it."""
        fleet = self

        class Anywhere:
            @property
            def url(self) -> str:
                return f"http://127.0.0.1:{next(fleet._any)}"

        return Anywhere()

    @asynccontextmanager
    async def flying(self) -> AsyncIterator[None]:
        """All of them, until the end."""

        async def supervise(number: int) -> None:
            while True:
                self.environment["THREADBRIDGE_SERVER__PORT"] = str(self.ports[number])
                process = self.slots[number] = self.start()
                await asyncio.to_thread(process.wait)

        tasks = [asyncio.create_task(supervise(number)) for number in range(len(self.ports))]
        try:
            for port in self.ports:
                self.port = port
                await until("/health/ready", self.is_ready, 60)
            yield
        finally:
            for task in tasks:
                task.cancel()
            self.kill()
            await asyncio.wait(tasks)
