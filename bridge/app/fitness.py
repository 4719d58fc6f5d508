"""Whether handlers and configuration go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import Problem
from bridge.routing.router import rulebook_of

if TYPE_CHECKING:
    from bridge.config.load import Config
    from bridge.routing.router import Router


def misfits(config: Config, router: Router) -> list[Problem]:
    """What the rules of a bot ask for, and the configuration does not give."""
    if not rulebook_of(router).waits_for_media() or config.media.store is not None:
        return []
    reason = 'missing: a rule asks for media="fetched"; a folder like "media" keeps them'
    return [Problem(config.file, "media.store", reason)]
