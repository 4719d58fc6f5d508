"""What the store on SQLite can do is what the port says, and its reader can do no more than a look."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from bridge.store import Store, StoreReader
from storage.sqlite import SqliteReader, SqliteStore

if TYPE_CHECKING:
    reader: type[StoreReader] = SqliteReader
    store: type[Store] = SqliteStore


def public(port: type) -> dict[str, tuple[list[str], bool]]:
    """The public methods of a class, each with its parameters and whether it is awaited."""
    members = inspect.getmembers(port, inspect.isfunction)
    return {
        name: ([*inspect.signature(member).parameters], inspect.iscoroutinefunction(member))
        for name, member in members
        if not name.startswith("_")
    }


@pytest.mark.parametrize(("port", "sqlite"), [(StoreReader, SqliteReader), (Store, SqliteStore)])
def test_the_public_methods_are_those_of_the_port(port: type, sqlite: type) -> None:
    assert public(sqlite) == public(port)
