"""The load counts every message: one that is lost, doubled or refused is found."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest

from bridge.bench.closed_loop import ClosedLoop, Demand, Dialect
from bridge.bench.processes import Subject
from bridge.bench.slices import problems_of
from bridge.bench.webhooks import konnek

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bridge.bench.closed_loop import Round

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BUSY: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
MESSAGES: Final = 300


class Bot:
    """Answers each webhook and replies to it once; a number in `odd` has another fate."""

    def __init__(self, loop: ClosedLoop, odd: dict[int, str]) -> None:
        self.loop = loop
        self.odd = odd
        self.tasks: list[asyncio.Task[None]] = []

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while body := await _body(reader):
            number = int(re.findall(rb"no-(\d{8})", body)[0])
            fate = self.odd.get(number, "")
            if fate == "cut":
                break
            writer.write(BUSY if fate == "refused" else OK)
            for _ in range({"": 1, "doubled": 2}.get(fate, 0)):
                self.loop.replied(b'{"text": "You said: no-%08d"}' % number)
        writer.close()
        await writer.wait_closed()


async def _body(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return b""
    return await reader.readexactly(int(re.findall(rb"(?i)content-length: (\d+)", head)[0]))


@asynccontextmanager
async def served(odd: dict[int, str], *, replies: bool = True) -> AsyncIterator[tuple[ClosedLoop, int]]:
    loop = ClosedLoop(konnek(), replies=replies, patience=0.2)
    bot = Bot(loop, odd)
    server = await asyncio.start_server(bot.connected, "127.0.0.1", 0)
    yield loop, server.sockets[0].getsockname()[1]
    loop.close()
    await asyncio.gather(*bot.tasks)
    server.close()


async def counted(odd: dict[int, str], demand: Demand) -> Round:
    async with served(odd) as (loop, port):
        await loop.connect([port], demand.connections)
        return await loop.run(demand)


def problems(figures: Round) -> list[str]:
    return problems_of(Subject(name="bot", module=""), figures)


@pytest.mark.parametrize("in_flight", [1, 7, 40])
async def test_every_message_is_sent_answered_and_replied_to_once(in_flight: int) -> None:
    figures = await counted({}, Demand(messages=MESSAGES, in_flight=in_flight, connections=8))
    assert (figures.sent, figures.answered, figures.replies) == (MESSAGES, MESSAGES, MESSAGES)
    assert (len(figures.acks), len(figures.latencies)) == (MESSAGES, MESSAGES)
    assert problems(figures) == []


@pytest.mark.parametrize(
    ("fate", "problem"),
    [
        ("lost", "bot: 1 of 300 webhooks had no reply"),
        ("doubled", "bot: 1 of 300 webhooks had a reply that belongs to none"),
        ("refused", "bot: 1 of 300 webhooks were answered otherwise than 200"),
    ],
)
async def test_a_message_with_another_fate_is_found(fate: str, problem: str) -> None:
    figures = await counted({123: fate}, Demand(messages=MESSAGES, in_flight=20, connections=8))
    assert problems(figures) == [problem]


async def test_a_connection_that_the_server_cuts_ends_the_round() -> None:
    figures = await counted({123: "cut"}, Demand(messages=MESSAGES, in_flight=1, connections=1))
    assert problems(figures) == ["bot: 1 of 123 webhooks were not answered"]


async def test_no_more_messages_are_under_way_than_asked_for() -> None:
    """One reply less goes out for every message that is lost: at the end the loop stands still."""
    figures = await counted(dict.fromkeys(range(1, 6), "lost"), Demand(messages=MESSAGES, in_flight=5, connections=8))
    assert (figures.sent, figures.replies) == (5, 0)


async def test_an_even_rate_waits_for_no_reply() -> None:
    demand = Demand(messages=MESSAGES, rate=100_000, connections=8)
    figures = await counted(dict.fromkeys(range(1, 6), "lost"), demand)
    assert (figures.sent, figures.answered, figures.replies) == (MESSAGES, MESSAGES, MESSAGES - 5)


async def test_time_ends_a_round_and_what_is_under_way_is_waited_for() -> None:
    figures = await counted({}, Demand(seconds=0.05, in_flight=10, connections=4))
    assert figures.sent >= 10
    assert problems(figures) == []


async def test_without_replies_an_answer_ends_a_message() -> None:
    async with served({}, replies=False) as (loop, port):
        await loop.connect([port], 4)
        figures = await loop.run(Demand(messages=50, in_flight=4))
    assert (figures.sent, figures.answered) == (50, 50)


async def test_rounds_follow_each_other_and_a_late_reply_belongs_to_none() -> None:
    async with served({3: "lost"}) as (loop, port):
        await loop.connect([port], 4)
        first = await loop.run(Demand(messages=10, in_flight=2))
        loop.replied(b"late no-00000003")
        second = await loop.run(Demand(messages=10, in_flight=2))
    assert (first.replies, first.doubled) == (9, 1)
    assert (second.sent, second.replies, second.doubled) == (10, 10, 0)


def test_a_question_of_the_bot_to_its_gateway_is_no_reply() -> None:
    loop = ClosedLoop(Dialect(webhook=lambda _: b"", answer=b"{}", about=b"/api/auth.test"))
    loop.asked(b"POST /api/auth.test?team_id=T1 HTTP/1.1", b"")
    assert loop.round.doubled == 0
    loop.asked(b"POST /api/chat.postMessage HTTP/1.1", b"")
    assert loop.round.doubled == 1


def test_a_webhook_carries_its_number_once_and_its_length() -> None:
    dialect: Dialect = konnek()
    head, _, body = dialect.webhook(42).partition(b"\r\n\r\n")
    assert body.count(b"no-00000042") == 1
    assert b"Content-Length: %d" % len(body) in head
    assert dialect.webhook(42) != konnek().webhook(42)
