"""Mistakes in rules, found when they are written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge import Event, Filter, HandlerError, Router, Turn
from bridge.routing.router import rulebook_of
from tests.support.rule_events import WEB, is_long, said
from tests.support.rule_mistakes import assert_refused

if TYPE_CHECKING:
    from collections.abc import Callable


def one(turn: Turn) -> None: ...
def two(turn: Turn, size: int) -> None: ...
def none() -> None: ...
def only_keywords(*, turn: Turn) -> None: ...
def yields(_turn: Turn) -> Any:
    yield


async def waits(_event: Event) -> bool:
    return True


def unreadable(turn: Turn, n: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821


MISTAKES: dict[str, tuple[Callable[[Any], object], str]] = {
    "a parameter without a source": (
        lambda r: r.message()(two),
        r"two: its parameter 'size' has no source: its rule finds nothing",
    ),
    "a parameter another name fills": (
        lambda r: r.postback("{sise}")(two),
        r"its parameter 'size' has no source: its rule finds sise",
    ),
    "a parameter no bool filter fills": (lambda r: r.message(is_long & Filter(is_long))(two), "has no source"),
    "a parameter no declared filter fills": (
        lambda r: r.message(Filter(lambda _: {"a": 1}, finds=["a"]))(two),
        "its rule finds a",
    ),
    "no turn": (lambda r: r.default()(none), r"none: .*takes the turn as its first parameter"),
    "no positional turn": (lambda r: r.default()(only_keywords), "takes the turn as its first parameter"),
    "a generator": (lambda r: r.default()(yields), "does not yield"),
    "an annotation unknown at run time": (
        lambda r: r.postback("{n}")(unreadable),
        "annotation of its parameter 'n' cannot be read: name 'Missing' is not defined",
    ),
    "no function": (lambda r: r.default()(3), "a handler is a function, not a int"),
    "an error handler without the error": (lambda r: r.error()(one), "takes the turn and the error"),
    "no exception": (lambda r: r.error(int), "classes of exceptions"),
    "an exception that must pass": (lambda r: r.error(KeyboardInterrupt), "classes of exceptions"),
    "an unknown kind": (lambda r: r.message(kind="picture"), "kind 'picture' is none of audio, contact"),
    "no kind at all": (lambda r: r.message(kind=[]), "could never match"),
    "a text of bytes": (lambda r: r.message(text=b"a"), "text is a text or several"),
    "a step of None": (lambda r: r.message(step=[None]), "step is a text or several, not None"),
    "a bad regex": (lambda r: r.message(regex="(a"), r"regex '\(a' cannot be read"),
    "a regex for bytes": (lambda r: r.message(regex=re.compile(cast("Any", b"a"))), "is for bytes"),
    "a key of another type": (lambda r: r.postback(is_long), "a key is a text"),
    "a key with an open brace": (lambda r: r.postback("a{b"), "key 'a{b'"),
    "a key with a nameless field": (lambda r: r.postback("a:{}"), "a plain name in braces"),
    "a key with a format": (lambda r: r.postback("a:{b:d}"), "a plain name in braces"),
    "a key with one name twice": (lambda r: r.postback("{a}:{a}"), "two fields named 'a'"),
    "a key with fields side by side": (lambda r: r.postback("{a}{b}"), "nothing tells where 'a' ends"),
    "an unknown status": (lambda r: r.status("seen"), "status 'seen' is none of delivered, failed, read, sent"),
    "a class that is no event": (lambda r: r.on(int), "a class in bridge.events"),
    "an async filter": (lambda r: r.message(waits), "a filter is a plain function of an event, not waits"),
    "a filter that cannot be called": (lambda r: r.message("hello"), "a filter is a plain function"),
    "no router": (lambda r: r.include("menu"), "include.. takes a Router"),
    "itself included": (lambda r: r.include(r), "circle"),
}


@pytest.mark.parametrize(("write", "reason"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found_where_it_is_written(write: Callable[[Any], object], reason: str) -> None:
    assert_refused(write, reason, __file__)


def test_routers_that_include_each_other_are_refused() -> None:
    one, two, three = Router("one"), Router("two"), Router("three")
    one.include(two)
    two.include(three)
    with pytest.raises(HandlerError, match="<Router three> cannot include <Router one>: that would be a circle"):
        three.include(one)


def test_a_parameter_that_an_undeclared_filter_may_fill_is_missed_when_it_does_not() -> None:
    router = Router()
    router.message(lambda _event: True)(two)
    with pytest.raises(HandlerError, match="two: nothing was found for its parameter 'size'"):
        rulebook_of(router).match(said("x"), WEB, None)
