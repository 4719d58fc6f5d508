"""A server under measurement: a process of its own on one core, and what Linux says of its time and its memory."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.bench.webhooks import SECRET, konnek

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from bridge.bench.closed_loop import Dialect

_NANOSECONDS: Final = 1e9
_KIB: Final = 1024
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 20
_LAST_LINES: Final = 5


class BenchError(Exception):
    """A benchmark cannot be run here, or what it counted does not add up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A server to measure. `module` is run with PORT, GATEWAY PORT, FOLDER and then `arguments`.

    It writes "ready" once it listens, and ends when its standard input does. `replies`: whether it answers a webhook
    with a message to the gateway too. `prepare` fills its folder.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    dialect: Dialect = field(default_factory=konnek)
    replies: bool = True
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Path], None] = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A subject that runs."""

    pid: int
    port: int
    folder: Path

    def seconds(self) -> float:
        """Processor time of all its threads so far. Raises BenchError when it has ended."""
        spent = 0
        try:
            for task in Path(f"/proc/{self.pid}/task").iterdir():
                with suppress(OSError):  # the thread has ended
                    spent += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            raise BenchError("a server ended while it was measured") from None
        return spent / _NANOSECONDS

    def bytes(self) -> int:
        """Memory in use."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * _KIB


def cores() -> tuple[int, int]:
    """The server's core and the load's: the same where there is only one.

    Raises:
        BenchError: this system does not tell.
    """
    if not Path("/proc/self/schedstat").exists():
        raise BenchError("the benchmarks need Linux: they pin processes to cores, and read /proc/PID/task/*/schedstat")
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


@asynccontextmanager
async def started(subject: Subject, *, core: int, gateway: int, folder: Path) -> AsyncIterator[Process]:
    """The subject on one core, until the context ends.

    Raises:
        BenchError: it does not start.
    """
    port = _free_port()
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *(subject.python, "-m", subject.module, str(port), str(gateway), str(folder), *subject.arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "BENCH_SECRET": SECRET, **subject.environment},
        )
        os.sched_setaffinity(process.pid, {core})
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = b""
            with suppress(TimeoutError):
                line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
            if line != b"ready\n":
                errors.seek(0)
                last = errors.read().decode(errors="replace").splitlines()[-_LAST_LINES:]
                raise BenchError(" / ".join([f"{subject.name} does not start", *last]))
            yield Process(pid=process.pid, port=port, folder=folder)
        finally:
            process.stdin.close()
            await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
