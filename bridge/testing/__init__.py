"""The test kit: what bot authors and our own tests put around a bridge."""

from __future__ import annotations

from bridge.testing.contacts import Contact
from bridge.testing.explore import Counterexample
from bridge.testing.stage import Stuck
from bridge.testing.world import World

__all__ = ["Contact", "Counterexample", "Stuck", "World"]
