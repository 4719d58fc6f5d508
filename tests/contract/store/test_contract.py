"""The stores on SQLite and on PostgreSQL through the contract that every store has to pass."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import aiosqlite
import pytest

from bridge.testing.contract.store import StoreContract
from bridge.testing.contract.store.model import StoreModel
from tests.contract.store.planner import Statements
from tests.support.kept_connections import KeepsConnections
from tests.support.postgres import empty_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each statement of a test finds its rows without reading all that ever happened."""
    statements = Statements()
    connect = partial(aiosqlite.connect, factory=statements.connection())
    monkeypatch.setattr(aiosqlite, "connect", connect)
    yield
    problems = sorted(set(statements.problems()))
    assert not problems, "\n\n".join(problems)


class TestSqliteInMemory(StoreContract, StoreModel):
    survives = False

    def url(self, folder: Path) -> str:
        del folder
        return "sqlite://"


@pytest.mark.usefixtures("planned")
class TestSqliteInFile(StoreContract):
    def url(self, folder: Path) -> str:
        return f"sqlite:///{folder / 'store.db'}"


class OnPostgres(KeepsConnections):
    """Each test begins with an empty store."""

    def url(self, folder: Path) -> str:
        del folder
        return empty_store()


class TestPostgres(OnPostgres, StoreContract):
    pass


@pytest.mark.soak
class TestPostgresModel(OnPostgres, StoreModel):
    pass
