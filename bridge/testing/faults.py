"""What may go wrong in a world, and how often in one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

KNOWN: Final[Mapping[str, int]] = {
    "duplicate": 4,
    "reorder": 8,
    "crash": 2,
    "lost_answer": 3,
    "provider_down": 3,
    "slow_store": 2,
    "store_fails": 3,
    "slow_shutdown": 1,
    "clock_set": 2,
    "gateway_away": 1,
    "pool_exhausted": 1,
}
"""Each fault, and how often it happens in one run at most, unless the test says otherwise."""

_SHORT: Final[Mapping[str, str]] = {"dup": "duplicate", "down": "provider_down"}


class FaultBudget(dict[str, int]):
    """How often each fault may still happen; those that may not are not in it."""

    def __init__(self, given: Iterable[str] | Mapping[str, int | bool | None] = ()) -> None:
        """A set of names, or a dict of how often each may happen at most (True, None: as often as usual).

        Raises:
            ValueError: there is no such fault.
        """
        asked = given.items() if isinstance(given, Mapping) else ((name, None) for name in given)
        super().__init__()
        for short, times in sorted(asked):
            name = _SHORT.get(short, short)
            if name not in KNOWN:
                raise ValueError(f"there is no fault {short!r}; there are {', '.join(KNOWN)}")
            self[name] = KNOWN[name] if times is None or times is True else int(times)
            self._forget(name)

    def spend(self, name: str) -> None:
        """It happened once more."""
        self[name] -= 1
        self._forget(name)

    def _forget(self, name: str) -> None:
        if self[name] <= 0:
            del self[name]
