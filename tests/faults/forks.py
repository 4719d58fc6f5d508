"""Bridges as forks of one process that has imported their modules: a start costs a third of that of a new process.

A fork begins where `threadbridge run` has imported its modules and seen what is plugged in, and shares nothing else
with another bridge. Whatever dies does so after that, and strace has nothing to see before. Where Python's own start
matters, a test begins it anew.
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
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import bridge.cli.workers
from bridge.__main__ import main
from bridge.plugins import plugged_in
from bridge.store.opening import GROUP
from bridge.workers.parent import Parent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.connection import Connection

    from bridge.workers.parent import Plan

_SET_TRACER, _ANYBODY = 0x59616D61, 2**64 - 1
"""PR_SET_PTRACER and PR_SET_PTRACER_ANY of <linux/prctl.h>."""
_POLL: Final = 0.005
CONTEXT: Final = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        __name__,
        "bridge.app.serve",
        "bridge.cli.emulate",
        "bridge.cli.serve",
        "bridge.workers.parent",
        "bridge.footprint",
        "bridge.providers.konnek",
        "bridge.providers.relationlabs",
        "bridge.telemetry.metrics",
        "encodings.utf_8_sig",
        "storage.postgres.store",
        "storage.sqlite.store",
        "typer._adapters",
        "typer._click.decorators",
        "uvloop",
    ]
)
plugged_in(GROUP)  # reads what each installed package plugs in: no fork has to do it again


class Fork:
    """A command of `threadbridge` in a process of its own; it is used like a subprocess.Popen."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path, *, waits: bool = False
    ) -> None:
        """Begin in `folder`, or once it is traced if it `waits`; what it says on stderr is added to `log`."""
        self._begin(arguments, folder, environment, (Path(os.devnull), log), waits=waits)

    def _begin(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        outputs: Sequence[Path | Connection],
        *,
        waits: bool,
    ) -> None:
        self._process = CONTEXT.Process(
            target=_run, args=([*arguments], folder, {**environment}, outputs), kwargs={"waits": waits}, daemon=True
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


class Talking(Fork):
    """One whose standard output and standard error are read; it is used like a subprocess.Popen with pipes of text."""

    def __init__(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        """Begin in `folder`."""
        (out, our_out), (err, our_err) = (CONTEXT.Pipe(duplex=False) for _ in range(2))
        self._begin(arguments, folder, environment, (our_out, our_err), waits=False)
        for ours in (our_out, our_err):
            ours.close()
        self.stdout, self.stderr = (os.fdopen(os.dup(theirs.fileno()), encoding="utf-8") for theirs in (out, err))
        for theirs in (out, err):
            theirs.close()

    def communicate(self, *, timeout: float) -> tuple[str, str]:
        """What it still says until it ends, for which it has so many seconds."""
        late = threading.Timer(timeout, self.kill)
        late.start()
        with ThreadPoolExecutor(1) as aside, self.stdout, self.stderr:
            complaints = aside.submit(self.stderr.read)
            said = self.stdout.read(), complaints.result()
        self.wait()
        late.cancel()
        late.join()
        return said


def _run(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    outputs: Sequence[Path | Connection],
    *,
    waits: bool,
) -> None:
    """In the fork: what a shell does before it starts a command, then the command."""
    gc.freeze()  # else the bridge's own collection goes through all that was imported, and copies its pages
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in environment
    for descriptor, place in enumerate((Path(os.devnull), *outputs)):
        if isinstance(place, Path):
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT if descriptor else os.O_RDONLY
            opened = os.open(place, flags, 0o600)
            os.dup2(opened, descriptor)
            os.close(opened)
        else:
            os.dup2(place.fileno(), descriptor)
            place.close()
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)  # the server's own may stand on a file
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.argv = ["threadbridge", *arguments]
    if waits:
        _wait_for_tracer()
    bridge.cli.workers.go_on = _go_on
    main()


def _wait_for_tracer() -> None:
    ctypes.CDLL(None).prctl(_SET_TRACER, ctypes.c_ulong(_ANYBODY))  # its tracer is no parent of it
    status = Path("/proc/self/status")
    while "\nTracerPid:\t0\n" in status.read_text():
        time.sleep(_POLL)


def _go_on(plan: Plan) -> None:
    """A parent that forks its workers, as this process was forked itself."""
    sys.exit(Parent(plan, _Worker).run())


class _Worker:
    """A worker of a forked parent, as it sees it: see bridge.workers.child.Process."""

    def __init__(self, command: Sequence[str], folder: str, inherited: int) -> None:
        """Begin it: see bridge.workers.child.started."""
        self.pid = os.fork()
        self._code: int | None = None
        if not self.pid:
            _run_worker([*command][command.index("run") :], folder, inherited)

    def poll(self) -> int | None:
        """The exit code, once it has ended."""
        if self._code is None and (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
            self._code = os.waitstatus_to_exitcode(ended[1])
        return self._code

    def send_signal(self, number: int, /) -> None:
        """A signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def _run_worker(arguments: Sequence[str], folder: str, inherited: int) -> NoReturn:
    """In the fork: nothing of the parent is left but the link to it."""
    code: int | str | None = 70
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - descriptors, and no paths
            if descriptor > 2 and descriptor != inherited:
                with suppress(OSError):
                    os.close(descriptor)
        os.setsid()
        os.chdir(folder)
        sys.argv = ["threadbridge", *arguments]
        main()
    except SystemExit as end:
        code = end.code
    finally:
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)
