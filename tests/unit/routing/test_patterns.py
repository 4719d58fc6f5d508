"""An author's pattern within its bound: what it spends itself counts, and nobody else's time."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bridge.errors import HandlerError
from bridge.routing.patterns import Pattern


class Robbed:
    """A pattern from whose searches other threads take the time, so many times."""

    def __init__(self, found: Any, times: int) -> None:
        self.found = found
        self.left = times
        self.pattern = found.pattern

    def search(self, text: str, *, timeout: float) -> Any:
        self.left -= 1
        if self.left >= 0:
            raise TimeoutError
        return self.found.search(text, timeout=timeout)


def test_a_search_that_others_took_the_time_from_is_made_again() -> None:
    pattern = Pattern(re.compile("(?P<size>[0-9]+) cm"))
    pattern._bounded = Robbed(pattern._bounded, 1)  # type: ignore[assignment]
    assert pattern.search("about 12 cm") == {"size": "12"}


def test_a_search_that_never_gets_any_time_ends_all_the_same() -> None:
    pattern = Pattern(re.compile("a"))
    pattern._bounded = Robbed(pattern._bounded, 1000)  # type: ignore[assignment]
    with pytest.raises(HandlerError):
        pattern.search("a")


def test_a_pattern_that_takes_long_by_itself_is_a_mistake() -> None:
    with pytest.raises(HandlerError, match="too many ways"):
        Pattern(re.compile("(a|aa)+$")).search("a" * 40 + "b")
