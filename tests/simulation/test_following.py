"""Whole bridges whose conversations somebody follows: each fact is told, in order, whatever goes wrong on the way."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import orjson
import pytest
from pydantic import SecretStr

from bridge import Router, Turn
from bridge.store.following import TYPES
from bridge.testing.world import World
from bridge.units import SECOND, micros
from bridge.web.api.document import document
from bridge.web.api.events import MODELS
from tests.support.worlds import ALL, LASTING, counting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PRESENT: Any = object()


def said(world: World, contact: str) -> list[str]:
    """What a follower was told of a conversation, without what it was told again."""
    told: list[str] = []
    for event in world.events:
        data = event["data"]
        if data["thread"]["conversation"] == contact and "message" in data:
            line = f"{event['type']} {data['message']['content']['text']}"
            if line not in told:
                told.append(line)
    return told


async def followed(world: World) -> None:
    """Two people talk; what is told of each is in the order in which it became true."""
    ann, bob = (world.contact("konnek", "whatsapp", name) for name in ("ann", "bob"))
    for text in "abc":
        await ann.says(text)
        await bob.says(text)
    await world.settle()
    for contact in (ann, bob):
        assert contact.texts == ["1: a", "2: b", "3: c"], contact.phone()
        told = said(world, contact.address)
        assert [line for line in told if line.startswith("message.received")] == [
            f"message.received {text}" for text in "abc"
        ]
        assert [line for line in told if line.startswith("message.sent")] == [
            f"message.sent {text}" for text in contact.texts
        ]
        for answer, text in zip(contact.texts, "abc", strict=True):
            assert told.index(f"message.received {text}") < told.index(f"message.sent {answer}")


async def test_a_test_sees_what_followers_are_told() -> None:
    with World(counting(), events=True) as world:
        await followed(world)
        assert len(world.events) == 12


async def test_without_followers_nobody_is_told() -> None:
    with World(counting()) as world:
        await world.contact("konnek", "whatsapp", "ann").says("a")
        await world.settle()
        assert world.events == []


@pytest.mark.parametrize("faults", [ALL, LASTING], ids=["of a moment", "lasting"])
async def test_whatever_goes_wrong_each_fact_is_told_in_order(faults: Sequence[str]) -> None:
    world = World(counting(), events=True)
    await world.explore(followed, seeds=60, faults=faults)


async def test_a_follower_that_is_away_holds_up_no_answer_and_is_told_later() -> None:
    with World(counting(), events=True) as world:
        world.down("events")
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("a")
        await world.until(lambda: bool(ann.texts))
        assert ann.texts == ["1: a"]
        assert world.events == []
        world.up("events")
        await world.settle()
        assert [event["type"] for event in world.events] == ["message.received", "message.sent"]


async def test_one_event_that_is_never_taken_becomes_a_dead_letter_and_the_next_go_on() -> None:
    events = {
        "give_up_after": "1h",
        "webhooks": [{"url": "https://crm.example/hook", "secret": SecretStr(f"whsec_{'A' * 32}"), "name": "crm"}],
    }
    with World(counting(), settings={"events": events}) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        world.down("events")
        begins = world.now
        await ann.says("a")
        await world.advance("2h")
        letters = await world.inside(world.bridge.store.dead_letters(account=":events:crm"))
        assert {letter.kind for letter in letters} == {"raw"}
        assert all(letter.at - micros(begins) < 3700 * SECOND for letter in letters), "each counts from its own time"
        assert len(letters) == 2
        world.up("events")
        await ann.says("b")
        await world.settle("1d")
        assert said(world, ann.address) == ["message.received b", "message.sent 2: b"]
        for letter in sorted(letters, key=lambda letter: letter.at):
            assert await world.inside(world.bridge.parts.letters.replay(letter.id))
        await world.settle("1d")
        assert {event["type"] for event in world.events[2:]} == {"message.received", "message.sent"}
        assert len(world.events) == 4


def keys(value: object) -> object:
    """The names in a JSON value, without what they name."""
    if isinstance(value, dict):
        return {name: _PRESENT if name == "content" else keys(inner) for name, inner in value.items()}
    return _PRESENT


async def test_every_event_is_as_the_api_documents_it() -> None:
    router = Router("all")

    @router.message(text="help")
    async def give(turn: Turn[Any]) -> str:
        turn.handoff("she asked")
        return "one moment"

    @router.message(text="boom")
    async def fail(turn: Turn[Any]) -> None:
        raise ValueError(turn.event.text)

    @router.message(text="out")
    async def out(turn: Turn[Any]) -> None:
        turn.contact.opt_out()

    @router.message(text="in")
    async def back(turn: Turn[Any]) -> str:
        turn.contact.opt_in()
        return "welcome"

    @router.default()
    async def hello(turn: Turn[Any]) -> str:
        return f"hello {turn.event.text}"

    with World(router, events=True) as world:
        ann = world.contact("whautochat", "whatsapp", "ann")
        for text in ("hi", "boom", "out", "in", "help"):
            await ann.says(text)
            await world.settle()
        await world.agent(ann).says("it is me")
        await world.settle()
        await world.hand_over(ann, None)
        await world.settle()
        seen = {event["type"]: event for event in world.events}
        for kind, event in seen.items():
            check(kind, event)
        assert set(TYPES) - seen.keys() <= {
            *("message.delivered", "message.read", "message.failed", "contact.merged", "contact.unmerged")
        }


@cache
def published() -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads(document())
    return read


def check(kind: str, event: Mapping[str, Any]) -> None:
    dumped = MODELS[kind].model_validate(event).model_dump(mode="json")
    assert keys(dumped) == keys(dict(event)), kind
    whole = published()
    described = whole["webhooks"][kind]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = {**described, "components": whole["components"]}
    assert jsonschema_rs.validator_for(schema).is_valid(dict(event)), kind
    assert not jsonschema_rs.validator_for(schema).is_valid({**event, "type": "message.recieved"}), kind
