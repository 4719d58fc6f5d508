"""Connections to PostgreSQL that tests have one after another: new ones cost the server more than their tests do.

For each connection the server begins a process, which reads the catalog and plans every statement as its first.
A kept one comes to a test like a new one: without a transaction, a lock, a listener or a setting of before.
"""

from __future__ import annotations

import asyncio
import atexit
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import pytest

if TYPE_CHECKING:
    from collections.abc import Coroutine

_T = TypeVar("_T")


class Connections:
    """Those of a worker, and the event loop in which they are used."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._idle: defaultdict[str, list[asyncpg.Connection]] = defaultdict(list)
        self._connect = asyncpg.connect
        atexit.register(self._put_away)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run it like asyncio.run."""
        return self._runner.run(_alone(work))

    async def connect(self, dsn: str, **options: Any) -> Any:
        """What `asyncpg.connect` would do, unless a connection with the same options is there."""
        if asyncio.get_running_loop() is not self._runner.get_loop():
            return await self._connect(dsn, **options)
        idle = self._idle[f"{dsn} {options.get('server_settings')}"]
        while idle:
            connection = idle.pop()
            if not connection.is_closed():
                return _Handle(connection, idle)
        return _Handle(await self._connect(dsn, **options), idle)

    def forget(self) -> None:
        """Have the next ones made anew: what the server knows of their statements is out of date."""
        for idle in self._idle.values():
            while idle:
                idle.pop().terminate()

    def _put_away(self) -> None:
        self.forget()
        self._runner.run(asyncio.sleep(0))
        self._runner.close()


class _Handle:
    """A connection for one user, of no use to it once it is closed."""

    def __init__(self, connection: asyncpg.Connection, idle: list[asyncpg.Connection]) -> None:
        self._connection: asyncpg.Connection | None = connection
        self._idle = idle

    def __getattr__(self, name: str) -> Any:
        if self._connection is None:
            raise asyncpg.InterfaceError("connection is closed")
        return getattr(self._connection, name)

    def is_closed(self) -> bool:
        return self._connection is None or self._connection.is_closed()

    def terminate(self) -> None:
        if self._connection is not None:
            self._connection.terminate()

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as asyncpg has it
        if self._connection is None or self._connection.is_closed() or self._connection.is_in_transaction():
            await self.__getattr__("close")(timeout=timeout)
            return
        connection, self._connection = self._connection, None
        try:
            await connection.reset(timeout=timeout)
        except BaseException:
            connection.terminate()
            raise
        self._idle.append(connection)


@cache
def connections() -> Connections:
    """Those of this worker."""
    return Connections()


class KeepsConnections:
    """A suite whose tests take over the connections of those before."""

    def run(self, test: Coroutine[Any, Any, None]) -> None:
        connections().run(test)

    @pytest.fixture(autouse=True)
    def _kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(asyncpg, "connect", connections().connect)


async def _alone(work: Coroutine[Any, Any, _T]) -> _T:
    try:
        return await work
    finally:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
