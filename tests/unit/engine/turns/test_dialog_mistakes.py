"""Dialogs that fail, cannot begin or are none: told at once, and nothing that went before is lost."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Depends, Dialog, HandlerError, Router, Turn
from bridge.testing.world import World
from tests.support.dialog_bots import asking

if TYPE_CHECKING:
    from collections.abc import Callable


async def test_an_error_in_a_dialog_leaves_it_at_its_question() -> None:
    async def script(d: Dialog) -> str:
        return f"{10 // int(await d.ask('Divide by?'))}"

    router = asking(script)

    @router.error(ZeroDivisionError)
    async def failed(_turn: Turn[Any], _error: ZeroDivisionError) -> str:
        return "Not by that."

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in ("go", "0", "5"):
            await ann.says(word)
        await world.settle()
        assert ann.texts == ["Divide by?", "Not by that.", "2"]


async def test_a_handler_that_fails_after_it_began_a_dialog_did_not_begin_it() -> None:
    router = Router()

    @router.message(text="go")
    async def go(turn: Turn[Any]) -> None:
        await turn.begin(script)
        raise OSError("no")

    @router.error()
    async def failed(_turn: Turn[Any], _error: Exception) -> str:
        return "sorry"

    @router.default()
    async def other(_turn: Turn[Any]) -> str:
        return "other"

    @router.dialog()
    async def script(d: Dialog) -> None:
        await d.ask("Well?")

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in ("go", "hm"):
            await ann.says(word)
        await world.settle()
        assert ann.texts == ["sorry", "other"]


async def lazy(turn: Turn[Any]) -> None:
    turn.begin(nothing)


async def nothing(d: Dialog) -> None:
    await d.say("nothing")


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize(
    ("begin", "reason"),
    [
        (lazy, "was not awaited"),
        (lambda turn: turn.begin(lazy), "is no dialog of a router"),
        (lambda turn: turn.begin(nothing, 1), "cannot begin with 1 arguments"),
    ],
)
async def test_a_dialog_that_cannot_begin_fails_the_turn(begin: Callable[..., Any], reason: str) -> None:
    router = Router()
    router.dialog()(nothing)

    @router.default()
    async def go(turn: Turn[Any]) -> None:
        await begin(turn)

    @router.error(HandlerError)
    async def failed(_turn: Turn[Any], error: HandlerError) -> str:
        return str(error)

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.settle()
        (text,) = ann.texts
        assert reason in text


async def test_a_dialog_that_swallows_its_suspension_is_told_so() -> None:
    async def script(d: Dialog) -> None:
        with contextlib.suppress(BaseException):
            await d.ask("Well?")

    router = asking(script)

    @router.error(HandlerError)
    async def failed(_turn: Turn[Any], error: HandlerError) -> str:
        return str(error)

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.settle()
        ann.saw_once("~catch Exception, not BaseException")


@pytest.mark.slow
async def test_a_journal_is_bounded() -> None:
    async def script(d: Dialog) -> None:
        for number in range(100):
            await d.ask(f"{number}?")

    router = asking(script)

    @router.error(HandlerError)
    async def failed(_turn: Turn[Any], error: HandlerError) -> str:
        return str(error)

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        for _ in range(50):
            await ann.says("x" * 4000)
        await world.settle()
        ann.saw_once("~the dialog quiz remembers")
        ann.saw("~other: xxx")
        ann.saw_once("~may 131072")


async def injected(d: Dialog, shop: object = Depends(object)) -> None:
    await d.say(str(shop))


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (lambda _d: None, "a dialog is an async def"),
        (injected, "injected: nothing is injected into a dialog"),
        (lazy, "a dialog takes a Dialog first, but 'turn' is a turn"),
    ],
)
def test_what_is_no_dialog_is_refused_at_once(script: Any, reason: str) -> None:
    with pytest.raises(HandlerError, match=reason):
        Router().dialog()(script)


def test_two_dialogs_of_one_name_and_version_are_refused() -> None:
    router, other = Router(), Router()
    router.dialog(1, name="x")(nothing)
    other.dialog(1, name="x")(nothing)
    with pytest.raises(HandlerError, match="the dialog x has a version 1 already"):
        router.include(other)
    with pytest.raises(HandlerError, match="changed is one of"):
        router.dialog(2, changed="explode")  # type: ignore[arg-type]
    with pytest.raises(HandlerError, match="from 1 on"):
        router.dialog(0)
