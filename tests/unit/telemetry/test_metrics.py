"""Metrics: exact after what happened, on both stores, under labels that no peer can make up, and without secrets."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiohttp import ClientSession
from prometheus_client import REGISTRY
from prometheus_client.openmetrics import parser as openmetrics
from pydantic import SecretStr

from bridge import Contact, Message, Router, Text, ThreadRef, Turn, Unrecognised
from bridge.emulation.server import EmulatorServer
from bridge.engine.counters import MESSAGE_OUTCOMES, TURN_OUTCOMES, Counters
from bridge.errors import HandlerError
from bridge.store.lifecycle import InboxState
from bridge.store.measures import Histogram
from bridge.store.records import Arrival, Receipt
from bridge.telemetry.families import EXTENSIONS, FAMILIES
from bridge.testing import World
from bridge.units import SECOND, moment
from tests.support.postgres import empty_store, plain
from tests.support.scraping import Scraped, scrape
from tests.support.whole_bridges import (
    SECRET,
    SHOP,
    SHOP_HOOK,
    accounts,
    body,
    configuration,
    emulators,
    konnek_text,
    served,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.whole_bridges import Served

ANN: Final = "6281234500099"
TEXT: Final = "my card is 4000 0012 3456 7899"
START_OF_TIME: Final = moment(0)
TOKEN: Final = "a-token-for-prometheus-1"


def bot() -> Router:
    router = Router("bot")

    @router.message(text="break")
    async def fail(turn: Turn[Message]) -> None:
        raise HandlerError(turn.event.text)

    @router.message()
    async def answer(turn: Turn[Message]) -> str:
        return f"heard {turn.event.text}"

    return router


class Watched:
    """A shop at an emulated gateway, that may be scraped."""

    def __init__(self, door: Served, session: ClientSession) -> None:
        self.bridge = door.bridge
        self.url = f"http://127.0.0.1:{door.port}"
        self._session = session

    async def post(self, value: object, path: str = SHOP_HOOK, headers: Any = SHOP) -> int:
        sent = {**headers, "Content-Type": "application/json"}
        async with self._session.post(self.url + path, data=body(value), headers=sent) as answer:
            status = answer.status
        await self.bridge.settle()
        return status

    async def ask(self, **headers: str) -> tuple[int, str]:
        async with self._session.get(f"{self.url}/metrics", headers=headers) as answer:
            return answer.status, await answer.text()

    async def scrape(self) -> Scraped:
        status, text = await self.ask()
        assert status == 200
        return Scraped(text)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/test.db" if request.param == "sqlite" else empty_store()


@pytest.fixture
async def watched(tmp_path: Path, url: str) -> AsyncIterator[Watched]:
    konnek, _ = emulators()
    stored = {"url": plain(url), **({"durability": "relaxed"} if url.startswith("postgresql") else {})}
    async with EmulatorServer(konnek) as gateway, ClientSession() as session:
        sections = {"telemetry": {"token": SecretStr(TOKEN)}, "accounts": accounts(gateway.url)}
        async with served({**configuration(tmp_path), **sections, "storage": stored}, bot()) as door:
            yield Watched(door, session)


async def happen(watched: Watched) -> None:
    """Three answers, a repetition, a conflict, a mistake, a webhook nobody understands, and three refusals."""
    for key in ("1", "2", "3", "3"):
        assert await watched.post(konnek_text(key, TEXT, ANN)) == 200
    assert await watched.post(konnek_text("3", "other words", ANN)) == 200
    assert await watched.post(konnek_text("4", "break", ANN)) == 200
    assert await watched.post({"what": TEXT}) == 200
    assert await watched.post(konnek_text("5"), headers={"Auth-username": "shop", "Auth-password": "wrong"}) == 401
    assert await watched.post(konnek_text("5"), headers={}) == 401
    assert await watched.post(konnek_text("5"), path=f"/webhooks/{ANN}/whatsapp") == 404


async def test_the_figures_are_those_of_what_happened(watched: Watched) -> None:
    await happen(watched)
    seen = await watched.scrape()
    assert seen.counts("webhooks_total", "account", "status") == {
        ("shop", "200"): 7,
        ("shop", "401"): 2,
        ("other", "404"): 1,
    }
    assert seen.counts("events_total", "account", "channel", "kind", "receipt") == {
        ("shop", "whatsapp", "message", "stored"): 4,
        ("shop", "whatsapp", "message", "repeated"): 1,
        ("shop", "whatsapp", "message", "conflict"): 1,
        ("shop", "other", "other", "quarantined"): 1,
    }
    assert seen.counts("turns_total", "account", "outcome") == {("shop", "done"): 3, ("shop", "dead"): 1}
    assert seen.value("turn_seconds_count", account="shop") == 4
    assert seen.counts("messages_total", "account", "outcome") == {("shop", "sent"): 3}
    assert seen.counts("attempts_total", "account", "outcome") == {("shop", "sent"): 3}
    assert seen.value("attempt_seconds_count", account="shop") == 3
    assert 0 < seen.value("attempt_seconds_sum", account="shop") < 30
    assert seen.counts("given_up_total", "account", "what") == {("shop", "event"): 1}
    assert seen.value("dead_letters", account="shop") == 3
    assert seen.value("backlog_events", account="shop") == 0
    assert seen.value("backlog_age_seconds", account="shop") == 0
    assert seen.value("store_commit_seconds_count") == seen.value("store_batch_units_count") > 9
    assert seen.value("store_batch_units_sum") >= seen.value("store_batch_units_count")
    assert seen.value("store_failed_total") == 0
    assert seen.value("ready") == seen.value("store_reached") == seen.value("processes") == 1
    assert {each.name for each in seen.samples} >= {"process_cpu_seconds_total", "process_resident_memory_bytes"}


async def test_every_name_that_is_documented_is_scraped_and_no_other(watched: Watched) -> None:
    await happen(watched)
    names = {each.name for each in (await watched.scrape()).samples if each.name.startswith("threadbridge_")}
    known = {f"{family.name}{extension}" for family in FAMILIES for extension in EXTENSIONS[family.kind]}
    sometimes = {"threadbridge_disk_free_bytes", "threadbridge_token_expiry_seconds", "threadbridge_alerts_total"}
    assert names <= known
    assert known - names <= sometimes


async def test_labels_take_their_values_from_closed_sets(watched: Watched) -> None:
    await happen(watched)
    closed = {
        "account": {"shop", "desk", "relay", "other"},
        "channel": {"whatsapp", "other"},
        "kind": {"message", "other"},
        "receipt": {"stored", "repeated", "conflict", "quarantined"},
        "outcome": {*TURN_OUTCOMES, *MESSAGE_OUTCOMES, "retried", "given_up"},
        "status": {"200", "401", "404"},
        "what": {"event", "message"},
        "guard": {"loop", "flood"},
    }
    seen = await watched.scrape()
    labels = {(name, value) for each in seen.samples for name, value in each.labels.items()}
    open_ones = {(name, value) for name, value in labels if name in closed and value not in closed[name]}
    assert not open_ones
    assert {name for name, _ in labels} == {*closed, "le", "version", "python"}
    for word in (ANN, TEXT, SECRET, TOKEN, "wrong", "Ann"):
        assert word not in seen.text


async def test_another_application_in_the_process_has_a_registry_of_its_own(watched: Watched) -> None:
    await watched.scrape()
    assert not [metric.name for metric in REGISTRY.collect() if metric.name.startswith("threadbridge")]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"X-Forwarded-Proto": "https"},
        {"Host": "bot.example.org"},
        {"Host": "bot.example.org:8080"},
        {"Host": "localhost", "Authorization": "Bearer wrong", "Via": "1.1 proxy"},
        {"Host": "bot.example.org", "Authorization": f"Basic {TOKEN}"},
        {"Host": "bot.example.org", "Authorization": "Bearer "},
    ],
    ids=["x-forwarded-for", "forwarded", "real-ip", "via", "proto", "host", "port", "token", "basic", "empty"],
)
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_who_comes_through_a_proxy_wants_the_token(watched: Watched, headers: dict[str, str]) -> None:
    status, text = await watched.ask(**headers)
    assert (status, "threadbridge_" in text) == (401, False)
    status, text = await watched.ask(**{**headers, "Authorization": f"Bearer {TOKEN}"})
    assert (status, "threadbridge_ready 1.0" in text) == (200, True)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1", "[::1]:8080"])
async def test_this_machine_needs_no_token(watched: Watched, host: str) -> None:
    assert (await watched.ask(Host=host))[0] == 200


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_who_asks_for_openmetrics_gets_it(watched: Watched) -> None:
    await happen(watched)
    _, text = await watched.ask(Accept="application/openmetrics-text; version=1.0.0")
    strict: Any = openmetrics.text_string_to_metric_families
    families = list(strict(text))
    assert len(families) == len({family.name for family in families}) > 25
    assert text.endswith("# EOF\n")


def test_what_a_peer_makes_up_takes_no_memory_and_is_no_label() -> None:
    counters = Counters({"shop": ("whatsapp",)})
    for number in range(100):
        counters.webhook(f"made-up-{number}", 404, known=False)
        ref = ThreadRef("shop", "aelyst", f"made-up-{number}", "ann")
        arrival = Arrival(
            account="shop",
            key=str(number),
            ref=ref,
            event=Unrecognised(id="1", contact=Contact(id="ann"), at=START_OF_TIME, type=f"made-up-{number}"),
            encoded=b"",
            raw=b"",
            state=InboxState.QUARANTINED,
            received_at=0,
        )
        counters.arrived([arrival], [Receipt.STORED])
    assert counters.webhooks == {("other", 404): 100}
    assert counters.events == {("shop", "other", "unrecognised", "quarantined"): 100}


def test_a_value_counts_for_the_first_bound_that_it_does_not_exceed() -> None:
    histogram = Histogram((1, 2))
    for value in (0, 1, 1.5, 2, 3):
        histogram.add(value)
    assert (histogram.counts, histogram.total) == ([2, 2, 1], 7.5)


# In worlds, whose time is exact


def windowed() -> Router:
    router = Router("windowed")

    @router.message(text="later")
    async def later(turn: Turn[Message]) -> None:
        turn.reply(Text("still there?", at=turn.event.at + timedelta(hours=25)))

    @router.message()
    async def answer(turn: Turn[Message]) -> str:
        return f"heard {turn.event.text}"

    return router


async def test_a_gateway_that_is_away_shows_as_a_pause_a_backlog_and_its_age() -> None:
    with World(windowed()) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        world.down("konnek")
        await ann.says("hello")
        await scrape(world)
        await world.until(lambda: bool(world.bridge.parts.delivery.workers["konnek"].paused))
        began = world.now
        await world.until(lambda: (world.now - began).total_seconds() >= 60)
        seen = await scrape(world)
        age = (world.now - began).total_seconds()
        assert seen.counts("account_paused", "account") == {"konnek": 1}
        assert seen.value("backlog_messages", account="konnek") == 1
        assert abs(seen.value("backlog_age_seconds", account="konnek") - age) < 1
        tries = seen.value("attempts_total", account="konnek", outcome="not sent")
        assert tries == seen.value("retries_total", account="konnek", what="message") > 3
        world.up("konnek")
        await world.settle()
        seen = await scrape(world)
        assert seen.counts("account_paused", "account") == {}
        assert seen.counts("messages_total", "account", "outcome") == {("konnek", "sent"): 1}
        assert seen.value("backlog_messages", account="konnek") == 0


async def test_a_message_that_the_window_keeps_from_leaving_shows_as_such() -> None:
    with World(windowed()) as world:
        await world.contact("konnek", "whatsapp", "ann").says("later")
        await world.advance("26h")
        seen = await scrape(world)
        assert seen.counts("messages_total", "account", "outcome") == {("konnek", "window"): 1}
        assert seen.counts("given_up_total", "account", "what") == {("konnek", "message"): 1}


async def test_a_message_to_who_opted_out_shows_as_a_matter_of_consent() -> None:
    with World(windowed(), settings={"consent": {"stop": ["stop"], "confirm": ""}}) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("stop")
        await world.settle()
        await world.send("konnek", ann.thread, "an offer")
        await world.settle()
        seen = await scrape(world)
        assert seen.counts("messages_total", "account", "outcome") == {("konnek", "consent"): 1}


async def test_a_loop_shows_as_a_hold_of_the_guard() -> None:
    router = Router("polite")

    @router.message()
    async def thank(_: Turn[Message]) -> str:
        return "Thank you for your message, we will write soon."

    with World(router) as world:
        robot = world.contact("konnek", "whatsapp", "robot")
        for _ in range(10):
            await robot.says("Thank you for your message, we will write soon.")
            await world.advance("1s")
        seen = await scrape(world)
        assert seen.counts("guard_total", "account", "guard") == {("konnek", "loop"): 1}
        assert seen.value("turns_total", account="konnek", outcome="guarded") >= 1


async def test_what_a_turn_takes_is_measured_on_the_clock_of_the_bridge() -> None:
    router = Router("slow")

    @router.message()
    async def slow(turn: Turn[Message]) -> str:
        await world.bridge.clock.sleep(7)
        return turn.event.text

    with World(router) as world:
        await world.contact("konnek", "whatsapp", "ann").says("hello")
        await world.settle()
        seen = await scrape(world)
        assert seen.value("turn_seconds_sum", account="konnek") == 7
        assert seen.value("turn_seconds_bucket", account="konnek", le="5.0") == 0
        assert seen.value("turn_seconds_bucket", account="konnek", le="10.0") == 1


async def test_a_token_that_a_person_renews_shows_when_it_ends() -> None:
    ends = {"ginalne": {"token_expires": "2025-10-12"}}
    with World(windowed(), accounts=ends) as world:
        await world.settle()
        seen = await scrape(world)
        left = seen.value("token_expiry_seconds", account="ginalne", token="configured")
        assert left == (2 * 86_400 * SECOND - 9 * 3600 * SECOND) / SECOND
