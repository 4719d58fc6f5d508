"""Logs: one line a transition, of known fields only, so that no secret and nobody's words can get into them."""

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
from typing import TYPE_CHECKING, Any, Final, TextIO

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
"""What a log line may say. Texts, contacts, headers and bodies have no field."""

_CODE: Final = re.compile(r"-?\d{1,6}|[A-Z]{2,}(_[A-Z]+){0,5}", re.ASCII)
"""What is a gateway's code and nothing else: 13108, -1, UN_AUTHORIZED."""
_LONGEST: Final = 256
_LONGEST_TRACEBACK: Final = 4096
_WAITING: Final = 10_000
"""Lines that may wait to be written."""
_LAST: Final = 1.0
"""Seconds that the last lines have to be written in."""

_written: Final[deque[Lines]] = deque(maxlen=1)
"""Where the log goes."""

log: Final = structlog.get_logger("threadbridge")


def configure_logs(*, level: int = logging.INFO, as_json: bool | None = None) -> None:
    """Lines on stderr: JSON, or readable ones on a terminal (`as_json` None: whichever fits)."""
    as_json = not sys.stderr.isatty() if as_json is None else as_json
    _written.append(Lines(sys.stderr))
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
        logger_factory=structlog.WriteLoggerFactory(file=_written[-1]),  # type: ignore[arg-type] # it writes and flushes
        cache_logger_on_first_use=False,
    )


def finish_logs() -> None:
    """Wait, but not for long, until what was logged is written: before somebody else has the last word."""
    for lines in _written:
        lines.finish()


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
    """What a log may say of an error that is not ours: its type, and where it was raised. Its text may be anybody's."""
    frames = traceback.extract_tb(error.__traceback__)
    name = type(error).__name__
    return f"{name} at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else name


def outcome_of(error: SendError) -> str:
    """What a log may say of a message that was not sent: our own words, and the gateway's code where it is one.

    A gateway repeats in its explanations what it was given, telephone numbers and all.
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
    """A traceback as a log may show it: the lines of code, and of each error its type alone."""
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        parts.append("".join(traceback.format_tb(current.__traceback__)) + type(current).__name__)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\nwhich came of\n".join(parts)[-_LONGEST_TRACEBACK + 1 :]


class Lines:
    """Writes on a thread of its own: a pipe that nobody reads, a full disk or a closed file hold up no conversation.

    What there is no room for is dropped, and counted in a line of its own.
    """

    def __init__(self, file: TextIO) -> None:
        """The thread begins with the first line."""
        self._file = file
        self._waiting: queue.Queue[str] = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._dropped = 0

    def write(self, line: str) -> None:
        """Have a line written soon; never waits and never fails."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="log", daemon=True)
            self._thread.start()
            atexit.register(self.finish)
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def flush(self) -> None:
        """Nothing: the thread does."""

    def finish(self, seconds: float = _LAST) -> None:
        """Wait until all is written, but not for long."""
        until = time.monotonic() + seconds
        while self._waiting.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.005)

    def _work(self) -> None:
        while True:
            line = self._waiting.get()
            try:
                if self._dropped:
                    line = f"{self._dropped} lines of the log were dropped\n{line}"
                    self._dropped = 0
                self._file.write(line)
                self._file.flush()
            except (OSError, ValueError):
                self._dropped += 1
            finally:
                self._waiting.task_done()
