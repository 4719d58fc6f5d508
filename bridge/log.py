"""Logs: one line a transition, with known fields only: no secret and no contact's words get in."""

from __future__ import annotations

import atexit
import logging
import queue
import re
import sys
import threading
import time
import traceback
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

import structlog

from bridge.errors import NotSent, Rejected, SendError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

FIELDS: Final = frozenset(
    {
        "account",
        "action",
        "attempt",
        "count",
        "event_key",
        "file",
        "handler",
        "key",
        "lane",
        "level",
        "message_id",
        "outcome",
        "peer",
        "pid",
        "provider",
        "reason",
        "seconds",
        "signal",
        "status",
        "thread",
        "timestamp",
        "traceback",
        "url",
    }
)
"""The fields of a log line. Texts, contacts, headers and bodies have none."""

_CODE: Final = re.compile(r"-?\d{1,6}|[A-Z]{2,}(_[A-Z]+){0,5}", re.ASCII)
"""A gateway's code and nothing else: 13108, -1, UN_AUTHORIZED."""
_LONGEST: Final = 256
_LONGEST_TRACEBACK: Final = 4096
_QUEUE: Final = 10_000
"""The most lines in the queue."""
_LAST: Final = 1.0
"""The seconds for the last lines at the end of the process."""

_current: Final[deque[LineWriter]] = deque(maxlen=1)
"""The writer of this process."""

log: Final = structlog.get_logger("threadbridge")


def configure_logs(*, level: int = logging.INFO, as_json: bool | None = None) -> None:
    """Log to stderr, as JSON or readable; `as_json` None: readable on a terminal."""
    as_json = not sys.stderr.isatty() if as_json is None else as_json
    writer = LineWriter(sys.stderr)
    _current.append(writer)
    renderer: Any = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(event_key="action")
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.EventRenamer("action"),
            known_fields,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.WriteLogger(file=cast("TextIO", writer)),  # it writes and flushes
        cache_logger_on_first_use=False,
    )


def finish_logs() -> None:
    """Wait, but not for long, until all lines are written, before a command prints its last words."""
    for writer in _current:
        writer.finish()


def known_fields(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep known fields, each of bounded length and on one line."""
    for name in [*line]:
        if name not in FIELDS:
            del line[name]
        elif isinstance(value := line[name], str):
            longest = _LONGEST_TRACEBACK if name == "traceback" else _LONGEST
            line[name] = _printable(value if len(value) <= longest else value[: longest - 1] + "…")
    return line


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def kind_of(error: BaseException) -> str:
    """A foreign error as a log may show it: its type and its line, without its text, which may quote a contact."""
    frames = traceback.extract_tb(error.__traceback__)
    name = type(error).__name__
    return f"{name} at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else name


def outcome_of(error: SendError) -> str:
    """A send error as a log may show it: words of threadbridge, and the gateway's code.

    A gateway's own explanation repeats its input, telephone numbers included.
    """
    own = error.reason if error.loggable else _kind_of_outcome(error)
    return f"{own} ({error.code})" if _CODE.fullmatch(error.code) and error.code not in own else own


def _kind_of_outcome(error: SendError) -> str:
    if isinstance(error, Rejected):
        return "refused for good"
    if isinstance(error, NotSent):
        return "the account is refused" if error.pause else "not taken"
    return "no answer that is certain"


def trace_of(error: BaseException) -> str:
    """A traceback as a log may show it: lines of code, and the type of each error."""
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        parts.append("".join(traceback.format_tb(current.__traceback__)) + type(current).__name__)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\nwhich came of\n".join(parts)[-_LONGEST_TRACEBACK + 1 :]


class LineWriter:
    """Writes lines on its own thread: a blocked pipe, a full disk or a closed file delays no conversation.

    A full queue drops lines; their number gets a line.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._queue: queue.Queue[str] = queue.Queue(_QUEUE)
        self._thread: threading.Thread | None = None
        self._dropped = 0

    def write(self, line: str) -> None:
        """Queue a line; never waits and never fails."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="log", daemon=True)
            self._thread.start()
            atexit.register(self.finish)
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def flush(self) -> None:
        """Does nothing: the thread flushes."""

    def finish(self, seconds: float = _LAST) -> None:
        """Wait until the queue is written, at most `seconds`."""
        deadline = time.monotonic() + seconds
        while self._queue.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.005)

    def _work(self) -> None:
        while True:
            line = self._queue.get()
            try:
                if self._dropped:
                    line = f"{self._dropped} lines of the log were dropped\n{line}"
                    self._dropped = 0
                self._file.write(line)
                self._file.flush()
            except (OSError, ValueError):
                self._dropped += 1
            finally:
                self._queue.task_done()
