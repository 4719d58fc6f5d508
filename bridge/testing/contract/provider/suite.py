"""How a suite gets its cases: each test that names a table runs once for every line of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest

    from bridge.testing.contract.provider.cases import ProviderCases


class Suite:
    """Tests of one provider. A subclass named Test… gives `cases`, and pytest collects it."""

    cases: ClassVar[ProviderCases]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrise a test by the table that its parameter names."""
        tables: Mapping[str, Sequence[Any]] = {
            "answered": self.cases.answered,
            "authenticated": self.cases.authenticated,
            "quarantined": self.cases.quarantined,
            "received": self.cases.received,
            "refused": self.cases.refused,
            "spoken": self.cases.spoken,
        }
        for name in tables.keys() & set(metafunc.fixturenames):
            metafunc.parametrize(name, tables[name], ids=[case.name for case in tables[name]])
