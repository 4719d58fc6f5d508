"""Conversations and dead letters by the REST API: pages, events, handoff, replay and drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import TestClient

from bridge.app.http import create_app
from bridge.testing.contract.store.desk import riddle
from tests.support.api_program import Program, bot, program, sections, settings
from tests.support.manual_clock import ManualClock
from tests.support.whole_bridges import OurServer

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_aiohttp import AiohttpClient

__all__ = ["program", "sections"]


async def test_lists_come_page_by_page(program: Program) -> None:
    for number in range(5):
        await program.hears("hello", f"c{number}")
        await program.bridge.store.receive([riddle(f"{number}", account="demo")])
    for path in ("/threads", "/dead-letters"):
        every = (await program.get(path))["items"]
        assert len(every) == 5
        found, more = [], ""
        while True:
            page = await program.get(f"{path}?limit=2{more}")
            found += page["items"]
            if page["next"] is None:
                break
            more = f"&cursor={page['next']}"
        assert found == every
    (only,) = (await program.get("/threads?account=demo&channel=console&conversation=c3"))["items"]
    assert only["conversation"] == "c3"
    assert await program.get(f"/threads/{only['id']}") == only


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=-1", "limit=1e9", "limit=201", "limit=x", "page=-1", "account=%25", "account=' OR 1=1 --"),
        *("cursor=x", "cursor=ffffffffffffffff-1", "cursor=-1-1", "cursor=1-1'", "held=perhaps", "limit=1&limit=2"),
        *("conversation=ann", "conversation=%00&account=demo&channel=console"),
    ],
)
@pytest.mark.slow
async def test_a_list_is_asked_for_as_the_document_has_it(program: Program, query: str) -> None:
    assert await program.problem("GET", f"/threads?{query}") == 422


async def test_a_search_takes_no_wildcards(program: Program) -> None:
    await program.hears("boom")
    for text in ("%", "_", "*", "'", "ann%"):
        query = f"account=demo&channel=console&conversation={text.replace('%', '%25')}"
        assert (await program.get(f"/threads?{query}"))["items"] == []
    _, changed = await program.ask("POST", "/dead-letters", {"action": "drop", "reason": "%"})
    assert changed == {"done": [], "refused": [], "next": None}


async def test_conversations_are_searched_and_filtered(program: Program) -> None:
    for number, text in enumerate(("hello", "boom", "order")):
        await program.hears(text, f"guest {number}")
    await program.ask("POST", "/threads/3/handoff", {})
    await program.bridge.settle()

    async def found(query: str) -> list[str]:
        return [thread["id"] for thread in (await program.get(f"/threads?{query}"))["items"]]

    assert await found("text=GUEST") == ["3", "2", "1"]
    assert await found("text=guest+1") == ["2"]
    assert await found("held=true") == ["3"]
    assert await found("held=false") == ["2", "1"]
    assert await found("dead=true") == ["2"]
    assert await found("channel=console") == ["3", "2", "1"]
    assert await found("text=2") == ["3"]
    assert await found("channel=console&text=2") == ["3"]
    assert await found("channel=line") == []
    assert await found("waits=true") == []


async def test_a_conversation_is_handed_over_and_returned(program: Program) -> None:
    await program.hears("hello")
    assert await program.ask("POST", "/threads/1/handoff", {"note": "angry"}) == (202, {"id": "1"})
    await program.bridge.settle()
    (held,) = (await program.get("/threads?held=true"))["items"]
    assert (held["held"], held["note"]) == (True, "angry")
    await program.hears("anybody?")
    assert await program.ask("POST", "/threads/1/return") == (202, {"id": "1"})
    await program.bridge.settle()
    assert (await program.get("/threads?held=true"))["items"] == []
    assert await program.said("1") == ["hello", "you said hello", "anybody?"]


async def test_a_person_who_writes_has_the_conversation_and_the_bot_is_silent(program: Program) -> None:
    await program.hears("hello")
    note = {"message": {"kind": "text", "text": "Bob here"}, "idempotency_key": "b1"}
    status, first = await program.ask("POST", "/threads/1/messages", note)
    assert (status, first["plan"]["parts"]) == (202, [{"kind": "text", "text": "Bob here"}])
    assert await program.ask("POST", "/threads/1/messages", note) == (202, first)
    other = {**note, "message": {"kind": "text", "text": "Ann here"}}
    assert await program.problem("POST", "/threads/1/messages", other) == 409
    await program.bridge.settle()
    (held,) = (await program.get("/threads?held=true"))["items"]
    assert held["note"] == "a person spoke in the conversation"
    await program.hears("anybody?")
    await program.ask("POST", "/threads/1/messages", {"message": {"kind": "text", "text": "Yes"}})
    await program.bridge.settle()
    assert await program.said("1") == ["hello", "you said hello", "Bob here", "anybody?", "Yes"]
    assert (await program.get(f"/messages/{first['id']}"))["state"] == "sent"
    written = [each["what"] for each in (await program.get("/audit"))["items"]]
    assert written.count("write") == 4  # what is refused was asked for, too


@pytest.mark.parametrize("sections", [{"consent": {"stop": ["stop"]}}])
async def test_a_person_writes_to_who_opted_out_only_as_an_answer(program: Program) -> None:
    note = {"message": {"kind": "text", "text": "Bob here"}, "idempotency_key": "k1"}
    await program.hears("hello")
    status, first = await program.ask("POST", "/threads/1/messages", note)
    await program.bridge.settle()
    await program.hears("stop")
    assert await program.ask("POST", "/threads/1/messages", note) == (202, first)
    status, refused = await program.ask("POST", "/threads/1/messages", {**note, "idempotency_key": "k2"})
    assert (status, refused["detail"].partition(":")[0]) == (409, "the contact opted out, and wrote nothing since")
    await program.hears("one more question")
    status, _ = await program.ask("POST", "/threads/1/messages", {**note, "idempotency_key": "k2"})
    await program.bridge.settle()
    assert (status, (await program.said("1")).count("Bob here")) == (202, 2)
    assert await program.bridge.store.dead_letters() == []


async def test_a_persons_words_put_off_the_return_to_the_bot(program: Program) -> None:
    await program.hears("hello")
    for _ in range(2):
        await program.ask("POST", "/threads/1/messages", {"message": {"kind": "text", "text": "Bob here"}})
        await program.bridge.settle()
        program.clock.advance(2000)
        await program.bridge.settle()
    assert len((await program.get("/threads?held=true"))["items"]) == 1
    program.clock.advance(1700)
    await program.bridge.settle()
    assert (await program.get("/threads?held=true"))["items"] == []


async def test_a_viewers_token_writes_nothing(program: Program) -> None:
    await program.hears("hello")
    program.secret += "-reads"
    assert await program.problem("POST", "/threads/1/messages", {"message": {"kind": "text", "text": "x"}}) == 403


async def test_an_event_answers_a_dialog_that_waits_for_it(program: Program) -> None:
    await program.hears("order")
    paid = {"name": "paid", "data": {"amount": 7, "\\u0000": "\\u0000"}, "idempotency_key": "invoice 1"}
    first = await program.ask("POST", "/threads/1/events", paid)
    assert first[0] == 202
    assert await program.ask("POST", "/threads/1/events", paid) == first
    assert await program.problem("POST", "/threads/1/events", {**paid, "data": 8}) == 409
    await program.bridge.settle()
    assert await program.said("1") == ["order", "pay here", "paid: {'amount': 7, '\\\\u0000': '\\\\u0000'}"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {},
        {"name": "n", "data": "\0"},
        {"name": "n", "data": "x" * 65_536},
        b'{"name": "n", "data": 99999999999999999999}',
        b'{"name": "\\ud800"}',
    ],
    ids=range(6),
)
async def test_an_event_that_cannot_be_kept_is_refused(program: Program, body: object) -> None:
    await program.hears("order")
    assert await program.problem("POST", "/threads/1/events", body) == 422


async def test_a_dead_letter_is_shown_replayed_and_dropped(program: Program) -> None:
    await program.hears("boom")
    (letter,) = (await program.get("/dead-letters"))["items"]
    whole = await program.get(f"/dead-letters/{letter['id']}")
    assert (whole["content"]["text"], whole["account"], whole["kind"]) == ("boom", "demo", "message")
    assert "api_program.py" in whole["trace"]
    assert await program.ask("POST", f"/dead-letters/{letter['id']}/replay") == (200, {"id": letter["id"]})
    await program.bridge.settle()
    assert [each["id"] for each in (await program.get("/dead-letters"))["items"]] == [letter["id"]]
    assert await program.ask("POST", f"/dead-letters/{letter['id']}/drop") == (200, {"id": letter["id"]})
    assert await program.problem("POST", f"/dead-letters/{letter['id']}/drop") == 404
    assert (await program.get("/dead-letters"))["items"] == []


async def test_dead_letters_are_found_by_reason_age_and_state(program: Program) -> None:
    await program.hears("boom")
    program.clock.advance(60)
    await program.bridge.store.receive([riddle("q", account="demo", received_at=program.clock.now())])
    (riddled, failed) = (await program.get("/dead-letters"))["items"]
    assert (riddled["state"], failed["state"]) == ("quarantined", "dead")

    async def found(query: str) -> list[str]:
        return [letter["id"] for letter in (await program.get(f"/dead-letters?{query}"))["items"]]

    assert await found("state=dead") == await found("older_than=30") == await found("reason=RuntimeError")
    assert await found("state=dead") == [failed["id"]]
    assert await found("reason=no+idea") == [riddled["id"]]
    assert await found("older_than=3600") == await found("reason=RuntimeErr_r") == []
    for wrong in ("state=open", "older_than=-1", "reason=%00", "older_than=1e999"):
        assert await program.problem("GET", f"/dead-letters?{wrong}") == 422
    _, changed = await program.ask("POST", "/dead-letters", {"action": "drop", "state": "dead"})
    assert changed["done"] == [failed["id"]]


async def test_many_dead_letters_are_replayed_a_part_at_a_time_and_what_stays_is_named(program: Program) -> None:
    store = program.bridge.store
    await store.receive([riddle("q", account="demo", received_at=1)])
    for number in range(3):
        await program.hears("boom", f"c{number}")
        program.clock.advance(60)
    ids = [letter["id"] for letter in (await program.get("/dead-letters"))["items"]][::-1]
    asked = {"action": "replay", "limit": 2}
    _, first = await program.ask("POST", "/dead-letters", asked)
    assert ([refused["id"] for refused in first["refused"]], first["done"]) == (ids[:1], ids[1:2])
    await program.bridge.settle()  # what fails again is not in the rest
    assert len((await program.get("/dead-letters"))["items"]) == 4
    _, rest = await program.ask("POST", "/dead-letters", {**asked, "cursor": first["next"]})
    assert (rest["done"], rest["refused"], rest["next"]) == (ids[2:], [], None)
    await program.bridge.settle()
    _, old = await program.ask("POST", "/dead-letters", {"action": "drop", "older_than": 30, "account": "demo"})
    assert old["done"] == ids[:1]
    for body in ({"action": "replay", "limit": 1001}, {"action": "delete"}, {}):
        assert await program.problem("POST", "/dead-letters", body) == 422


@pytest.mark.parametrize("looked_through", [10_000, 1])
async def test_lists_over_several_databases_come_page_by_page_each_conversation_once(
    tmp_path: Path, aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch, looked_through: int
) -> None:
    monkeypatch.setattr("storage.looking.LOOKED_THROUGH", looked_through)
    monkeypatch.setattr("storage.looking._CHUNK", 1)
    url = f"sqlite:///{tmp_path}/second.db"
    app = create_app(
        settings(tmp_path, storage={"shards": {"other": url}}), router=bot(), clock=(clock := ManualClock())
    )
    program = Program(await aiohttp_client(OurServer(app)), clock)
    for number in range(9):
        await program.hears("hello", f"c{number}", "other" if number % 3 else "demo")
        clock.advance(1)
    for wanted in ("", "&text=c"):
        found, more = [], ""
        while True:
            page = await program.get(f"/threads?limit=2{wanted}{more}")
            found += [thread["conversation"] for thread in page["items"]]
            if page["next"] is None:
                break
            more = f"&cursor={page['next']}"
        assert found == [f"c{number}" for number in range(8, -1, -1)]


async def test_ids_over_several_databases_have_their_accounts(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/second.db"
    app = create_app(
        settings(tmp_path, storage={"shards": {"other": url}}), router=bot(), clock=(clock := ManualClock())
    )
    async with TestClient(OurServer(app)) as client:
        program = Program(client, clock)
        await program.hears("boom", "ann", "demo")
        program.clock.advance(1)
        await program.hears("boom", "bob", "other")
        ids = [thread["id"] for thread in (await program.get("/threads"))["items"]]
        assert ids == ["other:1", "demo:1"]
        assert (await program.get("/threads/other:1"))["conversation"] == "bob"
        assert await program.problem("GET", "/threads/1") == 404
        letters = [letter["id"] for letter in (await program.get("/dead-letters"))["items"]]
        assert letters == ["other:in-1", "demo:in-1"]
        _, changed = await program.ask("POST", "/dead-letters", {"action": "drop"})
        assert changed["done"] == ["demo:in-1", "other:in-1"]
        assert {entry["id"] for entry in (await program.get("/audit"))["items"]} == {"other:1", "demo:1"}
