"""The console's pages of broadcasts: where each stands, what became of whom, and pause, resume and cancel."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bridge import Router
from bridge.engine.broadcasts.composing import Row
from bridge.store.broadcasts import BroadcastState, RecipientState
from bridge.web.operator import broadcasts
from bridge.web.operator.texts import Texts
from tests.support.desk_pages import PASSWORD, VIEWER, Desk, desk_of, words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LATER = datetime(2999, 1, 1, tzinfo=UTC)
XSS = "<b>sale</b>"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(tmp_path, Router("bot"), is_open=False) as made:
        yield made


async def begun(desk: Desk) -> str:
    """A broadcast that runs, and whose time has not come."""
    composer = desk.door.bridge.parts.composer
    broadcast_id = await composer.begin(
        "shop", {"kind": "text", "text": "Hello {name}"}, channel="whatsapp", at=LATER, title=XSS
    )
    rows = [Row(number, f"+62812345000{number:02}", {"name": "Ann"}) for number in range(1, 4)]
    assert await composer.add(broadcast_id, rows) == []
    await composer.start(broadcast_id)
    return broadcast_id


@pytest.mark.slow
async def test_a_broadcast_is_listed_and_shown_with_its_recipients(desk: Desk) -> None:
    await desk.login(VIEWER)
    assert "There was no broadcast." in words(await desk.page("broadcasts"))
    broadcast_id = await begun(desk)
    page = await desk.page("broadcasts")
    assert f'href="./broadcasts/{broadcast_id}"' in page
    assert XSS not in page
    assert f"{XSS} running shop" in words(page)
    page = await desk.page(f"broadcasts/{broadcast_id}")
    assert "0 of 3 running" in words(page)
    assert "+6281234500001 whatsapp waiting" in words(page)
    assert "Pause" not in words(page)
    part = await desk.page(f"broadcasts/{broadcast_id}", **{"HX-Request": "true"})
    assert ("0 of 3" in words(part), "<html" in part) == (True, False)
    assert "No recipient is in this state." in words(await desk.page(f"broadcasts/{broadcast_id}?state=failed"))
    assert (await desk.ask("GET", "broadcasts/nothing"))[0] == 404
    assert (await desk.ask("GET", f"broadcasts/{broadcast_id}?state=eaten"))[0] == 422
    assert (await desk.post(f"broadcasts/{broadcast_id}/pause"))[0] == 403


async def test_an_operator_pauses_resumes_and_cancels(desk: Desk) -> None:
    await desk.login(PASSWORD)
    broadcast_id = await begun(desk)
    for act, state, offered in (
        ("pause", "paused", "Resume Cancel"),
        ("resume", "running", "Pause Cancel"),
        ("cancel", "cancelled", ""),
    ):
        await desk.page(f"broadcasts/{broadcast_id}")
        assert (await desk.post(f"broadcasts/{broadcast_id}/{act}"))[0] == 303
        page = words(await desk.page(f"broadcasts/{broadcast_id}"))
        assert f"0 of 3 {state}" in page
        assert offered in page
    assert (await desk.post(f"broadcasts/{broadcast_id}/resume"))[0] == 409
    assert (await desk.post(f"broadcasts/{broadcast_id}/eat"))[0] in {404, 405}
    audit = words(await desk.page("audit"))
    assert all(f"broadcast {act} {broadcast_id}" in audit for act in ("pause", "resume", "cancel"))


def test_every_word_for_a_state_is_there_in_every_language() -> None:
    said = {
        *BroadcastState,
        *RecipientState,
        *broadcasts.WORDS.values(),
        *(f"broadcast {act}" for act in broadcasts.ACTS),
    }
    assert said <= Texts("id")._words.keys()
