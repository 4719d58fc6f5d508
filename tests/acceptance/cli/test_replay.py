"""`threadbridge replay`: the same handlers say the same, others are shown by what they say otherwise."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from bridge import Button, Buttons, Key, Postback, Router, Text, Turn, debounce
from bridge.cli import app
from bridge.cli.recording import record
from bridge.cli.replay import differences
from bridge.cli.replay_run import rerun
from bridge.errors import HandlerError
from bridge.store.opening import open_reader
from bridge.testing import World
from bridge.testing.contract.store.desk import Desk
from bridge.units import micros
from handlers import orders
from tests.support.order_tills import Till
from tests.support.recordings import keep

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.cli.recording import Recording


class Seat(Key, expires="1d"):
    """The button of a seat."""

    no: int


def bot(greeting: str = "Hello", *, breaks: bool = False, sends: bool = True) -> Router:
    """A bot that does a little of everything."""
    router = Router("bot")

    @router.message(text="seats")
    def seats(_: Turn) -> Buttons:
        return Buttons("Which seat?", [Button(Seat(no=no), f"Seat {no}") for no in (1, 2)])

    @router.postback(Seat)
    def seat(turn: Turn[Postback], click: Seat) -> str:
        turn.state["seat"] = click.no
        return f"Seat {click.no} is yours."

    @router.message(text="tell bob")
    def tell(turn: Turn) -> str:
        if sends:
            turn.send("+6281234500099", "Ann says hello", channel="whatsapp")
        return "Told."

    @router.message(text="boom")
    def boom(_: Turn) -> str:
        raise ValueError("boom")

    router.include(odd_ones())

    @router.message(regex="^note ", overlap=debounce(2))
    def note(turn: Turn) -> str:
        return f"{len(turn.events)} notes."

    @router.default()
    def other(turn: Turn) -> str:
        if breaks:
            raise KeyError("other")
        turn.state["count"] = turn.state.get("count", 0) + 1
        return f"{greeting} {turn.state['count']}"

    return router


def odd_ones() -> Router:
    """What wants more than an answer."""
    router = Router("odd")

    @router.message(text="socket")
    def reach(_: Turn) -> str:
        with socket.create_connection(("127.0.0.1", 9), 1):
            return "reached"

    @router.message(text="later")
    def later(turn: Turn) -> Text:
        return Text("It is later now.", at=turn.now + timedelta(hours=3))

    @router.message(text="person")
    def person(turn: Turn) -> str:
        turn.handoff("wants a person")
        return "A person comes."

    return router


async def day(world: World) -> None:
    """What happens on a day."""
    ann = world.contact("konnek", "whatsapp", "ann")
    people = [ann, world.contact("aelyst", "telegram", "eve"), world.contact("relationlabs", "peer", "carl")]
    for person in people:
        await person.says("hi")
        await world.settle()
        await person.says("seats")
        await person.clicks("Seat 2")
        await world.settle()
        await person.says("note a", "note b")
        await world.advance("10s")
        await person.says("later", "boom")
        await world.advance("1h")
        await person.reads()
    await ann.says("tell bob")
    await world.settle()
    await ann.says("person")
    await world.settle()
    await ann.says("are you there?")
    await world.settle()
    await world.agent(ann).returns()
    await ann.says("and now?")
    await world.advance("5h")


def recorded(folder: Path, router: Router, scenario: Any = day, since: int = 0) -> tuple[Recording, World]:
    """A day as the store has it."""
    with World(router) as world:
        asyncio.run(scenario(world))
        url = keep(world, folder / f"{len([*folder.iterdir()])}.db")

    async def read() -> Recording:
        store = await open_reader(url)
        try:
            return await record(store, [*world.bridge.config.accounts], since, 1000)
        finally:
            await store.close()

    return asyncio.run(read()), world


def compared(recording: Recording, world: World, router: Router, since: int = 0) -> list[tuple[str, str]]:
    result = rerun(recording, world.bridge.config, router, micros(world.now))
    return [(str(row["change"]), str(row["what"])) for row in differences(recording, result, since)]


def test_the_same_handlers_say_the_same(tmp_path: Path) -> None:
    recording, world = recorded(tmp_path, bot())
    said = [message for one in recording.conversations for message in one.messages]
    assert len(said) > 15
    assert compared(recording, world, bot()) == []


def test_an_order_bot_with_its_dialogs_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refund(world: World) -> None:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("order 7")
        await ann.clicks("Refund")
        await world.settle()
        await ann.says("broken")
        await ann.clicks("yes")
        await world.settle()
        eve = world.contact("whautochat", "whatsapp", "eve")
        await eve.says("order 8")
        await world.advance("3h")

    monkeypatch.setattr(orders, "payments", Till())
    recording, world = recorded(tmp_path, orders.router, refund)
    monkeypatch.setattr(orders, "payments", Till())
    assert any(
        "Your receipt is" in message.content.decode() for one in recording.conversations for message in one.messages
    )
    assert compared(recording, world, orders.router) == []


def test_other_handlers_are_shown_by_what_they_say_otherwise(tmp_path: Path) -> None:
    recording, world = recorded(tmp_path, bot())
    changes = compared(recording, world, bot("Good day"))
    assert changes[:2] == [("-", '{"kind":"text","text":"Hello 1"}'), ("+", '{"kind":"text","text":"Good day 1"}')]
    assert {change for change, _ in changes} == {"-", "+"}
    assert len(changes) == 2 * 4  # three people say hi, and one says more after the return


def test_what_is_not_sent_to_another_conversation_any_more_is_shown(tmp_path: Path) -> None:
    recording, world = recorded(tmp_path, bot())
    assert compared(recording, world, bot(sends=False)) == [("-", '{"kind":"text","text":"Ann says hello"}')]


def test_what_fails_with_these_handlers_alone_is_told(tmp_path: Path) -> None:
    recording, world = recorded(tmp_path, bot())
    changes = compared(recording, world, bot(breaks=True))
    failing = [what for change, what in changes if change == "fails"]
    assert len(failing) == 4
    assert all("KeyError: 'other'" in what for what in failing)
    recording, world = recorded(tmp_path, bot(breaks=True))
    changes = compared(recording, world, bot())
    assert len([what for change, what in changes if change == "answered"]) == 4


def test_only_what_happened_since_then_is_compared(tmp_path: Path) -> None:
    recording, world = recorded(tmp_path, bot())
    changes = compared(recording, world, bot("Good day"), since=micros(world.now - timedelta(hours=6)))
    assert changes == [("-", '{"kind":"text","text":"Hello 2"}'), ("+", '{"kind":"text","text":"Good day 2"}')]


def test_a_handler_reaches_nobody_outside(tmp_path: Path) -> None:
    async def one(world: World) -> None:
        await world.contact("konnek", "whatsapp", "ann").says("socket")
        await world.settle()

    quiet = Router("quiet")

    @quiet.default()
    def answer(_: Turn) -> str:
        return "ok"

    recording, world = recorded(tmp_path, quiet, one)
    changes = compared(recording, world, bot())
    assert [change for change, _ in changes] == ["-", "fails"]
    assert "a replay has no outside: socket.getaddrinfo is refused" in changes[1][1]
    with pytest.raises(ConnectionRefusedError):  # and afterwards everybody may
        socket.create_connection(("127.0.0.1", 9), 1)


def test_timers_without_end_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording, world = recorded(tmp_path, bot())
    monkeypatch.setattr("bridge.cli.replay_run._STEPS", 3)
    with pytest.raises(HandlerError, match="without end"):
        compared(recording, world, bot())


BOT = """
from bridge import Router, Turn
router = Router("bot")
@router.default()
def answer(turn: Turn) -> str:
    return "{answer}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "threadbridge.toml").write_text(
        '[handlers]\nload = ["replayed_bot"]\n[accounts.shop]\nprovider = "playground"\n', "utf-8"
    )
    (tmp_path / "replayed_bot.py").write_text(BOT.format(answer="ok"), "utf-8")
    other = BOT.format(answer="fine").replace("    return", '    print("printed")\n    return')
    (tmp_path / "other_replayed_bot.py").write_text(other, "utf-8")
    return tmp_path


async def fill(folder: Path) -> None:
    desk = await Desk(f"sqlite:///{folder / 'threadbridge.db'}").open()
    (row,) = await desk.hear("1")
    await desk.turn(row, "ok")
    await desk.store.close()


def call(folder: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["replay", "-c", str(folder / "threadbridge.toml"), *arguments])


def test_the_command_compares_with_the_configured_handlers_and_with_others(folder: Path) -> None:
    asyncio.run(fill(folder))
    before = (folder / "threadbridge.db").read_bytes()
    same = call(folder, "--since", "2025-01-01")
    assert (same.exit_code, same.stdout, same.stderr) == (0, "", "no difference in 1 conversations\n")
    other = call(folder, "--since", "2025-01-01T00:00:00Z", "--handlers", "other_replayed_bot", "--json")
    assert other.exit_code == 1
    assert [(row["change"], row["thread"], json.loads(row["what"])["text"]) for row in json.loads(other.stdout)] == [
        ("-", "whatsapp:ann", "ok"),
        ("+", "whatsapp:ann", "fine"),
    ]
    assert call(folder, "--since", "1s", "--handlers", "other_replayed_bot").exit_code == 0
    assert (folder / "threadbridge.db").read_bytes() == before


def test_what_cannot_be_compared_is_told(folder: Path) -> None:
    assert call(folder, "--since", "soon").exit_code == 2
    result = call(folder, "--since", "1d")
    assert (result.exit_code, "no store yet" in result.stderr) == (1, True)
    asyncio.run(fill(folder))
    assert call(folder, "--since", "1d", "--handlers", "nowhere_at_all").exit_code == 78
