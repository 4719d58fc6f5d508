"""What others write about this process: libraries' loggers, warnings, threads and tasks that failed.

Their texts may quote a contact, so the log has their place, their class and their frames instead.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge.log import kind_of, log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

_LEVELS: Final = ((logging.CRITICAL, "critical"), (logging.ERROR, "error"), (logging.WARNING, "warning"))


@contextmanager
def foreign_logs() -> Iterator[None]:
    """Until the block ends, what would go to standard error in words goes to the log without them.

    A program that gives logging handlers of its own keeps them: they write what they are told.
    """
    before = logging.lastResort, warnings.showwarning, threading.excepthook, sys.unraisablehook
    logging.lastResort = _Handler(logging.WARNING)
    warnings.showwarning = _warned
    threading.excepthook = _thread_failed
    sys.unraisablehook = _not_raised
    try:
        yield
    finally:
        logging.lastResort, warnings.showwarning, threading.excepthook, sys.unraisablehook = before


def task_failed(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Take what an event loop would report: for `set_exception_handler`."""
    task = context.get("task") or context.get("future")
    coroutine = task.get_coro() if isinstance(task, asyncio.Task) else None
    about = _about(context.get("exception")) or {"reason": "no error: destroyed, or told by its own words"}
    _failed("task_failed", about, getattr(coroutine, "__qualname__", None))


class _Handler(logging.Handler):
    """Writes a record's logger, place and error."""

    def emit(self, record: logging.LogRecord) -> None:
        level = next((name for least, name in _LEVELS if record.levelno >= least), "warning")
        error = record.exc_info[1] if record.exc_info else None
        about = {"logger": record.name, "file": f"{record.filename}:{record.lineno}", **_about(error)}
        getattr(log, level)("foreign_log", **about)


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, file, line
    log.warning("python_warning", reason=category.__name__, file=f"{Path(filename).name}:{lineno}")


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    if not isinstance(failure.exc_value, SystemExit):
        _failed("thread_failed", _about(failure.exc_value), failure.thread.name if failure.thread else None)


def _not_raised(failure: sys.UnraisableHookArgs) -> None:
    _failed("error_ignored", _about(failure.exc_value), getattr(failure.object, "__qualname__", None))


def _failed(action: str, about: dict[str, object], handler: str | None) -> None:
    log.error(action, **({"handler": handler} if handler else {}), **about)


def _about(error: BaseException | None) -> dict[str, object]:
    return {} if error is None else {"reason": kind_of(error), "traceback": error}
