"""The console: the playground's other end, as a page."""

from __future__ import annotations

from bridge.web.console.backend import Backend, Wakeups
from bridge.web.console.routes import add_console

__all__ = ["Backend", "Wakeups", "add_console"]
