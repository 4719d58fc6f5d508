"""What is shown after the tests: the table of documented errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print provider, answer and outcome of each documented error that was reached (test_contract_errors.py)."""
    rows: list[tuple[str, str, str]] = [
        value
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "documented error"
    ]
    if not rows:
        return
    rows = [("provider", "answer", "outcome"), *sorted(rows)]
    wide = [max(len(row[at]) for row in rows) for at in (0, 1)]
    terminalreporter.section("documented errors and what becomes of the message")
    for provider, answer, outcome in rows:
        terminalreporter.line(f"{provider:{wide[0]}}  {answer:{wide[1]}}  {outcome}")
