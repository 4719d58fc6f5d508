"""Errors of a bot author's code as text: for a log, which holds no words of a contact, and for the author."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

_OURS: Final = Path(__file__).resolve().parent.parent
_LONGEST: Final = 4096


def trace_of(error: BaseException) -> str:
    """A traceback as a log may show it: lines of code, and the type of each error."""
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        parts.append("".join(traceback.format_tb(current.__traceback__)) + type(current).__name__)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\nwhich came of\n".join(parts)[-_LONGEST + 1 :]


def readable(error: BaseException) -> str:
    """A traceback for the author: with each error's text, and without the frames of threadbridge above theirs."""
    whole = traceback.TracebackException.from_exception(error)
    parts, seen = [whole], set[int]()
    while parts:
        part = parts.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        own = [frame for frame in part.stack if not Path(frame.filename).is_relative_to(_OURS)]
        part.stack = traceback.StackSummary.from_list(own or list(part.stack))
        parts += [cause for cause in (part.__cause__, part.__context__, *(part.exceptions or ())) if cause is not None]
    return "".join(whole.format()).rstrip("\n")
