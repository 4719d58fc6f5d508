"""Broadcasts in virtual time: one message a contact whatever goes wrong, and none where it must not leave."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from bridge import Router, Turn
from bridge.cli.contact_query import matching
from bridge.engine.broadcasts.composing import Row
from bridge.providers.konnek.emulator import Emulator as Konnek
from bridge.store.broadcasts import Bounds, BroadcastState
from bridge.testing import Contact, World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.store.broadcasts import Broadcast, Counts

NAMES: Final = tuple(f"c{number}" for number in range(40))
HELLO: Final = {"kind": "text", "text": "Hello {name}"}
EVENING: Final = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
router = Router("shop")


@router.default()
async def answer(_turn: Turn) -> str:
    return "thanks"


async def begin(world: World, names: Sequence[str] = NAMES, message: Mapping[str, Any] = HELLO, **options: Any) -> str:
    """A broadcast to contacts of Konnek on Telegram."""

    async def make() -> str:
        composer = world.bridge.parts.composer
        begun = await composer.begin("konnek", message, channel="telegram", **options)
        rows = [Row(number, name, {"name": name.title()}) for number, name in enumerate(names, 2)]
        assert await composer.add(begun, rows) == []
        assert await composer.start(begun)
        return begun

    return await world.inside(make())


async def reached(world: World, name: str) -> Contact:
    """A contact, once they have a message."""
    person = world.contact("konnek", "telegram", name)
    assert await world.until(lambda: bool(person.seen))
    return person


async def standing(world: World, begun: str) -> tuple[Broadcast, Counts]:
    async def look() -> tuple[Broadcast, Counts]:
        found = await world.bridge.store.broadcast(begun)
        assert found is not None
        return found, await world.bridge.store.broadcast_counts(begun)

    return await world.inside(look())


async def test_each_contact_has_the_message_with_its_own_columns() -> None:
    with World(router) as world:
        people = [world.contact("konnek", "telegram", name) for name in NAMES]
        begun = await begin(world)
        await world.settle()
        for person in people:
            person.saw_once(f"Hello {person.name.title()}")
        broadcast, counts = await standing(world, begun)
        assert (broadcast.state, counts.states) == (BroadcastState.DONE, {"sent": 40})


async def scenario(world: World) -> None:
    await world.contact("konnek", "telegram", "first").says("hi")
    await world.settle()
    world.emulator("konnek").seen.clear()
    begun = await begin(world, NAMES[:8], bounds=Bounds(at_least=1000))
    await world.settle()
    await world.advance("10min")
    broadcast, counts = await standing(world, begun)
    seen = [message.conversation_id for message in world.emulator("konnek").seen]
    assert {*seen} == {*NAMES[:8]}
    assert (broadcast.state, counts.reached) == (BroadcastState.DONE, 8)
    assert len(seen) - 8 <= counts.unanswered


@pytest.mark.parametrize("honours_keys", [True, False], ids=["deduped", "repeated"])
def test_crashes_and_faults_repeat_nothing_but_what_had_no_answer(*, honours_keys: bool) -> None:
    with World(router, honours_keys=honours_keys) as world:
        world.explore(scenario, seeds=40, faults={"crash", "lost_answer", "slow_store", "provider_down"})


async def test_a_message_for_each_gateway_and_channel_takes_the_closest() -> None:
    message = {
        "default": {"kind": "text", "text": "any {name}"},
        "konnek": {"kind": "text", "text": "konnek {name}"},
        "konnek:telegram": {"kind": "text", "text": "telegram {name}"},
    }
    with World(router) as world:
        person = world.contact("konnek", "telegram", "c0")
        await begin(world, ["c0"], message)
        await world.settle()
        person.saw_once("telegram C0")


async def test_a_contact_who_opted_out_gets_nothing() -> None:
    with World(router, settings={"consent": {"stop": ["stop"]}}) as world:
        ann = world.contact("konnek", "telegram", "c0")
        await ann.says("stop")
        await world.settle()
        begun = await begin(world, NAMES[:3])
        await world.settle()
        assert len(ann.texts) == 1
        _, counts = await standing(world, begun)
        assert counts.states == {"sent": 2, "refused": 1}


async def test_it_pauses_itself_when_too_many_opt_out_and_counts_anew_once_it_is_resumed() -> None:
    settings, accounts = {"consent": {"stop": ["stop"]}}, {"konnek": {"rate": "10/min"}}
    with World(router, settings=settings, accounts=accounts) as world:
        begun = await begin(world, bounds=Bounds(0.05, 0.2, 4))
        for name in NAMES[:4]:
            await (await reached(world, name)).says("stop")
        await world.advance("5min")
        broadcast, counts = await standing(world, begun)
        assert (broadcast.state, counts.opt_outs) == (BroadcastState.PAUSED, 4)
        assert broadcast.reason.startswith("4 of 8 contacts opted out")
        assert counts.states == {"sent": 8, "waiting": 32}
        assert await world.inside(world.bridge.parts.composer.start(begun))
        await world.advance("10min")
        broadcast, counts = await standing(world, begun)
        assert (broadcast.state, counts.states) == (BroadcastState.DONE, {"sent": 40})


async def test_it_pauses_itself_when_too_many_messages_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    with World(router) as world:
        emulator = world.emulator("konnek")
        assert isinstance(emulator, Konnek)
        monkeypatch.setattr(emulator, "handle", lambda _: emulator.refuse("400"))
        begun = await begin(world, bounds=Bounds(0.05, 0.03, 5))
        await world.advance("1min")
        broadcast, counts = await standing(world, begun)
        assert broadcast.state is BroadcastState.PAUSED
        assert "messages failed" in broadcast.reason
        assert counts.states["waiting"] > 0


async def test_a_conversation_that_a_person_has_is_left_to_them() -> None:
    with World(router) as world:
        ann = world.contact("konnek", "telegram", "c0")
        await ann.says("hi")
        await world.settle()
        await world.hand_over(ann, "mine")
        await world.settle()
        begun = await begin(world, ["c0", "c1"])
        await world.advance(2)
        broadcast, counts = await standing(world, begun)
        assert (broadcast.state, counts.states) == (BroadcastState.DONE, {"sent": 1, "refused": 1})
        assert ann.texts == ["thanks"]


async def test_a_pause_lets_what_is_on_the_wire_arrive_and_a_resume_goes_on() -> None:
    with World(router) as world:
        begun = await begin(world)
        assert await world.until(lambda: len(world.emulator("konnek").seen) > 3)
        assert await world.inside(world.bridge.parts.composer.pause(begun))
        await world.advance("1min")
        _, counts = await standing(world, begun)
        assert {*counts.states} == {"sent", "waiting"}
        assert counts.reached == len(world.emulator("konnek").seen)
        assert await world.inside(world.bridge.parts.composer.start(begun))
        await world.advance("1min")
        assert sorted(message.conversation_id for message in world.emulator("konnek").seen) == sorted(NAMES)


async def test_it_leaves_a_part_of_the_rate_to_replies() -> None:
    with World(router, accounts={"konnek": {"rate": "10/min"}}) as world:
        begun = await begin(world)
        await world.advance("50s")
        _, counts = await standing(world, begun)
        assert counts.reached == 8
        ann = world.contact("konnek", "telegram", "late")
        await ann.says("hi")
        assert await world.until(lambda: bool(ann.seen))
        assert (await standing(world, begun))[1].reached == 8


async def test_nothing_is_begun_in_quiet_hours() -> None:
    settings = {"consent": {"quiet_hours": "21:00-08:00", "timezone": "Asia/Jakarta"}}
    with World(router, settings=settings, at=EVENING) as world:
        person = world.contact("konnek", "telegram", "c0")
        begun = await begin(world, ["c0"])
        await world.advance("9h")
        assert (await standing(world, begun))[1].states == {"waiting": 1}
        await world.advance("2h")
        person.saw_once("Hello C0")


async def test_it_waits_for_its_time() -> None:
    with World(router, at=EVENING) as world:
        person = world.contact("konnek", "telegram", "c0")
        await begin(world, ["c0"], at=datetime(2026, 11, 30, 17, 0, tzinfo=UTC))
        await world.advance("119min")
        person.saw_nothing()
        await world.advance("2min")
        person.saw_once("Hello C0")


async def test_a_cancelled_one_is_over() -> None:
    with World(router, at=EVENING) as world:
        begun = await begin(world, ["c0"], at=datetime(2026, 11, 30, 17, 0, tzinfo=UTC))
        composer = world.bridge.parts.composer
        assert await world.inside(composer.cancel(begun))
        assert not await world.inside(composer.start(begun))
        await world.advance("1d")
        assert world.emulator("konnek").seen == []


async def test_known_contacts_are_asked_for_by_tags_and_fields() -> None:
    tagging = Router("tagging")

    @tagging.message(regex=r"^(?P<city>\S+)$")
    async def tag(turn: Turn, city: str) -> None:
        turn.contact.tags.add("vip")
        turn.contact.fields["city"] = city

    with World(tagging) as world:
        people = {}
        for number, (name, city) in enumerate((("ann", "Jakarta"), ("bob", "Bandung"), ("eve", "Jakarta"))):
            identities = {"phone": f"+62812000012{number:02}"}
            people[name] = world.contact("konnek", "telegram", name, identities=identities)
            await people[name].says(city)
        await world.settle()
        store = world.bridge.store
        asked = await world.inside(matching(store, "konnek", None, ["vip"], {"city": "Jakarta"}))
        assert [row.columns["city"] for row in asked.rows] == ["Jakarta", "Jakarta"]
        assert (await world.inside(matching(store, "konnek", None, ["none"], {}))).rows == []
        assert (await world.inside(matching(store, "konnek", "whatsapp", [], {}))).rows == []

        async def send() -> None:
            composer = world.bridge.parts.composer
            begun = await composer.begin("konnek", {"kind": "text", "text": "News from {city}"})
            assert await composer.add(begun, asked.rows) == []
            assert await composer.start(begun)

        await world.inside(send())
        await world.settle()
        for name in ("ann", "eve"):
            people[name].saw_once("News from Jakarta")
        people["bob"].saw_nothing()
