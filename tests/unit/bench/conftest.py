"""Servers under measurement that start as forks of a Python which has imported their modules."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.warm_python import NUMBER, python

if TYPE_CHECKING:
    from asyncio.subprocess import Process


class _Warm:
    """A process by its own number, where the one that stands for it here has another."""

    def __init__(self, process: Process, pid: int) -> None:
        self._process = process
        self.pid = pid

    def __getattr__(self, name: str) -> Any:
        return getattr(self._process, name)


@pytest.fixture
def warm_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    program, start = python(), asyncio.create_subprocess_exec

    async def started(*command: str, env: dict[str, str], **options: Any) -> Any:
        if command[:2] != (sys.executable, "-m"):
            return await start(*command, env=env, **options)
        told, tell = os.pipe()
        env = env | {NUMBER: str(tell)}
        process = await start(program, *command[1:], env=env, pass_fds=(tell,), **options)
        os.close(tell)
        number = int(os.read(told, 16))
        os.close(told)
        return _Warm(process, number)

    monkeypatch.setattr("bridge.bench.processes.asyncio.create_subprocess_exec", started)
