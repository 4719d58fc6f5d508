"""The whole bridge in one process: webhook in, turn, reply out through the gateway's API; its probes."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

import orjson
import pytest
from aiohttp import ClientSession, web
from structlog.testing import capture_logs

from bridge.app.http import BRIDGE, create_app
from bridge.cli.control import Control
from bridge.emulation.server import EmulatorServer
from bridge.errors import Broken
from bridge.messages import Button, Buttons, Document, Image, Location, Menu, Row, Section, Text
from bridge.routing.router import Router
from tests.support.whole_bridges import (
    JSON,
    RELAY,
    RELAY_HOOK,
    SHOP,
    SHOP_HOOK,
    OurServer,
    accounts,
    body,
    configuration,
    emulators,
    konnek_text,
    served,
    silent,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pytest_aiohttp import AiohttpClient

    from bridge.app.bridge import Bridge
    from bridge.conversation.turn import Turn
    from bridge.events import StatusValue
    from bridge.providers.konnek.emulator import Emulator as Konnek
    from bridge.providers.port import Hook
    from bridge.providers.relationlabs.emulator import Emulator as RelationLabs


FILE: Final = "https://files.example/a.pdf"
REPLIES: Final = {
    "text": Text("plain"),
    "buttons": Buttons("Refund?", [Button("yes", "Yes"), Button("no", "No")]),
    "list": Menu("What?", "Choose", [Section("All", [Row("order", "Order", "buy"), Row("refund", "Refund")])]),
    "document": Document(FILE, name="a.pdf", caption="Here"),
    "image": Image("https://files.example/a.png"),
    "location": Location(1.5, 103.25, name="Office"),
}


def bot() -> Router:
    """Replies with what is asked for by name, and says what else it gets."""
    router = Router("bot")
    statuses: list[str] = []

    @router.message(kind="text")
    async def named(turn: Turn) -> Any:
        turn.state["turns"] = turn.state.get("turns", 0) + 1
        return REPLIES.get(turn.event.text, f"heard {turn.event.text}")  # type: ignore[attr-defined] # it has a text

    @router.postback()
    async def pressed(turn: Turn) -> str:
        return f"pressed {turn.event.key}"  # type: ignore[attr-defined] # a press has a key

    @router.message(kind="location")
    async def located(turn: Turn) -> str:
        place = turn.event.location  # type: ignore[attr-defined] # so the rule says
        return f"at {place.latitude} {place.longitude}"

    @router.message()
    async def other(turn: Turn) -> str:
        return f"{turn.event.kind} {turn.event.media.url}"  # type: ignore[attr-defined] # a medium

    @router.status()
    async def fate(turn: Turn) -> None:
        statuses.append(turn.event.value)  # type: ignore[attr-defined] # a status has a value
        turn.state["statuses"] = statuses

    return router


class World:
    """A bridge between two emulated gateways, all on real sockets."""

    def __init__(self, bridge: Bridge, url: str, session: ClientSession, gateways: tuple[Konnek, RelationLabs]) -> None:
        self.bridge = bridge
        self.konnek, self.relation = gateways
        self._url = url
        self._session = session

    async def post(self, hook: Hook, account: str = "shop") -> int:
        """As the gateway does; returns when everything it caused is done."""
        status = await self.post_only(hook, account)
        await self.bridge.settle()
        return status

    async def post_only(self, hook: Hook, account: str = "shop") -> int:
        path = "/".join(filter(None, ("/webhooks", account, hook.channel)))
        headers = {**hook.headers, **(SHOP if account == "shop" else RELAY)}
        async with self._session.post(self._url + path, data=hook.body, headers=headers) as answer:
            return answer.status

    async def state(self) -> dict[str, Any]:
        (thread,) = await self.bridge.store.threads()
        found: dict[str, Any] = orjson.loads((await self.bridge.store.thread(thread.id)).state)
        return found


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    konnek, relation = emulators()
    async with (
        EmulatorServer(konnek) as first,
        EmulatorServer(relation) as second,
        served(configuration(tmp_path, accounts=accounts(first.url, second.url)), bot()) as door,
        ClientSession() as session,
    ):
        yield World(door.bridge, f"http://127.0.0.1:{door.port}", session, (konnek, relation))


CHOICE: Final = {"key": "yes", "title": "Yes"}
DEMANDED: Final[dict[str, dict[str, Any]]] = {
    "text": {"type": "text", "body": {"text": "plain"}},
    "buttons": {"type": "button", "body": {"text": "Refund?", "button": [CHOICE, {"key": "no", "title": "No"}]}},
    "list": {
        "type": "list",
        "body": {
            "text": "What?",
            "list": {
                "title": "Choose",
                "sections": [
                    {
                        "title": "All",
                        "description": "",
                        "actions": [
                            {"key": "order", "title": "Order", "description": "buy"},
                            {"key": "refund", "title": "Refund", "description": ""},
                        ],
                    }
                ],
            },
        },
    },
    "document": {"type": "document", "body": {"text": "Here", "media": {"url": FILE, "name": "a.pdf"}}},
    "image": {"type": "image", "body": {"media": {"url": "https://files.example/a.png"}}},
    "location": {"type": "location", "body": {"text": "Office", "location": {"latitude": 1.5, "longitude": 103.25}}},
    "anything": {"type": "text", "body": {"text": "heard anything"}},
}
"""What Konnek's page demands for each reply, beside id, recipient and times."""


@pytest.mark.parametrize(("asked", "demanded"), DEMANDED.items(), ids=DEMANDED.keys())
async def test_a_reply_on_konnek_is_the_request_its_page_demands(
    world: World, asked: str, demanded: dict[str, Any]
) -> None:
    assert await world.post(world.konnek.says("whatsapp", "6281234500099", asked)) == 200
    ((request, response),) = world.konnek.requests
    assert response.status == 200, response.body
    sent = orjson.loads(request.body or b"")
    (seen,) = world.konnek.seen
    assert (request.method, request.path) == ("POST", "/whatsapp/send/demo-client")
    assert request.headers["Auth-username"] == "konnek-demo-user"
    assert {name: sent[name] for name in demanded} == demanded
    assert set(sent) == {*demanded, "id", "recipient", "times", "timestamp", "timestampt"}
    assert (sent["recipient"], sent["id"]) == ("6281234500099", seen.key)


async def test_what_a_contact_on_konnek_does_reaches_the_bot(world: World) -> None:
    konnek, ann = world.konnek, ("whatsapp", "6281234500099")
    for hook in (
        konnek.says(*ann, "buttons"),
        konnek.presses(*ann, Button("yes", "Yes")),
        konnek.sends(*ann, "image", "https://files.example/cat.jpg", "my cat"),
        konnek.locates(*ann, 1.25, 2.5),
    ):
        assert await world.post(hook) == 200
    said = [seen.text for seen in konnek.seen]
    assert said == ["Refund?", "pressed yes", "image https://files.example/cat.jpg", "at 1.25 2.5"]
    fates: tuple[StatusValue, ...] = ("delivered", "read")
    for value in fates:
        told = konnek.status(konnek.seen[0], value)
        assert told is not None
        assert await world.post(told) == 200
    assert await world.state() == {"turns": 1, "statuses": ["delivered", "read"]}


async def test_a_telegram_reply_carries_the_token_of_its_question(world: World) -> None:
    hook = world.konnek.says("telegram", "77", "text")
    await world.post(hook)
    ((request, _),) = world.konnek.requests
    assert orjson.loads(request.body or b"")["reply_token"] == orjson.loads(hook.body)["reply_token"]


async def test_a_conversation_on_relationlabs(world: World) -> None:
    """Text only: a choice is offered in numbers and comes back as a number or a title."""
    relation = world.relation
    for text in ("text", "buttons", "2", "buttons", "yes"):
        assert await world.post(relation.says("group", "ann", text), "relay") == 200
    said = [seen.text for seen in relation.seen]
    assert [said[0], said[2], said[4]] == ["plain", "pressed no", "pressed yes"]
    assert {"Refund?", "1", "Yes", "2", "No"} <= set(said[1].replace(".", " ").replace(")", " ").split())
    assert {orjson.loads(answer.body)["code"] for _, answer in relation.requests} == {"0"}
    sent = orjson.loads(relation.requests[0][0].body or b"")
    assert {"type", "content", "sendUuid", "channelUuid"} <= set(sent)
    assert await world.post(relation.echo(relation.seen[0]), "relay") == 200
    assert len(relation.seen) == 5


async def test_fifty_repetitions_at_once_are_one_turn_and_one_reply(world: World) -> None:
    """F55."""
    hook = world.konnek.says("whatsapp", "6281234500099", "hi")
    statuses = await asyncio.gather(*(world.post_only(hook) for _ in range(50)))
    await world.bridge.settle()
    assert statuses == [200] * 50
    assert [seen.text for seen in world.konnek.seen] == ["heard hi"]
    assert await world.state() == {"turns": 1}


async def test_a_contacts_messages_are_answered_in_order_on_both_gateways(world: World) -> None:
    for number in range(10):
        await world.post_only(world.konnek.says("whatsapp", "6281234500099", f"k{number}"))
        await world.post_only(world.relation.says("group", "ann", f"r{number}"), "relay")
    await world.bridge.settle()
    assert [seen.text for seen in world.konnek.seen] == [f"heard k{number}" for number in range(10)]
    assert [seen.text for seen in world.relation.seen] == [f"heard r{number}" for number in range(10)]


async def test_health_says_whether_webhooks_are_taken(tmp_path: Path, aiohttp_client: AiohttpClient) -> None:
    client: Any = await aiohttp_client(OurServer(create_app(configuration(tmp_path), router=silent())))
    bridge = client.app[BRIDGE]
    assert (await health(client, "live"), await health(client, "ready")) == ((200, True), (200, True))
    bridge.ready, bridge.webhooks.draining = False, True
    assert (await health(client, "live"), await health(client, "ready")) == ((200, True), (503, False))
    answer = await client.post(SHOP_HOOK, data=body(konnek_text()), headers={**JSON, **SHOP})
    assert (answer.status, await answer.json()) == (503, {"error": "shutting down"})
    assert "Retry-After" in answer.headers


async def health(client: Any, name: str) -> tuple[int, bool]:
    answer = await client.get(f"/health/{name}")
    return answer.status, (await answer.json())["ok"]


async def test_a_store_that_breaks_stops_everything_but_the_probes(
    tmp_path: Path, aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an EIO nothing may be acknowledged again, even if later commits would succeed."""
    client: Any = await aiohttp_client(OurServer(create_app(configuration(tmp_path), router=silent())))
    bridge, failures = client.app[BRIDGE], []

    def fail() -> None:
        failures.append(bridge.failed)

    bridge.on_failure = fail

    async def run(_: object) -> None:
        raise Broken("disk I/O error")

    monkeypatch.setattr(bridge.store._writer, "_run", run)
    with capture_logs() as lines:
        statuses = [
            (await client.post(SHOP_HOOK, data=body(konnek_text(f"m-{n}")), headers={**JSON, **SHOP})).status
            for n in range(3)
        ]
        monkeypatch.undo()
        later = await client.post(SHOP_HOOK, data=body(konnek_text("m-9")), headers={**JSON, **SHOP})
    assert statuses == [503, 503, 503]
    assert (later.status, await later.json()) == (503, {"error": "shutting down"})
    assert (await health(client, "live"), await health(client, "ready")) == ((200, True), (503, False))
    assert [str(each) for each in failures] == ["disk I/O error"]
    assert [line["event"] for line in lines if line["log_level"] == "critical"] == ["store_broken"]


async def test_a_bridge_inside_an_application_of_ones_own(tmp_path: Path, aiohttp_client: AiohttpClient) -> None:
    async def home(_: web.Request) -> web.Response:
        return web.Response(text="mine")

    inner, outer = create_app(configuration(tmp_path), router=silent()), web.Application()
    outer.router.add_get("/", home)
    outer.add_subapp("/bridge", inner)
    client = await aiohttp_client(outer)
    assert await (await client.get("/")).text() == "mine"
    assert (await client.get("/bridge/health/ready")).status == 200
    for path, status in ((SHOP_HOOK, 200), ("/webhooks/nope", 404)):
        answer = await client.post(f"/bridge{path}", data=body(konnek_text()), headers={**JSON, **SHOP})
        assert (answer.status, answer.headers["Server"]) == (status, "threadbridge")
    assert len(await inner[BRIDGE].store.threads()) == 1
    await client.close()
    async with served(configuration(tmp_path)) as again:
        assert len(await again.bridge.store.threads()) == 1


@pytest.mark.parametrize(("page", "below"), [("/bot/console", "console/"), ("/bot/console/", "")])
async def test_the_console_works_below_a_prefix_and_on_the_hosts_port(
    tmp_path: Path, aiohttp_client: AiohttpClient, page: str, below: str
) -> None:
    outer = web.Application()
    outer.add_subapp("/bot", create_app(configuration(tmp_path, accounts={"demo": {"provider": "playground"}})))
    client: Any = await aiohttp_client(outer)
    answer = await client.get("/bot/", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, "console")
    answer = await client.get(page)
    links = re.findall(r'(?:src|href)="([^"#]+)"', await answer.text())
    assert (answer.status, set(links)) == (
        200,
        {f"{below}static/{name}" for name in ("icon.svg", "console.css", "console.js")},
    )
    for link in links:
        assert (await client.get(urljoin(page, link))).status == 200
    script = await (await client.get("/bot/console/static/console.js")).text()
    assert "/console/" not in script + await (await client.get("/bot/console/static/outbox.js")).text()
    assert (await client.get(page, headers={"Host": f"evil.example:{client.port}"})).status == 421


async def test_commands_reach_a_bridge_inside_an_application(tmp_path: Path, aiohttp_client: AiohttpClient) -> None:
    await aiohttp_client(create_app(configuration(tmp_path), router=silent()))
    control = Control(tmp_path / "test.db")
    assert (await asyncio.to_thread(control.status))["ready"] is True
    assert await asyncio.to_thread(lambda: control.ask("dead", "in-1", "drop", missing="none")) == "none"


def test_the_hooks_of_the_tests_are_routes() -> None:
    """So that a test of a refusal cannot pass by misspelling a path."""
    assert (SHOP_HOOK, RELAY_HOOK) == ("/webhooks/shop/whatsapp", "/webhooks/relay")
