"""Where another thread is, for who looks into one that blocks."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Final

from bridge.routing.handlers import Handler

if TYPE_CHECKING:
    from types import FrameType

_OURS: Final = Path(__file__).resolve().parents[1]
_LIBRARY: Final = Path(asyncio.__file__).resolve().parents[1]
_LOOK: Final = threading.Lock()
"""Held by the one look for which the collector is off: another one would find it off, and not turn it off again."""


def frame_of(thread: int) -> FrameType | None:
    """The frame that a thread runs, by the thread's `ident`; None: it has ended.

    CPython 3.11 holds a lock of the interpreter meanwhile. A collection that began then could want the same lock for
    what it frees, and the process would stand still for ever: https://github.com/python/cpython/issues/106883
    """
    with _LOOK:
        collects = gc.isenabled()
        gc.disable()
        try:
            return sys._current_frames().get(thread)  # noqa: SLF001 - the only way to look into another thread
        finally:
            if collects:
                gc.enable()


def culprit(frame: FrameType) -> tuple[str, str]:
    """The innermost line outside threadbridge and the standard library, and the handler it belongs to."""
    where, handler = "", ""
    innermost = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    current: FrameType | None = frame
    while current is not None:
        path = Path(current.f_code.co_filename)
        if not where and _OURS not in path.parents and _LIBRARY not in path.parents and path.is_file():
            where = f"{path}:{current.f_lineno}"
        for value in current.f_locals.values() if _OURS in path.parents else ():
            caller = value.__self__ if isinstance(value, MethodType) else value
            if isinstance(caller, Handler):
                handler = caller.name
        current = current.f_back
    return where or innermost, handler
