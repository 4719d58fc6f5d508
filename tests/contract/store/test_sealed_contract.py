"""The stores through the contract with their values encrypted, and nothing readable left behind."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

from bridge.store.encryption import HEAD, MARK, PLAIN, key_from
from bridge.store.opening import open_reader
from bridge.testing.contract.store import (
    DeadLetterContract,
    ErasureContract,
    PeopleContract,
    RetentionContract,
    StoreContract,
)
from storage.sealed_columns import SEALED
from storage.sqlite import encryption
from tests.support.kept_connections import KeepsConnections, connections
from tests.support.postgres import empty_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bridge.store.encryption import EncryptionKey

_AS_STORED: Final = re.compile(rf"{MARK}([0-9a-f]{{8}}|=)")
KEY: Final = key_from(bytes(range(32)))


class _Watched(encryption.SealingConnection):
    """No value leaves it as it is stored."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        cursor = super().execute(sql, parameters)
        if sql.startswith("/**/"):
            return cursor
        if (opened := cursor.row_factory) is None:
            cursor.row_factory = lambda _, row: _without_marks(row, sql)
        else:
            cursor.row_factory = lambda _, row: _without_marks(opened(cursor, row), sql)
        return cursor


def _without_marks(row: Any, sql: str) -> Any:
    for value in row:
        text = value[:HEAD].decode("ascii", "replace") if isinstance(value, bytes) else str(value)
        assert not _AS_STORED.match(text), f"a value comes out as it is stored: {sql}"
    return row


class TestSealedSqlite(StoreContract):
    keys = (KEY,)

    def url(self, folder: Path) -> str:
        return f"sqlite:///{folder / 'store.db'}"

    @pytest.fixture(autouse=True)
    def _watched(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Everything that the columns of SEALED hold at the end of a test is encrypted, or empty."""
        monkeypatch.setattr("storage.sqlite.connection.SealingConnection", _Watched)
        yield
        with closing(sqlite3.connect(tmp_path / "store.db")) as db:
            assert encryption.under_keys(db).get(PLAIN, 0) == 0
            for table, sealed in SEALED.items():
                for name in sealed.names if table != "secrets" else ():
                    names = db.execute(f"SELECT {name} FROM {table}").fetchall()
                    assert all(value.startswith(MARK) for (value,) in names), (table, name)


class OnSealedPostgres(KeepsConnections):
    """Each test begins with an empty store, and leaves nothing plain."""

    keys: ClassVar[Sequence[EncryptionKey]] = (KEY,)
    database = ""

    def url(self, folder: Path) -> str:
        del folder
        self.database = empty_store()
        return self.database

    @pytest.fixture(autouse=True)
    def _sealed(self, _kept: None) -> Iterator[None]:
        yield

        async def counted() -> int:
            reader = await open_reader(self.database, self.keys)
            try:
                return (await reader.encrypted_under()).get(PLAIN, 0)
            finally:
                await reader.close()

        assert connections().run(counted()) == 0


class TestSealedPostgres(OnSealedPostgres, DeadLetterContract, ErasureContract, PeopleContract, RetentionContract):
    """What reads and writes values in ways of its own."""


@pytest.mark.soak
class TestAllOnSealedPostgres(OnSealedPostgres, StoreContract):
    pass
