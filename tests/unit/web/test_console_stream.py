"""The console's stream: everything said, once and in order, over interruptions; and how each kind is shown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bridge.messages import (
    Button,
    Buttons,
    Card,
    Cards,
    Image,
    Location,
    Menu,
    Outgoing,
    Raw,
    Row,
    Section,
    Template,
    Text,
)
from bridge.store.lifecycle import OutboxState
from bridge.web.console import stream as module
from bridge.web.console.stream import AT_ONCE, HISTORY, STREAMS, TAIL, Feed, Streams
from tests.support.console_bridge import ACCOUNT, MemoryBridge, parrot
from tests.support.console_client import HOST, Page, console_of, heard

if TYPE_CHECKING:
    from pytest_aiohttp import AiohttpClient


@pytest.fixture
def bridge() -> MemoryBridge:
    return MemoryBridge(bot=parrot)


@pytest.fixture
async def page(bridge: MemoryBridge, aiohttp_client: AiohttpClient) -> Page:
    return await console_of(bridge, aiohttp_client)


# The stream.


async def test_what_is_said_arrives_with_its_answer(page: Page) -> None:
    stream = await page.stream()
    await page.say({"id": "e-1", "conversation": "ann", "name": "Ann", "text": "hi"})
    said, answered = await stream.entries(2)
    assert said == {
        "position": 1,
        "key": "e-1",
        "direction": "in",
        "kind": "text",
        "text": "hi",
        "choices": [],
        "media": None,
        "status": "stored",
        "at": said["at"],
    }
    assert (answered["direction"], answered["text"], answered["status"]) == ("out", "echo: hi", "delivered")


async def test_the_same_id_said_again_is_not_said_twice(page: Page, bridge: MemoryBridge) -> None:
    for _ in range(2):
        response = await page.say({"id": "e-1", "conversation": "ann", "text": "hi"})
        assert response.status == 200
    stream = await page.stream()
    assert [entry["text"] for entry in await stream.entries(2)] == ["hi", "echo: hi"]
    assert len(bridge.entries["ann"]) == 2


async def test_a_stream_resumes_after_the_last_event_id(page: Page, bridge: MemoryBridge) -> None:
    bridge.hear("ann", heard("one", "e-1"))
    first = await page.stream()
    seen = [await first.next() for _ in range(2)]
    first.response.close()
    bridge.hear("ann", heard("two", "e-2"))
    for again in (await page.stream(last=seen[-1][1]), await page.stream(after=seen[-1][1])):
        assert [entry["text"] for entry in await again.entries(2)] == ["two", "echo: two"]


async def test_the_header_counts_more_than_the_query(page: Page, bridge: MemoryBridge) -> None:
    bridge.answer("ann", Text("one"), Text("two"), Text("three"))
    stream = await page.stream(after="1", last="2")
    assert (await stream.entries(1))[0]["text"] == "three"


async def test_what_was_under_way_is_told_again_after_an_interruption(page: Page, bridge: MemoryBridge) -> None:
    bridge.answer("ann", Text("one"))
    bridge.answer("ann", Text("two"), state=OutboxState.OPEN, status="")
    bridge.answer("ann", Text("three"))
    stream = await page.stream()
    ids = [(await stream.next())[1] for _ in range(3)]
    assert ids == ["1", "1", "1"]
    bridge.change("ann", "out-2", state=OutboxState.SENT, status="delivered")
    again = await page.stream(last=ids[-1])
    assert [(entry["text"], entry["status"]) for entry in await again.entries(2)] == [
        ("two", "delivered"),
        ("three", "delivered"),
    ]


@pytest.mark.parametrize(
    ("state", "status", "shown"),
    [
        (OutboxState.SENT, "", "sent"),
        (OutboxState.SENT, "read", "read"),
        (OutboxState.SENT, "failed", "failed"),
        (OutboxState.DEAD, "", "failed"),
        (OutboxState.EXPIRED, "", "expired"),
        (OutboxState.DROPPED, "", "dropped"),
    ],
)
async def test_a_message_whose_status_changes_is_sent_again_in_its_place(
    page: Page, bridge: MemoryBridge, state: OutboxState, status: str, shown: str
) -> None:
    bridge.answer("ann", Text("one"), state=OutboxState.OPEN, status="")
    stream = await page.stream()
    [before] = await stream.entries(1)
    assert before["status"] == "waiting"
    bridge.change("ann", before["key"], state=state, status=status)
    update = await stream.named("update")
    assert update == {**before, "status": shown}


async def test_a_long_conversation_is_told_once_and_stays_live(page: Page, bridge: MemoryBridge) -> None:
    for number in range(TAIL + 20):
        bridge.answer("ann", Text(str(number)))
    stream = await page.stream()
    await stream.entries(TAIL + 20)
    bridge.answer("ann", Text("more"))
    bridge.change("ann", f"out-{TAIL + 10}", status="read")
    assert [entry["text"] for entry in await stream.entries(2)] == [str(TAIL + 9), "more"]


async def test_a_page_is_told_when_the_past_is_longer_than_it_is_given(page: Page, bridge: MemoryBridge) -> None:
    for number in range(HISTORY + 1):
        bridge.answer("ann", Text(str(number)))
    stream = await page.stream()
    assert (await stream.next())[0] == "earlier"
    assert (await stream.entries(1))[0]["text"] == "1"


async def test_the_list_of_conversations_comes_with_the_stream_latest_first(page: Page, bridge: MemoryBridge) -> None:
    bridge.hear("ann", heard("hi", "e-1", "Ann"))
    bridge.hear("bob", heard("hi", "e-2", "Bob"))
    stream = await page.stream("carl")
    rows = await stream.named("conversations")
    assert [(row["conversation"], row["name"]) for row in rows] == [("bob", "Bob"), ("ann", "Ann")]


async def test_one_conversation_hears_nothing_of_another(page: Page, bridge: MemoryBridge) -> None:
    stream = await page.stream("ann")
    bridge.answer("bob", Text("for bob"))
    bridge.answer("ann", Text("for ann"))
    assert [entry["text"] for entry in await stream.entries(1)] == ["for ann"]


async def test_a_silent_stream_beats(bridge: MemoryBridge, aiohttp_client: AiohttpClient) -> None:
    stream = await (await console_of(bridge, aiohttp_client, heartbeat=0.005)).stream()
    await stream.named("heartbeat")
    await stream.named("heartbeat")


async def test_a_store_that_goes_away_ends_the_stream(page: Page, bridge: MemoryBridge) -> None:
    stream = await page.stream()
    await stream.named("conversations")
    bridge.down = True
    bridge.wakeups.wake(ACCOUNT, "ann")
    async with asyncio.timeout(30):
        assert await stream.response.content.read() == b""


async def test_stopping_ends_every_stream_at_once_and_nobody_waits_any_more(page: Page, bridge: MemoryBridge) -> None:
    stream = await page.stream()
    await stream.named("conversations")
    async with asyncio.timeout(30):
        await page.client.app.shutdown()
        assert await stream.response.content.read() == b""
    assert (await page.get("/console/stream?conversation=ann")).status == 503
    bridge.wakeups.wake(ACCOUNT, "ann")
    assert not bridge.wakeups._waiting


async def test_there_are_only_so_many_streams(page: Page) -> None:
    streams = [await page.stream() for _ in range(STREAMS)]
    assert (await page.get("/console/stream?conversation=ann")).status == 503
    for stream in streams:
        stream.response.close()


# A page that is given much, or reads nothing.


def long_texts(bridge: MemoryBridge, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        bridge.answer("ann", Text(f"{number} {'x' * 10_000}"))


async def test_of_a_large_past_a_page_is_given_the_latest(page: Page, bridge: MemoryBridge) -> None:
    long_texts(bridge, 100)
    stream = await page.stream()
    assert (await stream.next())[0] == "earlier"
    given = await stream.entries(AT_ONCE // 10_000 + 1)
    assert given[-1]["text"].startswith("99 ")
    assert sum(len(entry["text"]) for entry in given) < AT_ONCE + 20_000


async def test_a_large_burst_comes_whole_and_in_pieces(page: Page, bridge: MemoryBridge) -> None:
    stream = await page.stream()
    await stream.named("conversations")
    long_texts(bridge, 100)
    given = await stream.entries(100)
    assert [int(entry["text"].partition(" ")[0]) for entry in given] == [*range(100)]


def test_a_page_costs_little_while_it_waits(bridge: MemoryBridge) -> None:
    long_texts(bridge, 40)
    feed = Feed(0)
    for _ in range(10):
        piece = feed.news(bridge.entries["ann"][-HISTORY:])
        assert len(piece) < AT_ONCE + 20_000
    assert piece == b""
    assert sum(len(key) + len(told) for key, told in feed._told.items()) < 2_000


async def test_the_past_of_one_page_at_a_time_is_in_memory(
    page: Page, bridge: MemoryBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, reading, most = bridge.history, 0, 0

    async def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        await asyncio.sleep(0)
        try:
            return await history(*arguments, **options)
        finally:
            reading -= 1

    monkeypatch.setattr(bridge, "history", counted)
    streams = await asyncio.gather(*(page.stream() for _ in range(20)))
    assert most == 1
    for stream in streams:
        stream.response.close()


@pytest.mark.parametrize("ends", [False, True], ids=["in time", "at the end"])
@pytest.mark.slow
async def test_a_page_that_does_not_read_is_closed(
    page: Page, bridge: MemoryBridge, monkeypatch: pytest.MonkeyPatch, *, ends: bool
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1 << 26)
    if not ends:
        monkeypatch.setattr(module, "WRITE_SECONDS", 0.05)
    for _ in range(20):
        bridge.answer("ann", Text("x" * 1_000_000))
    serve, ended = Streams.serve, asyncio.Event()

    async def noted(*arguments: Any) -> Any:
        try:
            return await serve(*arguments)
        finally:
            ended.set()

    monkeypatch.setattr(Streams, "serve", noted)
    reader, writer = await asyncio.open_connection("127.0.0.1", page.client.server.port, limit=1024)
    writer.write(f"GET /console/stream?conversation=ann HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(10):
        if ends:
            await page.client.app.shutdown()
        await ended.wait()
    writer.close()


# What is shown.

SHOWN: list[tuple[Outgoing, dict[str, Any]]] = [
    (Text("t"), {"kind": "text", "text": "t"}),
    (
        Image("https://x/y.png", name="y", caption="c"),
        {"kind": "image", "text": "c", "media": {"kind": "image", "url": "https://x/y.png", "name": "y"}},
    ),
    (
        Location(1.5, 2.5, name="p"),
        {"kind": "location", "location": {"latitude": 1.5, "longitude": 2.5, "name": "p"}},
    ),
    (
        Buttons("b", [Button("k", "K")], header="h", footer="f"),
        {
            "kind": "buttons",
            "text": "b",
            "header": {"text": "h"},
            "footer": "f",
            "choices": [{"key": "k", "title": "K"}],
        },
    ),
    (
        Buttons("b", [Button("k", "K")], header=Image("https://x/h.png")),
        {"header": {"media": {"kind": "image", "url": "https://x/h.png", "name": ""}, "text": ""}},
    ),
    (
        Menu("m", "list", [Section("s", [Row("k", "K", "d")]), Section("z", [Row("l", "L")])], footer="f"),
        {
            "kind": "menu",
            "text": "m",
            "title": "list",
            "footer": "f",
            "choices": [
                {"key": "k", "title": "K", "description": "d", "section": "s"},
                {"key": "l", "title": "L", "description": "", "section": "z"},
            ],
        },
    ),
    (
        Cards([Card("one", buttons=[Button("k", "K")], image="https://x/i.png"), Card("two")]),
        {
            "kind": "cards",
            "cards": [
                {"title": "one", "image": "https://x/i.png", "choices": [{"key": "k", "title": "K"}]},
                {"title": "two", "image": None, "choices": []},
            ],
        },
    ),
    (Template("n", language="en", params={"a": 1}), {"kind": "template", "text": "n"}),
    (Raw({"a": 1}), {"kind": "raw", "code": '{\n  "a": 1\n}'}),
]


@pytest.mark.parametrize(("message", "shown"), SHOWN, ids=[type(message).__name__ for message, _ in SHOWN])
@pytest.mark.slow
async def test_every_kind_of_message_is_shown_whole(
    page: Page, bridge: MemoryBridge, message: Outgoing, shown: dict[str, Any]
) -> None:
    bridge.answer("ann", message)
    [entry] = await (await page.stream()).entries(1)
    assert {name: entry[name] for name in shown} == shown


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ({"key": "k", "title": "Yes"}, {"kind": "postback", "text": "Yes"}),
        ({"key": "k"}, {"kind": "postback", "text": "k"}),
        (
            {"media": {"url": "https://x/a.pdf", "name": "a.pdf", "caption": "c"}},
            {
                "kind": "document",
                "text": "c",
                "media": {"kind": "document", "url": "https://x/a.pdf", "name": "a.pdf"},
            },
        ),
        (
            {"location": {"latitude": 1, "longitude": 2}},
            {"kind": "location", "location": {"latitude": 1.0, "longitude": 2.0, "name": ""}},
        ),
        ({"wave": True}, {"kind": "unrecognised", "text": "wave"}),
    ],
    ids=str,
)
async def test_every_kind_of_event_is_shown(page: Page, content: dict[str, Any], shown: dict[str, Any]) -> None:
    assert (await page.say({"id": "e-1", "conversation": "ann", **content})).status == 200
    [entry] = await (await page.stream()).entries(1)
    assert {name: entry[name] for name in shown} == shown


async def test_what_another_version_wrote_does_not_hide_the_rest(page: Page, bridge: MemoryBridge) -> None:
    bridge.answer("ann", Text("one"), Text("two"))
    bridge.change("ann", "out-1", content=b'{"kind":"hologram"}')
    entries = await (await page.stream()).entries(2)
    assert [(entry["kind"], entry["text"]) for entry in entries] == [("unknown", ""), ("text", "two")]


async def test_what_nobody_said_is_not_shown(page: Page, bridge: MemoryBridge) -> None:
    bridge.answer("ann", Text("one"), Text("two"))
    bridge.change("ann", "out-1", direction="in", kind="status", content=b"{}")
    bridge.change("ann", "out-1", direction="in", kind="timer")
    assert [entry["text"] for entry in await (await page.stream()).entries(1)] == ["two"]
