"""A handler that says its state is a model has to see that model, and is told so before anything runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from bridge import Message, Router, Turn
from bridge.app.bridge import Bridge
from bridge.config.load import Config
from bridge.errors import HandlerError
from bridge.routing.router import combine, rulebook_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Shared(BaseModel):
    name: str = ""


class Visits(Shared):
    count: int = 0


class Orders(BaseModel):
    open: int = 0


def with_handler(router: Router, state: Any) -> Router:
    """A router with a handler for messages that says what the state is; None: that it is no model."""

    async def handler(turn: Any) -> None: ...

    handler.__annotations__["turn"] = Turn if state is None else Turn[Message, state]
    router.message()(handler)
    return router


def including(outer: Router, inner: Router) -> Router:
    outer.include(inner)
    return outer


def with_an_error_handler() -> Router:
    router = Router(state=Orders)

    @router.error(LookupError)
    async def failed(turn: Turn[Any, Visits], error: LookupError) -> None: ...

    return router


OTHER = "its turn's state is annotated Visits, but its router's is Orders"
NONE = "its turn's state is annotated Visits, but no router it belongs to has a state=Visits"

WRONG: dict[str, tuple[Callable[[], Router], str]] = {
    "another model": (lambda: with_handler(Router(state=Orders), Visits), OTHER),
    "another model, of the router around": (
        lambda: including(Router(state=Orders), with_handler(Router(), Visits)),
        OTHER,
    ),
    "another model, two routers out": (
        lambda: including(Router(state=Orders), including(Router(), with_handler(Router(), Visits))),
        OTHER,
    ),
    "a handler of errors": (with_an_error_handler, OTHER),
    "no model at all": (lambda: combine([with_handler(Router(), Visits)]), NONE),
    "only beside it": (lambda: combine([Router(state=Visits), with_handler(Router(), Visits)]), NONE),
}

RIGHT: dict[str, Callable[[], Router]] = {
    "its router's": lambda: with_handler(Router(state=Visits), Visits),
    "that of the router around": lambda: including(Router(state=Visits), with_handler(Router(), Visits)),
    "its router's own, in another one's": lambda: including(
        Router(state=Orders), with_handler(Router(state=Visits), Visits)
    ),
    "a class above it": lambda: with_handler(Router(state=Visits), Shared),
    "none, and there is none": lambda: with_handler(Router(), None),
    "none, and there is one": lambda: with_handler(Router(state=Visits), None),
    "anything": lambda: with_handler(Router(state=Visits), Any),
    "a mapping": lambda: with_handler(Router(), dict[str, Any]),
}


@pytest.mark.parametrize(("make", "reason"), WRONG.values(), ids=WRONG)
def test_a_handler_that_would_see_another_state_is_refused_with_file_and_line(
    make: Callable[[], Router], reason: str
) -> None:
    with pytest.raises(HandlerError, match=rf"{re.escape(__file__)}:\d+: .*: {re.escape(reason)}"):
        make()


@pytest.mark.parametrize("make", RIGHT.values(), ids=RIGHT)
def test_a_handler_that_sees_what_it_says_is_taken(make: Callable[[], Router]) -> None:
    assert rulebook_of(combine([make()])).handlers()


def test_a_bridge_does_not_start_with_a_model_that_nobody_has(tmp_path: Path) -> None:
    config = Config.from_dict({"accounts": {"console": {"provider": "playground"}}}, tmp_path)
    with pytest.raises(HandlerError, match=NONE):
        Bridge(config, router=with_handler(Router(), Visits))
