"""Virtual time, under the name that tests know: bridge.emulation.virtual_time."""

from bridge.emulation.virtual_time import START, Inline, VirtualClock, VirtualLoop

__all__ = ["START", "Inline", "VirtualClock", "VirtualLoop"]
