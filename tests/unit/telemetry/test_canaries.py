"""Twelve secrets and personal values go through a bridge: no metric, span, alert or log line has one of them."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import pytest
import structlog
from aiohttp import ClientSession, web
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

from bridge import HandlerError, Message, Router, Turn, log
from bridge.app.http import runner_for
from bridge.app.shards import bridge_of
from bridge.app.telemetry import source_of
from bridge.config.load import Config
from bridge.telemetry.findings import Findings
from bridge.telemetry.grouping import GATHER, Grouping
from bridge.telemetry.sources import FRESH, Sources
from bridge.telemetry.tracing import Traces
from tests.support.whole_bridges import body, configuration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

USER: Final = "canary-01-user"
PASSWORD: Final = "canary-02-password-of-the-account"
INBOUND: Final = "canary-03-password-of-the-webhook"
TOKEN: Final = "canary-04-token-of-metrics"
URL: Final = "https://chat.example/hooks/canary-05"
PHONE: Final = "6281239990006"
NAME: Final = "Canary07 Ann"
TEXT: Final = "canary-08 is what she says"
ERROR: Final = "canary-09 is the author's error"
GATEWAYS: Final = "canary-10 is what the gateway says"
LINK: Final = "https://files.example/canary-11.jpg"
STATE: Final = "canary-12 is kept"
WORDS: Final = ("canary", "Canary", "6281239990006", "9990006")


def bot() -> Router:
    router = Router("bot")

    @router.message(text="break")
    async def fail(_: Turn[Message]) -> None:
        raise HandlerError(ERROR)

    @router.message(text="fail")
    async def fail_again(_: Turn[Message]) -> None:
        raise ConnectionError(ERROR)

    @router.message()
    async def answer(turn: Turn[Message]) -> str:
        turn.state["secret"] = STATE
        return f"{turn.event.text} {STATE}"

    return router


@asynccontextmanager
async def gateway() -> AsyncIterator[str]:
    """One that refuses each message, and repeats what it was asked."""

    async def refuse(request: web.Request) -> web.Response:
        asked = await request.text()
        return web.json_response({"code": 400, "message": f"{GATEWAYS} {asked} {dict(request.headers)}"}, status=400)

    app = web.Application()
    app.router.add_post("/{path:.*}", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextmanager
def logged() -> Iterator[StringIO]:
    """What the log says at its most talkative."""
    file, before = StringIO(), structlog.get_config()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", file)
        log.configure_logs(level="debug", as_json=True)
    try:
        yield file
        log.finish_logs()
    finally:
        structlog.configure(**before)


def account(url: str) -> dict[str, Any]:
    settings = {"username": SecretStr(USER), "password": SecretStr(PASSWORD), "client_id": "demo-client"}
    inbound = {"auth": "headers", "username": SecretStr("shop"), "password": SecretStr(INBOUND)}
    return {"provider": "konnek", "base_url": url, **settings, "channels": ["whatsapp"], "inbound": inbound}


def said(key: str, **message: Any) -> bytes:
    return body({"from": {"username": PHONE, "name": NAME}, "message": {"id": key, **message}})


async def test_nothing_of_them_is_seen_by_those_who_watch(tmp_path: Path) -> None:
    exporter = InMemorySpanExporter()
    with logged() as written:
        await watched(tmp_path, exporter, written)


async def watched(tmp_path: Path, exporter: InMemorySpanExporter, written: StringIO) -> None:
    async with gateway() as url, ClientSession() as session:
        sections = {"telemetry": {"token": SecretStr(TOKEN)}, "alerts": {"urls": [URL]}}
        config = Config.from_dict({**configuration(tmp_path), **sections, "accounts": {"shop": account(url)}})
        bridge = bridge_of(config, router=bot())
        bridge.spans = Traces(SimpleSpanProcessor(exporter), bridge.clock)
        runner = runner_for(bridge)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        door = f"http://127.0.0.1:{runner.addresses[0][1]}"

        async def post(data: bytes, path: str = "/webhooks/shop/whatsapp", password: str = INBOUND) -> int:
            headers = {"Auth-username": "shop", "Auth-password": password, "Content-Type": "application/json"}
            async with session.post(door + path, data=data, headers=headers) as answer:
                return answer.status

        findings = Findings(config.alerts, Sources(lambda: [source_of(bridge)], bridge.takes_webhooks, bridge.clock))
        await findings.now()
        assert await post(said("1", type="text", text=TEXT)) == 200
        assert await post(said("2", type="image", url=LINK, media={"url": LINK}, text=TEXT)) == 200
        assert await post(said("3", type="text", text="break")) == 200
        assert await post(said("4", type="text", text="fail")) == 200
        assert await post(body({"what": TEXT, "who": PHONE})) == 200
        assert await post(said("5", type="text", text=TEXT), password=PASSWORD) == 401
        assert await post(said("5", type="text", text=TEXT), path=f"/webhooks/{PHONE}/{USER}") == 404
        await bridge.settle()
        async with session.get(f"{door}/metrics", headers={"X-Real-IP": PHONE, "Authorization": TOKEN}) as refused:
            refusal = await refused.text()
        async with session.get(f"{door}/metrics") as answer:
            metrics = await answer.text()
        letters = await bridge.store.dead_letters()
        findings._sources._last = None
        grouping = Grouping("bot", 900, {})
        found = await findings.now()
        grouping.due(found, 0)
        notice = grouping.due(found, max(GATHER, FRESH))
        await runner.cleanup()
    log.finish_logs()
    spans = " ".join(span.to_json() for span in exporter.get_finished_spans())
    assert notice is not None
    assert {letter.kind for letter in letters} >= {"message"}
    assert any(ERROR in letter.reason for letter in letters)  # whoever opens a dead letter sees it
    assert 'outcome="rejected"} 2.0' in metrics
    assert "event_dead" in written.getvalue()
    shown = {
        "metrics": metrics,
        "spans": spans,
        "alert": f"{notice.as_json()}",
        "log": written.getvalue(),
        "no": refusal,
    }
    found_in = {(place, word) for place, text in shown.items() for word in WORDS if word in text}
    assert found_in == set()
    assert all(shown.values())
    assert Counter(span.name for span in exporter.get_finished_spans())["attempt"] == 2
