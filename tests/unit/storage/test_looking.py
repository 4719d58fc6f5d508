"""A search looks through so many threads and no more at once, and goes on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.store.looks import ThreadSearch
from bridge.testing.contract.store.desk import Desk
from bridge.testing.contract.store.searching import meet

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("chunk", [1, 2, 1000])
async def test_a_search_without_a_hit_ends_after_its_bound_and_says_where_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr("storage.looking.LOOKED_THROUGH", 4)
    monkeypatch.setattr("storage.looking._CHUNK", chunk)
    desk = await Desk(f"sqlite:///{tmp_path / 'store.db'}").open()
    for number in range(9):
        await meet(
            desk, f"c{number}", "Bob" if number else "Ann", account="bar" if number % 2 else "shop", later=number
        )
    page = await desk.store.search_threads(ThreadSearch(text="ann"), limit=1)
    looks = 1
    while not page.threads and page.next is not None:
        page = await desk.store.search_threads(ThreadSearch(text="ann"), limit=1, before=page.next)
        looks += 1
    assert [thread.ref.conversation_id for thread in page.threads] == ["c0"]
    assert looks == 3
    await desk.store.close()
