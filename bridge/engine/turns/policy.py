"""What bounds a turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.conversation.catalogue import NO_TEXTS
from bridge.engine.turns.consent import UNASKED
from bridge.engine.turns.loops import UNGUARDED, GuardPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.conversation.catalogue import Catalogue
    from bridge.engine.backoff import Backoff
    from bridge.engine.turns.consent import Consent
    from bridge.routing.router import Router


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPolicy:
    """What bounds a turn: `timeout` in seconds; of those that may take longer, `slow_concurrency` run at once.

    A thread that a person has is returned after `return_after` quiet seconds; None: it is not. `guard` tells loops and
    floods from people; `consent` is about contacts who opt out.
    """

    router: Router
    timeout: float
    backoff: Backoff
    texts: Catalogue = NO_TEXTS
    slow_concurrency: int = 64
    return_after: float | None = 3600.0
    give_up_after: float = 24 * 3600.0
    """For how many seconds an event waits for a handler that fails for everybody."""
    guard: GuardPolicy = UNGUARDED
    consent: Consent = UNASKED
    channels: Sequence[str] = ()
    """In which order people are reached on them."""
