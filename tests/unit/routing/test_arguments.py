"""What a rule finds, and what a handler takes of it."""

from __future__ import annotations

import functools
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import pytest
from pydantic import Field

from bridge import Router, Turn
from bridge.routing.router import rulebook_of
from tests.support.rule_events import WEB, found, matched, pressed, said


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

    match = rulebook_of(router).match(pressed("n:1"), WEB, None)
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
    (handler,) = rulebook_of(router).handlers()
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
    method, thing, partial = rulebook_of(router).handlers()
    assert [each.is_async for each in (method, thing, partial)] == [True, True, False]
    assert [each.name.rpartition(".")[2] for each in (method, thing, partial)] == ["order", "__call__", "priced"]
    match = rulebook_of(router).match(pressed("partial:2"), WEB, None)
    assert match is not None
    assert match.handler.call(Turn(pressed("partial:2"), WEB), match.arguments) == 6
