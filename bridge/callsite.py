"""Lines of a bot author's code, for errors that name them."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bridge.errors import HandlerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType


_OURS: Final = ("bridge.callsite", "bridge.keys", "bridge.conversation.", "bridge.routing.")
"""The modules between an author's line and its error, by prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A line of a bot author's code, with the names in its scope."""

    file: str
    line: int
    scope: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def error(self, reason: str) -> HandlerError:
        """A mistake at this line."""
        return HandlerError(f"{self.file}:{self.line}: {reason}")


def call_site() -> Site:
    """The author's line that the current call comes from."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_back is not None and _is_ours(frame):
        frame = frame.f_back
    if frame is None:
        return Site(file="?", line=0)
    return Site(file=frame.f_code.co_filename, line=frame.f_lineno, scope=frame.f_locals)


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith(_OURS)
