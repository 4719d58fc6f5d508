"""The public names: what handlers import."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import bridge


def test_all_is_sorted_and_is_everything_that_can_be_seen() -> None:
    public = {"errors", "events", "messages"}
    seen = {
        name
        for name, value in vars(bridge).items()
        if not name.startswith("_") and name != "annotations" and (not isinstance(value, ModuleType) or name in public)
    }
    assert bridge.__all__ == sorted(bridge.__all__)
    assert set(bridge.__all__) == seen | {"create_app"}


def test_create_app_is_loaded_when_it_is_asked_for() -> None:
    from bridge import create_app  # noqa: PLC0415 - this is what is tested

    assert create_app.__module__ == "bridge.app.http"


def test_handlers_need_no_web_stack() -> None:
    code = "import sys, handlers.menu, handlers.echo; print({'aiohttp', 'asyncio'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "set()"
