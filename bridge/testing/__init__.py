"""The test kit: what bot authors and our own tests put around a bridge."""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Final as _Final

if _TYPE_CHECKING:
    from bridge.testing.agents import Agent
    from bridge.testing.contacts import Contact
    from bridge.testing.explore import Counterexample
    from bridge.testing.stage import Stuck
    from bridge.testing.world import World

__all__ = ["Agent", "Contact", "Counterexample", "Stuck", "World"]

_PLACES: _Final = {
    "Agent": "agents",
    "Contact": "contacts",
    "Counterexample": "explore",
    "Stuck": "stage",
    "World": "world",
}

if not _TYPE_CHECKING:  # a type checker that saw this would take any name for one of ours

    def __getattr__(name: str) -> object:
        """A world brings the whole engine along; pytest loads our plugin in every run, and most need none."""
        if name in _PLACES:
            return getattr(_import_module(f"bridge.testing.{_PLACES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
