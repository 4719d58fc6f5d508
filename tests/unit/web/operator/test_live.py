"""News for open pages: which conversations changed, until the page, its session or the bridge is gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from bridge.web.operator import access, live
from tests.support.operators import Person, person, sections

if TYPE_CHECKING:
    from aiohttp import ClientResponse

__all__ = ["person", "sections"]


@pytest.fixture(autouse=True)
async def _logged_in(monkeypatch: pytest.MonkeyPatch, person: Person) -> None:
    monkeypatch.setattr(access, "_COST", 2)
    monkeypatch.setattr(live, "GATHERED", 0)
    await person.log_in()


async def listen(person: Person) -> ClientResponse:
    response: ClientResponse = await person.client.get("/console/news", headers={"Cookie": person.cookie})
    assert response.status == 200
    assert response.content_type == "text/event-stream"
    assert await response.content.readuntil(b"\n\n") == b"retry: 2000\n\n"
    return response


async def told(response: ClientResponse) -> Any:
    head, data = (await response.content.readuntil(b"\n\n")).strip().split(b"\n")
    assert head == b"event: changed"
    return orjson.loads(data.removeprefix(b"data: "))["threads"]


async def test_an_open_page_is_told_which_conversation_changed(person: Person) -> None:
    response = await listen(person)
    await person.hears("hello")
    assert await told(response) == ["1"]
    response.close()


async def test_a_page_that_many_changes_came_for_is_told_that_any_may_have_changed() -> None:
    waiting = live._Waiting()
    waiting.tell(str(number) for number in range(live._MOST + 1))
    assert waiting.take() == b'event: changed\ndata: {"threads":[]}\n\n'
    waiting.tell(["7"])
    assert waiting.take() == b'event: changed\ndata: {"threads":["7"]}\n\n'


async def test_a_page_whose_session_ended_hears_nothing_more(person: Person) -> None:
    response = await listen(person)
    await person.post("logout")
    await person.hears("hello")
    await person.hears("hello")
    async with asyncio.timeout(20):
        rest = await response.content.read()
    assert b"event: changed" not in rest


async def test_there_are_so_many_pages_and_no_more(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "STREAMS", 1)
    response = await listen(person)
    assert (await person.open("news")).status == 503
    response.close()


async def test_pages_end_with_the_bridge(person: Person) -> None:
    response = await listen(person)
    async with asyncio.timeout(20):
        await asyncio.gather(person.client.server.close(), response.content.read())
