"""What the dashboard shows: curves of the last day, and each account as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Values at times (seconds since 1970), each a mean or the highest of `every` seconds; None: nobody knows."""

    every: float
    times: Sequence[int]
    values: Mapping[str, Sequence[float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """An account as it stands. Times are in microseconds.

    `paused` is why the gateway takes nothing ("": it does). `token_ends` is when a person has to renew the token.
    """

    account: str
    provider: str
    last_received: int | None
    open_events: int
    open_messages: int
    oldest: int | None
    dead: int
    paused: str
    token_ends: int | None


class Figures(Protocol):
    """The figures of this process."""

    @property
    def is_one_of(self) -> int:
        """How many processes share the work: the curves are of this one alone."""
        ...

    def curves(self, seconds: int, most: int) -> Curves:
        """The last so many seconds, in at most so many steps."""
        ...

    async def accounts(self) -> Sequence[AccountState]:
        """Each account, by name."""
        ...
