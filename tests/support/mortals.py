"""Ends of a copy that die in the middle of it, as a process does that is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

CHANGES: Final = {"begin", "write", "clear", "inherit", "note_verified", "remove", "finish"}
"""What changes something."""


class Killed(Exception):
    """The process ends here."""


class Mortal:
    """An end of a copy that dies at the `last` of its calls that change something."""

    def __init__(self, end: Any, last: int, *, is_done: bool) -> None:
        self._end = end
        self._left = last
        self._is_done = is_done

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._end, name)
        return self._dying(value) if name in CHANGES else value

    def _dying(self, change: Callable[..., Any]) -> Callable[..., Any]:
        async def changed(*arguments: Any) -> Any:
            self._left -= 1
            if not self._left and not self._is_done:
                raise Killed
            result = await change(*arguments)
            if not self._left:
                raise Killed
            return result

        return changed
