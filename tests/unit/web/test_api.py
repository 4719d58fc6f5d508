"""The REST API of a bridge behind a real socket: who may ask what, and what is answered."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
from aiohttp.test_utils import TestClient
from pydantic import SecretStr

from bridge import Dialog, Router, Turn
from bridge.app.http import BRIDGE, create_app
from bridge.errors import Unavailable
from bridge.providers.playground.emulator import Emulator
from bridge.testing.contract.store.desk import riddle
from bridge.web.api.document import document
from bridge.web.api.operations import OPERATIONS, PREFIX
from tests.support.manual_clock import ManualClock
from tests.support.whole_bridges import OurServer

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_aiohttp import AiohttpClient

    from bridge.app.bridge import Bridge

SECRET: Final = "a-token-of-24-bytes-or-more"
TOKENS: Final = [
    {"secret": SecretStr(SECRET), "name": "all"},
    {"secret": SecretStr(f"{SECRET}-reads"), "name": "reads", "scopes": ["read"]},
    {"secret": SecretStr(f"{SECRET}-other"), "name": "other", "accounts": ["other"]},
]
ACCOUNTS: Final = {"demo": {"provider": "playground"}, "other": {"provider": "playground"}}


def bot() -> Router:
    router = Router()

    @router.dialog(version=1)
    async def order(d: Dialog) -> str:
        await d.say("pay here")
        return f"paid: {await d.wait('paid')}"

    @router.message(text="order")
    async def begin(turn: Turn[Any]) -> None:
        await turn.begin(order)

    @router.message(text="boom")
    async def fail(turn: Turn[Any]) -> None:
        raise RuntimeError(turn.event.text)

    @router.default()
    async def answer(turn: Turn[Any]) -> str:
        return f"you said {turn.event.text}"

    return router


class Program:
    """A program that uses the API."""

    def __init__(self, client: Any, clock: ManualClock) -> None:
        self.client = client
        self.clock = clock
        self.bridge: Bridge = client.app[BRIDGE]
        self.secret = SECRET
        self.headers: dict[str, str] = {}
        self._dice = Random(7)

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        sent = {"Authorization": f"Bearer {self.secret}", **headers}
        data = body if isinstance(body, bytes | None) else orjson.dumps(body)
        if data is not None and "Content-Type" not in sent:
            sent["Content-Type"] = "application/json"
        url = path if path.startswith("/api") else f"{PREFIX}{path}"
        async with self.client.request(method, url, data=data, headers=sent) as answer:
            self.headers = dict(answer.headers)
            return answer.status, orjson.loads(await answer.read())

    async def get(self, path: str) -> Any:
        status, answer = await self.ask("GET", path)
        assert status == 200, answer
        return answer

    async def problem(self, method: str, path: str, body: object = None, **headers: str) -> int:
        """The status of an error, which is told as a problem."""
        status, answer = await self.ask(method, path, body, **headers)
        assert self.headers["Content-Type"] == "application/problem+json"
        assert (answer["status"], answer["type"]) == (status, "about:blank")
        assert answer["detail"]
        return int(status)

    async def hears(self, text: str, conversation: str = "ann", account: str = "demo") -> None:
        """A contact says something to the bot."""
        hook = Emulator(self.clock.now, self._dice).says("console", conversation, text)
        shard = self.bridge.shard_of(account)
        await shard.webhooks.accept(shard.config.accounts[account], hook.body, None)
        await self.bridge.settle()

    async def said(self, thread_id: str) -> list[str]:
        page = await self.get(f"/threads/{thread_id}/messages")
        return [entry["content"]["text"] for entry in page["items"] if "text" in entry["content"]][::-1]


def settings(folder: Path, **sections: Any) -> dict[str, Any]:
    api = {"tokens": TOKENS, **sections.pop("api", {})}
    storage = {"url": f"sqlite:///{folder}/test.db", **sections.pop("storage", {})}
    return {"storage": storage, "accounts": ACCOUNTS, "api": api, "handlers": {"attempts": 1}, **sections}


@pytest.fixture
def sections() -> dict[str, Any]:
    return {}


@pytest.fixture
async def program(tmp_path: Path, aiohttp_client: AiohttpClient, sections: dict[str, Any]) -> Program:
    clock = ManualClock()
    app = create_app(settings(tmp_path, **sections), router=bot(), clock=clock)
    return Program(await aiohttp_client(OurServer(app)), clock)


HELLO: Final = {"account": "demo", "to": "ann", "message": {"kind": "text", "text": "Hello"}}


async def test_a_message_is_accepted_with_its_plan_and_followed_until_it_has_arrived(program: Program) -> None:
    status, accepted = await program.ask("POST", "/messages", HELLO)
    assert (status, accepted["plan"]["parts"]) == (202, [{"kind": "text", "text": "Hello"}])
    await program.bridge.settle()
    state = await program.get(f"/messages/{accepted['id']}")
    assert (state["state"], state["account"], state["send_at"]) == ("sent", "demo", None)
    (part,) = state["parts"]
    assert await program.get(f"/messages/{part['id']}") == {**state, "id": part["id"], "at": part["at"]}
    assert await program.said(state["thread"]) == ["Hello"]


async def test_the_same_under_a_key_is_answered_alike_and_another_message_is_refused(program: Program) -> None:
    once = {**HELLO, "idempotency_key": "order 7"}
    answers = []
    for _ in range(3):
        answers.append(await program.ask("POST", "/messages", once))
        await program.bridge.settle()
        program.clock.advance(3600)
    assert answers[0][0] == 202
    assert answers == answers[:1] * 3
    assert await program.problem("POST", "/messages", {**once, "message": {"kind": "text", "text": "Other"}}) == 409
    assert await program.problem("POST", "/messages", {**once, "to": "bob"}) == 409
    assert await program.problem("POST", "/messages", {**once, "send_at": "2031-01-01T00:00:00Z"}) == 409
    assert await program.said("1") == ["Hello"]


async def test_a_message_for_later_is_scheduled_until_its_time_has_come(program: Program) -> None:
    _, accepted = await program.ask("POST", "/messages", {**HELLO, "send_at": "2031-01-01T00:00:00+07:00"})
    await program.bridge.settle()
    state = await program.get(f"/messages/{accepted['id']}")
    assert (state["state"], state["send_at"], state["parts"]) == ("scheduled", "2030-12-31T17:00:00Z", [])
    program.clock.advance(20 * 365 * 86_400)
    await program.bridge.settle()
    state = await program.get(f"/messages/{accepted['id']}")
    assert (state["state"], len(state["parts"])) == ("sent", 1)


async def test_a_message_of_many_parts_is_found_whole(program: Program) -> None:
    text = "\n\n".join(f"{number} " + "word " * 800 for number in range(25))
    _, accepted = await program.ask("POST", "/messages", {**HELLO, "message": {"kind": "text", "text": text}})
    await program.bridge.settle()
    state = await program.get(f"/messages/{accepted['id']}")
    assert len(state["parts"]) == len(accepted["plan"]["parts"])
    assert [part["state"] for part in state["parts"]] == ["sent"] * len(state["parts"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**HELLO, "message": {"kind": "text", "text": ""}}, 422),
        ({**HELLO, "message": {"kind": "image", "path": "/etc/passwd"}}, 422),
        ({**HELLO, "message": {"kind": "image", "data": "x"}}, 422),
        ({**HELLO, "message": "Hello"}, 422),
        ({**HELLO, "message": {"kind": "text", "text": "a\0b"}}, 422),
        ({**HELLO, "message": {"kind": "raw", "payload": {"\0": 1}}}, 422),
        (b'{"account": "demo", "to": "ann", "message": {"kind": "raw", "payload": {"x": 99999999999999999999}}}', 422),
        (b'{"account": "demo", "to": "ann", "message": {"kind": "text", "text": "\\ud800"}}', 422),
        (b'{"account": "demo", "to": "\\ud800", "message": {"kind": "text", "text": "x"}}', 422),
        ({**HELLO, "mesage": {}}, 422),
        ({**HELLO, "to": ""}, 422),
        ({**HELLO, "to": "a\0b"}, 422),
        ({**HELLO, "to": 7}, 422),
        ({**HELLO, "send_at": "2031-01-01T00:00:00"}, 422),
        ({**HELLO, "send_at": 7}, 422),
        ({**HELLO, "idempotency_key": "k" * 201}, 422),
        ({**HELLO, "account": "nobody"}, 404),
        ({**HELLO, "account": "' OR 1=1 --"}, 422),
        (b'{"account": "demo", "account": "other"}', 400),
        (b'{"account": NaN}', 400),
        (b"[]", 400),
        (b"\xff", 400),
        (b"[" * 70 + b"]" * 70, 400),
        (b'{"x": "' + b"x" * 300_000 + b'"}', 413),
    ],
    ids=range(24),
)
async def test_a_message_that_cannot_be_sent_is_refused(program: Program, body: object, status: int) -> None:
    assert await program.problem("POST", "/messages", body) == status
    assert (await program.get("/threads"))["items"] == []


async def test_what_is_no_json_is_refused_by_its_head(program: Program) -> None:
    assert await program.problem("POST", "/messages", b"x", **{"Content-Type": "text/plain"}) == 415
    assert await program.problem("POST", "/messages", b"{}", **{"Content-Encoding": "br"}) == 415


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
        path = operation.path.format(thread_id=1, letter_id="in-1")
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
async def test_a_list_is_asked_for_as_the_document_has_it(program: Program, query: str) -> None:
    assert await program.problem("GET", f"/threads?{query}") == 422


async def test_a_search_takes_no_wildcards(program: Program) -> None:
    await program.hears("boom")
    for text in ("%", "_", "*", "'", "ann%"):
        query = f"account=demo&channel=console&conversation={text.replace('%', '%25')}"
        assert (await program.get(f"/threads?{query}"))["items"] == []
    _, changed = await program.ask("POST", "/dead-letters", {"action": "drop", "reason": "%"})
    assert changed == {"done": [], "refused": [], "next": None}


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
    assert "test_api.py" in whole["trace"]
    assert await program.ask("POST", f"/dead-letters/{letter['id']}/replay") == (200, {"id": letter["id"]})
    await program.bridge.settle()
    assert [each["id"] for each in (await program.get("/dead-letters"))["items"]] == [letter["id"]]
    assert await program.ask("POST", f"/dead-letters/{letter['id']}/drop") == (200, {"id": letter["id"]})
    assert await program.problem("POST", f"/dead-letters/{letter['id']}/drop") == 404
    assert (await program.get("/dead-letters"))["items"] == []


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
    _, rest = await program.ask("POST", "/dead-letters", {**asked, "cursor": first["next"]})
    assert (rest["done"], rest["refused"], rest["next"]) == (ids[2:], [], None)
    await program.bridge.settle()
    _, old = await program.ask("POST", "/dead-letters", {"action": "drop", "older_than": 30, "account": "demo"})
    assert old["done"] == ids[:1]
    for body in ({"action": "replay", "limit": 1001}, {"action": "delete"}, {}):
        assert await program.problem("POST", "/dead-letters", body) == 422


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


async def test_the_document_describes_every_operation(program: Program) -> None:
    described = await program.get("/openapi.json")
    assert described["openapi"].startswith("3.1")
    listed = {(method.upper(), path) for path, of_path in described["paths"].items() for method in of_path}
    assert listed == {(operation.method, f"{PREFIX}{operation.path}") for operation in OPERATIONS}
    assert described == orjson.loads(document())
    text = described["components"]["schemas"]["Text"]
    assert text["properties"]["kind"] == {"type": "string", "const": "text"}
    assert {"path", "data"}.isdisjoint(described["components"]["schemas"]["Image"]["properties"])
