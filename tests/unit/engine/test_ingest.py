"""Event keys at the door: whatever a gateway calls its events, none of their keys can be one of the bridge's own."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import Router, Timer, Turn
from bridge.engine.handoff import Handoffs
from bridge.engine.ingest import arrivals_asked_for, arrivals_of, event_key
from bridge.events import Contact, Echo, Message, Unrecognised, decode_event
from bridge.providers.optional import Polled
from bridge.providers.port import Webhook
from bridge.store.admission import OWN_KEYS
from bridge.store.lifecycle import InboxState
from bridge.strict_json import read_object
from bridge.testing.blueprint import PROVIDERS, blueprint_of
from bridge.testing.contract.store.desk import Desk
from bridge.testing.loop import START
from bridge.units import moment
from tests.support.manual_clock import ManualClock
from tests.support.turn_engine import turns
from tests.support.worlds import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.events import Event
    from bridge.providers.port import Inbound, Provider
    from bridge.store.records import Arrival

PLAN: Final = blueprint_of(None)
NAMES = [
    *OWN_KEYS,
    *(f"{each}7" for each in OWN_KEYS),
    "gateway:timer:7",
    "gateway:gateway:timer:7",
    "timer",
    "x:timer:7",
]
ABOUT: Final[dict[str, Any]] = {"id": "1", "contact": Contact(id="ann"), "at": moment(START)}


class Says:
    """Stands for a provider: its webhooks hold what it is told to."""

    name = "says"

    def __init__(self, *inbound: Inbound) -> None:
        self._inbound = inbound

    def parse(self, _webhook: Webhook) -> Sequence[Inbound]:
        return self._inbound


def webhook(body: bytes, channel: str | None = None) -> Webhook:
    return Webhook(channel=channel, body=body, json=read_object(body), received_at=START)


def arrivals(provider: Provider | Says, told: Webhook) -> list[Arrival]:
    return arrivals_of("shop", provider, told, lambda _: True)  # type: ignore[arg-type] # parse() is all that is asked


def heard_from(provider: str) -> tuple[Provider, Webhook, Inbound]:
    """A message as the provider posts it, and what it brings."""
    channel = dict(CHANNELS)[provider]
    emulator = PLAN.emulator(provider, lambda: START, Random(0))
    hook = emulator.says(channel, PLAN.address(provider, channel, "ann"), "hello")
    told = webhook(hook.body, hook.channel)
    found = PLAN.config.accounts[provider].provider
    (inbound,) = found.parse(told)
    return found, told, inbound


@pytest.mark.parametrize("name", ["timer:7", "by hand:x", "quarantine:x", "conflict:x#0", "replayed:7:x", "gateway:x"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_providers_event_can_have_a_key_of_ours(provider: str, name: str) -> None:
    found, told, inbound = heard_from(provider)
    of_gateway = inbound.former_keys[0] if inbound.former_keys else inbound.key
    renamed = webhook(told.body.replace(of_gateway.encode(), name.encode()), told.channel)
    (arrival,) = arrivals(found, renamed)
    assert arrival.state is InboxState.OPEN
    assert not arrival.key.startswith(OWN_KEYS)
    assert arrival.former_keys == (f"gateway:{name}",)


@pytest.mark.parametrize(("provider", "name"), [("aelyst", "event_id"), ("whautochat", "id")])
def test_two_webhooks_of_a_gateway_tell_one_message_under_one_key(provider: str, name: str) -> None:
    found, told, inbound = heard_from(provider)
    (event_id,) = inbound.former_keys
    second = webhook(told.body.replace(f'"{name}":"{event_id}"'.encode(), f'"{name}":"second"'.encode()), told.channel)
    assert second.body != told.body
    (one,), (other,) = arrivals(found, told), arrivals(found, second)
    assert (one.key, one.encoded) == (other.key, other.encoded)


def test_an_event_key_holds_its_conversation() -> None:
    _, told, inbound = heard_from("konnek")
    places = [("a", "+62819"), ("a/b", "c"), ("a", "b/c"), ("ab", "c")]
    two = [replace(inbound, key="42", channel=channel, conversation_id=name) for channel, name in places]
    keys = {arrival.key for arrival in arrivals(Says(*two), told)}
    assert len(keys) == len(places)
    assert not any("62819" in key for key in keys), "keys are logged"
    assert {arrival.former_keys for arrival in arrivals(Says(*two), told)} == {("42",)}


@pytest.mark.parametrize("text", ["", " \n", "\u200b", "\u2800"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_blank_text_is_no_text(provider: str, text: str) -> None:
    _, told, inbound = heard_from(provider)
    blank = replace(inbound, event=replace(inbound.event, text=text))  # type: ignore[call-arg] # a message
    (arrival,) = arrivals(Says(blank), told)
    assert isinstance(arrival.event, Message)
    assert (arrival.event.kind, arrival.event.text, arrival.state) == ("unknown", text, InboxState.OPEN)
    assert decode_event("message", arrival.encoded) == arrival.event


@pytest.mark.parametrize(
    ("event", "wanted", "state"),
    [
        (Unrecognised(type="sticker", **ABOUT), "wanted", InboxState.OPEN),
        (Unrecognised(type="sticker", **ABOUT), "", InboxState.QUARANTINED),
        (Echo(text="hi", **ABOUT), "wanted", InboxState.OPEN),
        (Echo(text="hi", **ABOUT), "", InboxState.DONE),
        (Echo(text="hi", human=True, **ABOUT), "", InboxState.OPEN),
        (Message(text="hi", **ABOUT), "", InboxState.OPEN),
    ],
    ids=lambda each: getattr(each, "tag", each),
)
def test_what_no_rule_takes_is_recorded_and_what_nobody_understands_is_shown(
    event: Event, wanted: str, state: InboxState
) -> None:
    _, told, inbound = heard_from("konnek")
    says = Says(replace(inbound, event=event))
    (arrival,) = arrivals_of("shop", says, told, lambda _: bool(wanted))  # type: ignore[arg-type] # as above
    assert arrival.state is state
    assert arrival.reason == ("an event of the unknown kind 'sticker'" if state is InboxState.QUARANTINED else "")


def test_what_is_asked_for_has_the_same_key_as_what_is_posted() -> None:
    _, told, inbound = heard_from("konnek")
    inbound = type(inbound)(key="timer:7", channel="whatsapp", conversation_id="ann", event=inbound.event)
    (posted,) = arrivals(Says(inbound), told)
    (asked,) = arrivals_asked_for("shop", "konnek", Polled(inbound=[inbound]), lambda _: True, START)
    assert posted.key == asked.key == event_key("whatsapp", "ann", "timer:7")


@given(st.lists(st.sampled_from(NAMES) | st.text(min_size=1, max_size=9), min_size=2, max_size=9, unique=True))
def test_two_keys_of_a_gateway_stay_two(names: list[str]) -> None:
    _, told, inbound = heard_from("konnek")
    named = [type(inbound)(key=name, channel="x", conversation_id="ann", event=inbound.event) for name in names]
    keys = [each.key for each in arrivals(Says(*named), told) if each.state is InboxState.OPEN]
    storable = [name for name in names if "\0" not in name]
    assert len({*keys}) == len(keys) == len(storable)
    assert not any(key.startswith(tuple(each for each in OWN_KEYS if each != "gateway:")) for key in keys)


async def test_every_key_that_is_made_here_is_known_as_ours() -> None:
    desk = await Desk("sqlite://").open()
    (row,) = await desk.hear("1")
    await Handoffs(desk.store, ManualClock()).hand_off(row.thread_id, "")
    unmapped = arrivals(PLAN.config.accounts["konnek"].provider, webhook(b'{"no": "event"}', "whatsapp"))
    made = [*(each.key for each in unmapped), desk.told.events[-1].key]
    assert [next(own for own in OWN_KEYS if key.startswith(own)) for key in made] == ["quarantine:", "by hand:"]
    await desk.store.close()


def remind(_turn: Turn[Timer]) -> str:
    return "a timer"


async def test_messages_that_are_named_like_timers_take_no_timers_place() -> None:
    router = Router()

    @router.message(text="remind")
    async def set_one(turn: Turn[Any]) -> None:
        turn.after(60, remind)

    @router.default()
    async def other(turn: Turn[Any]) -> str:
        return f"heard {turn.event.text}"

    async with turns(router) as world:
        await world.heard("remind", "m-1")
        for number in range(9):
            await world.heard(f"{number}", f"timer:{number}")
        world.clock.advance(120)
        await world.settle()
        await world.store.fire_timers(world.clock.now(), 10)
        await world.settle()
        assert await world.said() == [*(f"heard {number}" for number in range(9)), "a timer"]
        assert await world.reasons() == []
