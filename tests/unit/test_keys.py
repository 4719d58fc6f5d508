"""Typed keys: packed, received as what they were; and presses that are stale."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import Button, Buttons, HandlerError, Key, Postback, Router, Row, Turn
from bridge.engine.ingest import arrivals_of
from bridge.keys import LONGEST, as_text, pack, unpack
from bridge.messages import choices_of
from bridge.providers.port import Webhook
from tests.support.key_bots import Refund, Track
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.turn_engine import Turns


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
