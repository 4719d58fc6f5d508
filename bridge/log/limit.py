"""Floods of log lines: of each kind the first one at once, and then one line a minute with the number of the others."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LIMITED: Final = frozenset(
    {
        "connection_failed",
        "error_ignored",
        "foreign_log",
        "lane_failed",
        "no_thread",
        "peer_limited",
        "python_warning",
        "request_failed",
        "request_refused",
        "round_failed",
        "store_unavailable",
        "task_failed",
        "thread_failed",
        "timers_late",
        "webhook_not_stored",
        "webhook_quarantined",
    }
)
"""Actions that a peer, a full disk or an outage can cause at any rate."""
MINUTE: Final = 60.0
_KIND: Final = ("action", "level", "account", "lane", "status", "reason", "logger", "file", "handler")
"""Lines of one kind have all these in common. A peer or a thread is no kind: the line names the latest."""
_KINDS: Final = 1000
"""The most kinds; the lines beyond share one for each action."""

Line: TypeAlias = "Mapping[str, Any]"


@dataclass(slots=True)
class _Kind:
    until: float
    count: int = 0
    latest: Line | None = None


class LogLimit:
    """Decides which lines are written now, and which are counted. Any thread may call it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now` is in seconds."""
        self._now = now
        self._kinds: dict[tuple[object, ...], _Kind] = {}
        self._lock = threading.Lock()

    def admits(self, line: Line) -> bool:
        """Whether a line is written now. Any other is counted, and `due` has the latest of its kind."""
        if line.get("action") not in LIMITED:
            return True
        name = tuple(line.get(field) for field in _KIND)
        with self._lock:
            kind = self._kinds.get(name)
            if kind is None and len(self._kinds) >= _KINDS:
                name = name[:1]
                kind = self._kinds.get(name)
            if kind is None:
                self._kinds[name] = _Kind(self._now() + MINUTE)
                return True
            kind.count += 1
            kind.latest = {name: value for name, value in line.items() if name != "traceback"}  # it keeps frames alive
            return False

    def due(self, *, all_of_them: bool = False) -> list[dict[str, Any]]:
        """The counts of each kind whose minute is over; `all_of_them` does not wait for it."""
        lines: list[dict[str, Any]] = []
        with self._lock:
            if not self._kinds:
                return lines
            now = self._now()
            # A kind's minute begins when it is put in, so those that are over stand first.
            while self._kinds and ((first := next(iter(self._kinds.items())))[1].until <= now or all_of_them):
                name, kind = first
                del self._kinds[name]
                if kind.latest is not None:
                    lines.append({**kind.latest, "count": kind.count})
                    if not all_of_them:
                        self._kinds[name] = _Kind(now + MINUTE)
        return lines

    def seconds(self) -> float | None:
        """How long until something may be due; None for as long as no kind is known."""
        with self._lock:
            first = next(iter(self._kinds.values()), None)
            return None if first is None else max(0.0, first.until - self._now())
