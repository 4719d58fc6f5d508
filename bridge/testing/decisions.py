"""What happens next in a world: every decision taken by a seed, or as a schedule says, and written down."""

from __future__ import annotations

import re
from bisect import bisect
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_WRITTEN: Final = re.compile(r"(\d+)(?:/((?:\d+:\d+)(?:,\d+:\d+)*)?)?")


@dataclass(frozen=True, slots=True)
class Schedule:
    """What to replay: a seed, and which of its choices are not the first option (None: those that the seed makes).

    Written as "17" (all that seed 17 chose) or "17/4:1,9:2" (seed 17, the fourth choice is option 1, ...).
    """

    seed: int
    chosen: Mapping[int, int] | None = None

    def __str__(self) -> str:
        if self.chosen is None:
            return str(self.seed)
        return f"{self.seed}/{','.join(f'{at}:{option}' for at, option in sorted(self.chosen.items()))}"

    @classmethod
    def each(cls, seeds: int | Iterable[int]) -> list[Self]:
        """Schedules of these seeds, or of so many."""
        return [cls(seed) for seed in (range(seeds) if isinstance(seeds, int) else seeds)]

    @classmethod
    def read(cls, written: str | int | Schedule) -> Schedule:
        """What `str` wrote. Raises ValueError."""
        if isinstance(written, Schedule):
            return written
        found = _WRITTEN.fullmatch(str(written).strip())
        if found is None:
            raise ValueError(f"{written!r} is no schedule; one looks like 17 or 17/4:1,9:2")
        if "/" not in str(written):
            return cls(int(found[1]))
        pairs = (each.split(":") for each in (found[2] or "").split(",") if each)
        return cls(int(found[1]), {int(at): int(option) for at, option in pairs})


class Decision(NamedTuple):
    """One decision: option `taken`, which is called `label`. Option 0 is what happens when all is calm."""

    at: int
    taken: int
    label: str


@dataclass(slots=True)
class Decisions:
    """Takes the decisions of one run. Without a schedule of its own, `calm` tells whether the seed decides at all."""

    schedule: Schedule
    calm: bool = False
    taken: list[Decision] = field(default_factory=list)
    _rng: Random = field(init=False)

    def __post_init__(self) -> None:
        """Seed the dice."""
        self._rng = Random(f"choices {self.schedule.seed}")

    def pick(self, options: Sequence[tuple[str, float, object]]) -> int:
        """One of the options, each a label, a weight, and what it comes to, by its index."""
        if len(options) == 1:
            return 0
        at = len(self.taken)
        if self.schedule.chosen is not None:
            index = min(self.schedule.chosen.get(at, 0), len(options) - 1)
        elif self.calm:
            index = 0
        else:
            weights = [*accumulate(each[1] for each in options)]
            index = bisect(weights, self._rng.random() * weights[-1], 0, len(weights) - 1)
        self.taken.append(Decision(at, index, options[index][0]))
        return index

    def temper(self) -> float:
        """How hasty contacts are in this run, as a weight: one seed has them wait, another one talk at once."""
        return self._rng.choice((0.03, 0.3, 1.0, 4.0))

    def deviations(self) -> dict[int, int]:
        """The choices that were not the first option: with these the same run can be had again."""
        return {each.at: each.taken for each in self.taken if each.taken}
