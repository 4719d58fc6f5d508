"""Where a line of a bot author's code is: for errors that name it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bridge.errors import HandlerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType


_OURS: Final = ("bridge.callsite", "bridge.keys", "bridge.conversation.", "bridge.routing.")
"""How the modules begin that a bot author's module calls while its rules are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A line of a bot author's code, and the names known there."""

    file: str
    line: int
    scope: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def error(self, reason: str) -> HandlerError:
        """The mistake made at this line."""
        return HandlerError(f"{self.file}:{self.line}: {reason}")


def call_site() -> Site:
    """The line outside of the router that called into it."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_back is not None and _is_ours(frame):
        frame = frame.f_back
    if frame is None:
        return Site(file="?", line=0)
    return Site(file=frame.f_code.co_filename, line=frame.f_lineno, scope=frame.f_locals)


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith(_OURS)
