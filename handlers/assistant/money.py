"""Money in whole millionths: never a float."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final, TypeAlias

from bridge import Budget, HandlerError

if TYPE_CHECKING:
    from collections.abc import Iterator

Amount: TypeAlias = "str | int | Decimal"
"""Money as an author writes it: "0.50"."""

_MILLION: Final = 1_000_000


def millionths(amount: Amount, what: str) -> int:
    """Money as a whole number, rounded up. Raises HandlerError for what is none."""
    return int((_decimal(amount, what) * _MILLION).to_integral_value(ROUND_CEILING))


def _decimal(amount: object, what: str) -> Decimal:
    try:
        if isinstance(amount, str | int | Decimal) and (value := Decimal(amount)).is_finite() and value >= 0:
            return value
    except InvalidOperation:
        pass
    raise HandlerError(f'{what} is an amount of money as a text, like "0.50", not {amount!r}')


@dataclass(frozen=True, slots=True)
class Prices:
    """What a model costs for a million tokens of `input` and of `output`, as its price list has it: "0.15"."""

    input: Amount
    output: Amount

    def __post_init__(self) -> None:
        for amount in (self.input, self.output):
            _decimal(amount, "a price")

    def of(self, tokens_in: int, tokens_out: int) -> int:
        """The price of a call in millionths, rounded up."""
        price = Decimal(self.input) * tokens_in + Decimal(self.output) * tokens_out
        return int(price.to_integral_value(ROUND_CEILING))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be spent: on one contact, and at one account with all of its contacts."""

    contact_day: Amount | None = None
    contact_month: Amount | None = None
    account_day: Amount | None = None
    account_month: Amount | None = None
    zone: str = "UTC"

    def __post_init__(self) -> None:
        list(self.budgets("", ""))

    def budgets(self, assistant: str, contact: str) -> Iterator[Budget]:
        """As the bridge counts them."""
        for whom, per, amount in (
            (contact, "day", self.contact_day),
            (contact, "month", self.contact_month),
            ("all", "day", self.account_day),
            ("all", "month", self.account_month),
        ):
            if amount is not None:
                limit = millionths(amount, f"what may be spent in a {per}")
                yield Budget(name=f"{assistant} {whom} {per}", limit=limit, per=per, zone=self.zone)  # type: ignore[arg-type]
