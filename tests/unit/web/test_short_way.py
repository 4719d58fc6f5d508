"""The short way of a webhook: it gives the answers of the long one, keeps the order, and ends as any request does."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from bridge.web import webhooks
from bridge.web.limits import check_head
from bridge.web.short_way import ShortWay
from tests.support.whole_bridges import SHOP, SHOP_HOOK, body, configuration, http, konnek_text, read_answers, served
from tests.unit.web.test_wire import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.web.short_way import Asked
    from tests.support.whole_bridges import Answer, Served

GOOD: Final = body(konnek_text())
SECRET: Final = next(iter(SHOP))
LAST: Final = http(target="/health/live", method="GET")
"""Behind this request the server closes."""


def kept(request: bytes) -> bytes:
    """The same on a connection that stays open: the short way is for these alone."""
    return request.replace(b"Connection: close\r\n", b"")


def comparable(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    varying = {"date", "connection", "retry-after"}
    return answer.status, {name: text for name, text in answer.headers.items() if name not in varying}, answer.body


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Grows with each request that takes the short way."""
    taken: list[bool] = []
    begin = ShortWay._begin

    def noted(self: ShortWay, *arguments: Any) -> None:
        taken.append(True)
        begin(self, *arguments)

    monkeypatch.setattr(ShortWay, "_begin", noted)
    return taken


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(http(GOOD), 200, id="stored"),
        pytest.param(http(GOOD).replace(f"{SECRET}: ".encode(), b"X-Other: "), 401, id="no credentials"),
        pytest.param(http(b"[1]"), 400, id="no object"),
        pytest.param(http(b'{"a": 1, "a": 2}'), 400, id="a key twice"),
        pytest.param(http(b"{}"), 200, id="quarantined"),
        pytest.param(http(GOOD, kind="text/plain"), 415, id="no json"),
        pytest.param(http(GOOD, kind="application/vnd.x+json; charset=utf-8"), 200, id="another json"),
        pytest.param(http(GOOD, SHOP_HOOK, "Content-Encoding: br"), 415, id="unknown encoding"),
        pytest.param(http(gzip.compress(GOOD), SHOP_HOOK, "Content-Encoding: gzip"), 200, id="gzip"),
        pytest.param(http(b'"%b"' % (b"a" * 300_000)), 413, id="too long"),
    ],
)
@pytest.mark.slow
async def test_the_answer_and_the_log_are_those_of_the_long_way(
    request_: bytes, status: int, tmp_path: Path, short: list[bool]
) -> None:
    seen = []
    for way in ("long", "short"):
        folder = tmp_path / way
        folder.mkdir()
        async with served(configuration(folder)) as server:
            with capture_logs() as lines:
                answers = await server.send(kept(request_) + LAST if way == "short" else request_)
            of_request = [line for line in lines if line["event"] != "turn_committed"]  # now, or behind the answer
            seen.append((comparable(answers[0]), of_request, await server.kept()))
    assert seen[0] == seen[1]
    assert seen[0][0][0] == status
    assert short or status == 413  # what is too long does not come whole


@pytest.mark.slow
@pytest.mark.parametrize(("request_", "expected"), REFUSED.values(), ids=list(REFUSED))
async def test_what_an_attacker_writes_is_refused_on_a_connection_that_stays(
    request_: bytes, expected: set[int], tmp_path: Path
) -> None:
    async with served(configuration(tmp_path)) as server:
        answers = await server.send(kept(request_) + LAST)
        assert not answers or answers[0].status in expected
        assert await server.kept() == 0


def called(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> asyncio.Event:
    """Set once that method was called."""
    event, method = asyncio.Event(), getattr(owner, name)

    def noted(*arguments: Any) -> Any:
        returned = method(*arguments)
        event.set()
        return returned

    monkeypatch.setattr(owner, name, noted)
    return event


async def answered(server: Served, *requests: bytes) -> list[Answer]:
    return await server.send(b"".join(map(kept, requests)) + LAST)


async def test_requests_in_one_piece_are_answered_in_their_order(tmp_path: Path, short: list[bool]) -> None:
    health = http(target="/health/ready", method="GET")
    webhooks = [http(body(konnek_text(f"m-{number}"))) for number in range(3)]
    async with served(configuration(tmp_path)) as server:
        answers = await answered(server, webhooks[0], http(b"[]"), webhooks[1], health, webhooks[2])
        assert [answer.status for answer in answers] == [200, 400, 200, 200, 200, 200]
        assert b"ok" in answers[0].body
        assert await server.kept() == 1
    assert len(short) == 3  # aiohttp's loop, once awake, goes on with what waits


async def test_a_body_that_comes_later_goes_the_long_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: list[bool]
) -> None:
    whole, came = kept(http(GOOD)), called(monkeypatch, ShortWay, "data_received")
    async with served(configuration(tmp_path)) as server:
        reader, writer = await server.connect()
        writer.write(whole[:-5])
        await came.wait()
        writer.write(whole[-5:] + LAST)
        answers = read_answers(await reader.read())
        writer.close()
    assert [answer.status for answer in answers] == [200, 200]
    assert not short


class Held:
    """A store that takes events only when it is let."""

    def __init__(self, server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        self.let, self.asked = asyncio.Event(), asyncio.Event()
        self._receive = server.bridge.store.receive
        monkeypatch.setattr(server.bridge.store, "receive", self._held)

    async def let_at(self, event: asyncio.Event) -> None:
        await event.wait()
        self.let.set()

    async def _held(self, arrivals: Any) -> Any:
        self.asked.set()
        await self.let.wait()
        return await self._receive(arrivals)


async def test_what_is_under_way_is_answered_before_the_server_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: list[bool]
) -> None:
    async with served(configuration(tmp_path)) as server:
        held = Held(server, monkeypatch)
        reader, writer = await server.connect()
        writer.write(kept(http(GOOD)))
        await held.asked.wait()
        ends = called(monkeypatch, web.Server, "pre_shutdown")
        letting = asyncio.create_task(held.let_at(ends))
    await letting
    answers = read_answers(await reader.read())
    writer.close()
    assert [answer.status for answer in answers] == [200]
    assert short


async def test_a_request_under_way_is_not_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: list[bool]
) -> None:
    rang = called(monkeypatch, ShortWay, "_process_keepalive")
    async with served(configuration(tmp_path), keepalive=0.05) as server:
        held = Held(server, monkeypatch)
        reader, writer = await server.connect()
        writer.write(kept(http(GOOD)))
        await held.asked.wait()
        await rang.wait()
        held.let.set()
        async with asyncio.timeout(30):
            answers = read_answers(await reader.read())  # and after it the connection is idle, and closed
        writer.close()
    assert [answer.status for answer in answers] == [200]
    assert short


async def test_a_peer_that_left_leaves_no_connection_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: list[bool]
) -> None:
    lost = called(monkeypatch, ShortWay, "connection_lost")
    async with served(configuration(tmp_path)) as server:
        held = Held(server, monkeypatch)
        _, writer = await server.connect()
        writer.write(kept(http(GOOD)))
        await held.asked.wait()
        writer.transport.abort()
        await lost.wait()
        assert of_connections()
        held.let.set()
        async with asyncio.timeout(30):
            await asyncio.wait(of_connections())
        assert await server.kept() == 1
    assert short


def of_connections() -> list[asyncio.Task[Any]]:
    """The tasks in which aiohttp serves a connection."""
    return [task for task in asyncio.all_tasks() if "RequestHandler.start" in repr(task.get_coro())]


async def test_a_mistake_of_ours_is_answered_500(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: list[bool]
) -> None:
    async with served(configuration(tmp_path)) as server:

        async def broken(_: Any) -> None:
            raise RuntimeError("secret")

        monkeypatch.setattr(server.bridge.store, "receive", broken)
        with capture_logs() as lines:
            answers = await answered(server, http(GOOD))
    assert (answers[0].status, answers[0].body) == (500, b'{"error":"internal error"}')
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["request_failed"]
    assert short


@pytest.mark.parametrize("cut", [0, 100])
async def test_bytes_that_come_before_aiohttps_loop_begins_are_read_as_any(
    cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: list[bool]
) -> None:
    """uvloop reads a new connection before it calls what is to be called soon."""
    request, made = kept(http(GOOD)), ShortWay.connection_made

    def with_bytes(self: ShortWay, transport: asyncio.BaseTransport) -> None:
        made(self, transport)
        for part in (request[:cut], request[cut:]):
            if part:
                self.data_received(part)

    monkeypatch.setattr(ShortWay, "connection_made", with_bytes)
    async with served(configuration(tmp_path)) as server:
        assert [answer.status for answer in await server.send(LAST)] == [200, 200]
    assert short


@pytest.mark.parametrize(
    ("change", "looks"),
    [
        pytest.param(lambda request: request, 1, id="let in"),
        pytest.param(lambda request: request.replace(SECRET.encode() + b": ", b"X-Other: "), 3, id="no credentials"),
        pytest.param(lambda request: request.replace(b"Host", b"Content-Encoding: identity\r\nHost"), 3, id="a coding"),
    ],
)
async def test_a_head_that_is_let_in_is_not_looked_at_again(
    change: Callable[[bytes], bytes], looks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bool] = []

    def noted(request: Asked, limit: int) -> None:
        looked.append(True)
        check_head(request, limit)

    monkeypatch.setattr(webhooks, "check_head", noted)
    async with served(configuration(tmp_path)) as server:
        reader, writer = await server.connect()
        for number in range(3):
            writer.write(change(kept(http(body(konnek_text(f"m-{number}", text="a" * (number + 1)))))))
            await reader.readuntil(b"}")
        writer.close()
    assert len(looked) == looks


async def test_a_body_too_long_is_refused_with_a_head_that_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(configuration(tmp_path)) as server:
        monkeypatch.setattr(server.bridge.webhooks, "_limit", len(GOOD))
        reader, writer = await server.connect()
        for content, status in ((GOOD, b"200"), (GOOD + b" ", b"413")):
            writer.write(kept(http(content)))
            assert (await reader.readuntil(b"}")).split()[1] == status
        writer.close()
