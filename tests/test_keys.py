"""Typed keys: packed, sealed for one conversation, received as what they were; and presses that are stale."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import Button, Buttons, Card, Cards, HandlerError, Key, Menu, Postback, Router, Row, Section, Text, Turn
from bridge.arrivals import arrivals_of
from bridge.clock import SECOND, micros
from bridge.events import Contact, ThreadRef, encode_event
from bridge.keys import LONGEST, PackedKey, as_text, pack, unpack
from bridge.messages import choices_of, decode_message, encode_message
from bridge.providers.port import Webhook
from bridge.seals import Seals
from bridge.store import ThreadRow
from bridge.stores import open_store
from tests.turns import turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from bridge.messages import Outgoing
    from bridge.store import Store
    from tests.turns import Turns

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW: Final = micros(NOON)
ANN: Final = ThreadRow(id=1, ref=ThreadRef("shop", "konnek", "telegram", "ann"))
BOB: Final = ThreadRow(id=2, ref=ThreadRef("shop", "konnek", "telegram", "bob"))


class Track(Key):
    no: int


class Refund(Key, name="r", expires="15min"):
    no: int
    why: str = ""


class Size(StrEnum):
    SMALL = "s"


class Rich(Key):
    """One field of each kind."""

    on: date
    price: Decimal
    size: Size
    tags: tuple[str, ...] = ()
    note: str | None = None


# Packing


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (Track(no=7), "Track[7]"),
        (Refund(no=-1, why='é"~#['), 'r[-1,"é\\"~#["]'),
        (
            Rich(on=date(2026, 1, 2), price=Decimal("1.50"), size=Size.SMALL, tags=("a", "b")),
            'Rich["2026-01-02","1.50","s",["a","b"],null]',
        ),
    ],
)
def test_a_key_is_packed_as_its_name_and_values_and_comes_back_equal(key: Key, text: str) -> None:
    assert pack(key) == text
    assert unpack(type(key), text) == key
    assert Button(key, "x") == Button(text, "x")
    assert as_text(key) == Row(key, "x").key == text


@given(no=st.integers(-(2**63), 2**63 - 1), why=st.text(max_size=50))
@settings(max_examples=100)
def test_any_value_comes_back(no: int, why: str) -> None:
    key = Refund(no=no, why=why)
    try:
        text = pack(key)
    except HandlerError:
        assert re.search("[\ud800-\udfff]", why)
    else:
        assert unpack(Refund, text) == key


@pytest.mark.parametrize(
    "text", ["", "Track", "Track[", "Track[]", 'Track["x"]', "Track[1,2]", "Track{}", "Tracks[1]", "r[1]", "Track[1]x"]
)
def test_a_text_that_does_not_fit_is_no_key(text: str) -> None:
    assert unpack(Track, text) is None


def test_a_key_packed_before_a_field_with_a_default_was_added_still_fits() -> None:
    assert unpack(Refund, "r[7]") == Refund(no=7)


def test_keys_are_immutable_and_their_names_are_keywords() -> None:
    with pytest.raises(AttributeError):
        Track(no=7).no = 8  # type: ignore[misc] # the mistake
    with pytest.raises(TypeError):
        Track(7)  # type: ignore[call-arg] # the mistake


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Button(Track(no="x"), "x"), "cannot be a key"),  # type: ignore[arg-type] # the mistake
        (lambda: Button(Refund(no=1, why="x" * LONGEST), "x"), f"a key may have {LONGEST}"),
        (lambda: type("Bad", (Key,), {}, name="a b"), "the name of a key is a plain name, not 'a b'"),
        (lambda: type("Bad", (Key,), {}, expires="soon"), "Bad: expires"),
        (lambda: type("Bad", (Key,), {}, expires=timedelta(0)), "good for a second at least"),
    ],
)
def test_a_key_that_cannot_work_is_refused_where_it_is_made(make: Callable[[], object], reason: str) -> None:
    with pytest.raises(HandlerError, match=reason):
        make()


# Seals


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await open_store("sqlite://")
    yield opened
    await opened.close()


@pytest.fixture
async def seals(store: Store) -> Seals:
    return await sealer(store)


async def sealer(store: Store, seed: int = 1) -> Seals:
    made = Seals(store, Random(seed))
    await made.start()
    return made


def key_in(messages: Any) -> str:
    return choices_of(messages[0])[0].key


def offer(key: str | Key) -> Buttons:
    return Buttons("what?", [Button(key, "this")])


def press(key: str, at: datetime = NOON) -> Postback:
    return Postback(id="1", contact=Contact(id="ann"), at=at, key=key)


async def test_a_sealed_key_is_short_and_opens_in_its_own_conversation_only(seals: Seals) -> None:
    sealed = key_in(seals.seal([offer(Track(no=7))], ANN, 64, NOW))
    assert re.fullmatch(r"~[\w-]{12}~Track\[7\]", sealed)
    opened = await seals.open(press(sealed), ANN)
    assert opened == replace(press("Track[7]"), sealed=sealed)
    assert await seals.open(press(sealed), BOB) == replace(press(sealed), stale="forged")
    for part in ({"account": "desk"}, {"channel": "line"}):
        elsewhere = replace(ANN, ref=replace(ANN.ref, **part))
        assert await seals.open(press(sealed), elsewhere) == replace(press(sealed), stale="forged")


async def test_whatever_is_changed_in_a_sealed_key_makes_it_forged(seals: Seals) -> None:
    sealed = key_in(seals.seal([offer(Refund(no=7))], ANN, 64, NOW))
    for at in range(1, len(sealed)):
        other = "0" if sealed[at] != "0" else "1"
        event = await seals.open(press(f"{sealed[:at]}{other}{sealed[at + 1 :]}"), ANN)
        assert isinstance(event, Postback)
        assert not event.sealed
        assert event.stale == "forged" or event.key == event.key


async def test_plain_keys_stay_as_they_are(seals: Seals) -> None:
    messages: list[Outgoing] = [offer("Track[7]"), Text("x")]
    assert seals.seal(messages, ANN, 64, NOW) == messages
    for key in ("Track[7]", "~", "~x", "yes", "~~~"):
        assert await seals.open(press(key), ANN) == press(key)


async def test_keys_are_sealed_wherever_something_can_be_chosen(seals: Seals) -> None:
    key = Track(no=7)
    messages: list[Outgoing] = [
        Menu("m", "t", [Section("s", [Row(key, "a", "more")])]),
        Cards([Card("c", buttons=[Button(key, "a")], image="https://shop.example/a.jpg")]),
        Text("x", fallback=[offer(key)]),
    ]
    menu, cards, text = seals.seal(messages, ANN, 64, NOW)
    sealed = [choices_of(menu)[0], choices_of(cards)[0], choices_of(text.fallback[0])[0]]
    assert len({each.key for each in sealed}) == 1
    assert sealed[0].key.startswith("~")
    assert encode_message(decode_message(encode_message(menu))) == encode_message(menu)


@pytest.mark.parametrize(("later", "stale"), [(0, None), (15 * 60, None), (15 * 60 + 1, "expired"), (10**8, "expired")])
async def test_a_key_expires_when_its_class_says_so(seals: Seals, later: int, stale: str | None) -> None:
    sealed = key_in(seals.seal([offer(Refund(no=7))], ANN, 64, NOW))
    event = await seals.open(press(sealed, NOON + timedelta(seconds=later)), ANN)
    assert isinstance(event, Postback)
    assert event.stale == stale
    assert len(sealed) == len('~123456789012123456~r[7,""]')


async def test_the_life_of_a_key_begins_when_its_message_leaves(seals: Seals) -> None:
    message = replace(offer(Refund(no=7)), at=NOON + timedelta(days=1))
    sealed = key_in(seals.seal([message], ANN, 64, NOW))
    event = await seals.open(press(sealed, NOON + timedelta(days=1, minutes=14)), ANN)
    assert isinstance(event, Postback)
    assert event.stale is None


async def test_a_key_too_long_for_the_channel_is_kept_and_a_short_one_goes_out(store: Store, seals: Seals) -> None:
    key = Refund(no=7, why="ü" * 40)
    long = key_in(seals.seal([offer(key)], ANN, None, NOW))
    assert long.endswith('ü"]')
    assert not seals.unkept
    short = key_in(seals.seal([offer(key)], ANN, 64, NOW))
    assert len(short.encode()) <= 64
    await seals.keep()
    assert not seals.unkept
    again = await sealer(store, seed=2)
    opened = await again.open(press(short), ANN)
    assert opened == replace(press(pack(key)), sealed=short)
    assert await again.open(press(short), BOB) == replace(press(short), stale="forged")


async def test_a_kept_key_that_is_gone_is_unknown(seals: Seals) -> None:
    short = key_in(seals.seal([offer(Refund(no=7, why="x" * 60))], ANN, 64, NOW))
    assert await seals.open(press(short), ANN) == replace(press(short), stale="unknown")


async def test_the_secret_outlives_the_process_and_is_another_in_another_store(store: Store, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    first = await open_store(url)
    sealed = key_in((await sealer(first, seed=1)).seal([offer(Track(no=7))], ANN, 64, NOW))
    await first.close()
    again = await open_store(url)
    event = await (await sealer(again, seed=2)).open(press(sealed), ANN)
    await again.close()
    assert event == replace(press("Track[7]"), sealed=sealed)
    assert await (await sealer(store, seed=3)).open(press(sealed), ANN) == replace(press(sealed), stale="forged")


def test_what_a_turn_learns_of_a_press_is_not_stored() -> None:
    event = press("Track[7]")
    assert encode_event(replace(event, sealed="~x", stale="forged")) == encode_event(event)


def test_a_packed_key_is_a_text_with_a_lifetime() -> None:
    assert isinstance(pack(Refund(no=7)), PackedKey)
    assert (pack(Refund(no=7)).lifetime, pack(Track(no=7)).lifetime) == (15 * 60 * SECOND, None)


# In turns


def shop() -> Router:
    router = Router("shop")

    @router.message(text="order")
    async def order(_turn: Turn) -> Buttons:
        return Buttons("Order 7", [Button(Track(no=7), "Track"), Button(Refund(no=7), "Refund")])

    @router.message(text="long")
    async def long(_turn: Turn) -> Buttons:
        return Buttons("Why?", [Button(Refund(no=7, why="because " * 40), "Long")])

    @router.postback(Track)
    async def track(turn: Turn[Postback], click: Track) -> str:
        return f"tracking {click.no + 1} by {turn.event.key}"

    @router.postback(Refund, step=None)
    async def refund(_turn: Turn, click: Refund) -> str:
        return f"refunding {click.no} {len(click.why)}"

    return router


async def pressed(world: Turns, key: str, who: str = "ann", number: str = "p") -> None:
    """A press as Konnek posts it."""
    told = {
        "from": {"username": who, "name": who},
        "message": {"id": number, "type": "postback", "postback": {"key": key, "title": "pressed"}},
    }
    webhook = Webhook(channel="whatsapp", body=orjson.dumps(told), json=told, received_at=world.clock.now())
    provider = world.config.accounts["shop"].provider
    await world.store.receive(arrivals_of("shop", provider, webhook, lambda _: True))
    await world.settle()


def sent_keys(world: Turns) -> list[str]:
    return [each.key for row in world.queue for each in choices_of(row.message)]


async def test_a_press_arrives_as_what_it_was() -> None:
    async with turns(shop()) as world:
        await world.heard("order", "m-1")
        await world.settle()
        track, refund = sent_keys(world)
        await pressed(world, track, number="p-1")
        await pressed(world, refund, number="p-2")
        await pressed(world, track, number="p-3")
        assert (await world.said())[1:] == ["tracking 8 by Track[7]", "refunding 7 0", "tracking 8 by Track[7]"]


async def test_a_title_typed_is_the_press_too_and_closes_the_choices() -> None:
    async with turns(shop()) as world:
        await world.heard("order", "m-1")
        await world.heard("track", "m-2")
        await world.heard("track", "m-3")
        await world.settle()
        assert (await world.said())[1:] == ["tracking 8 by Track[7]"]


async def test_a_long_key_works_over_a_channel_with_short_ones() -> None:
    async with turns(shop()) as world:
        await world.heard("long", "m-1")
        await world.settle()
        (key,) = sent_keys(world)
        assert (len(key) < 64, "#" in key) == (True, True)
        await pressed(world, key)
        assert (await world.said())[1:] == ["refunding 7 320"]


async def answered(router: Router, who: str = "ann", *, later: float = 0, change: Callable[[str], str] = str) -> str:
    """What is answered to a press of Refund, by `who`, with its key changed."""
    async with turns(router) as world:
        await world.heard("order", "m-1")
        await world.settle()
        _, key = sent_keys(world)
        world.clock.advance(later)
        await pressed(world, change(key), who)
        said = [text for text in await world.said(who) if text != "Order 7"]
        assert await world.reasons() == []
        return said[0] if said else ""


STALE: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "good": ({}, "refunding 7 0"),
    "another's": ({"who": "bob"}, "stale: forged"),
    "forged": ({"change": lambda key: key.replace("7", "8")}, "stale: forged"),
    "expired": ({"later": 16 * 60}, "stale: expired"),
    "unsigned": ({"change": lambda key: key.rpartition("~")[2]}, 'default: r[7,""]'),
}


@pytest.mark.parametrize(("how", "answer"), STALE.values(), ids=STALE)
async def test_a_stale_press_is_an_event_the_bot_can_answer(how: dict[str, Any], answer: str) -> None:
    router = Router("app")

    @router.stale()
    async def stale(_turn: Turn, reason: str) -> str:
        return f"stale: {reason}"

    @router.default()
    async def default(turn: Turn) -> str:
        return f"default: {turn.event.key}"  # type: ignore[attr-defined] # only presses come here

    router.include(shop())
    assert await answered(router, **how) == answer


async def test_without_a_rule_for_stale_presses_the_default_answers_and_no_rule_for_presses_sees_them() -> None:
    router = shop()
    router.postback()(never)
    router.postback("{anything}")(never)

    @router.default()
    async def default(turn: Turn) -> str:
        assert isinstance(turn.event, Postback)
        return f"default: {turn.event.stale}"

    assert await answered(router, "bob") == "default: forged"
    assert await answered(shop(), "bob") == ""


async def never(_turn: Turn) -> str:
    return "never said"


async def test_a_good_press_that_no_rule_takes_any_more_is_unknown() -> None:
    router = Router()

    @router.message(text="order")
    async def order(_turn: Turn) -> Buttons:
        return Buttons("Order 7", [Button(Track(no=7), "Track"), Button(Refund(no=7), "Refund")])

    @router.stale()
    async def stale(_turn: Turn, reason: str) -> str:
        return f"stale: {reason}"

    assert await answered(router) == "stale: unknown"
    router.postback()(never)
    assert await answered(router) == "never said"


# Mistakes, found when they are written


def takes_none(turn: Turn) -> None: ...
def takes_another(turn: Turn, key: Track) -> None: ...
def takes_more(turn: Turn, key: Refund, more: int) -> None: ...
def takes_either(turn: Turn, key: Track | Refund) -> None: ...


class Odd(Key):
    what: Missing  # type: ignore[name-defined]  # noqa: F821


MISTAKES: dict[str, tuple[Callable[[Any], object], str]] = {
    "no key": (lambda r: r.postback(Refund)(takes_none), "takes_none: the handler of a press takes the key as its sec"),
    "another key": (lambda r: r.postback(Refund)(takes_another), "'key' takes the key, but is not annotated Refund"),
    "a parameter nobody fills": (lambda r: r.postback(Refund)(takes_more), "nobody fills its parameter 'more'"),
    "unreadable fields": (lambda r: r.postback(Odd), "Odd: its fields cannot be read"),
    "no key of its own": (lambda r: r.postback(Key), "Key itself means nothing"),
    "another class": (lambda r: r.postback(int), "a key is a text or a class of keys"),
}


@pytest.mark.parametrize(("write", "reason"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found_where_it_is_written(write: Callable[[Any], object], reason: str) -> None:
    router = Router()
    with pytest.raises(HandlerError, match=reason) as caught:
        write(router)
    assert re.match(rf"{re.escape(__file__)}:\d+: ", str(caught.value))
    assert router.handlers() == ()


class Other(Key, name="Track"):
    no: int


async def takes_other(_turn: Turn, key: Other) -> None:
    del key


def test_two_classes_of_one_name_are_refused_however_their_routers_meet() -> None:
    app, one, two = Router(), Router(), Router()
    one.postback(Track)(takes_either)
    one.postback(Track, step="again")(takes_either)
    two.postback(Other)(takes_other)
    app.include(one)
    with pytest.raises(HandlerError, match="takes_other: another class of keys is named Track too; give one a name="):
        app.include(two)
    with pytest.raises(HandlerError, match="takes_other: another class"):
        app.postback(Other)(takes_other)


def test_one_function_takes_several_keys() -> None:
    router = Router()
    router.postback(Track)(takes_either)
    router.postback(Refund)(takes_either)
    match = router.match(replace(press("r[7]"), sealed="~x"), ANN.ref, None)
    assert match is not None
    assert match.arguments == {"key": Refund(no=7)}
