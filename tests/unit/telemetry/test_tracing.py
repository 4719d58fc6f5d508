"""Traces: one from a webhook over its turn to each try, also over a restart, and without a word of anybody."""

from __future__ import annotations

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiohttp import ClientSession
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from bridge import Message, Router, Turn
from bridge.app.bridge import Bridge
from bridge.emulation.server import EmulatorServer
from bridge.engine.turns.dispatcher import Dispatcher
from bridge.engine.turns.meter import TurnMeter
from bridge.telemetry.tracing import Traces
from bridge.testing import World
from bridge.units import SECOND
from tests.support.whole_bridges import SHOP, SHOP_HOOK, accounts, body, configuration, emulators, konnek_text, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan

    from bridge.store.records import InboxRow

PARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE: Final = 0x0AF7651916CD43DD8448EB211C80319C


def bot() -> Router:
    router = Router("bot")

    @router.message(text="break")
    async def fail(turn: Turn[Message]) -> None:
        if turn.state.setdefault("tried", False) is False:
            raise ConnectionError(turn.event.text)

    @router.message()
    async def answer(turn: Turn[Message]) -> list[str]:
        return [f"heard {turn.event.text}", "and more"]

    return router


class Collected:
    """The spans of all lives of a world's bridge."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()

    def bridge(self, *arguments: Any, **named: Any) -> Bridge:
        made = Bridge(*arguments, **named)
        made.spans = Traces(SimpleSpanProcessor(self.exporter), made.clock)
        return made

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.spans(name)
        return span


@pytest.fixture
def collected() -> Collected:
    return Collected()


@pytest.fixture
def world(collected: Collected) -> Iterator[World]:
    with World(bot(), make=collected.bridge) as world:
        yield world


def is_child(span: ReadableSpan, parent: ReadableSpan) -> bool:
    return span.parent is not None and span.parent.span_id == parent.context.span_id


async def test_a_webhook_its_turn_and_each_try_are_one_trace(world: World, collected: Collected) -> None:
    await world.contact("konnek", "whatsapp", "ann").says("hello")
    await world.settle()
    webhook, turn, tries = collected.one("webhook"), collected.one("turn"), collected.spans("attempt")
    assert len(tries) == 2
    assert len({span.context.trace_id for span in (webhook, turn, *tries)}) == 1
    assert webhook.parent is None
    assert is_child(turn, webhook)
    assert all(is_child(span, turn) for span in tries)
    assert dict(turn.attributes or {}) == {
        "threadbridge.account": "konnek",
        "threadbridge.channel": "whatsapp",
        "threadbridge.thread": 1,
        "threadbridge.event": "message",
        "threadbridge.attempt": 1,
        "threadbridge.outcome": "done",
    }


async def test_a_try_that_fails_is_a_span_of_its_own_and_an_error(world: World, collected: Collected) -> None:
    world.down("konnek")
    await world.contact("konnek", "whatsapp", "ann").says("hello")
    await world.until(lambda: len(collected.spans("attempt")) == 2)
    world.up("konnek")
    await world.settle()
    turn, tries = collected.one("turn"), collected.spans("attempt")
    assert all(is_child(span, turn) for span in tries)
    outcomes = [(span.attributes or {})["threadbridge.outcome"] for span in tries]
    assert (outcomes[0], outcomes[-1]) == ("not sent", "sent")
    assert tries[0].status.status_code is StatusCode.ERROR
    assert tries[-1].status.status_code is StatusCode.UNSET


async def test_a_turn_that_is_tried_again_stays_in_its_trace(world: World, collected: Collected) -> None:
    await world.contact("konnek", "whatsapp", "ann").says("break")
    await world.advance("5s")
    first, *others = collected.spans("turn")
    assert others
    assert (first.attributes or {})["threadbridge.outcome"] == "retried"
    assert {span.context.trace_id for span in (first, *others)} == {collected.one("webhook").context.trace_id}
    assert len({span.context.span_id for span in (first, *others)}) == 1 + len(others)


async def test_a_turn_after_a_crash_is_in_the_trace_of_its_webhook(collected: Collected) -> None:
    router = Router("slow")

    @router.message()
    async def slow(_: Turn[Message]) -> str:
        await slow_world.bridge.clock.sleep(7)
        return "at last"

    with World(router, make=collected.bridge) as slow_world:
        await slow_world.contact("konnek", "whatsapp", "ann").says("hello")
        await slow_world.until(lambda: bool(collected.spans("webhook")))
        await slow_world.crash()
        await slow_world.settle()
        webhook, turn = collected.one("webhook"), collected.one("turn")
        assert turn.context.trace_id == webhook.context.trace_id
        assert is_child(turn, webhook)


async def test_what_a_handler_traces_itself_is_inside_of_its_turn(collected: Collected) -> None:
    seen: list[int] = []
    before: list[bool] = []
    router = Router("own")

    @router.message()
    async def own(_: Turn[Message]) -> None:
        seen.append(trace.get_current_span().get_span_context().span_id)

    with World(router, make=collected.bridge) as world, pytest.MonkeyPatch.context() as patch:
        work = Dispatcher.work

        async def watched(self: Dispatcher, row: InboxRow) -> InboxRow | None:
            before.append(trace.get_current_span().get_span_context().is_valid)
            return await work(self, row)

        patch.setattr(Dispatcher, "work", watched)
        for number in range(3):
            await world.contact("konnek", "whatsapp", f"ann {number}").says("hello")
            await world.settle()
    assert seen == [span.context.span_id for span in collected.spans("turn")]
    assert before == [False] * 3  # what is done for the next turn is no part of the last one


async def test_no_span_holds_a_word_or_a_name(world: World, collected: Collected) -> None:
    ann = world.contact("konnek", "whatsapp", "ann-canary")
    await ann.says("my card is 4000 0012 3456 7899")
    await ann.says("break")
    await world.advance("5s")
    spans = collected.exporter.get_finished_spans()
    assert len(spans) > 5
    shown = " ".join(span.to_json() for span in spans)
    for word in ("4000", "my card", "ann-canary", ann.address, "heard", "break"):
        assert word not in shown


@pytest.mark.usefixtures("counted")
async def test_nothing_is_measured_for_traces_where_they_are_off() -> None:
    with World(bot()) as world:
        await world.contact("konnek", "whatsapp", "ann").says("hello")
        await world.settle()
        assert world.bridge.spans is None
        assert world.calls(Traces.turn) == 0
        assert world.calls(TurnMeter.begin) == 1


class Collector:
    """A collector of traces that listens on this machine."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def spans(self) -> list[Any]:
        exported = [ExportTraceServiceRequest.FromString(data) for data in self.bodies]
        scopes = [scope for each in exported for resource in each.resource_spans for scope in resource.scope_spans]
        return [span for scope in scopes for span in scope.spans]


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.mark.slow
async def test_a_bridge_sends_its_traces_to_the_collector_and_follows_a_traceparent(
    tmp_path: Path, collector: Collector
) -> None:
    konnek, _ = emulators()
    async with EmulatorServer(konnek) as gateway, ClientSession() as session:
        sections = {"telemetry": {"otlp": collector.url}, "accounts": accounts(gateway.url)}
        async with served({**configuration(tmp_path), **sections}, bot()) as door:
            url = f"http://127.0.0.1:{door.port}{SHOP_HOOK}"
            headers = {**SHOP, "Content-Type": "application/json", "traceparent": PARENT}
            async with session.post(url, data=body(konnek_text("1", "hi")), headers=headers) as answer:
                assert answer.status == 200
            await door.bridge.settle()
    spans = collector.spans()
    assert sorted(span.name for span in spans) == ["attempt", "attempt", "turn", "webhook"]
    assert {span.trace_id for span in spans} == {TRACE.to_bytes(16)}
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano > SECOND for span in spans)


async def test_a_collector_that_is_away_holds_up_no_end(tmp_path: Path) -> None:
    sections = {"telemetry": {"otlp": "http://127.0.0.1:9"}, "accounts": accounts()}
    async with asyncio.timeout(20), served({**configuration(tmp_path), **sections}, bot()) as door:
        assert door.bridge.ready
