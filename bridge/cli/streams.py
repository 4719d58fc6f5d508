"""The standard streams of the process: any text in any encoding, and a reader or a disk that is gone."""

from __future__ import annotations

import codecs
import errno
import os
import sys
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTPUT_LOST: Final = 74
NO_READER: Final = 141
"""128 + SIGPIPE, as a shell reports for other tools."""

_MODES: Final = {"stdin": "r", "stdout": "w", "stderr": "w"}


class OutputLost(Exception):
    """Standard output cannot be written. No OSError: a command would take it for one of its own."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"standard output cannot be written: {error.strerror}")
        self.code = NO_READER if error.errno == errno.EPIPE else OUTPUT_LOST


class _Output(TextIOWrapper):
    """Standard output that tells its own errors from others, or loses its text in silence."""

    optional = False

    def write(self, text: str, /) -> int:
        try:
            return 0 if text == "" else super().write(text)  # click writes "" to learn what the stream takes
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        _lead_nowhere(self)
        if not self.optional:
            raise OutputLost(error)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Gives a command streams that it can use, and ends it when its output is lost.

    Letters that the encoding lacks are escaped. A closed stream leads nowhere, and complaints that cannot be written
    leave the exit code as it is.
    """
    for name, mode in _MODES.items():  # in this order each takes its own descriptor, and no database gets it
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open until the process ends
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout = _output(sys.stdout)
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OutputLost as lost:
        if lost.code != NO_READER:
            with suppress(OSError):
                sys.stderr.write(f"{lost}\n")
        sys.exit(lost.code)
    finally:
        try:
            sys.stderr.flush()
        except OSError:  # Python would try again at its end, and make the exit code 120
            _lead_nowhere(sys.stderr)


def _lead_nowhere(stream: TextIO) -> None:
    """What waits in the buffer goes nowhere, also at the end of the process."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def serve_without_output() -> None:
    """From now on output that cannot be written is lost, and the process goes on: it serves others."""
    if isinstance(sys.stdout, _Output):
        sys.stdout.optional = True


def _output(stream: TextIOWrapper) -> _Output:
    buffered, through = stream.line_buffering, stream.write_through
    is_ascii = codecs.lookup(stream.encoding).name == "ascii"
    encoding = "utf-8" if is_ascii else stream.encoding  # as click does, which would write past this object
    return _Output(stream.detach(), encoding, errors="backslashreplace", line_buffering=buffered, write_through=through)
