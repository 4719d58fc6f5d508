"""What a turn leaves behind: state and replies together or not at all, keys that never change, choices, order."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bridge.engine.ingest import event_key
from bridge.engine.turns import commit
from bridge.engine.turns.idempotency import KEYS, idempotency_key
from bridge.errors import Unavailable
from bridge.events import ThreadRef
from bridge.messages import Button, Buttons, Card, Cards, Document, Row, Section
from bridge.messages import Menu as List
from bridge.routing.router import Router
from bridge.store.records import TurnCommit
from tests.support.turn_engine import turns

if TYPE_CHECKING:
    from bridge.conversation.turn import Turn
    from bridge.store.port import Store


class Between:
    """A store whose next commits of turns go wrong as listed: the error, and whether it was committed all the same."""

    def __init__(self, store: Store, *faults: Exception) -> None:
        self._store = store
        self.faults = [*faults]
        self.tried: list[TurnCommit] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit_turn(self, turn: TurnCommit) -> None:
        self.tried.append(turn)
        if self.faults:
            raise self.faults.pop(0)
        await self._store.commit_turn(turn)


def counting() -> Router:
    router = Router()

    @router.default()
    async def count(turn: Turn) -> list[str]:
        turn.state["n"] = turn.state.get("n", 0) + 1
        turn.step = f"step {turn.state['n']}"
        return [f"this is {turn.state['n']}", "and more"]

    return router


async def test_a_commit_that_fails_leaves_neither_state_nor_replies_and_the_rerun_has_the_same_keys() -> None:
    between: list[Between] = []

    def wrap(store: Store) -> Any:
        between.append(Between(store, Unavailable("disk full"), Unavailable("disk full")))
        return between[0]

    async with turns(counting(), wrap=wrap) as world:
        await world.heard("hi", "m-1")
        await world.settle()
        assert (await world.said(), world.queue) == ([], [])
        await world.wait_out()
        await world.heard("hi", "m-2")
        await world.settle()
        assert await world.said() == ["this is 1", "and more", "this is 2", "and more"]
        assert await world.reasons() == []
    keys = [[saying.key for saying in tried.sayings] for tried in between[0].tried]
    assert keys[0] == keys[1] == keys[2]
    assert len({*keys[0], *keys[3]}) == 4


async def test_a_claim_that_is_lost_drops_the_turn_in_silence() -> None:
    """Somebody else committed the very same event meanwhile: their effects count, ours never happened."""
    router = Router()
    inside: list[Any] = []

    @router.default()
    async def reply(turn: Turn) -> str:
        await inside.pop()()
        turn.state["by"] = "us"
        return "ours"

    async with turns(router) as world:

        async def overtake() -> None:
            (row,) = await world.store.inbox_heads(0, 10)
            thread = await world.store.thread(row.thread_id)
            await world.store.commit_turn(TurnCommit(row=row, thread=thread, at=world.clock.now()))

        inside.append(overtake)
        with capture_logs() as lines:
            await world.heard("hi", "m-1")
            await world.settle()
        assert [line["event"] for line in lines if line["log_level"] != "debug"] == ["claim_lost"]
        assert (await world.said(), world.queue, await world.reasons()) == ([], [], [])
        inside.append(_nothing)
        await world.heard("again", "m-2")
        await world.settle()
        assert await world.said() == ["ours"]


async def _nothing() -> None:
    return None


def test_keys_of_messages_never_change() -> None:
    """A literal on purpose: restored backups and providers remember keys for years."""
    key = idempotency_key("shop", "m-1", 0, "bot:hello", 0, 0)
    assert key == str(uuid.uuid5(KEYS, "shop\nm-1\n0\nbot:hello\n0\n0"))
    assert (key, str(KEYS)) == ("1e9d7f33-da1a-530d-82f9-93a8de35889c", "b5f2a0de-5b4e-5f0b-8f1e-6f1d3c0f7a11")


@given(st.text(), st.text(), st.integers(min_value=0))
def test_a_key_is_the_uuid_of_its_name(account: str, event: str, ordinal: int) -> None:
    try:
        expected = str(uuid.uuid5(KEYS, f"{account}\n{event}\n0\nbot:hello\n{ordinal}\n0"))
    except UnicodeEncodeError:
        return
    assert idempotency_key(account, event, 0, "bot:hello", ordinal, 0) == expected


def test_every_part_of_a_key_counts() -> None:
    parts: list[tuple[str, str, int, str, int, int]] = [
        ("shop", "m", 0, "h", 0, 0),
        ("desk", "m", 0, "h", 0, 0),
        ("shop", "n", 0, "h", 0, 0),
        ("shop", "m", 1, "h", 0, 0),
        ("shop", "m", 0, "i", 0, 0),
        ("shop", "m", 0, "h", 1, 0),
        ("shop", "m", 0, "h", 0, 1),
    ]
    assert len({idempotency_key(*each) for each in parts}) == len(parts)


async def test_a_replayed_event_speaks_under_new_keys() -> None:
    failures = [ValueError("not yet")]
    router = Router()

    @router.default()
    async def reply(turn: Turn) -> str:
        del turn
        if failures:
            raise failures.pop()
        return "at last"

    async with turns(router, attempts=1) as world:
        await world.heard("hi", "m-1")
        await world.settle()
        (letter,) = await world.store.dead_letters()
        assert await world.store.replay(letter.id, world.clock.now())
        await world.settle()
        assert (await world.said(), await world.reasons()) == (["at last"], [])
        (row,) = world.queue
        handler = f"{reply.__module__}:{reply.__qualname__}"
        assert row.key == idempotency_key("shop", event_key("whatsapp", "ann", "m-1"), 1, handler, 0, 0)


CHOOSING: Final = {
    "a number where there are no buttons": ("2", "relay"),
    "a number with a space": (" 2 ", "relay"),
    "a title": ("Refund", "relay"),
    "a title where there are buttons": ("Refund", "shop"),
    "a title in another case": ("rEFUND", "shop"),
}


@pytest.mark.parametrize(("text", "account"), CHOOSING.values(), ids=CHOOSING.keys())
@pytest.mark.parametrize("listed", [False, True], ids=["buttons", "list"])
async def test_a_choice_in_words_comes_back_as_a_press(text: str, account: str, *, listed: bool) -> None:
    pairs = [("order", "Order"), ("refund", "Refund")]
    offer = (
        List("What?", "Choose", [Section("All", [Row(key, title) for key, title in pairs])])
        if listed
        else Buttons("What?", [Button(key, title) for key, title in pairs])
    )
    router = Router()

    @router.message(text="start")
    async def ask(turn: Turn) -> Any:
        del turn
        return offer

    @router.postback("refund")
    async def refund(turn: Turn) -> str:
        return f"pressed {turn.event.key}, {turn.event.title}"  # type: ignore[attr-defined] # a press has them

    @router.default()
    async def other(turn: Turn) -> str:
        del turn
        return "what?"

    async with turns(router) as world:
        await world.heard("start", "1", account=account)
        await world.heard(text, "2", account=account)
        await world.heard("3", "3", account=account)
        await world.settle()
        assert (await world.said(account=account))[1:] == ["pressed refund, Refund", "what?"]


async def test_turns_of_a_thread_run_one_at_a_time_and_in_order() -> None:
    running, most = {"ann": 0, "bob": 0}, []
    router = Router()

    @router.default()
    async def slow(turn: Turn) -> str:
        who = turn.contact.id
        running[who] += 1
        most.append(running[who])
        await asyncio.sleep(0)
        running[who] -= 1
        return turn.event.text  # type: ignore[attr-defined, no-any-return] # a message has a text

    async with turns(router) as world:
        for number in range(40):
            await world.heard(str(number), f"m-{number}", "ann" if number % 2 else "bob")
        await world.settle()
        assert await world.said("ann") == [str(number) for number in range(1, 40, 2)]
        assert await world.said("bob") == [str(number) for number in range(0, 40, 2)]
    assert max(most) == 1


async def test_what_was_said_before_can_be_read_back() -> None:
    router = Router()

    @router.default()
    async def recall(turn: Turn) -> str:
        said = [entry.event.text if entry.event else entry.message.text for entry in await turn.history(3)]  # type: ignore[union-attr, attr-defined]
        return f"before: {', '.join(said)}"

    async with turns(router) as world:
        for number, text in enumerate(["a", "b"]):
            await world.heard(text, f"m-{number}")
            await world.settle()
        assert await world.said() == ["before: ", "before: a, before: "]


def failing() -> Router:
    router = Router()

    @router.default()
    async def fail(turn: Turn) -> None:
        turn.state["touched"] = True
        raise ValueError("x")

    return router


async def test_a_thread_that_waits_for_its_next_try_is_found_after_a_restart() -> None:
    """The store knows when, and how often it was tried."""
    async with turns(failing()) as world:
        await world.heard("bad", "m-1")
        await world.settle()
        (row,) = await world.store.inbox_heads(0, 10)
        assert row.attempt == 2
        assert row.available_at > world.clock.now()
        thread_id = await world.store.find_thread(ThreadRef("shop", "konnek", "whatsapp", "ann"))
        assert thread_id is not None
        assert orjson.loads((await world.store.thread(thread_id)).state) == {}


@pytest.mark.parametrize(
    "replies",
    [
        "word " * 30_000,
        ["x" * 100_000, "x" * 100_000],
        lambda: Buttons("Which?", [Button(f"k{number}", f"{number}") for number in range(20_000)]),
        lambda: List("Which?", "All", [Section("", [Row(f"k{number}", f"{number}") for number in range(20_000)])]),
        Cards([Card("x" * 140_000)]),
        Document("https://example.org/x.pdf", caption="x" * 140_000),
    ],
    ids=["text", "texts", "buttons", "menu", "cards", "caption"],
)
async def test_what_one_turn_says_is_bounded_before_it_is_planned(
    replies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "plan", None)
    router = Router()
    router.default()(lambda _: replies() if callable(replies) else replies)
    async with turns(router) as world:
        await world.heard("hi", "m-1")
        await world.settle()
        (reason,) = await world.reasons()
        assert reason.startswith("given up at once: HandlerError: a turn says ")
        assert reason.endswith("characters, and it may 131072: send a document instead")
