"""Alerts: told once for many, told when over, never more than one of a kind in a period, and beside all traffic."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pytest
from structlog.testing import capture_logs

from bridge import Message, Router, Turn
from bridge.app.telemetry import source_of
from bridge.config.telemetry import Alerts
from bridge.errors import HandlerError
from bridge.telemetry.alerting import Alerting
from bridge.telemetry.findings import Finding, Kind
from bridge.telemetry.grouping import GATHER, Grouping, Notice
from bridge.telemetry.sources import Sources
from bridge.testing import World
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bridge.engine.dead_letters import Letters

URL: Final = "https://chat.example/hooks/T0K3N-canary"
PERSONAL: Final = "call me at +6281234500099"


def bot() -> Router:
    router = Router("bot")

    @router.message(regex="^break")
    async def fail(turn: Turn[Message]) -> None:
        raise HandlerError(turn.event.text)

    @router.message()
    async def answer(_: Turn[Message]) -> str:
        return "Thank you for your message, we will write soon."

    return router


class Phone:
    """Who is told."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    async def tell(self, notice: Notice) -> None:
        self.notices.append(notice)

    def told(self) -> list[list[str]]:
        """The lines of each notice since this was asked last, without its title."""
        found = [notice.text.split("\n")[1:] for notice in self.notices]
        self.notices.clear()
        return found


class Watch:
    """A world whose bridge is watched every ten seconds."""

    def __init__(self, world: World, **bounds: Any) -> None:
        self.world, self.phone, self.free = world, Phone(), 10 << 30
        self.duty = True
        self.stores = True
        self._bounds = Alerts.model_validate({"urls": [URL], **bounds})
        self._made: Alerting | None = None

    @property
    def bridge(self) -> Any:
        return self.world.bridge

    def _alerting(self) -> Alerting:
        if self._made is None:
            sources = Sources(lambda: [source_of(self.bridge)], self._takes, self.bridge.clock, lambda _: self.free)
            self._made = Alerting(self._bounds, sources, "bot.example.org", Counter(), lambda _: self.phone)
        return self._made

    async def _takes(self) -> bool:
        return self.stores

    async def passes(self, seconds: int) -> None:
        """Time passes, and somebody looks every ten seconds."""
        for _ in range(seconds // 10):
            await self.world.inside(self._looked())
            then = self.world.now + timedelta(seconds=10)
            await self.world.until(partial(self._is_past, then))
            if self.world.now < then:
                await self.world.advance(then - self.world.now)

    def _is_past(self, then: datetime) -> bool:
        return self.world.now >= then

    async def _looked(self) -> None:
        await self._alerting().look()


@pytest.fixture
def watch() -> Iterator[Watch]:
    with World(bot(), accounts={"ginalne": {"token_expires": "2025-10-19"}}) as world:
        yield Watch(world)


async def breaks(watch: Watch, account: str, count: int) -> None:
    ann = watch.world.contact(account, "whatsapp", "ann")
    for _ in range(count):
        await ann.says(f"break {PERSONAL}")


async def test_many_dead_letters_are_one_notice_and_more_of_them_wait_for_the_period(watch: Watch) -> None:
    await watch.passes(20)
    await breaks(watch, "konnek", 3)
    await breaks(watch, "whautochat", 1)
    await watch.passes(60)
    (told,) = watch.phone.told()
    assert told == [
        "- dead letters at konnek: 3; `threadbridge dead list` shows them (3 new)",
        "- dead letters at whautochat: 1; `threadbridge dead list` shows them (1 new)",
    ]
    await breaks(watch, "konnek", 2)
    await watch.passes(800)
    assert watch.phone.told() == []
    await watch.passes(100)
    assert watch.phone.told() == [["- dead letters at konnek: 5; `threadbridge dead list` shows them (2 new)"]]
    await watch.passes(3600)
    assert watch.phone.told() == []


async def test_dead_letters_that_are_dealt_with_are_over(watch: Watch) -> None:
    await watch.passes(20)
    await breaks(watch, "konnek", 2)
    await watch.passes(60)
    assert len(watch.phone.told()) == 1

    async def drop() -> None:
        letters: Letters = watch.bridge.parts.letters
        for letter in await watch.bridge.store.dead_letters():
            assert await letters.drop(letter.id)

    await watch.world.inside(drop())
    await watch.passes(1000)
    assert watch.phone.told() == [["- over: no dead letters wait at konnek any more"]]


async def test_what_was_there_before_is_no_news(watch: Watch) -> None:
    await breaks(watch, "konnek", 2)
    await watch.world.settle()
    await watch.passes(3600)
    assert watch.phone.told() == []


async def test_fewer_dead_letters_than_the_bound_are_not_told() -> None:
    with World(bot()) as world:
        watch = Watch(world, dead_letters=3)
        await watch.passes(20)
        await breaks(watch, "konnek", 2)
        await watch.passes(60)
        assert watch.phone.told() == []
        await breaks(watch, "konnek", 1)
        await watch.passes(60)
        assert len(watch.phone.told()) == 1


async def test_an_account_that_is_paused_is_told_with_its_backlog_and_both_are_told_when_over(watch: Watch) -> None:
    ann = watch.world.contact("konnek", "whatsapp", "ann")
    watch.world.down("konnek")
    await ann.says("hello")
    await watch.passes(400)
    paused, backlog = watch.phone.told()
    assert paused == ["- the gateway takes nothing of konnek since 2025-10-10 09:00 UTC; its messages wait"]
    assert backlog == ["- konnek has a backlog since 2025-10-10 09:00 UTC; events: 0, messages: 1"]
    watch.world.up("konnek")
    await watch.passes(1200)
    over = [
        "- over: the gateway takes the messages of konnek again",
        "- over: nothing of konnek waits too long any more",
    ]
    assert sorted(line for told in watch.phone.told() for line in told) == sorted(over)


async def test_a_pause_that_passes_is_not_told(watch: Watch) -> None:
    ann = watch.world.contact("konnek", "whatsapp", "ann")
    watch.world.down("konnek")
    await ann.says("hello")
    await watch.passes(40)
    watch.world.up("konnek")
    await watch.passes(900)
    assert watch.phone.told() == []


async def test_a_token_is_told_a_week_before_it_ends(watch: Watch) -> None:
    await watch.passes(60)
    assert watch.phone.told() == []
    await watch.world.advance("2d")
    await watch.passes(60)
    assert watch.phone.told() == [["- the token of ginalne expires on 2025-10-19: a person has to renew it"]]


async def test_a_disk_that_fills_is_told_and_so_is_its_end() -> None:
    with World(bot(), settings={"storage": {"url": "sqlite:////nowhere/test.db"}}) as world:
        watch = Watch(world, period=60)
        watch.free = 100 << 20
        await watch.passes(60)
        assert watch.phone.told() == [["- the disk of the database has 100 MiB left, less than 512 MiB"]]
        watch.free = 1 << 30
        await watch.passes(120)
        assert watch.phone.told() == [["- over: the disk of the database has room again"]]


async def test_a_store_that_takes_nothing_is_told(watch: Watch) -> None:
    await watch.passes(20)
    watch.stores = False
    await watch.passes(60)
    assert watch.phone.told() == [["- nothing can be stored: webhooks are answered 503"]]
    watch.stores = True
    await watch.passes(1200)
    assert watch.phone.told() == [["- over: webhooks are stored again"]]


async def test_a_loop_that_is_held_is_told(watch: Watch) -> None:
    robot = watch.world.contact("konnek", "whatsapp", "robot")
    for _ in range(10):
        await robot.says("Thank you for your message, we will write soon.")
        await watch.world.advance("1s")
    await watch.passes(60)
    text = "- a conversation of konnek answered itself, and is held for a person (1 new)"
    assert watch.phone.told() == [[text]]
    await watch.passes(2000)
    assert watch.phone.told() == [["- over: no conversation of konnek was held for a loop lately"]]


async def test_each_kind_can_be_turned_off() -> None:
    with World(bot()) as world:
        watch = Watch(world, dead_letters=0, paused=0, backlog=0, token=0, disk=0, guard=False, store=False)
        await watch.passes(20)
        await breaks(watch, "konnek", 2)
        watch.free, watch.stores = 0, False
        watch.world.down("konnek")
        await world.contact("konnek", "whatsapp", "bob").says("hello")
        await watch.passes(900)
        assert watch.phone.told() == []


async def test_no_words_of_a_contact_are_told(watch: Watch) -> None:
    await watch.passes(20)
    with capture_logs() as log:
        await breaks(watch, "konnek", 2)
        await watch.passes(60)
    (notice,) = watch.phone.notices
    for word in ("+62812", "call me", "T0K3N"):
        assert word not in f"{notice.text} {notice.as_json()} {log}"


# The grouping alone


def finding(kind: Kind, account: str = "shop", count: int = 0) -> Finding:
    return Finding(kind=kind, account=account, text=f"{kind} at {account}", count=count)


def test_a_kind_is_told_once_in_a_period_however_it_flaps() -> None:
    grouping, told = Grouping("bot", 900, {}), []
    for second in range(0, 7200, 10):
        flaps = [finding(Kind.PAUSED)] if (second // 60) % 2 else []
        if grouping.due(flaps, second * SECOND):
            told.append(second)
    assert len(told) > 3
    assert all(later - earlier >= 900 for earlier, later in pairwise(told))


def test_kinds_that_come_within_moments_are_told_together() -> None:
    grouping = Grouping("bot", 900, {})
    assert grouping.due([finding(Kind.PAUSED)], 0) is None
    both = [finding(Kind.PAUSED), finding(Kind.BACKLOG)]
    assert grouping.due(both, GATHER - 1) is None
    notice = grouping.due(both, GATHER)
    assert notice is not None
    assert [kind for kind, _, _ in notice.firing] == [Kind.PAUSED, Kind.BACKLOG]
    assert notice.title == "threadbridge bot: alerts, 2 new"


def test_who_loses_the_duty_tells_of_no_end() -> None:
    grouping = Grouping("bot", 60, {})
    told = [finding(Kind.PAUSED), finding(Kind.GUARD, count=1)]
    grouping.due(told, 0)
    assert grouping.due(told, GATHER) is not None
    grouping.forget({Kind.GUARD})
    assert grouping.due([told[1]], 1000 * SECOND) is None


# The way of a notice
