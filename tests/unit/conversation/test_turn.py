"""What a handler may do with a turn, and what the engine gets out of it."""

from __future__ import annotations

import json
import math
import uuid
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import Button, Buttons, Contact, Entry, HandlerError, Image, Message, Text, ThreadRef, Turn
from bridge.conversation.draft import REPLY_LIMIT
from bridge.conversation.own_tables import NoTables
from bridge.conversation.state import STATE_LIMIT
from bridge.conversation.turn import NoServices, as_messages, draft_of
from bridge.routing.schedule import later

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    History = Callable[[int], Awaitable[Sequence[Entry]]]

AT = datetime(2026, 1, 1, tzinfo=UTC)
EVENT = Message(id="1", contact=Contact(id="ann", name="Ann"), at=AT, text="hello")
THREAD = ThreadRef("shop", "konnek", "whatsapp", "ann")
BUTTONS = Buttons("Sure?", [Button("yes", "Yes")])
IMAGE = Image("https://files.example/1")


class Asked(NoTables):
    """Implements Services: timers are checked, and what was said before comes from the test."""

    schedule = staticmethod(later)
    begin = NoServices().begin
    destination = NoServices().destination
    text = NoServices().text
    threads_of_contact = NoServices().threads_of_contact

    def __init__(self, said_before: History | None) -> None:
        self.said_before = said_before

    async def history(self, limit: int) -> Sequence[Entry]:
        return await self.said_before(limit) if self.said_before is not None else ()


def turn_of(
    state: bytes | Mapping[str, Any] = b"{}", step: str | None = None, history: History | None = None
) -> Turn[Message]:
    return Turn(EVENT, THREAD, state=state, step=step, services=Asked(history))


def test_a_turn_shows_what_it_is_about() -> None:
    turn = turn_of(b'{"n":1}', "size")
    assert (turn.event, turn.thread, turn.contact.name, turn.state, turn.step) == (
        EVENT,
        THREAD,
        "Ann",
        {"n": 1},
        "size",
    )


# Replies


def test_replies_are_kept_in_order_and_reply_can_be_chained() -> None:
    turn = turn_of()
    assert turn.reply("a", [BUTTONS, ("b", [IMAGE])]).say("c").reply() is turn
    assert turn.replies == (Text("a"), BUTTONS, Text("b"), IMAGE, Text("c"))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "not a NoneType"),
        (7, "not a int"),
        (b"a", "not a bytes"),
        ({"text": "a"}, "not a dict"),
        (Button("a", "A"), "not a Button"),
        (Text, "not a type"),
        ((each for each in "ab"), "not a generator"),
        (["fine", [7]], "not a int"),
    ],
)
def test_what_cannot_be_said_is_refused_by_its_type_and_nothing_of_it_is_kept(value: Any, reason: str) -> None:
    turn = turn_of()
    with pytest.raises(HandlerError, match=reason):
        turn.reply("before", value)
    assert turn.replies == ()


def test_say_takes_only_text() -> None:
    with pytest.raises(HandlerError, match=r"say\(\) takes a text, not a Buttons"):
        turn_of().say(BUTTONS)  # type: ignore[arg-type]


def test_a_turn_that_never_stops_replying_is_stopped() -> None:
    turn = turn_of().reply(["again"] * REPLY_LIMIT)
    with pytest.raises(HandlerError, match="at most 1000"):
        turn.reply("once more")


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        (None, ()),
        ("a", (Text("a"),)),
        (BUTTONS, (BUTTONS,)),
        (["a", IMAGE], (Text("a"), IMAGE)),
        ((), ()),
        (turn_of().say("kept already"), ()),
    ],
)
def test_what_a_handler_returns_is_a_reply_too(value: object, messages: tuple[object, ...]) -> None:
    assert as_messages(value) == messages


@pytest.mark.parametrize("value", [7, {"a": 1}, [None], True])
def test_a_handler_that_returns_something_else_is_told(value: object) -> None:
    with pytest.raises(HandlerError):
        as_messages(value)


# State and step


def test_state_is_a_copy_that_only_the_engine_takes_back() -> None:
    kept = {"order": {"lines": [1]}}
    turn = turn_of(kept)
    turn.state["order"]["lines"].append(2)
    turn.state["step"] = turn.state.setdefault("n", 0) + 1
    del turn.state["n"]
    assert kept == {"order": {"lines": [1]}}
    assert json.loads(draft_of(turn).state.encode()) == {"order": {"lines": [1, 2]}, "step": 1}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
@settings(max_examples=60, deadline=None)
def test_json_state_comes_back_as_it_was_kept(state: dict[str, Any]) -> None:
    assert turn_of(draft_of(turn_of(state)).state.encode()).state == state


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    LARGE = 3


class Point(NamedTuple):
    x: int


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ((1, 2), r"state\['kept'\] is a tuple, which would come back as a list: keep a list"),
        ([{"at": Point(1)}], r"state\['kept'\]\[0\]\['at'\] is a tuple"),
        (Colour.RED, r"state\['kept'\] is <Colour.RED: 'red'>, which would come back as 'red': keep its value"),
        ({"n": [Size.LARGE]}, r"state\['kept'\]\['n'\]\[0\] is <Size.LARGE: 3>, which would come back as 3"),
        ({Colour.RED: 1}, r"state\['kept'\] has the key <Colour.RED: 'red'>, a Colour; a key is a text"),
    ],
)
def test_what_would_come_back_as_something_else_is_refused(value: object, reason: str) -> None:
    with pytest.raises(HandlerError, match=reason):
        draft_of(turn_of({"kept": value})).state.encode()


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"photo": b"\xff"}, r"state\['photo'\] is a bytes, which is not JSON"),
        ({"order": {"lines": [{"at": AT}]}}, r"state\['order'\]\['lines'\]\[0\]\['at'\] is a datetime"),
        ({"id": uuid.UUID(int=1)}, r"state\['id'\] is a UUID"),
        ({"who": EVENT.contact}, r"state\['who'\] is a Contact"),
        ({"seen": {1, 2}}, r"state\['seen'\] is a set"),
        ({"order": {1: "a"}}, r"state\['order'\] has the key 1, a int; a key is a text"),
        ({"order": {"\ud800": "a"}}, r"has the key '\\ud800'"),
        ({"n": math.nan}, r"state\['n'\] is nan"),
        ({"n": [math.inf]}, r"state\['n'\]\[0\] is inf"),
        ({"n": 2**64}, r"state\['n'\] is an integer of more than 64 bits"),
        ({"text": "\ud800"}, r"state\['text'\] has a lone surrogate"),
        ({"seen": ["a", "\ud800"]}, r"state\['seen'\]\[1\] has a lone surrogate"),
        ({"deep": nested(100)}, r"is nested more than 64 deep"),
        ({"text": "x" * STATE_LIMIT}, r"state: 65547 bytes of JSON, where 65536 may be kept"),
    ],
)
def test_state_that_is_not_json_is_named_by_its_key(state: dict[str, Any], reason: str) -> None:
    turn = turn_of()
    turn.state.update(state)
    with pytest.raises(HandlerError, match=reason):
        draft_of(turn).state.encode()


def test_the_largest_state_is_kept() -> None:
    turn = turn_of({"text": "x" * (STATE_LIMIT - len('{"text":""}'))})
    assert len(draft_of(turn).state.encode()) == STATE_LIMIT


def test_a_step_is_a_text_or_none() -> None:
    turn = turn_of(step="size")
    turn.step = None
    assert turn.step is None
    turn.step = "colour"
    with pytest.raises(HandlerError, match="a step is a text or None, not a int"):
        turn.step = 3  # type: ignore[assignment]
    assert turn.step == "colour"


# History


async def test_history_is_read_through_what_the_engine_gave() -> None:
    entries = [Entry(direction="in", at=AT, event=EVENT), Entry(direction="out", at=AT, message=BUTTONS)]
    asked: list[int] = []

    async def read(limit: int) -> Sequence[Entry]:
        asked.append(limit)
        return entries

    turn = turn_of(history=read)
    assert (await turn.history(), await turn.history(2)) == (entries, entries)
    assert asked == [20, 2]


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_history_has_bounds(limit: int) -> None:
    with pytest.raises(HandlerError, match="from 1 to 1000"):
        await turn_of().history(limit)


# The end of a turn


LATE: dict[str, Callable[[Turn], object]] = {
    "reply": lambda turn: turn.reply("late"),
    "say": lambda turn: turn.say("late"),
    "set": lambda turn: turn.state.update(n=2),
    "delete": lambda turn: turn.state.pop("n"),
    "clear": lambda turn: turn.state.clear(),
    "step": lambda turn: setattr(turn, "step", "late"),
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_a_turn_that_is_over_refuses_every_change_and_stays_as_it_was(late: Callable[[Turn], object]) -> None:
    turn = turn_of({"n": 1}, "size").say("in time")
    draft_of(turn).close()
    with pytest.raises(HandlerError, match="the turn is over"):
        late(turn)
    assert (turn.replies, draft_of(turn).state.encode(), turn.step) == ((Text("in time"),), b'{"n":1}', "size")


async def test_a_turn_that_is_over_reads_no_history() -> None:
    turn = turn_of()
    draft_of(turn).close()
    with pytest.raises(HandlerError, match="the turn is over"):
        await turn.history()


def test_a_state_kept_for_later_is_closed_with_its_turn() -> None:
    turn = turn_of({"n": 1})
    state = turn.state
    draft_of(turn).close()
    with pytest.raises(HandlerError, match="the turn is over"):
        state["n"] = 2
    assert state == {"n": 1}
