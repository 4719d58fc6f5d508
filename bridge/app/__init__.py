"""Starts and stops everything, in order: the whole bridge as an aiohttp application, and as a server of its own."""

from __future__ import annotations

from bridge.app.bridge import Bridge, Outside
from bridge.app.http import BRIDGE, create_app, runner_for
from bridge.app.serve import serve

__all__ = ["BRIDGE", "Bridge", "Outside", "create_app", "runner_for", "serve"]
