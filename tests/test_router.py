"""Rules: which handler an event belongs to, and with which arguments."""

from __future__ import annotations

import functools
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from bridge import (
    Contact,
    Echo,
    Event,
    Filter,
    HandlerError,
    Message,
    Postback,
    Router,
    Status,
    ThreadRef,
    Turn,
    Unrecognised,
)
from bridge.filters import KeyPattern, fold
from bridge.router import combine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.events import MessageKind, StatusValue

AT = datetime(2026, 1, 1, tzinfo=UTC)
ANN = Contact(id="ann", name="Ann")
WEB = ThreadRef("shop", "konnek", "whatsapp", "ann")


def said(text: str = "", kind: MessageKind = "text") -> Message:
    return Message(id="1", contact=ANN, at=AT, text=text, kind=kind)


def pressed(key: str) -> Postback:
    return Postback(id="1", contact=ANN, at=AT, key=key)


def became(value: StatusValue) -> Status:
    return Status(id="1", contact=ANN, at=AT, message_id="m", value=value)


ECHO = Echo(id="1", contact=ANN, at=AT)
STRANGE = Unrecognised(id="1", contact=ANN, at=AT)


def matched(router: Router, event: Event, step: str | None = None, ref: ThreadRef = WEB) -> str | None:
    """The bare name of the handler that an event goes to."""
    match = router.match(event, ref, step)
    return match.handler.name.partition(":")[2].rpartition(".")[2] if match else None


def found(router: Router, event: Event) -> Mapping[str, Any] | None:
    match = router.match(event, WEB, None)
    return match.arguments if match else None


def named(name: str) -> Callable[[Turn], None]:
    def handler(_turn: Turn) -> None: ...

    handler.__qualname__ = name
    return handler


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
    assert [router.wants(tag) for tag in ("message", "postback", "status", "echo", "unrecognised")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    router.echo()(named("echo"))
    assert router.wants("echo")
    router.on(Event)(named("any"))
    assert router.wants("status")


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
    assert [handler.function for handler in router.handlers()] == [help_me]


@given(
    rules=st.lists(st.one_of(st.none(), st.lists(st.sampled_from("abc"), min_size=1)), max_size=8),
    defaults=st.lists(st.booleans(), min_size=8, max_size=8),
    cut=st.integers(0, 8),
    text=st.sampled_from("abcd"),
)
@settings(max_examples=60, deadline=None)
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


# What a rule finds, and what a handler takes


class Size(StrEnum):
    SMALL = "s"
    LARGE = "l"


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (int, "7", 7),
        (int, "seven", None),
        (int, "9" * 5000, None),
        (float, "1.5", 1.5),
        (bool, "yes", True),
        (bool, "maybe", None),
        (Decimal, "1.10", Decimal("1.10")),
        (Size, "s", Size.SMALL),
        (Size, "x", None),
        (date, "2026-02-28", date(2026, 2, 28)),
        (date, "2026-02-30", None),
        (str, "7", "7"),
        (Any, "7", "7"),
        (int | str, "x", "x"),
        (Annotated[int, Field(ge=1, le=9)], "9", 9),
        (Annotated[int, Field(ge=1, le=9)], "10", None),
    ],
)
def test_what_is_found_is_converted_by_the_annotation_or_the_rule_does_not_match(
    annotation: Any, text: str, value: object
) -> None:
    router = Router()

    def handler(turn: Turn, it: Any) -> None: ...

    handler.__annotations__["it"] = annotation
    router.postback("is:{it}")(handler)
    assert found(router, pressed(f"is:{text}")) == (None if value is None else {"it": value})


def test_a_conversion_that_fails_leaves_the_event_to_the_next_rule() -> None:
    router = Router()

    @router.message(regex=r"order (?P<no>\w+)")
    def number(turn: Turn, no: int) -> None: ...

    @router.message(regex=r"order (?P<no>\w+)")
    def word(turn: Turn, no: str) -> None: ...

    assert [matched(router, said(text)) for text in ("order 7", "order tea")] == ["number", "word"]


def test_annotations_may_name_what_is_known_only_where_the_handler_is_written() -> None:
    class Colour(StrEnum):
        RED = "red"

    router = Router()

    @router.postback("colour:{colour}")
    def paint(turn: Turn, colour: Colour) -> None: ...

    assert found(router, pressed("colour:red")) == {"colour": Colour.RED}


def test_what_no_parameter_takes_is_left_out_unless_there_are_keywords() -> None:
    router = Router()

    @router.postback("a:{turn}:{x}")
    def some(turn: Turn) -> None: ...

    @router.postback("b:{turn}:{x}:{y}")
    def every(turn: Turn, x: int, **rest: str) -> None: ...

    assert found(router, pressed("a:1:2")) == {}
    assert found(router, pressed("b:1:2:3")) == {"x": 2, "y": "3"}


def test_a_group_that_took_no_part_leaves_the_default_or_is_none() -> None:
    router = Router()

    @router.message(regex=r"^give(?: (?P<n>\d+))?(?P<please> please)?")
    def give(turn: Turn, please: str | None, n: int = 1) -> None: ...

    assert found(router, said("give")) == {"please": None}
    assert found(router, said("give 3 please")) == {"please": " please", "n": 3}


def test_the_turn_needs_no_annotation_and_no_fixed_name() -> None:
    router = Router()
    calls: list[object] = []

    @router.postback("n:{n}")
    def handler(t, /, n: int, *, m: int = 2):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        calls.append((t, n, m))

    match = router.match(pressed("n:1"), WEB, None)
    assert match is not None
    turn = Turn(pressed("n:1"), WEB)
    match.handler.call(turn, match.arguments)
    assert calls == [(turn, 1, 2)]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_handler_tells_its_name_its_place_and_whether_it_is_async(is_async: bool) -> None:  # noqa: FBT001 - a table's column
    router = Router()

    async def waits(turn: Turn) -> None: ...

    def works(turn: Turn) -> None: ...

    function = waits if is_async else works
    router.default()(function)
    (handler,) = router.handlers()
    assert handler.name == f"{__name__}:{function.__qualname__}"
    assert (handler.file, handler.line) == (__file__, function.__code__.co_firstlineno)
    assert handler.is_async is is_async


def test_partials_methods_and_objects_that_can_be_called_are_handlers() -> None:
    class Shop:
        async def order(self, _turn: Turn, n: int) -> Any:
            return n

        async def __call__(self, _turn: Turn, n: int) -> Any:
            return n

    def priced(price: int, _turn: Turn, n: int) -> Any:
        return price * n

    router = Router()
    router.postback("method:{n}")(Shop().order)
    router.postback("object:{n}")(Shop())
    router.postback("partial:{n}")(functools.partial(priced, 3))
    method, thing, partial = router.handlers()
    assert [each.is_async for each in (method, thing, partial)] == [True, True, False]
    assert [each.name.rpartition(".")[2] for each in (method, thing, partial)] == ["order", "__call__", "priced"]
    match = router.match(pressed("partial:2"), WEB, None)
    assert match is not None
    assert match.handler.call(Turn(pressed("partial:2"), WEB), match.arguments) == 6


# Filters


def is_long(event: Message) -> bool:
    return len(event.text) > 3


@Filter
def number(event: Message) -> dict[str, str] | None:
    return {"n": event.text} if event.text.isdigit() else None


@pytest.mark.parametrize(
    ("condition", "fitting"),
    [
        (is_long, ["1234", "long"]),
        (number, ["1", "1234"]),
        (number & is_long, ["1234"]),
        (is_long & number, ["1234"]),
        (number | is_long, ["1", "1234", "long"]),
        (is_long | number, ["1", "1234", "long"]),
        (~number, ["a", "long"]),
        (~number & ~Filter(is_long), ["a"]),
        (lambda event: event.media, []),
        (lambda event: re.match("a", event.text), ["a"]),
        (lambda _event: {}, ["1", "a", "1234", "long"]),
    ],
)
def test_filters_are_functions_and_compose(condition: Any, fitting: list[str]) -> None:
    router = Router()
    router.message(condition)(named("it"))
    assert [text for text in ("1", "a", "1234", "long") if matched(router, said(text))] == fitting


def test_what_filters_find_arrives_together_with_what_the_rule_finds() -> None:
    router = Router()

    def sizes(_event: Event) -> dict[str, object]:
        return {"size": 3, "who": "size"}

    @router.message(Filter(lambda event: {"who": event.contact.name}) & sizes, number | is_long, regex="(?P<first>.)")
    def handler(turn: Turn, first: str, size: int, who: str, n: int = 0) -> None: ...

    assert found(router, said("1234")) == {"first": "1", "size": 3, "who": "size", "n": 1234}
    assert found(router, said("long")) == {"first": "l", "size": 3, "who": "size"}


def test_a_filter_may_find_any_object_and_the_annotation_still_decides() -> None:
    class Customer: ...

    router = Router()
    ann = Customer()

    @router.message(lambda event: {"customer": ann if event.text == "ann" else "nobody"})
    def handler(turn: Turn, customer: Customer) -> None: ...

    assert found(router, said("ann")) == {"customer": ann}
    assert found(router, said("bob")) is None


def test_a_model_can_be_made_of_what_is_found() -> None:
    class Order(BaseModel):
        no: int

    router = Router()

    @router.message(lambda event: {"order": {"no": event.text}})
    def handler(turn: Turn, order: Order) -> None: ...

    assert found(router, said("7")) == {"order": Order(no=7)}
    assert found(router, said("x")) is None


def test_filters_in_one_rule_are_asked_only_while_they_may_still_fit() -> None:
    router = Router()
    asked: list[str] = []

    def first(event: Message) -> bool:
        asked.append(event.text)
        return False

    router.message(first, lambda _event: pytest.fail("asked in vain"), text="a")(named("it"))
    assert matched(router, said("a")) is matched(router, said("b")) is None
    assert asked == ["a"]


def test_filters_refuse_and_or_not() -> None:
    with pytest.raises(HandlerError, match=r"filters compose with & \| ~"):
        bool(number and is_long)


def test_a_filter_that_turns_out_to_wait_is_a_mistake() -> None:
    router = Router()

    async def slow() -> bool:
        return True

    waiting = slow()
    router.message(lambda _event: waiting)(named("it"))  # type: ignore[arg-type, return-value]
    with pytest.raises(HandlerError, match="answers at once"):
        matched(router, said("a"))
    waiting.close()


# Keys with fields


@pytest.mark.parametrize(
    ("pattern", "key", "fields"),
    [
        ("help", "help", {}),
        ("help", "helpx", None),
        ("size:{size}", "size:l", {"size": "l"}),
        ("size:{size}", "size:", None),
        ("size:{size}", "Size:l", None),
        ("buy:{sku}:{n}", "buy:tea:2", {"sku": "tea", "n": "2"}),
        ("buy:{sku}:{n}", "buy:tea:2:3", {"sku": "tea", "n": "2:3"}),
        ("buy:{sku}:{n}", "buy::2", None),
        ("buy:{sku}:{n}", "buy:::2", {"sku": ":", "n": "2"}),
        ("{a}.{b}!", "x.y!", {"a": "x", "b": "y"}),
        ("{a}.{b}!", "x.!", None),
        ("{a}xx", "axx", {"a": "a"}),
        ("{a}xx", "xx", None),
        ("ab{x}bc", "abc", None),
        ("{{{x}}}", "{1}", {"x": "1"}),
        ("a.c:{x}", "abc:1", None),
        ("line:{x}", "line:a\nb", {"x": "a\nb"}),
    ],
)
def test_literal_parts_match_exactly_and_fields_reach_to_the_next_one(
    pattern: str, key: str, fields: dict[str, str] | None
) -> None:
    assert KeyPattern(pattern).match(key) == fields


LITERALS = st.text("abc:.{}", min_size=1, max_size=3)


@given(
    parts=st.lists(st.tuples(LITERALS, st.text("xyz01 ü", min_size=1, max_size=5)), min_size=1, max_size=4),
    end=LITERALS,
)
@example(parts=[("{", "x")], end="}")
@settings(max_examples=80, deadline=None)
def test_a_formatted_key_gives_its_fields_back(parts: list[tuple[str, str]], end: str) -> None:
    escaped = [literal.replace("{", "{{").replace("}", "}}") for literal, _ in parts]
    text = "".join(f"{literal}{{f{number}}}" for number, literal in enumerate(escaped))
    text += end.replace("{", "{{").replace("}", "}}")
    fields = {f"f{number}": value for number, (_, value) in enumerate(parts)}
    assert KeyPattern(text).match(text.format(**fields)) == fields


@given(key=st.text("ab:", max_size=12), pattern=st.sampled_from(["{x}:{y}", "a{x}b{y}", "{x}ab{y}:", "a{x}:b", "{x}"]))
@settings(max_examples=150, deadline=None)
def test_a_key_matches_exactly_when_a_lazy_regular_expression_does(key: str, pattern: str) -> None:
    lazy = re.fullmatch(re.sub(r"\{(.)\}", r"(?P<\1>.+?)", pattern), key)
    assert KeyPattern(pattern).match(key) == (lazy and lazy.groupdict())


def test_a_hostile_key_costs_no_more_than_its_length() -> None:
    pattern = KeyPattern("{a}:{b}:{c}:{d}!")
    assert pattern.match(":" * 200_000) is None


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
    handlers = [router.match_error(error) for error in errors]
    assert [each and each.function for each in handlers] == [key, lookup, lookup, rest, None]
    assert [each.function for each in router.handlers()] == [key, lookup, rest]
    last = router.match_error(ValueError())
    assert last is not None
    assert last(Turn(said(), WEB), ValueError("no")) == "sorry: no"


def test_without_error_handlers_nothing_catches() -> None:
    assert Router().match_error(ValueError()) is None


# Mistakes, found when they are written


def two(turn: Turn, size: int) -> None: ...
def none() -> None: ...
def only_keywords(*, turn: Turn) -> None: ...
def yields(_turn: Turn) -> Any:
    yield


async def waits(_event: Event) -> bool:
    return True


def unreadable(turn: Turn, n: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821


MISTAKES: dict[str, tuple[Callable[[Any], object], str]] = {
    "a parameter nobody fills": (lambda r: r.message()(two), r"two: nobody fills its parameter 'size'.* finds nothing"),
    "a parameter another name fills": (
        lambda r: r.postback("{sise}")(two),
        r"nobody fills its parameter 'size': its rule finds sise",
    ),
    "a parameter no bool filter fills": (lambda r: r.message(is_long & Filter(is_long))(two), "nobody fills"),
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
    "an error handler without the error": (lambda r: r.error()(named("it")), "takes the turn and the error"),
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
    router = Router()
    with pytest.raises(HandlerError, match=reason) as caught:
        write(router)
    assert re.match(rf"{re.escape(__file__)}:\d+: ", str(caught.value))
    assert router.handlers() == ()


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
        router.match(said("x"), WEB, None)


def test_texts_fold_the_same_way_on_both_sides() -> None:
    assert fold("  ẞtraße ") == fold("SSTRASSE")
