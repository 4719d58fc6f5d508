"""An author's pattern on a contact's text, within a bound: Python's own `re` may take years for 33 characters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bridge.errors import HandlerError

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS: Final = 0.05
"""Of processor time, for one search. The loop stands still meanwhile."""
_TRIES: Final = 2
"""The engine counts the processor time of all threads: others may have spent that of a search."""
_ALIKE: Final = re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE | re.UNICODE
"""Flags that are the same number to both engines."""


class Pattern:
    """Searches texts as `re` does, by an engine that stops in time."""

    __slots__ = ("_bounded", "names")

    def __init__(self, pattern: re.Pattern[str]) -> None:
        """Raises ValueError: the pattern has something that the engine does not read."""
        import regex  # noqa: PLC0415 - it takes 2 MB, and many bots have no such pattern

        flags = int(pattern.flags & _ALIKE) | (regex.ASCII if pattern.flags & re.ASCII else 0)
        try:
            self._bounded = regex.compile(pattern.pattern, flags)
        except regex.error as error:
            raise ValueError(str(error)) from None
        self.names = frozenset(pattern.groupindex)

    def search(self, text: str) -> Mapping[str, str | None] | None:
        """The named groups of the first match, or None. Raises HandlerError: the search takes too long."""
        for _ in range(_TRIES):
            try:
                match = self._bounded.search(text, timeout=SECONDS)
            except TimeoutError:
                continue
            return None if match is None else match.groupdict()
        raise HandlerError(
            f"the regex {self._bounded.pattern!r} takes longer than {SECONDS:g} s on a text of {len(text)} "
            "characters: it tries too many ways to repeat; repeat one thing at a time, (a+)+ is a+"
        )
