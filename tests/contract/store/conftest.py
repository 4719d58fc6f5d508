"""Stores that wait for no disk: what a commit means is the same, and that it lasts is for tests that cut the power."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage.sqlite import connection

if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL, _OFF = ("synchronous", "FULL", 2), ("synchronous", "OFF", 0)


@pytest.fixture(autouse=True, scope="module")
def waits_for_no_disk() -> Iterator[None]:
    """A third of a test's time would be waiting for files that nobody reads after it."""
    with pytest.MonkeyPatch.context() as patch:
        assert _FULL in connection._SETTINGS
        relaxed = tuple(_OFF if setting == _FULL else setting for setting in connection._SETTINGS)
        patch.setattr(connection, "_SETTINGS", relaxed)
        yield
