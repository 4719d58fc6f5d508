"""The database of simulations: it outlives the bridges that use it, and goes without a word."""

from __future__ import annotations

import threading

import pytest

from bridge.errors import StoreError
from bridge.store.records import Receipt
from bridge.testing.contract.store.desk import arrival
from storage.sqlite.simulation import Volatile


def test_one_that_nobody_closed_may_be_collected_in_any_thread() -> None:
    """A handler's thread may be the one that collects the garbage; what goes wrong then is a warning, an error here."""
    left = [Volatile(), Volatile()]
    left[0].close()
    thread = threading.Thread(target=left.clear)
    thread.start()
    thread.join()
    assert left == []


async def test_a_database_that_is_used_again_has_no_rows_and_the_numbers_begin_anew() -> None:
    first = Volatile()
    store = await first.open(_no_pause)
    before = first.db
    assert (await store.receive([arrival("e1")]), first.open_rows()) == ([Receipt.STORED], 1)
    first.close()
    again = Volatile()
    store = await again.open(_no_pause)
    assert (again.db is before, again.open_rows()) == (True, 0)
    assert await store.receive([arrival("e1")]) == [Receipt.STORED]
    assert [row.id for row in await store.inbox_heads(0, 9)] == [1]
    again.close()


@pytest.mark.parametrize("change", ["CREATE TABLE mine (id)", "DROP TABLE steps", "BEGIN"])
async def test_a_database_that_is_not_as_the_store_made_it_is_not_used_again(change: str) -> None:
    first = Volatile()
    await first.open(_no_pause)
    before = first.db
    before.execute(change)
    first.close()
    assert Volatile().db is not before


async def test_whoever_still_looks_into_a_closed_database_is_told_and_sees_no_other() -> None:
    closed = Volatile()
    store = await closed.open(_no_pause)
    closed.close()
    closed.close()
    with pytest.raises(StoreError, match="closed"):
        await store.inbox_heads(0, 9)


async def _no_pause(_label: str) -> None:
    """Nothing goes wrong."""
