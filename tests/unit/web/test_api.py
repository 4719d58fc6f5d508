"""The REST API of a bridge: who may ask what, the audit, the document, and what the log hears."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from structlog.testing import capture_logs

from bridge.app.http import create_app
from bridge.errors import Unavailable
from bridge.web.api.document import document
from bridge.web.api.operations import OPERATIONS, PREFIX
from tests.support.api_program import HELLO, SECRET, Program, bot, program, sections, settings
from tests.support.manual_clock import ManualClock
from tests.support.postgres import empty_store, plain
from tests.support.whole_bridges import OurServer

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_aiohttp import AiohttpClient

__all__ = ["program", "sections"]


async def test_who_has_no_token_learns_nothing(program: Program) -> None:
    for secret in ("", "wrong", f"{SECRET}x", SECRET[:-1], f"{SECRET} "[::-1], "\udcff"):
        program.secret = secret
        for path in ("/threads", "/nothing", "/openapi.json"):
            assert await program.problem("GET", path) == 401
        assert program.headers["WWW-Authenticate"] == "Bearer"
    assert await program.problem("GET", "/threads", Authorization=f"Basic {SECRET}") == 401


async def test_paths_and_methods_that_are_not_there_are_problems_too(program: Program) -> None:
    assert await program.problem("GET", "/nothing") == 404
    assert await program.problem("GET", "/messages") == 405
    assert program.headers["Allow"] == "POST"
    for path in (
        "/threads/7",
        "/threads/x",
        f"/threads/{'9' * 40}",
        "/threads/1%2e",
        "/messages/x",
        "/dead-letters/in-7",
    ):
        assert await program.problem("GET", path) == 404


async def test_a_token_does_what_its_scopes_say(program: Program) -> None:
    await program.hears("hello")
    program.secret = f"{SECRET}-reads"
    assert (await program.get("/threads"))["items"]
    writes = [operation for operation in OPERATIONS if operation.scope != "read"]
    assert len(writes) > 5
    for operation in writes:
        path = operation.path.format(thread_id=1, letter_id="in-1", contact_id=1, broadcast_id="b")
        assert await program.problem(operation.method, path, {}) == 403
    program.secret = SECRET
    assert (await program.get("/audit"))["items"] == []
    assert await program.said("1") == ["hello", "you said hello"]


async def test_a_token_sees_its_own_accounts_only(program: Program) -> None:
    await program.hears("boom", "ann", "demo")
    await program.hears("boom", "bob", "other")
    await program.ask("POST", "/messages", {**HELLO, "idempotency_key": "k"})
    (mine,) = (await program.get("/threads?account=other"))["items"]
    (letter,) = (await program.get("/dead-letters?account=demo"))["items"]
    (theirs,) = [entry["id"] for entry in (await program.get("/threads?account=demo"))["items"]]
    key = (await program.get("/audit"))["items"][0]["target"]
    program.secret = f"{SECRET}-other"
    assert (await program.get("/threads"))["items"] == [mine]
    assert [letter["account"] for letter in (await program.get("/dead-letters"))["items"]] == ["other"]
    assert (await program.get("/audit"))["items"] == []
    for path in (f"/threads/{theirs}", f"/threads/demo:{theirs}", f"/threads/other:{theirs}", f"/messages/{key}"):
        assert await program.problem("GET", path) == 404
    for path in ("/threads?account=demo", "/dead-letters?account=demo", "/audit?account=demo"):
        assert await program.problem("GET", path) == 404
    for path in (f"/threads/{theirs}/handoff", f"/dead-letters/{letter['id']}/drop"):
        assert await program.problem("POST", path, {}) == 404
    assert await program.problem("POST", f"/threads/{theirs}/events", {"name": "paid"}) == 404
    assert await program.problem("POST", "/messages", HELLO) == 404
    _, changed = await program.ask("POST", "/dead-letters", {"action": "drop"})
    assert len(changed["done"]) == 1
    program.secret = SECRET
    assert [letter["account"] for letter in (await program.get("/dead-letters"))["items"]] == ["demo"]


@pytest.mark.parametrize("sections", [{"api": {"rate": "3/min"}}], ids=["3 a minute"])
async def test_a_token_that_asks_too_often_is_told_when_to_come_again(program: Program) -> None:
    for _ in range(3):
        await program.get("/threads")
    assert await program.problem("GET", "/threads") == 429
    assert int(program.headers["Retry-After"]) == 20
    program.secret = f"{SECRET}-reads"
    await program.get("/threads")
    program.secret = SECRET
    program.clock.advance(20)
    await program.get("/threads")
    assert await program.problem("GET", "/threads") == 429


async def test_each_change_is_audited_before_it_is_done(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    await program.hears("boom")
    (letter,) = (await program.get("/dead-letters"))["items"]
    await program.ask("POST", "/messages", {**HELLO, "idempotency_key": "k"})
    await program.ask("POST", "/threads/1/handoff", {})
    await program.ask("POST", "/threads/1/return")
    await program.ask("POST", "/threads/1/events", {"name": "paid"})
    await program.ask("POST", f"/dead-letters/{letter['id']}/drop")
    entries = (await program.get("/audit"))["items"][::-1]
    assert {entry["who"] for entry in entries} == {"all"}
    assert [(entry["what"], entry["target"].partition(":")[0]) for entry in entries] == [
        ("send", "demo"),
        ("handoff", "thread 1"),
        ("return", "thread 1"),
        ("event", "thread 1"),
        ("drop", letter["id"]),
    ]

    async def away(entry: object) -> None:
        raise OSError(entry)

    monkeypatch.setattr(program.bridge.store, "audit", away)
    assert await program.problem("POST", "/messages", {**HELLO, "to": "eve"}) == 500
    assert len((await program.get("/threads"))["items"]) == 1


async def test_a_store_that_is_away_is_no_fault_of_the_program(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(arrivals: object) -> None:
        raise Unavailable(f"the disk is full: {arrivals}")

    monkeypatch.setattr(program.bridge.store, "receive", away)
    assert await program.problem("POST", "/messages", HELLO) == 503
    assert int(program.headers["Retry-After"]) > 0


@pytest.mark.parametrize("sections", [{"api": {"tokens": []}}], ids=["no tokens"])
async def test_without_tokens_there_is_no_api(program: Program) -> None:
    for path in ("/threads", "/openapi.json", "/api"):
        assert (await program.ask("GET", path)) == (404, {"error": "not found"})


@pytest.fixture
def postgres() -> str:
    return empty_store()


async def test_it_works_alike_over_postgresql(aiohttp_client: AiohttpClient, tmp_path: Path, postgres: str) -> None:
    app = create_app(
        settings(tmp_path, storage={"url": plain(postgres), "durability": "relaxed"}),
        router=bot(),
        clock=(clock := ManualClock()),
    )
    program = Program(await aiohttp_client(OurServer(app)), clock)
    await program.hears("order")
    await program.hears("boom", "bob")
    sent = await program.ask("POST", "/messages", {**HELLO, "idempotency_key": "k", "send_at": "2031-01-01T00:00:00Z"})
    assert sent == await program.ask(
        "POST", "/messages", {**HELLO, "idempotency_key": "k", "send_at": "2031-01-01T00:00:00Z"}
    )
    assert await program.problem("POST", "/messages", {**HELLO, "idempotency_key": "k"}) == 409
    await program.bridge.settle()
    assert (await program.get(f"/messages/{sent[1]['id']}"))["state"] == "scheduled"
    (ann,) = (await program.get("/threads?account=demo&channel=console&conversation=ann"))["items"]
    assert (await program.ask("POST", f"/threads/{ann['id']}/events", {"name": "paid", "data": 7}))[0] == 202
    await program.bridge.settle()
    assert await program.said(ann["id"]) == ["order", "pay here", "paid: 7"]
    assert len((await program.get("/threads"))["items"]) == 2
    _, changed = await program.ask("POST", "/dead-letters", {"action": "drop", "reason": "RuntimeError"})
    assert (len(changed["done"]), (await program.get("/dead-letters"))["items"]) == (1, [])
    assert [entry["what"] for entry in (await program.get("/audit"))["items"]][:2] == ["drop", "event"]


async def test_neither_a_token_nor_the_words_of_a_request_are_in_the_log(program: Program) -> None:
    agent = {"User-Agent": "canary \xe9 '\" %0d%0a"}
    with capture_logs() as lines:
        await program.ask("POST", "/messages", {**HELLO, "to": "canary", "message": {"kind": "text", "text": "canary"}})
        await program.ask("POST", "/messages", {**HELLO, "canary": "canary"}, **agent)
        await program.problem("GET", "/threads?account=canary%0d%0acanary", **agent)
        await program.problem("GET", "/canary%0d%0a%1b[31m", **agent)
        await program.problem("POST", "/threads/canary/events", {"name": "canary", "data": "canary"})
        program.secret = "canary-of-24-bytes-or-more"
        await program.problem("GET", "/threads", **agent)
        await program.bridge.settle()
    assert [line for line in lines if "canary" in str(line) or SECRET in str(line)] == []
    assert [line["reason"] for line in lines if line["event"] == "request_refused"] == ["unauthorized"]


async def test_the_document_describes_every_operation(program: Program) -> None:
    described = await program.get("/openapi.json")
    assert described["openapi"].startswith("3.1")
    listed = {(method.upper(), path) for path, of_path in described["paths"].items() for method in of_path}
    assert listed == {(operation.method, f"{PREFIX}{operation.path}") for operation in OPERATIONS}
    assert described == orjson.loads(document())
    for operation in (each for of_path in described["paths"].values() for each in of_path.values()):
        assert "application/json" in operation["responses"]["400"]["content"]
    text = described["components"]["schemas"]["Text"]
    assert text["properties"]["kind"] == {"type": "string", "const": "text"}
    assert {"path", "data"}.isdisjoint(described["components"]["schemas"]["Image"]["properties"])
