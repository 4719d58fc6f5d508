"""The providers that have cases, by name: a provider takes part in the contract once `<name>_cases.py` is there."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bridge.testing.contract.provider import ProviderCases

T = TypeVar("T")

PROVIDERS: Final[Mapping[str, ProviderCases]] = {
    path.stem.removesuffix("_cases"): import_module(f"tests.contract.provider.{path.stem}").CASES
    for path in sorted(Path(__file__).parent.glob("*_cases.py"))
}


def every(table: Callable[[ProviderCases], Sequence[Any]]) -> pytest.MarkDecorator:
    """Run a test of (cases, case) for every line of one table of every provider."""
    return pytest.mark.parametrize(
        ("cases", "case"),
        [
            pytest.param(cases, case, id=f"{name}: {case.name}")
            for name, cases in PROVIDERS.items()
            for case in table(cases)
        ],
    )
