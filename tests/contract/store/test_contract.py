"""The store on SQLite through the contract that every store has to pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.testing.contract.store import StoreContract
from bridge.testing.contract.store.model import StoreModel

if TYPE_CHECKING:
    from pathlib import Path


class TestSqliteInMemory(StoreContract, StoreModel):
    survives = False

    def url(self, folder: Path) -> str:
        del folder
        return "sqlite://"


class TestSqliteInFile(StoreContract):
    def url(self, folder: Path) -> str:
        return f"sqlite:///{folder / 'store.db'}"
