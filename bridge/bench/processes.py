"""A server under measurement: a process of its own on one core, and what Linux says of its time and its memory."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.bench.webhooks import SECRET, konnek

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping

    from bridge.bench.closed_loop import Dialect

_NANOSECONDS: Final = 1e9
_KIB: Final = 1024
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 20
_LAST_LINES: Final = 5


class BenchError(Exception):
    """A benchmark cannot be run here, or what it counted does not add up."""


class Outside(NamedTuple):
    """Seconds of processor time so far, by process, of a database server.

    `backends` work for the subject alone, and `background` (WAL writer, checkpointer, ...) for all databases.
    """

    backends: Mapping[int, float]
    background: Mapping[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A server to measure. `module` is run with PORT, GATEWAY PORT, FOLDER and then `arguments`.

    It writes "ready" once it listens, and ends when its standard input does. `replies`: whether it answers a webhook
    with a message to the gateway too. `prepare` fills its folder. `processes` of it share the webhooks. `outside` looks
    at the database server that works for it.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    dialect: Dialect = field(default_factory=konnek)
    replies: bool = True
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Path], None] = lambda _: None
    processes: int = 1
    outside: Callable[[], Awaitable[Outside]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A subject that runs: one process, or several, each with a port."""

    pids: tuple[int, ...]
    ports: tuple[int, ...]
    folder: Path

    def seconds(self) -> float:
        """Processor time of all its threads so far. Raises BenchError when it has ended."""
        try:
            return sum(map(seconds_of, self.pids))
        except FileNotFoundError:
            raise BenchError("a server ended while it was measured") from None

    def bytes(self) -> int:
        """Memory in use."""
        return sum(map(_bytes_of, self.pids))


def seconds_of(pid: int) -> float:
    """Processor time of all threads of a process so far. Raises FileNotFoundError when it has ended."""
    spent = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # the thread has ended
            spent += int((task / "schedstat").read_text().split()[0])
    return spent / _NANOSECONDS


def _bytes_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
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
async def started(subject: Subject, *, on: Collection[int], gateway: int, folder: Path) -> AsyncIterator[Process]:
    """The subject on some cores, until the context ends.

    Raises:
        BenchError: it does not start.
    """
    async with AsyncExitStack() as stack:
        begun = [
            await stack.enter_async_context(_started(subject, on, gateway, folder)) for _ in range(subject.processes)
        ]
        yield Process(pids=tuple(pid for pid, _ in begun), ports=tuple(port for _, port in begun), folder=folder)


@asynccontextmanager
async def _started(subject: Subject, on: Iterable[int], gateway: int, folder: Path) -> AsyncIterator[tuple[int, int]]:
    """One process of it: its number and its port."""
    port = _free_port()
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *(subject.python, "-m", subject.module, str(port), str(gateway), str(folder), *subject.arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "BENCH_SECRET": SECRET, **subject.environment},
        )
        os.sched_setaffinity(process.pid, on)
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
            yield process.pid, port
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
