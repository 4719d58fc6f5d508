"""What another process does is looked for, a hundred times a second: to look without a pause would keep it from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_PAUSE: Final = 0.01


def until(what: str, look: Callable[[], _T], *, seconds: float = 30.0, pause: float = _PAUSE) -> _T:
    """What a look finds, as soon as it finds something."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(pause)
    return found
