"""Emulators over HTTP, for tests; see bridge.emulation."""

from __future__ import annotations

from bridge.emulation.faults import Faults
from bridge.emulation.server import EmulatorServer

__all__ = ["EmulatorServer", "Faults"]
