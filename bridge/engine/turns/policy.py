"""What bounds turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.engine.backoff import Backoff
    from bridge.routing.router import Router


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPolicy:
    """What bounds a turn: `timeout` in seconds; of those that may take longer, `slow_concurrency` run at once.

    A thread that a person has is returned after `return_after` quiet seconds; None: it is not.
    """

    router: Router
    timeout: float
    backoff: Backoff
    slow_concurrency: int = 64
    return_after: float | None = 3600.0
    give_up_after: float = 24 * 3600.0
    """For how many seconds an event waits for a handler that fails for everybody."""
