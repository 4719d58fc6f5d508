"""State as a model: typed, beside what others keep, migrated; and a turn whose thread moved on runs again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from structlog.testing import capture_logs

from bridge import Dialog, Event, HandlerError, Message, Router, Timer, Turn
from bridge.conversation.state import State, StateModel
from bridge.conversation.turn import draft_of
from bridge.store.records import TurnCommit
from bridge.testing.world import World
from bridge.units import SECOND
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Order(BaseModel):
    last: int | None = None
    items: list[str] = Field(default_factory=list)


class Counter(BaseModel):
    count: int = 0


def typed() -> Router:
    router = Router("typed", state=Order)

    @router.message(regex=r"order (?P<no>\d+)")
    async def order(turn: Turn[Message, Order], no: int) -> str:
        before = turn.state.last
        turn.state.last = no
        turn.state.items.append(turn.event.text)
        return f"{before} then {no}"

    @router.message(text="later")
    async def wait(turn: Turn[Message, Order]) -> None:
        turn.after(10, due)

    @router.message(text="ask")
    async def ask(turn: Turn[Message, Order]) -> None:
        await turn.begin(script)

    @router.dialog()
    async def script(d: Dialog) -> str:
        order = d.turn.state
        order.items.append("begun")
        order.last = int(await d.ask("Which?"))
        await d.ask("Sure?")
        return f"{order.last} {order.items}"

    return router


def due(turn: Turn[Timer, Order]) -> str:
    turn.state.items.append("due")
    return f"due: {turn.state.last}"


async def test_handlers_see_the_model_and_others_keep_beside_it() -> None:
    router, plain = Router(), Router()
    router.include(typed())
    router.include(plain)

    @plain.message(text="plain")
    async def note(turn: Turn[Message]) -> str:
        turn.state["mine"] = 1
        return f"{turn.state['last']}"

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in ("order 7", "plain", "order 8", "later"):
            await ann.says(word)
        await world.settle()
        await world.crash()
        await world.advance(30)
        assert ann.texts == ["None then 7", "7", "7 then 8", "due: 8"]
        assert await ann.state() == {"last": 8, "items": ["order 7", "order 8", "due"], "mine": 1}


async def test_a_dialog_has_the_model_too_and_writes_to_it_once() -> None:
    with World(typed()) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in ("ask", "5", "yes"):
            await ann.says(word)
            await world.settle()
            await world.crash()
        assert ann.texts[-1] == "5 ['begun']"
        assert await ann.state() == {"last": 5, "items": ["begun"]}


def chained(turn: Turn[Timer, Any], left: int) -> str:
    if left:
        turn.after(5, chained, left=left - 1)
    return type(turn.state).__name__


def setting(name: str, state: type[BaseModel] | None, word: str) -> Router:
    """A router whose rule for a word sets the timer `chained`."""
    router = Router(name, state=state)

    @router.message(text=word)
    async def set_it(turn: Turn[Message, Any]) -> None:
        turn.after(5, chained, left=2)

    return router


async def test_a_timers_function_sees_the_state_as_whoever_set_it_does() -> None:
    with World(
        [setting("orders", Order, "order"), setting("counts", Counter, "count"), setting("x", None, "x")]
    ) as world:
        for word, kind in (("order", "Order"), ("count", "Counter"), ("x", "State")):
            contact = world.contact("konnek", "whatsapp", word)
            await contact.says(word)
            await world.advance(60)
            assert contact.texts == [kind] * 3


async def test_a_timers_function_that_is_a_rules_too_sees_the_state_as_that_rule_does() -> None:
    counting = Router("counts", state=Counter)
    counting.message(text="never")(due_or_not)
    router = Router("orders", state=Order)

    @router.message(text="go")
    async def go(turn: Turn[Message, Order]) -> None:
        turn.after(5, due_or_not)

    with World([counting, router]) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.advance(60)
        assert ann.texts == ["Counter"]


def due_or_not(turn: Turn[Any, Any]) -> str:
    return type(turn.state).__name__


async def test_a_handler_of_errors_sees_the_state_as_its_own_router_says() -> None:
    """Wherever the error came from: a router inside, a timer's function, or a model that the state does not fit."""
    outer, inner = Router("outer"), Router("inner", state=Order)
    outer.include(inner)

    @inner.message(text="fail")
    async def fail(_turn: Turn[Message, Order]) -> None:
        raise ValueError

    @inner.message(text="later")
    async def wait(turn: Turn[Message, Order]) -> None:
        turn.after(5, failing)

    @outer.error(ValueError)
    async def seen_outside(turn: Turn[Event], _error: ValueError) -> str:
        return f"outside: {type(turn.state).__name__}"

    @inner.error(OSError)
    async def seen_inside(turn: Turn[Event, Order], _error: OSError) -> str:
        return f"inside: {type(turn.state).__name__}"

    with World(outer) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in ("fail", "later"):
            await ann.says(word)
        await world.advance(60)
        assert ann.texts == ["outside: State", "inside: Order"]


def failing(_turn: Turn[Timer, Any]) -> None:
    raise OSError


@pytest.mark.parametrize(
    ("later_on", "outcome"),
    [
        (lambda: setting("orders", Order, "x"), "Order"),
        (lambda: setting("orders", type("Order", (Order,), {"__module__": "elsewhere"}), "x"), "Order"),
        (
            lambda: setting("counts", Counter, "x"),
            "to see the state as tests.unit.conversation.test_state:Order, which no router names",
        ),
        (
            lambda: setting("plain", None, "x"),
            "to see the state as tests.unit.conversation.test_state:Order, which no router names",
        ),
    ],
    ids=["the same", "moved to another module", "another", "none"],
)
async def test_a_timer_outlives_a_deploy_and_a_model_that_is_gone_is_named(
    later_on: Callable[[], Router], outcome: str, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    async with turns(setting("orders", Order, "order"), url=url) as world:
        await world.heard("order", "m-1")
        await world.settle()
    async with turns(later_on(), url=url) as world:
        await world.store.fire_timers(world.clock.now() + 10 * SECOND, 10)
        await world.wait_out()
        told = [*await world.said(), *await world.reasons()]
        assert len(told) == 1
        assert outcome in told[0]


def upgrade(stored: dict[str, Any], version: int) -> dict[str, Any]:
    if version == 0:
        stored = {"count": int(stored.pop("n", 0)), **stored}
    if version < 2:
        stored["count"] *= 100
    return stored


@pytest.mark.parametrize(
    ("stored", "read", "left"),
    [
        ({}, 0, {"count": 1, "$shapes": {"Counter": 2}}),
        ({"n": "3", "x": 1}, 300, {"count": 301, "x": 1, "$shapes": {"Counter": 2}}),
        (
            {"count": 4, "$shapes": {"Counter": 1, "Other": 5}},
            400,
            {"count": 401, "$shapes": {"Counter": 2, "Other": 5}},
        ),
        ({"count": 4, "$shapes": {"Counter": 2}}, 4, {"count": 5, "$shapes": {"Counter": 2}}),
    ],
)
def test_an_older_shape_is_migrated_when_it_is_read(stored: dict[str, Any], read: int, left: dict[str, Any]) -> None:
    state = State(dict(stored))
    state.show_as(StateModel(model=Counter, version=2, migrate=upgrade))
    assert state.seen.count == read
    state.seen.count += 1
    assert state.values_now() == left


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ({"count": "many"}, "the state does not fit Counter: count: Input should be a valid integer"),
        ({"$shapes": {"Counter": 9}}, "was written by version 9 of Counter; this is version 2"),
    ],
)
def test_a_state_that_does_not_fit_fails_the_turn(stored: dict[str, Any], reason: str) -> None:
    with pytest.raises(HandlerError, match=reason):
        State({"$shapes": {"Counter": 2}, **stored}).show_as(StateModel(model=Counter, version=2, migrate=upgrade))


class Needy(BaseModel):
    name: str


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Router(state=dict), "state is a class of pydantic's BaseModel"),  # type: ignore[arg-type]
        (lambda: Router(state=Needy), "give defaults in Needy to name"),
        (lambda: Router(state=Counter, version=0), "a whole number from 1 on"),
        (lambda: Router(state=Counter, version=2), "version 2 needs migrate="),
    ],
)
def test_a_model_that_cannot_work_is_refused_with_file_and_line(make: Callable[[], Router], reason: str) -> None:
    with pytest.raises(HandlerError, match=rf"test_state\.py:\d+: .*{reason}"):
        make()


@given(st.lists(st.sampled_from(["order 1", "order 2", "plain"]), max_size=6))
@settings(max_examples=20, deadline=None)
def test_switching_between_model_and_mapping_loses_nothing(words: list[str]) -> None:
    state = State({})
    last, count = None, 0
    for word in words:
        if word == "plain":
            state.show_as(None)
            state["count"] = count = count + 1
        else:
            state.show_as(_ORDER)
            state.seen.last = last = int(word[-1])
    values = state.values_now()
    assert (values.get("last"), values.get("count", 0)) == (last, count)


_ORDER = StateModel(model=Order)


async def test_a_turn_whose_thread_moved_on_runs_again_and_no_update_is_lost() -> None:
    """As when another process committed a turn of the thread: simulated by committing the next event first."""
    router = Router()
    overtaken: list[int] = []

    @router.default()
    async def count(turn: Turn[Any]) -> str:
        before = turn.state.get("n", 0)
        if not overtaken:
            overtaken.append(1)
            _, second, *_ = await world.store.inbox_after(1, 0, 10)
            thread = await world.store.thread(second.thread_id)
            other = Turn(second.event, thread.ref, state={"n": 10})
            left = type(thread)(
                id=thread.id, ref=thread.ref, version=thread.version, state=draft_of(other).state.encode()
            )
            await world.store.commit_turn(TurnCommit(row=second, thread=left, at=1))
        turn.state["n"] = before + 1
        return f"{turn.state['n']}"

    async with turns(router) as world:
        await world.dispatcher.lanes.stop(1)
        for number in range(3):
            await world.heard(f"{number}", f"m-{number}")
        with capture_logs() as lines:
            await world.dispatcher.lanes.start()
            await world.settle()
        assert await world.said() == ["11", "12"]
        assert [line["event"] for line in lines if line["event"] in {"turn_repeated", "claim_lost"}] == [
            "turn_repeated",
            "claim_lost",
        ]


def test_a_state_that_nobody_looks_at_is_left_as_it_is_stored() -> None:
    stored = b'{ "as": "another version wrote it" }'
    untouched, looked_at = State(stored), State(stored)
    assert looked_at["as"] == "another version wrote it"
    assert untouched.encode() is stored
    assert looked_at.encode() == b'{"as":"another version wrote it"}'


def test_a_stored_state_that_is_shown_as_a_model_is_read() -> None:
    state = State(b'{"last":3}')
    state.show_as(_ORDER)
    state.seen.last = 4
    assert state.values_now()["last"] == 4
