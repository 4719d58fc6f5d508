"""Bridges as forks of one process that has imported their modules: a start costs a third of that of a new process.

A fork begins where `threadbridge run` has imported its modules, and shares nothing else with another bridge. Whatever
dies does so after that, and strace has nothing to see before. The bridges of tests/acceptance are new processes.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SET_TRACER, _ANYBODY = 0x59616D61, 2**64 - 1
"""PR_SET_PTRACER and PR_SET_PTRACER_ANY of <linux/prctl.h>."""
_POLL: Final = 0.005
_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        __name__,
        "bridge.app.serve",
        "bridge.cli.serve",
        "bridge.providers.konnek",
        "bridge.providers.relationlabs",
        "storage.sqlite.store",
    ]
)


class Fork:
    """A command of `threadbridge` in a process of its own; it is used like a subprocess.Popen."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path, *, waits: bool = False
    ) -> None:
        """Begin in `folder`, or once it is traced if it `waits`; what it says on stderr is added to `log`."""
        self._process = _CONTEXT.Process(
            target=_run, args=([*arguments], folder, {**environment}, log), kwargs={"waits": waits}, daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid
        self.returncode: int | None = None
        self._reading = threading.Lock()
        """The exit code can be read once."""

    def poll(self) -> int | None:
        """The exit code, once it has ended."""
        if self._reading.acquire(blocking=False):
            self.returncode = self._process.exitcode
            self._reading.release()
        return self.returncode

    def wait(self) -> int:
        """The exit code, as soon as it has ended."""
        with self._reading:
            self._process.join()
            self.returncode = self._process.exitcode
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """A signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9."""
        self.send_signal(signal.SIGKILL)


def _run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path, *, waits: bool) -> None:
    """In the fork: what a shell does before it starts a command, then the command."""
    gc.freeze()  # else the bridge's own collection goes through all that was imported, and copies its pages
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in environment
    for path, flags, descriptor in (
        (Path(os.devnull), os.O_RDONLY, 0),
        (Path(os.devnull), os.O_WRONLY, 1),
        (log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 2),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = ["threadbridge", *arguments]
    if waits:
        _wait_for_tracer()
    main()


def _wait_for_tracer() -> None:
    ctypes.CDLL(None).prctl(_SET_TRACER, ctypes.c_ulong(_ANYBODY))  # its tracer is no parent of it
    status = Path("/proc/self/status")
    while "\nTracerPid:\t0\n" in status.read_text():
        time.sleep(_POLL)
