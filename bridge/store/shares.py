"""How processes that share a database divide the rate of an account: each has as many of its slots as it can use.

Whoever wants more writes that down first and reads then what the others have written. Of two that do so at once the
one that writes later sees both, so together they never have more than there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LEAST: Final = 20
"""One part in so many is the weight of a process that sends nothing: its next message need not wait for a slot."""


class Use(NamedTuple):
    """Of an account's rate: how many requests fit into a period, how many want to leave or have, and how many have."""

    most: int
    wanted: int
    used: int


class Claim(NamedTuple):
    """What a process writes down of an account: how much it could use against the others, and how many slots it has."""

    weight: int
    slots: int


Claims: TypeAlias = "Mapping[str, Claim]"


class Shares:
    """The slots of one process, by account."""

    def __init__(self) -> None:
        """It has none, until it knows of the others."""
        self.slots: dict[str, int] = {}
        self.claims: dict[str, Claim] = {}
        """What the others shall see of it: never less than its slots."""

    def alone(self, uses: Mapping[str, Use]) -> None:
        """Nobody else is there: every slot is ours, and nobody reads what we claim."""
        self.slots = {account: use.most for account, use in uses.items()}
        self.claims = {}

    def claim(self, uses: Mapping[str, Use], others: Sequence[Claims | None]) -> None:
        """Give up at once what others can use better, and claim more where some is free. None: not written yet."""
        claims = {}
        for account, use in uses.items():
            own = self.slots.get(account, 0)
            weight = _weight(use)
            fair = _fair(use, weight, _weights(account, use, others))
            if fair <= own:
                own = self.slots[account] = max(fair, min(use.used, own))  # what is used is free after a period
            claims[account] = Claim(weight, max(own, min(fair, use.most - _taken(account, use, others))))
        self.claims = claims

    def settle(self, uses: Mapping[str, Use], others: Sequence[Claims | None]) -> None:
        """Have what was claimed, and is written down, where all fits together; take it back where it does not."""
        for account, (weight, wanted) in self.claims.items():
            fits = account in uses and wanted + _taken(account, uses[account], others) <= uses[account].most
            if fits:
                self.slots[account] = wanted
            self.claims[account] = Claim(weight, self.slots.get(account, 0))

    @property
    def has_more_to_claim(self) -> bool:
        """Whether `settle` is to follow."""
        return any(claim.slots > self.slots.get(account, 0) for account, claim in self.claims.items())


def _weight(use: Use) -> int:
    return max(1, use.most // _LEAST) + min(use.wanted, use.most)


def _weights(account: str, use: Use, others: Sequence[Claims | None]) -> int:
    least = max(1, use.most // _LEAST)
    claims = (claims.get(account) for claims in others if claims is not None)
    return sum(least if claim is None else claim.weight for claim in claims)


def _fair(use: Use, weight: int, others: int) -> int:
    return max(use.most * weight // (weight + others), 1 if use.wanted else 0)


def _taken(account: str, use: Use, others: Sequence[Claims | None]) -> int:
    """A process that has written nothing yet may have them all."""
    return sum(use.most if claims is None else claims[account].slots if account in claims else 0 for claims in others)
