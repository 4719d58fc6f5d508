"""The emulator server over real sockets: the provider's API, the webhooks, the faults, the control routes."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.emulation.exchange_log import ExchangeLog
from bridge.emulation.faults import Faults
from bridge.emulation.server import EmulatorServer
from bridge.messages import Button, Buttons, Text
from bridge.providers.konnek import Konnek
from bridge.providers.konnek.emulator import Emulator
from bridge.providers.port import Hook, Outbound, Request, Response, Sent
from bridge.testing.contract.provider import exchange
from tests.contract.provider.konnek_cases import CASES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bridge.messages import Outgoing

NOW = 1_760_086_900_125_000
PASSWORD = Emulator.sample_settings["password"].get_secret_value()


class Door:
    """Where webhooks go in these tests: keeps what came, answers `status`."""

    def __init__(self) -> None:
        self.came: list[tuple[str, dict[str, str], Any]] = []
        self.status = 200
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.came.append((request.path, dict(request.headers), orjson.loads(await request.read())))
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})

    def texts(self) -> list[str]:
        return [json["message"]["text"] for _, _, json in self.came]


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    found = Door()
    app = web.Application()
    app.router.add_post("/{rest:.*}", found.take)
    async with TestServer(app) as server:
        found.url = str(server.make_url("/webhooks/shop"))
        yield found


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def serving(**options: Any) -> EmulatorServer:
    return EmulatorServer(Emulator(lambda: NOW, Random(7)), rng=Random(7), **options)


def request_for(message: Outgoing, key: str = "k-1") -> Request:
    provider = CASES.build()
    assert isinstance(provider, Konnek)
    outbound = Outbound(key=key, thread=CASES.ref("6281"), message=message, created_at=NOW)
    requests, outcome = exchange(provider.send(outbound, None), CASES.accepted)
    assert isinstance(outcome, Sent)
    return requests[0]


async def sent(http: aiohttp.ClientSession, server: EmulatorServer, request: Request) -> Response:
    url = server.url + request.path
    async with http.request(request.method, url, data=request.body, headers=request.headers) as answer:
        return Response(status=answer.status, headers={}, body=await answer.read())


async def control(http: aiohttp.ClientSession, server: EmulatorServer, name: str, json: Any) -> tuple[int, Any]:
    async with http.post(f"{server.url}/_emulator/{name}", json=json) as answer:
        return answer.status, await answer.json()


async def shown(http: aiohttp.ClientSession, server: EmulatorServer, name: str) -> Any:
    async with http.get(f"{server.url}/_emulator/{name}") as answer:
        assert answer.status == 200
        return await answer.json()


async def test_a_message_is_answered_as_the_provider_documents_and_shown(http: aiohttp.ClientSession) -> None:
    async with serving() as server:
        answer = await sent(http, server, request_for(Buttons("Jadi?", [Button("yes", "Ya")])))
        assert answer.status == 200
        assert orjson.loads(answer.body)["data"]["message_id"] == "k-1"
        (seen,) = await shown(http, server, "seen")
        assert (seen["kind"], seen["text"], seen["conversation_id"]) == ("buttons", "Jadi?", "6281")
        assert seen["choices"] == [{"key": "yes", "title": "Ya"}]


async def test_credentials_are_hidden_where_requests_are_shown(http: aiohttp.ClientSession) -> None:
    async with serving() as server:
        await sent(http, server, request_for(Text(f"the password is {PASSWORD}")))
        (request,) = await shown(http, server, "requests")
        assert PASSWORD not in orjson.dumps(request).decode()
        assert request["headers"]["Auth-password"] == "****"
        assert request["headers"]["Content-Type"] == "application/json"
        assert request["answer"]["status"] == 200
        assert request["body"]["body"]["text"] == "the password is ****"


async def test_an_escaped_path_reaches_the_emulator_as_it_was_sent(http: aiohttp.ClientSession) -> None:
    async with serving() as server, http.get(f"{server.url}/a%2Fb") as answer:
        assert answer.status == 401
        assert server.emulator.requests[0][0].path == "/a%2Fb"


async def test_a_webhook_goes_to_its_channel_with_the_headers_given(door: Door) -> None:
    async with serving(webhook=f"{door.url}/", headers={"Auth-username": "in"}) as server:
        assert await server.post(server.emulator.says("telegram", "ann", "hi")) == 200
        assert await server.post(Hook(body=b"{}")) == 200
    paths = [path for path, _, _ in door.came]
    assert paths == ["/webhooks/shop/telegram", "/webhooks/shop"]
    assert door.came[0][1]["Auth-username"] == "in"
    assert door.came[0][1]["Content-Type"] == "application/json"


async def test_posting_tells_the_status_and_that_nobody_is_there(door: Door) -> None:
    door.status = 503
    async with serving(webhook=door.url) as server:
        assert await server.post(server.emulator.says("line", "ann", "hi")) == 503
    async with serving(webhook="http://127.0.0.1:1/webhooks/shop") as server:
        with pytest.raises(ConnectionError):
            await server.post(server.emulator.says("line", "ann", "hi"))
    async with serving() as server:
        with pytest.raises(ValueError, match="no webhook URL"):
            await server.post(server.emulator.says("line", "ann", "hi"))


async def test_a_webhook_follows_no_redirect(door: Door) -> None:
    door.status = 307
    async with serving(webhook=door.url) as server:
        assert await server.post(server.emulator.says("line", "ann", "hi")) == 307
    assert [path for path, _, _ in door.came] == ["/webhooks/shop/line"]


async def test_a_dropped_message_is_taken_and_gets_no_answer(http: aiohttp.ClientSession) -> None:
    async with serving(faults=Faults(drop=1)) as server:
        with pytest.raises(aiohttp.ClientError):
            await sent(http, server, request_for(Text("hi")))
        assert [seen.text for seen in server.emulator.seen] == ["hi"]


async def test_a_failed_message_gets_the_documented_error_and_is_not_taken(http: aiohttp.ClientSession) -> None:
    async with serving(faults=Faults(fail={"429": 1})) as server:
        answer = await sent(http, server, request_for(Text("hi")))
        assert answer.status == 429
        assert orjson.loads(answer.body)["meta"] == {
            "status": False,
            "code": 429,
            "message": "failed",
            "errors": "refused by the emulator",
        }
        assert server.emulator.seen == []
        assert len(server.emulator.requests) == 1


async def test_failures_come_as_often_as_asked_for(http: aiohttp.ClientSession) -> None:
    async with serving(faults=Faults(fail={"429": 0.3, "500": 0.3})) as server:
        found = [(await sent(http, server, request_for(Text("hi"), f"k-{n}"))).status for n in range(100)]
    assert all(15 <= found.count(code) <= 45 for code in (429, 500))
    assert found.count(200) == 100 - found.count(429) - found.count(500)


async def test_a_doubled_webhook_is_the_same_twice(door: Door) -> None:
    async with serving(webhook=door.url, faults=Faults(dup=1)) as server:
        await server.post(server.emulator.says("line", "ann", "hi"))
    assert len(door.came) == 2
    assert door.came[0][2] == door.came[1][2]


async def test_a_reordered_webhook_is_passed_by_another(http: aiohttp.ClientSession, door: Door) -> None:
    async with serving(webhook=door.url) as server:
        await server.post(server.emulator.says("line", "ann", "before"))
        server._faults = Faults(reorder=1)
        held = asyncio.create_task(server.post(server.emulator.says("line", "ann", "first")))
        for _ in range(5):  # time enough to arrive, if it were not held
            await shown(http, server, "seen")
        assert door.texts() == ["before"]
        server._faults = Faults()
        await server.post(server.emulator.says("line", "ann", "second"))
        await held
    assert door.texts() == ["before", "second", "first"]


async def test_a_reordered_webhook_that_nobody_passes_still_arrives(door: Door) -> None:
    async with serving(webhook=door.url, faults=Faults(reorder=1)) as server:
        assert await server.post(server.emulator.says("line", "ann", "only")) == 200
    assert door.texts() == ["only"]


async def test_a_delay_comes_before_the_answer(http: aiohttp.ClientSession) -> None:
    loop = asyncio.get_running_loop()
    async with serving(faults=Faults(delay_ms=60)) as server:
        before = loop.time()
        await sent(http, server, request_for(Text("hi")))
        assert loop.time() - before >= 0.06


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"drop": 1.5}, "drop"),
        ({"dup": -0.1}, "dup"),
        ({"reorder": float("nan")}, "reorder"),
        ({"delay_ms": -1}, "delay_ms"),
        ({"fail": {"429": 2}}, "429"),
        ({"fail": {"429": 0.6, "500": 0.6}}, "more than 1"),
    ],
)
def test_faults_that_cannot_be_are_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Faults(**values)


async def test_a_code_the_provider_does_not_have_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="13108"):
        serving(faults=Faults(fail={"13108": 0.5}))


async def test_a_taken_port_is_an_oserror() -> None:
    async with serving() as server:
        other = serving(port=int(server.url.rpartition(":")[2]))
        with pytest.raises(OSError, match="address already in use"):
            await other.start()


DOINGS = (
    ("says", {"text": "hi"}, {"type": "text", "text": "hi"}),
    ("presses", {"key": "k", "title": "T"}, {"type": "postback", "text": "T"}),
    ("sends", {"kind": "image", "url": "https://x/a.jpg", "caption": "c"}, {"type": "image", "text": "c"}),
    ("sends", {"kind": "voice", "url": "https://x/a.ogg"}, {"type": "voice", "text": ""}),
    ("locates", {"latitude": -6.2, "longitude": 106}, {"type": "location"}),
)


@pytest.mark.parametrize(("name", "told", "expected"), DOINGS, ids=[f"{name} {told}" for name, told, _ in DOINGS])
async def test_a_contact_can_be_played_with_curl(
    http: aiohttp.ClientSession, door: Door, name: str, told: dict[str, Any], expected: dict[str, Any]
) -> None:
    async with serving(webhook=door.url) as server:
        code, answer = await control(http, server, name, {"channel": "line", "contact": "ann", **told})
        assert (code, answer["status"]) == (200, 200)
        assert answer["webhook"]["from"]["username"] == "ann"
        assert answer["webhook"]["message"].items() >= expected.items()
        assert door.came[0][2] == answer["webhook"]


async def test_the_fate_of_a_message_can_be_told_by_key_or_message_id(http: aiohttp.ClientSession, door: Door) -> None:
    async with serving(webhook=door.url) as server:
        await sent(http, server, request_for(Text("hi")))
        for by in ("key", "message_id"):
            code, answer = await control(http, server, "status", {by: "k-1", "value": "read"})
            assert (code, answer["webhook"]["status"]["status"]) == (200, 3)
    assert [path for path, _, _ in door.came] == ["/webhooks/shop/whatsapp"] * 2


async def test_without_a_webhook_url_the_webhook_is_only_shown(http: aiohttp.ClientSession) -> None:
    async with serving() as server:
        code, answer = await control(http, server, "says", {"channel": "line", "contact": "ann", "text": "hi"})
        assert (code, answer["status"]) == (200, None)


async def test_a_webhook_nobody_answers_is_502(http: aiohttp.ClientSession) -> None:
    async with serving(webhook="http://127.0.0.1:1/x") as server:
        code, answer = await control(http, server, "says", {"channel": "line", "contact": "ann", "text": "hi"})
        assert code == 502
        assert "not answered" in answer["error"]


WHO = {"channel": "line", "contact": "ann"}
BAD: tuple[tuple[str, Any, str], ...] = (
    ("says", [], "no JSON object"),
    ("says", {**WHO}, "text: a text is needed"),
    ("says", {**WHO, "text": ""}, "text: a text is needed"),
    ("says", {**WHO, "text": 7}, "text: a text is needed"),
    ("says", {"contact": "ann", "text": "hi"}, "channel: a text is needed"),
    ("says", {**WHO, "text": "hi", "txt": "hi"}, "txt: no such field"),
    ("says", {**WHO, "channel": "sms", "text": "hi"}, "whatsapp, telegram, line, messenger"),
    ("presses", {**WHO, "key": "k"}, "title: a text is needed"),
    ("sends", {**WHO, "kind": "smell", "url": "x"}, "image, video"),
    ("locates", {**WHO, "latitude": "1", "longitude": 2}, "latitude: a number"),
    ("locates", {**WHO, "latitude": 1}, "longitude: a number"),
    ("status", {"value": "read"}, "message_id: a text is needed"),
    ("status", {"key": "k-9", "value": "read"}, "no such message"),
    ("status", {"key": "k-1", "value": "seen"}, "sent, delivered, read, failed"),
)


@pytest.mark.parametrize(("name", "told", "reason"), BAD, ids=[f"{name} {told}" for name, told, _ in BAD])
async def test_a_wrong_control_request_is_told_what_is_wrong(
    http: aiohttp.ClientSession, door: Door, name: str, told: Any, reason: str
) -> None:
    async with serving(webhook=door.url) as server:
        code, answer = await control(http, server, name, told)
        assert code == 400
        assert reason in answer["error"]
    assert door.came == []


async def test_control_that_is_no_json_or_unknown_is_told_so(http: aiohttp.ClientSession) -> None:
    async with serving() as server:
        async with http.post(f"{server.url}/_emulator/says", data=b"{") as answer:
            assert answer.status == 400
            assert "no JSON" in (await answer.json())["error"]
        code, unknown = await control(http, server, "shouts", {})
        assert code == 404
        assert "POST /_emulator/says" in unknown["error"]
        assert server.emulator.requests == []


async def test_the_log_holds_every_exchange_and_no_secret(
    http: aiohttp.ClientSession, door: Door, tmp_path: Path
) -> None:
    path = tmp_path / "log.jsonl"
    async with serving(webhook=f"{door.url}/path-secret-1", headers={"Auth-password": "inbound-1"}, log=path) as server:
        await sent(http, server, request_for(Text(f"{PASSWORD} inbound-1")))
        await server.post(server.emulator.says("line", "ann", "hi"))
        server._faults = Faults(drop=1)
        with pytest.raises(aiohttp.ClientError):
            await sent(http, server, request_for(Text("gone")))
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [line.get("path", line.get("channel")) for line in lines] == [
        "/whatsapp/send/demo-client",
        "line",
        "/whatsapp/send/demo-client",
    ]
    assert [line.get("fault") for line in lines] == [None, None, "drop"]
    assert lines[0]["answer"]["body"]["data"]["message_id"] == "k-1"
    assert lines[1]["status"] == 200
    for secret in (PASSWORD, "inbound-1", "path-secret-1"):
        assert secret not in path.read_text()


def test_secrets_are_hidden_by_the_name_of_their_field_too() -> None:
    log = ExchangeLog(None, [])
    assert log.body(b'{"data": [{"Token": "eyJ", "text": "token"}]}') == {"data": [{"Token": "****", "text": "token"}]}
    assert log.headers({"X-New-Key": "abc", "Retry-After": "5"}) == {"X-New-Key": "****", "Retry-After": "5"}
    assert log.body(b"\xff<html>") == "\ufffd<html>"


async def test_what_goes_wrong_is_changed_while_the_gateway_serves(http: aiohttp.ClientSession) -> None:
    async with serving() as server:
        status, told = await control(http, server, "faults", {"fail": {"500": 1}, "delay_ms": 0})
        assert (status, told["fail"], told["drop"]) == (200, {"500": 1}, 0.0)
        assert await shown(http, server, "faults") == told
        assert (await sent(http, server, request_for(Text("hi")))).status == 500
        assert (await control(http, server, "faults", {}))[0] == 200
        assert (await sent(http, server, request_for(Text("hi")))).status == 200


@pytest.mark.parametrize(
    "faults",
    [
        {"dorp": 1},
        {"drop": 2},
        {"drop": "1"},
        {"drop": True},
        {"fail": 500},
        {"fail": {"500": "x"}},
        {"fail": {"99": 1}},
        7,
    ],
    ids=range(8),
)
async def test_faults_that_cannot_be_change_nothing(http: aiohttp.ClientSession, faults: object) -> None:
    async with serving(faults=Faults(dup=1)) as server:
        status, told = await control(http, server, "faults", faults)
        assert (status, bool(told["error"])) == (400, True)
        assert (await shown(http, server, "faults"))["dup"] == 1
