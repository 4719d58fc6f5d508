"""When to try again, or whether to give up: the one decision about retries, for turns and deliveries alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.units import SECOND

if TYPE_CHECKING:
    import random

LEAST_PAUSE: Final = 1.0
MOST_PAUSE: Final = 900.0
"""Seconds: a pause that a provider asks for is held within these two."""


def held_seconds(asked: float) -> float:
    """A pause that a provider asks for, within LEAST_PAUSE and MOST_PAUSE."""
    return min(max(asked, LEAST_PAUSE), MOST_PAUSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """`base` * 2^(n-1) seconds, at most `cap`, half of it jittered; at most `attempts` tries.

    `give_up_after` is in seconds from the first failure; None: only the attempts count.
    """

    attempts: int
    base: float = 1.0
    cap: float = 60.0
    give_up_after: float | None = None

    def again_at(
        self,
        attempt: int,
        now: int,
        rng: random.Random,
        *,
        since: int | None = None,
        retry_after: float | None = None,
        failures: int | None = None,
    ) -> int | None:
        """When (microseconds) to begin attempt `attempt` + 1, or None to give up after this one.

        `retry_after` (seconds, clamped to 1 s ... 15 min) is the least wait, as the other side asked for it.
        `failures` are all that there were, where some cost no attempt.
        """
        if attempt >= self.attempts:
            return None
        pause = min(self.cap, self.base * (1 << min((failures or attempt) - 1, 30)))
        pause *= rng.uniform(0.5, 1.0)
        if retry_after is not None:
            pause = max(pause, held_seconds(retry_after))
        when = now + round(pause * SECOND)
        if self.give_up_after is not None and since is not None and when - since > self.give_up_after * SECOND:
            return None
        return when
