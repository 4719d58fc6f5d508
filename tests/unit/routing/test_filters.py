"""Filters of rules: plain functions that compose, and what they find."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel

from bridge import Event, Filter, HandlerError, Message, Router, Turn
from tests.support.rule_events import found, is_long, matched, named, said


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
