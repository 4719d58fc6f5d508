"""The report: each fault run tells its counts at the end of the session (tests/conftest.py prints them)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Adds a line, named after the test, to the summary of the session."""
    return lambda line: record_property("fault run", line)
