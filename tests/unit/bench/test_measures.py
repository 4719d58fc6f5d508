"""Quantiles, spreads and paired ratios."""

from __future__ import annotations

import random

import pytest

from bridge.bench.measures import Spread, quantile, ratios


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, 0.0),
        ([7.0], 0.99, 7.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([4.0, 1.0], 0.5, 2.5),
        ([float(number) for number in range(101)], 0.99, 99.0),
        ([float(number) for number in range(101)], 1.0, 100.0),
        ([float(number) for number in range(101)], 0.0, 0.0),
    ],
)
def test_a_quantile_lies_between_its_neighbours(values: list[float], share: float, expected: float) -> None:
    assert quantile(values, share) == pytest.approx(expected)


def test_a_spread_is_the_median_between_its_quartiles() -> None:
    values = [float(number) for number in range(1, 10)]
    random.Random(1).shuffle(values)
    assert Spread.of(values) == Spread(3.0, 5.0, 7.0)


def test_ratios_are_taken_round_by_round() -> None:
    """A slow moment of the machine slows both sides of a pair: ratios of medians would see one of them."""
    assert ratios([10.0, 1.0, 40.0], [5.0, 0.5, 20.0]) == Spread(2.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])
