"""Stands in for Python where a test starts it: hands its whole start to tests/support/warm_server.py, and waits.

It needs no module but those that Python has built in, so that it costs next to nothing. Arguments, environment, folder
and every open descriptor are handed over under their numbers; signals go on to the process, whose end becomes its own.
With arguments that the server does not know, it becomes the real Python.
"""

import _signal  # type: ignore[import-not-found] # built in: signal itself would import enum
import _socket
import marshal
import os
import posix
import sys

SERVER, PYTHON = sys.argv[1:3]
ARGUMENTS = sys.argv[3:]
KNOWN = ("-m", "-c")
PASSED_ON = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGUSR1, _signal.SIGUSR2)


def _open_descriptors() -> "list[int]":
    """Those that this program was started with: its own are closed by now, but for the one that lists them."""
    numbers = [int(name) for name in posix.listdir("/proc/self/fd")]
    return [number for number in numbers if _is_open(number)]


def _is_open(number: int) -> bool:
    try:
        posix.fstat(number)
    except OSError:
        return False
    return True


def _received(server: "_socket.socket", size: int) -> int:
    """A number from the server, which is killed with all that it runs when this test run is."""
    got = b""
    while len(got) < size:
        more = server.recv(size - len(got))
        if not more:
            posix._exit(70)
        got += more
    return int.from_bytes(got, "little", signed=True)


def _main() -> None:
    if (ARGUMENTS[:1] and ARGUMENTS[0] not in KNOWN) or len(ARGUMENTS) < len(KNOWN):
        posix.execv(PYTHON, [PYTHON, *ARGUMENTS])
    _signal.pthread_sigmask(_signal.SIG_BLOCK, PASSED_ON)
    descriptors = _open_descriptors()
    folder = posix.open(".", posix.O_RDONLY)
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    server.connect(SERVER)
    start = marshal.dumps((ARGUMENTS, dict(posix.environ), descriptors))
    handed = b"".join(number.to_bytes(4, sys.byteorder) for number in (folder, *descriptors))
    server.sendmsg([len(start).to_bytes(4, "little")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, handed)])
    server.sendall(start)
    for number in descriptors:
        posix.close(number)
    process = _received(server, 4)
    for number in PASSED_ON:
        _signal.signal(number, lambda number, _: posix.kill(process, number))
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, PASSED_ON)
    code = _received(server, 4)
    if code < 0:
        if -code not in (_signal.SIGKILL, _signal.SIGSTOP):
            _signal.signal(-code, _signal.SIG_DFL)
        posix.kill(os.getpid(), -code)
    posix._exit(code)


_main()
