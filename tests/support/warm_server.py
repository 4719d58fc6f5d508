"""A Python that has imported what commands of threadbridge need, and forks itself for each that a test starts.

`python -m tests.support.warm_server SOCKET CLIENT [others]` serves tests/support/warm_client.py until standard input
ends. A fork sets itself up as Python does at its start, and runs its module or its code as the main program: what comes
after that, down to the last flush of its output, is Python's own end. Its `sys.executable` is CLIENT, so that what it
starts is warm too. With `others` it has imported what threadbridge imports, and none of threadbridge.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import io
import locale
import marshal
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import types
from typing import TYPE_CHECKING, Final, NamedTuple

from _pytest.config import default_plugins

from tests.support.warm_python import NUMBER

if TYPE_CHECKING:
    from collections.abc import Sequence

WARM: Final = (
    "bridge.app.serve",
    "bridge.testing.world",
    "storage.postgres.store",
    "uvloop",
    "watchfiles",
    *(f"_pytest.{name}" for name in default_plugins),
)
OTHERS: Final = (
    "aiohttp.web",
    "aiosqlite",
    "cryptography.hazmat.primitives.ciphers.aead",
    "msgspec.json",
    "orjson",
    "pydantic.json_schema",
    "pydantic_settings",
    "regex",
    "rich.traceback",
    "structlog.testing",
    "typer.main",
)
PACKAGES: Final = ("bridge.cli", "bridge.bench", "bridge.providers", "storage.postgres", "storage.sqlite")
COLD: Final = frozenset({"bridge.bench.servers"})
"""What runs as a main program is not there before."""
_HIGH: Final = 500
"""Descriptors from here on are none that a program is started with."""


class Start(NamedTuple):
    """What a client asks for: its descriptors by number, behind that of its folder."""

    arguments: Sequence[str]
    environment: dict[bytes, bytes]
    numbers: Sequence[int]
    received: Sequence[int]


def warm_up(names: Sequence[str], packages: Sequence[str]) -> None:
    """Import what commands import, and look for what is plugged in."""
    for name in names:
        importlib.import_module(name)
    for package in packages:
        home = importlib.import_module(package)
        for module in pkgutil.iter_modules(home.__path__, f"{package}."):
            if module.name not in COLD:
                importlib.import_module(module.name)
    if packages:
        importlib.import_module("bridge.plugins").plugged_in("threadbridge.stores")
    gc.collect()
    gc.freeze()  # else a fork's own collections go through all of it, and copy its pages


def serve(address: str) -> Start:
    """Until standard input ends. Returns in a fork for each client, which is to run what it asks for."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen(64)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while 0 not in select.select((0, door.fileno()), (), ())[0]:
            client, _ = door.accept()
            if not os.fork():
                return _kept(client)
            client.close()
            _reap()
    os._exit(0)


def _reap() -> None:
    while True:
        try:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            return


def _kept(client: socket.socket) -> Start:
    """The start that a client asks for, in the process for it; its parent tells the client how that ends."""
    start = _start(client)
    process = os.fork()
    if not process:
        return start
    for descriptor in start.received:
        os.close(descriptor)
    client.sendall(process.to_bytes(4, "little"))
    watched = os.pidfd_open(process)
    if watched not in select.select((0, client.fileno(), watched), (), ())[0]:  # who waits for it was killed
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    with contextlib.suppress(OSError):
        client.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "little", signed=True))
    os._exit(0)


def _start(client: socket.socket) -> Start:
    head, received, _, _ = socket.recv_fds(client, 4, 250)
    size, body = int.from_bytes(head, "little"), bytearray()
    while len(body) < size:
        more = client.recv(size - len(body))
        if not more:
            os._exit(0)
        body += more
    arguments, environment, numbers = marshal.loads(body)  # noqa: S302 - our own client's
    return Start(arguments, environment, numbers, [*received])


def become(start: Start) -> None:
    """Set this process up as Python does at its start with these arguments."""
    os.setsid()
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, _HIGH) for descriptor in start.received]
    os.fchdir(high[0])
    os.closerange(0, _HIGH)
    for number, descriptor in zip(start.numbers, high[1:], strict=True):
        os.dup2(descriptor, number)
    os.closerange(_HIGH, max(high) + 1)
    os.environ.clear()
    os.environb.update(start.environment)
    if tell := os.environ.pop(NUMBER, ""):
        os.write(int(tell), str(os.getpid()).encode())
        os.close(int(tell))
    for name, descriptor in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        setattr(sys, name, _stream(name, descriptor) if descriptor in start.numbers else None)
        setattr(sys, f"__{name}__", getattr(sys, name))
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    importlib.invalidate_caches()


def _stream(name: str, descriptor: int) -> io.TextIOWrapper:
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    usual = "backslashreplace" if name == "stderr" else "strict"
    raw = open(descriptor, "rb" if name == "stdin" else "wb", 0, closefd=False)  # noqa: SIM115 - as long as the process
    through = bool(os.environ.get("PYTHONUNBUFFERED"))
    buffered = (
        raw if through and name != "stdin" else (io.BufferedReader if name == "stdin" else io.BufferedWriter)(raw)
    )
    return io.TextIOWrapper(
        buffered,
        encoding or locale.getpreferredencoding(do_setlocale=False),
        usual if name == "stderr" else errors or usual,
        line_buffering=name == "stderr" or raw.isatty(),
        write_through=through,
    )


def run(arguments: Sequence[str], executable: str, paths: Sequence[str]) -> None:
    """`python -m MODULE ...` or `python -c CODE ...`."""
    option, what, *rest = arguments
    sys.executable, sys.orig_argv = executable, [executable, *arguments]
    sys.argv = [option, *rest]
    first = os.getcwd() if option == "-m" else ""  # noqa: PTH109 - as Python has it
    more = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    sys.path[:] = [first, *more, *(place for place in paths if place not in more)]
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    if option == "-m":
        runpy._run_module_as_main(what)  # type: ignore[attr-defined] # what Python calls, which typeshed does not know
    else:
        exec(compile(what, "<string>", "exec"), vars(main))  # noqa: S102 - what a test starts


if __name__ == "__main__":
    usual_paths = [place for place in sys.path[1:] if place not in os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    warm_up(*((OTHERS, ()) if sys.argv[3:] == ["others"] else (WARM, PACKAGES)))
    asked = serve(sys.argv[1])
    client_program = sys.argv[2]
    become(asked)
    run(asked.arguments, client_program, usual_paths)
