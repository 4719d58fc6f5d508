"""Values that type checkers hold frozen, at the price of plain objects.

A frozen dataclass of Python's sets every field by a call, which takes three times as long. These are made and read a
dozen times for each message, by typed code alone; what authors hold (events, messages) is frozen at run time as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from dataclasses import dataclass as plain

    def dataclass(*, frozen: bool = True, **options: bool) -> Any:  # noqa: ANN401 - as Python's own
        """Make a dataclass that has the hash of a frozen one."""
        return plain(unsafe_hash=frozen, **options)


__all__ = ["dataclass"]
