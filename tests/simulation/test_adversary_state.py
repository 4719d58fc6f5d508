"""State under attack: models that cannot be kept or read again, found where they are written."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, computed_field
from structlog.testing import capture_logs

from bridge import Dialog, HandlerError, Message, Router, Turn
from bridge.conversation.state import State, StateModel
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import Mapping


class Stock(BaseModel):
    left: int = Field(default=1, ge=0)
    note: str = ""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    n: int = 0

    @computed_field  # type: ignore[prop-decorator] # as pydantic writes it
    @property
    def doubled(self) -> int:
        return self.n * 2


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    n: int = 0


class Renamed(BaseModel):
    n: int = Field(default=0, alias="number")


class Forgetful(BaseModel):
    n: int = Field(default=0, exclude=True)


class TwoNames(BaseModel):
    n: int = Field(default=0, serialization_alias="number")


class Bytes(BaseModel):
    data: bytes = b""


def same(stored: dict[str, Any], _version: int) -> dict[str, Any]:
    return stored


async def test_a_value_that_the_model_refuses_fails_the_turn_that_wrote_it_and_no_later_one() -> None:
    router = Router(state=Stock)

    @router.message(text="take")
    async def take(turn: Turn[Message, Stock]) -> str:
        turn.state.left -= 1
        return "taken"

    @router.message(text="note")
    async def note(turn: Turn[Message, Stock]) -> None:
        turn.state.note = 5  # type: ignore[assignment] # a mistake of its author

    @router.message(regex="how")
    async def left(turn: Turn[Message, Stock]) -> str:
        return f"{turn.state.left} left"

    async with turns(router, attempts=1) as world:
        for number, word in enumerate(["take", "take", "note", "how many?"]):
            await world.heard(word, f"m-{number}")
        await world.settle()
        assert await world.said() == ["taken", "0 left"]
        assert [reason.partition(": ")[2] for reason in reversed(await world.reasons())] == [
            "HandlerError: the state does not fit Stock: left: Input should be greater than or equal to 0",
            "HandlerError: the state does not fit Stock: note: Input should be a valid string",
        ]


@pytest.mark.parametrize(
    ("model", "stored", "kept"),
    [
        (Strict, {"other": 1}, {"other": 1, "n": 1, "$shapes": {"Strict": 2}}),
        (Open, {"other": 1}, {"other": 1, "n": 1, "$shapes": {"Open": 2}}),
        (Renamed, {"other": 1}, {"other": 1, "number": 1, "$shapes": {"Renamed": 2}}),
    ],
)
def test_whatever_a_model_says_of_what_it_does_not_know_others_keep_theirs(
    model: type[BaseModel], stored: dict[str, Any], kept: Mapping[str, Any]
) -> None:
    shape, values = StateModel(model=model, version=2, migrate=same), dict(stored)
    for _ in range(2):
        state = State(values)
        state.show_as(shape)
        state.seen.n = 1
        state.encode()
        values = state.values_now()
    assert (values, state.seen.n) == (kept, 1)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Forgetful, "Forgetful.n is excluded from what is kept, and would be forgotten"),
        (TwoNames, "TwoNames.n is kept as 'number', and read as 'n': one alias=, please"),
    ],
)
def test_a_model_that_would_forget_is_refused_at_once(model: type[BaseModel], reason: str) -> None:
    with pytest.raises(HandlerError, match=rf"test_adversary_state\.py:\d+: {reason}"):
        Router(state=model)


def test_what_is_no_json_fails_with_the_name_of_its_model() -> None:
    state = State({})
    state.show_as(StateModel(model=Bytes))
    state.seen.data = b"\xff"
    with pytest.raises(HandlerError, match="the state cannot be kept: Bytes: 'utf-8' codec"):
        state.encode()


def test_the_key_that_says_which_versions_wrote_a_state_is_taken() -> None:
    with pytest.raises(HandlerError, match=r"the key \$shapes is taken"):
        State({}).update({"$shapes": "mine"})


@pytest.mark.parametrize(
    ("migrate", "reason"),
    [
        (lambda stored, _version: {"left": stored["nowhere"]}, "KeyError: 'nowhere'"),
        (lambda _stored, _version: None, "TypeError: 'NoneType' object is not iterable"),
    ],
)
async def test_a_migration_that_fails_is_named_with_the_handler_and_the_bot_may_answer_it(
    migrate: Any, reason: str
) -> None:
    plain, router = Router(), Router(state=Stock, version=2, migrate=migrate)
    plain.include(router)

    @plain.message(text="set")
    async def old(turn: Turn[Message]) -> None:
        turn.state["left"] = 1

    @router.message(text="fail")
    async def fail(turn: Turn[Message, Stock]) -> None: ...

    @router.error(HandlerError)
    async def failed(turn: Turn[Any], error: HandlerError) -> str:
        return f"{turn.state['left']} {error}"

    async with turns(plain, attempts=1) as world:
        await world.heard("set", "m-1")
        with capture_logs() as lines:
            await world.heard("fail", "m-2")
            await world.settle()
        assert await world.said() == [f"1 migrate= of Stock failed on what version 0 stored: {reason}"]
        (line,) = [line for line in lines if line["event"] == "turn_failed"]
        assert line["handler"].endswith("fail")


async def test_a_dialog_sees_all_that_others_kept_in_its_model_meanwhile() -> None:
    router = Router(state=Open)

    @router.message(text="go")
    async def go(turn: Turn[Message, Open]) -> None:
        turn.state.colour = "red"  # type: ignore[attr-defined] # the model takes more than it names
        await turn.begin(script)

    @router.message(text="blue", anytime=True)
    async def blue(turn: Turn[Message, Open]) -> None:
        turn.state.colour = "blue"  # type: ignore[attr-defined]

    @router.dialog()
    async def script(d: Dialog) -> str:
        state = d.turn.state
        await d.ask("Well?")
        await d.ask("So?")
        return f"{state.colour}"

    async with turns(router) as world:
        for number, word in enumerate(["go", "blue", "a", "b"]):
            await world.heard(word, f"m-{number}")
        await world.settle()
        assert (await world.said())[-1] == "blue"


def test_what_is_kept_takes_no_more_room_than_it_has_bytes() -> None:
    """A thousand states are remembered: the room that orjson leaves in each would be larger than all of them."""
    tracemalloc.start()
    try:
        kept = [State({"n": number}).encode() for number in range(1000)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(kept) == 1000
    assert taken < 1000 * 500
