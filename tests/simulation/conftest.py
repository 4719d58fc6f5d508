"""Worlds of these tests count no calls of Python functions unless a test asks for it: that takes half of their time."""

from __future__ import annotations

import pytest

from bridge.testing import World


@pytest.fixture(autouse=True)
def _uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(World.__init__.__kwdefaults__, "counts", False)
