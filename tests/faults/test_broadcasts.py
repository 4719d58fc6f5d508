"""kill -9 during a broadcast to many: each contact gets one message, or one more for each try that had no answer."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import asynccontextmanager
from itertools import count
from statistics import median, quantiles
from typing import TYPE_CHECKING

import pytest

from bridge.cli.composing import Running, portions
from bridge.cli.control import Control
from bridge.clock import SystemClock
from bridge.config.load import load_config
from bridge.emulation.faults import Faults
from bridge.engine.broadcasts.composing import Composer, Row
from bridge.store.broadcasts import Bounds, BroadcastState, RecipientState
from bridge.store.opening import open_reader, open_store
from tests.faults.fleet import Fleet
from tests.faults.harness import SECRETS, Gateways
from tests.faults.traffic import traffic
from tests.support.postgres import new_database, plain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from bridge.cli.composing import Composes
    from bridge.store.broadcasts import Broadcast, Counts
    from tests.faults.harness import Home
    from tests.faults.traffic import Traffic

FIVE_PERCENT = Faults(delay_ms=20, drop=0.01, fail={"500": 0.04})
STOP = {"THREADBRIDGE_CONSENT__STOP": '["stop"]'}


async def make(composes: Composes, contacts: int, bounds: Bounds) -> str:
    """A broadcast that is started."""
    begun = await composes.begin(
        *("shop", {"kind": "text", "text": "Hello {name}"}),
        channel="whatsapp",
        at=None,
        bounds=bounds,
        title="",
        columns=["name"],
    )
    rows = [Row(number, f"+62815{number:08}", {"name": f"Ann {number}"}) for number in range(1, contacts + 1)]
    for portion in portions(rows):
        assert await composes.add(begun, portion) == []
    assert await composes.start(begun)
    return begun


async def begin(home: Home, contacts: int, bounds: Bounds = Bounds()) -> str:  # noqa: B008 - a value
    """A broadcast that a running bridge begins."""
    making = make(Running(Control(home.store)), contacts, bounds)
    return await asyncio.to_thread(asyncio.run, making)  # a request blocks, and the gateway is in this process


async def standing(home: Home, broadcast_id: str) -> tuple[Broadcast, Counts]:
    """How far it is, as a command sees it beside the bridge."""
    store = await open_reader(home.database if isinstance(home, Fleet) else f"sqlite:///{home.store}")
    try:
        broadcast = await store.broadcast(broadcast_id)
        assert broadcast is not None
        return broadcast, await store.broadcast_counts(broadcast_id)
    finally:
        await store.close()


async def come(home: Home, broadcast_id: str, where: Callable[[Broadcast, Counts], bool], seconds: float) -> None:
    """Wait until a broadcast is where it is to be; it happens in another process, so it is looked for."""
    async with asyncio.timeout(seconds):
        while True:
            if where(*await standing(home, broadcast_id)):
                return
            await asyncio.sleep(0.05)


def reaches(contacts: int) -> Callable[[Broadcast, Counts], bool]:
    """Whether so many contacts have the message."""
    return lambda _, counts: counts.reached >= contacts


def is_over(broadcast: Broadcast, _: Counts) -> bool:
    """Whether it does not run any more."""
    return broadcast.state is not BroadcastState.RUNNING


class Replies:
    """Contacts who write all the time; how long each waited for the reply."""

    def __init__(self, gateways: Gateways, talk: Traffic) -> None:
        self._talk = talk
        self._posted: dict[str, float] = {}
        self.seconds: list[float] = []
        handle = gateways.konnek.handle

        def noting(request: object) -> object:
            text = (request.body or b"").decode()  # type: ignore[attr-defined] # a Request
            if "ping " in text and (at := self._posted.pop(text.split("ping ")[1].split("|")[0], None)) is not None:
                self.seconds.append(asyncio.get_running_loop().time() - at)
            return handle(request)  # type: ignore[arg-type] # as above

        gateways.konnek.handle = noting  # type: ignore[method-assign, assignment] # to listen
        self._numbers = count()

    @asynccontextmanager
    async def coming(self, every: float) -> AsyncIterator[None]:
        """A contact writes every so many seconds."""

        async def write() -> None:
            while True:
                number = next(self._numbers)
                self._posted[str(number)] = asyncio.get_running_loop().time()
                await self._talk.say("shop", f"62819{number % 50:08}", f"ping {number}")
                await asyncio.sleep(every)

        task = asyncio.create_task(write())
        try:
            yield
        finally:
            task.cancel()

    async def of(self, seconds: float) -> tuple[float, float]:
        """The median wait in a span of time, and that of which 19 of 20 are shorter, in milliseconds."""
        self.seconds.clear()
        async with self.coming(0.1):
            await asyncio.sleep(seconds)
        return 1000 * median(self.seconds), 1000 * quantiles(self.seconds, n=20)[-1]


async def killed(folder: Path, contacts: int, kills: int, report: Callable[[str], None], *, limit: float) -> None:
    dice = random.Random(20261129)
    async with Gateways(faults=FIVE_PERCENT, honours_keys=False).listening() as gateways:
        home = gateways.home(folder)
        async with traffic(home, gateways):
            try:
                await home.ready(home.start())
                loop = asyncio.get_running_loop()
                begun, began = await begin(home, contacts), loop.time()
                progress = []
                for kill in range(1, kills + 1):
                    await come(home, begun, reaches(contacts * kill // (kills + 2)), limit)
                    await asyncio.sleep(dice.uniform(0.0, 0.3))
                    home.kill()
                    before = (await standing(home, begun))[1]
                    await home.ready(home.start())
                    after = (await standing(home, begun))[1]
                    assert after.total == contacts
                    assert after.open <= before.open
                    progress.append(contacts - after.open)
                await come(home, begun, is_over, limit)
                broadcast, counts = await standing(home, begun)
                seconds = loop.time() - began
                await home.settled()
            finally:
                home.kill()
    assert (broadcast.state, counts.open) == (BroadcastState.DONE, 0)
    seen = Counter(message.conversation_id for message in gateways.konnek.seen)
    assert counts.reached == contacts == len(seen)
    repeated = seen.total() - contacts
    assert repeated <= counts.unanswered
    assert progress == sorted(progress)
    report(
        f"{contacts} contacts, {kills} kills: each has the message, {repeated} of them twice after "
        f"{counts.unanswered} tries without an answer; {contacts / seconds:.0f} contacts/s"
    )


async def test_a_broadcast_survives_kills(tmp_path: Path, report: Callable[[str], None]) -> None:
    await killed(tmp_path, 300, 2, report, limit=60)


@pytest.mark.soak
async def test_a_broadcast_to_a_hundred_thousand_survives_ten_kills(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    await killed(tmp_path, 100_000, 10, report, limit=3600)


async def test_several_bridges_on_postgresql_send_it_once_though_each_is_killed(
    tmp_path: Path, report: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    url = await asyncio.to_thread(new_database, "broadcast")
    async with Gateways(delay_ms=20, honours_keys=False).listening() as gateways:
        fleet = Fleet(tmp_path, shop=gateways.shop.url, relay=gateways.relay.url)
        fleet.database = url
        fleet.environment |= {
            "THREADBRIDGE_STORAGE__URL": plain(url),
            "THREADBRIDGE_STORAGE__DURABILITY": "relaxed",
        }
        fleet.begin(2)
        async with fleet.flying():
            store = await open_store(fleet.database)
            try:
                accounts = load_config(fleet.folder / "threadbridge.toml").accounts
                begun = await make(Composer(store, accounts, SystemClock(), lambda: "b" * 10), 300, Bounds())
            finally:
                await store.close()
            for number in range(2):
                await come(fleet, begun, reaches(50 + 80 * number), 60)
                process = fleet.slots[number]
                assert process is not None
                process.kill()
            await come(fleet, begun, is_over, 120)
            broadcast, counts = await standing(fleet, begun)
    seen = Counter(message.conversation_id for message in gateways.konnek.seen)
    assert (broadcast.state, counts.reached, len(seen)) == (BroadcastState.DONE, 300, 300)
    repeated = seen.total() - 300
    assert repeated <= counts.unanswered
    report(f"300 contacts, 2 bridges, each killed once: {repeated} repeated, {counts.unanswered} without an answer")


async def test_a_broadcast_stops_itself_where_contacts_opt_out(tmp_path: Path) -> None:
    async with Gateways().listening() as gateways:
        home = gateways.home(tmp_path)
        home.environment.update(STOP)
        async with traffic(home, gateways) as talk:
            try:
                await home.ready(home.start())
                begun = await begin(home, 600, Bounds(0.05, 0.03, 50))
                asked: set[str] = set()
                while (await standing(home, begun))[0].state is BroadcastState.RUNNING:
                    for number, message in enumerate([*gateways.konnek.seen]):
                        if number % 12 == 0 and message.conversation_id not in asked:  # 8 %
                            asked.add(message.conversation_id)
                            await talk.say("shop", message.conversation_id, "stop")
                    await asyncio.sleep(0.02)
                broadcast, counts = await standing(home, begun)
            finally:
                home.kill()
    assert broadcast.state is BroadcastState.PAUSED
    assert "opted out" in broadcast.reason
    assert counts.of(RecipientState.WAITING) > 0


@pytest.mark.soak
async def test_replies_overtake_a_broadcast(tmp_path: Path, report: Callable[[str], None]) -> None:
    async with Gateways(delay_ms=20).listening() as gateways:
        home = gateways.home(tmp_path)
        async with traffic(home, gateways) as talk:
            try:
                await home.ready(home.start())
                replies = Replies(gateways, talk)
                await replies.of(3.0)
                alone = await replies.of(10.0)
                begun = await begin(home, 6_000)
                beside = await replies.of(10.0)
                broadcast, counts = await standing(home, begun)
                assert broadcast.state is BroadcastState.RUNNING
            finally:
                home.kill()
    report(
        f"replies, median and 95th percentile: {alone[0]:.1f} and {alone[1]:.1f} ms alone, {beside[0]:.1f} and "
        f"{beside[1]:.1f} ms beside a broadcast of {counts.reached / 10:.0f} contacts/s"
    )
    assert beside[0] < 1.2 * alone[0]
