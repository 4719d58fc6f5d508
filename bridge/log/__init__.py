"""Logs: one line a transition, with known fields only: no secret and no contact's words get in."""

from __future__ import annotations

import atexit
import logging
import queue
import re
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO, cast

import structlog

from bridge.errors import NotSent, Rejected, SendError
from bridge.log.limit import LogLimit
from bridge.log.tracebacks import readable, trace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, MutableMapping

FIELDS: Final = frozenset(
    {
        "account",
        "action",
        "attempt",
        "bytes",
        "count",
        "event_key",
        "file",
        "handler",
        "kind",
        "key",
        "lane",
        "broadcast",
        "letter",
        "level",
        "logger",
        "message_id",
        "outcome",
        "peer",
        "pid",
        "process",
        "provider",
        "reason",
        "schema",
        "seconds",
        "signal",
        "status",
        "step",
        "steps",
        "thread",
        "timestamp",
        "traceback",
        "url",
        "waiting",
        "worker",
    }
)
"""The fields of a log line. Texts, contacts, headers and bodies have none."""

_CODE: Final = re.compile(r"-?\d{1,6}|[A-Z]{2,}(_[A-Z]+){0,5}", re.ASCII)
"""A gateway's code and nothing else: 13108, -1, UN_AUTHORIZED."""
_LONGEST: Final = 256
_QUEUE: Final = 10_000
"""The most lines in the queue."""
_LAST: Final = 1.0
"""The seconds for the last lines at the end of the process."""

_current: Final[deque[LineWriter]] = deque(maxlen=1)
"""The writer of this process."""
_WITHOUT_DEBUG: Final = frozenset(
    structlog.make_filtering_bound_logger(level)
    for level in (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
)
"""Loggers that write no lines of the level debug: structlog has one class for each level."""


def has_debug() -> bool:
    """Whether somebody wants lines of the level debug: to name the fields of one takes longer than to ask."""
    return structlog.get_config()["wrapper_class"] not in _WITHOUT_DEBUG


class _Log:
    """The logger of the package, made once for each configuration: structlog's own proxy makes one for each line."""

    def __init__(self) -> None:
        self._lazy: Any = structlog.get_logger("threadbridge")
        self._config: dict[str, Any] = {}
        self._bound: Any = None

    def debug(self, action: str, **fields: object) -> None:
        """The lines of every message, which nearly nobody wants: left out before a logger is looked for."""
        if has_debug():
            self.__getattr__("debug")(action, **fields)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what structlog's loggers have
        if not structlog.is_configured():
            return getattr(self._lazy, name)
        if self._config != (config := structlog.get_config()):
            self._config, self._bound = config, self._lazy.bind()
        return getattr(self._bound, name)


log: Final[Any] = _Log()


def configure_logs(
    *, level: str = "info", as_json: bool | None = None, show_errors: bool = False, worker: int | None = None
) -> None:
    """Log to stderr, as JSON or readable; `as_json` None: readable on a terminal.

    `show_errors`: an error of the author's code is shown as Python does, its text included. Each line names `worker`.
    """
    as_json = not sys.stderr.isatty() if as_json is None else as_json
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(event_key="action", colors=sys.stderr.isatty())
    )
    limit = LogLimit()
    own = {} if worker is None else {"worker": worker}

    def named(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line.update(own)
        return line

    def admitted(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if limit.admits(line):
            return line
        raise structlog.DropEvent

    def counts(*, all_of_them: bool = False) -> list[str]:
        lines = limit.due(all_of_them=all_of_them)
        return [f"{renderer(None, '', known_fields(None, '', stamp(None, '', {**line, **own})))}\n" for line in lines]

    writer = LineWriter(sys.stderr, counts=counts, seconds=limit.seconds)
    _current.append(writer)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.EventRenamer("action"),
            admitted,
            stamp,
            *([named] if own else []),
            known_fields,
            _shown if show_errors else traced,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
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
            line[name] = _printable(value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…")
    return line


def traced(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put an error's frames and kinds in its place."""
    if isinstance(error := line.get("traceback"), BaseException):
        line["traceback"] = _printable(trace_of(error))
    return line


def _shown(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if isinstance(error := line.pop("traceback", None), BaseException):
        line["exception"] = readable(error)  # the renderers know this name, and give it lines of its own
    return line


def _printable(text: str) -> str:
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def kind_of(error: BaseException) -> str:
    """A foreign error as a log may show it: its type and its line, without its text, which may quote a contact."""
    name, at = type(error).__name__, error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f"{name} at {Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at else name


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


class Counts(Protocol):
    """Gives the lines about what was counted and not written; `all_of_them` at the end of the process."""

    def __call__(self, *, all_of_them: bool = False) -> Iterable[str]:
        """The lines; none for as long as nothing is due."""
        ...


def _no_counts(*, all_of_them: bool = False) -> Iterable[str]:
    del all_of_them
    return ()


class LineWriter:
    """Writes lines on its own thread: a blocked pipe, a full disk or a closed file delays no conversation.

    A full queue drops lines; their number gets a line.
    """

    def __init__(
        self, file: TextIO, *, counts: Counts = _no_counts, seconds: Callable[[], float | None] = lambda: None
    ) -> None:
        """`seconds` tells how long until `counts` may have a line."""
        self._file = file
        self._counts = counts
        self._seconds = seconds
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
        """Wait until the queue is written, and what was counted, at most `seconds`."""
        deadline = time.monotonic() + seconds
        for line in self._counts(all_of_them=True):
            self.write(line)
        while self._queue.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.005)

    def _work(self) -> None:
        while True:
            try:
                line = self._queue.get(timeout=self._seconds())
            except queue.Empty:
                pass
            else:
                try:
                    self._put(line)
                finally:
                    self._queue.task_done()
            for line in self._counts():
                self._put(line)

    def _put(self, line: str) -> None:
        try:
            if self._dropped:
                line = f"{self._dropped} lines of the log were dropped\n{line}"
                self._dropped = 0
            self._file.write(line)
            self._file.flush()
        except (OSError, ValueError):
            self._dropped += 1
