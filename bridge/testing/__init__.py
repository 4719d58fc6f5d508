"""The test kit: what bot authors and our own tests put around a bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from bridge.late_names import late_names as _late_names

if _TYPE_CHECKING:  # a type checker that saw the rest would take any name for one of ours
    from bridge.testing.agents import Agent
    from bridge.testing.contacts import Contact
    from bridge.testing.explore import Counterexample
    from bridge.testing.stage import Stuck
    from bridge.testing.world import World
else:  # a world brings the whole engine along; pytest loads our plugin in every run, and most need none
    __getattr__ = _late_names(
        __name__,
        {
            "Agent": "agents",
            "Contact": "contacts",
            "Counterexample": "explore",
            "Stuck": "stage",
            "World": "world",
        },
    )

__all__ = ["Agent", "Contact", "Counterexample", "Stuck", "World"]
