"""Files of the bot: said by a path or as bytes, fetched by whoever has the link, and by nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from bridge import Buttons, Document, Image, Message, Router, Text, Turn, create_app
from bridge.app.http import BRIDGE
from bridge.messages import Button, decode_message
from bridge.testing.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bridge.messages import Outgoing

PNG = b"\x89PNG\r\n\x1a\n0123456789"
URL = "https://bot.example"
SETTINGS = {"media": {"store": "kept"}, "server": {"public_url": URL}}


def saying(*messages: Any) -> Router:
    router = Router()

    @router.message()
    async def say(turn: Turn[Message]) -> None:
        turn.reply(*messages)

    return router


async def links(world: World) -> list[str]:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("hello")
    await world.settle()
    return [seen.url for seen in ann.seen]


async def test_a_file_leaves_as_a_link_of_ours(tmp_path: Path) -> None:
    (tmp_path / "a b.png").write_bytes(PNG)
    world = World(saying(Image(path=tmp_path / "a b.png"), Image(data=PNG, name="c.png")), settings=SETTINGS)
    for url, name in zip(await links(world), ("a b.png", "c.png"), strict=True):
        assert url.startswith(f"{URL}/media/")
        served = await world.inside(world.bridge.served(url.rpartition("/")[2]))
        assert served is not None
        assert (served.name, served.mime_type, served.size) == (name, "image/png", len(PNG))
        assert await world.inside(served.contents.read(served.sha256)) == PNG
    assert len(world._stage.contents) == 1


async def test_a_file_in_a_header_or_a_fallback_leaves_as_a_link_too() -> None:
    image = Image(data=PNG, name="c.png")
    buttons = Buttons("Well?", [Button("y", "Yes")], header=image, fallback=[Text("or", fallback=[image])])
    world = World(saying(buttons), settings=SETTINGS)
    await links(world)
    entry = (await world.inside(world.bridge.store.history(1)))[-1]
    message = decode_message(entry.content)
    assert isinstance(message, Buttons)
    assert isinstance(message.header, Image)
    assert message.header.url.startswith(f"{URL}/media/")
    assert f"{URL}/media/".encode() in entry.content.split(b"fallback")[-1]


async def test_a_link_expires_and_what_is_forgotten_is_gone() -> None:
    world = World(saying(Image(data=PNG, name="c.png")), settings=SETTINGS)
    (url,) = await links(world)
    token = url.rpartition("/")[2]
    await world.advance("47h")
    assert await world.inside(world.bridge.served(token)) is not None
    await world.advance("2h")
    assert await world.inside(world.bridge.served(token)) is None
    (again,) = (await links(world))[1:]
    assert again != url
    await world.inside(world.bridge.store.forget_media(thread_id=1))
    await world.advance("1min")
    assert await world.inside(world.bridge.served(again.rpartition("/")[2])) is None
    assert len(world._stage.contents) == 0


@pytest.mark.parametrize(
    ("message", "settings", "reason"),
    [
        (Image(data=PNG, name="c.png"), {"server": SETTINGS["server"]}, "set [media] store"),
        (Image(data=PNG, name="c.png"), {"media": SETTINGS["media"]}, "set [server] public_url"),
        (Image(path="/nowhere.png"), SETTINGS, "/nowhere.png cannot be read: No such file"),
        (Document(data=b"", name="c"), SETTINGS, "0 bytes"),
        (
            Document(data=b"a" * 1025, name="c"),
            {**SETTINGS, "media": {"store": "kept", "max": 1024}},
            "1025 bytes; [media] max allows 1024",
        ),
    ],
    ids=["no store", "no public_url", "no file", "nothing", "too large"],
)
async def test_a_file_that_cannot_be_sent_says_what_to_do(
    message: Outgoing, settings: dict[str, Any], reason: str
) -> None:
    world = World(saying(message), settings=settings)
    assert await links(world) == []
    (letter,) = await world.inside(world.bridge.store.dead_letters())
    assert reason in letter.reason


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "needs a url, or a file: path= or data="),
        ({"url": "https://x", "path": "a"}, "one of"),
        ({"data": b"a"}, "needs a name="),
    ],
    ids=str,
)
def test_a_message_has_one_file(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Image(**values)


@pytest.mark.parametrize("key", ["path", "data"])
def test_no_message_in_json_names_a_file_of_this_machine(key: str) -> None:
    with pytest.raises(ValueError, match=f"{key}: unknown key"):
        decode_message({"kind": "image", key: "/etc/passwd", "name": "a"})


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[TestClient[Any, Any]]:
    config = {
        "storage": {"url": f"sqlite:///{tmp_path}/store.db"},
        "media": {"store": str(tmp_path / "kept")},
        "server": {"public_url": URL},
        "accounts": {"play": {"provider": "playground"}},
    }
    data = [PNG, b"<html><script>alert(1)</script>"]
    router = saying(Image(data=data[0], name="ä.png"), Document(data=data[1], name="a.html"))
    async with TestClient(TestServer(create_app(config, router=router))) as client:
        yield client


async def paths(client: TestClient[Any, Any]) -> list[str]:
    bridge = client.app[BRIDGE] if client.app is not None else None
    assert bridge is not None
    body = b'{"id": "1", "conversation": "ann", "text": "hi"}'
    await bridge.webhooks.accept(bridge.config.accounts["play"], body, None)
    await bridge.settle()
    messages = [decode_message(entry.content) for entry in await bridge.store.history(1) if entry.direction == "out"]
    return [message.url.removeprefix(URL) for message in messages if isinstance(message, Image | Document)]


async def test_whoever_has_the_link_gets_the_file_with_the_right_headers(client: TestClient[Any, Any]) -> None:
    image, page = await paths(client)
    answer = await client.get(image)
    assert (answer.status, await answer.read()) == (200, PNG)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"] == "inline; filename*=UTF-8''%C3%A4.png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"].startswith("private")
    answer = await client.get(page)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    head = await client.head(image)
    assert (head.status, head.headers["Content-Length"], await head.read()) == (200, str(len(PNG)), b"")


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ("bytes=0-3", 206, PNG[:4]),
        ("bytes=8-", 206, PNG[8:]),
        ("bytes=-4", 206, PNG[-4:]),
        ("bytes=4-999", 206, PNG[4:]),
        ("bytes=999-", 416, b""),
        ("bytes=4-2", 416, b""),
        ("lines=1-2", 416, b""),
    ],
)
@pytest.mark.slow
async def test_a_part_of_a_file_can_be_asked_for(
    asked: str, status: int, expected: bytes, client: TestClient[Any, Any]
) -> None:
    image, _ = await paths(client)
    answer = await client.get(image, headers={"Range": asked})
    assert (answer.status, await answer.read()) == (status, expected)


async def test_nothing_else_is_reachable(client: TestClient[Any, Any]) -> None:
    image, _ = await paths(client)
    token = image.rpartition("/")[2]
    first, last = (("B" if letter == "A" else "A") for letter in (token[0], token[-3]))
    wrong = [
        *("", "x", token[:-1], f"{token}A", f"{token[:-3]}{last}AA", "A" * len(token)),
        *(first + token[1:], token.swapcase()),
        *("..%2F..%2Fstore.db", "../health/live/x", "%00", "a" * 5000, "drafts", f"{token}%20"),
    ]
    for path in wrong:
        answer = await client.get(f"/media/{path}")
        assert answer.status in {400, 404}, path
        assert PNG not in await answer.read()
    assert (await client.post(image)).status == 405
