"""Mistakes in rules for keys, found when they are written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bridge import HandlerError, Key, Router, Turn
from bridge.routing.router import rulebook_of
from tests.support.key_bots import ANN, Refund, Track, press
from tests.support.rule_mistakes import assert_refused

if TYPE_CHECKING:
    from collections.abc import Callable


def takes_none(turn: Turn) -> None: ...
def takes_another(turn: Turn, key: Track) -> None: ...
def takes_more(turn: Turn, key: Refund, more: int) -> None: ...
def takes_either(turn: Turn, key: Track | Refund) -> None: ...


class Odd(Key):
    what: Missing  # type: ignore[name-defined]  # noqa: F821


MISTAKES: dict[str, tuple[Callable[[Any], object], str]] = {
    "no key": (lambda r: r.postback(Refund)(takes_none), "takes_none: the handler of a press takes the key as its sec"),
    "another key": (lambda r: r.postback(Refund)(takes_another), "'key' takes the key, but is not annotated Refund"),
    "a parameter without a source": (lambda r: r.postback(Refund)(takes_more), "its parameter 'more' has no source"),
    "unreadable fields": (lambda r: r.postback(Odd), "Odd: its fields cannot be read"),
    "no key of its own": (lambda r: r.postback(Key), "Key itself means nothing"),
    "another class": (lambda r: r.postback(int), "a key is a text or a class of keys"),
}


@pytest.mark.parametrize(("write", "reason"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found_where_it_is_written(write: Callable[[Any], object], reason: str) -> None:
    assert_refused(write, reason, __file__)


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
    match = rulebook_of(router).match(replace(press("r[7]"), sealed="~x"), ANN.ref, None)
    assert match is not None
    assert match.arguments == {"key": Refund(no=7)}
