"""Rules: which handler an event belongs to, in which order they are asked, and who answers errors."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import Event, Router, Status, Turn
from bridge.routing.router import combine, rulebook_of
from bridge.text.equal_text import fold
from tests.support.rule_events import ECHO, STRANGE, WEB, became, matched, named, pressed, said

# Which events a rule is for


@pytest.mark.parametrize(
    ("options", "text", "fits"),
    [
        ({}, "anything", True),
        ({"text": "Menu"}, "  mENU\n", True),
        ({"text": "Straße"}, "STRASSE", True),
        ({"text": "menu"}, "the menu", False),
        ({"text": ["hi", "hello"]}, "Hello", True),
        ({"text": ["hi", "hello"]}, "hell", False),
        ({"regex": r"order \d+"}, "my order 7 please", True),
        ({"regex": re.compile("ORDER", re.IGNORECASE)}, "order", True),
        ({"regex": r"^order"}, "my order", False),
        ({"text": "order 7", "regex": r"\d"}, "order 7", True),
        ({"kind": "image"}, "x", False),
        ({"kind": ["image", "text"]}, "x", True),
        ({"provider": "konnek", "account": ["shop", "other"], "channel": "whatsapp", "step": "size"}, "x", True),
        ({"provider": "aelyst"}, "x", False),
        ({"account": "other"}, "x", False),
        ({"channel": {"line", "telegram"}}, "x", False),
        ({"step": "colour"}, "x", False),
        ({"step": ["colour", "size"]}, "x", True),
    ],
)
def test_a_message_rule_wants_all_that_it_names(options: dict[str, Any], text: str, fits: bool) -> None:  # noqa: FBT001 - a table's column
    router = Router()
    router.message(**options)(named("it"))
    assert (matched(router, said(text), step="size") == "it") is fits


def test_a_rule_for_a_step_never_matches_a_thread_without_one() -> None:
    router = Router()
    router.message(step="size")(named("it"))
    router.postback("a", step="size")(named("it"))
    assert matched(router, said("x"), step=None) is None
    assert matched(router, pressed("a"), step=None) is None
    assert matched(router, pressed("a"), step="size") == "it"


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (said("x"), "message"),
        (pressed("x"), "postback"),
        (became("sent"), "sent"),
        (became("failed"), "bad"),
        (became("read"), "status"),
        (ECHO, "echo"),
        (STRANGE, "unrecognised"),
    ],
)
def test_every_kind_of_event_has_its_rule(event: Event, name: str) -> None:
    router = Router()
    router.message()(named("message"))
    router.postback()(named("postback"))
    router.status("sent", "delivered")(named("sent"))
    router.status("failed")(named("bad"))
    router.status()(named("status"))
    router.echo()(named("echo"))
    router.unrecognised()(named("unrecognised"))
    assert matched(router, event) == name


def test_on_takes_any_class_of_events_and_filters() -> None:
    router = Router()
    router.on(Status, lambda event: event.value == "read")(named("read"))
    router.on(Event, lambda event: event.tag != "echo")(named("any"))
    assert [matched(router, event) for event in (became("read"), became("sent"), said("x"), ECHO)] == [
        "read",
        "any",
        "any",
        None,
    ]


def test_only_tags_with_a_rule_are_wanted() -> None:
    router = Router()
    router.default()(named("default"))
    assert [rulebook_of(router).wants(tag) for tag in ("message", "postback", "status", "echo", "unrecognised")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    router.echo()(named("echo"))
    assert rulebook_of(router).wants("echo")
    router.on(Event)(named("any"))
    assert rulebook_of(router).wants("status")


# Order


def test_the_first_rule_written_wins() -> None:
    router = Router()
    router.message(regex="a")(named("first"))
    router.message(text="a")(named("second"))
    router.message()(named("third"))
    assert [matched(router, said(text)) for text in ("a", "ab", "b")] == ["first", "first", "third"]


def test_an_exact_text_stands_in_line_with_the_rules_around_it() -> None:
    router = Router()
    router.message(kind="image")(named("image"))
    router.message(text="a")(named("exact"))
    router.message()(named("rest"))
    assert [matched(router, event) for event in (said("A", "image"), said("a"), said("b"))] == [
        "image",
        "exact",
        "rest",
    ]


def test_an_included_router_stands_where_it_was_included_and_may_grow_later() -> None:
    outer, inner, innermost = Router("outer"), Router("inner"), Router("innermost")
    outer.message(text="a")(named("outer a"))
    outer.include(inner)
    outer.message()(named("outer rest"))
    inner.include(innermost)
    assert matched(outer, said("b")) == "outer rest"
    inner.message(text="a")(named("inner a"))
    innermost.message(text="b")(named("innermost b"))
    assert [matched(outer, said(text)) for text in "abc"] == ["outer a", "innermost b", "outer rest"]


def test_defaults_come_after_all_rules_of_all_routers_and_the_first_one_wins() -> None:
    one, two = Router(), Router()
    one.default()(named("default one"))
    two.message(text="a")(named("a"))
    two.default()(named("default two"))
    both = combine([one, two])
    assert [matched(both, event) for event in (said("a"), said("b"), pressed("b"), became("sent"))] == [
        "a",
        "default one",
        "default one",
        None,
    ]


def test_one_function_may_stand_under_several_rules_and_stays_what_it_was() -> None:
    router = Router()

    def help_me(turn: Turn) -> None: ...

    assert router.message(text="help")(router.postback("help")(help_me)) is help_me
    assert matched(router, said("help")) == matched(router, pressed("help")) == "help_me"
    assert [handler.function for handler in rulebook_of(router).handlers()] == [help_me]


@given(
    rules=st.lists(st.one_of(st.none(), st.lists(st.sampled_from("abc"), min_size=1)), max_size=8),
    defaults=st.lists(st.booleans(), min_size=8, max_size=8),
    cut=st.integers(0, 8),
    text=st.sampled_from("abcd"),
)
@settings(max_examples=60, deadline=None)
@pytest.mark.slow
def test_the_winner_is_the_one_a_plain_search_finds(
    rules: list[list[str] | None], defaults: list[bool], cut: int, text: str
) -> None:
    outer, inner, first = Router(), Router(), Router()
    outer.include(first)
    outer.include(inner)
    plain, last = list[tuple[str, list[str] | None]](), list[tuple[str, list[str] | None]]()
    for number, (texts, is_default) in enumerate(zip(rules, defaults, strict=False)):
        router = first if number < cut else inner
        (router.default() if is_default else router.message(text=texts))(named(f"n{number}"))
        (last if is_default else plain).append((f"n{number}", None if is_default else texts))
    expected = next((name for name, texts in plain + last if texts is None or text in texts), None)
    assert matched(outer, said(text)) == expected


# Errors out of handlers


def test_the_first_error_handler_that_fits_wins() -> None:
    inner, router = Router(), Router()

    @inner.error(LookupError, ArithmeticError)
    async def lookup(turn: Turn, error: Exception) -> None: ...

    @router.error(KeyError)
    def key(turn: Turn, error: KeyError) -> None: ...

    router.include(inner)

    @router.error()
    def rest(_turn: Turn, error: Exception) -> str:
        return f"sorry: {error}"

    errors = [KeyError(), IndexError(), ZeroDivisionError(), ValueError(), KeyboardInterrupt()]
    handlers = [rulebook_of(router).match_error(error) for error in errors]
    assert [each and each.function for each in handlers] == [key, lookup, lookup, rest, None]
    assert [each.function for each in rulebook_of(router).handlers()] == [key, lookup, rest]
    last = rulebook_of(router).match_error(ValueError())
    assert last is not None
    assert last(Turn(said(), WEB), ValueError("no")) == "sorry: no"


def test_without_error_handlers_nothing_catches() -> None:
    assert rulebook_of(Router()).match_error(ValueError()) is None


def test_texts_fold_the_same_way_on_both_sides() -> None:
    assert fold("  ẞtraße ") == fold("SSTRASSE")
