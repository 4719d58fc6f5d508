"""Worlds of these tests count no calls of Python functions, which takes up to half of a test's time."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.testing import World


@pytest.fixture
def counted() -> None:
    """For a test that asks a world for its calls."""


@pytest.fixture(autouse=True)
def _usually_not_counted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "counted" not in request.fixturenames:
        defaults: Any = World.__init__.__kwdefaults__
        monkeypatch.setitem(defaults, "counts", False)
