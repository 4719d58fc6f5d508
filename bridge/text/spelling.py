"""What somebody may have meant who wrote a name that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def hint(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """`did you mean secret?`, where a known name is like it; else `otherwise`, or which names there are."""
    from difflib import get_close_matches  # noqa: PLC0415 - 0.2 MB, for mistakes

    names = sorted(known)
    if near := get_close_matches(name, names, n=1):
        return f"did you mean {near[0]}?"
    return otherwise or (f"there are {', '.join(names)}" if names else "there are none")
