"""The bot's own tables in whole bridges: what a statement that fails means to its turn, its event and its contact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge import Dialog, HandlerError, Message, Router, Turn, errors
from bridge.errors import ConfigError
from bridge.testing import World
from tests.support.order_books import ADD, COUNT, in_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bridge.testing.contacts import Contact


@pytest.fixture
def router() -> Router:
    return Router("bot")


@pytest.fixture
def world(router: Router, tmp_path: Path) -> Iterator[World]:
    with World(router, settings={"storage": {"migrations": in_folder(tmp_path)}}) as world:
        yield world


@pytest.fixture
def ann(world: World) -> Contact:
    return world.contact("konnek", "whatsapp", "ann")


async def orders(world: World) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await world.fetch("SELECT no, what FROM bot_orders ORDER BY no")]


async def counted(world: World) -> int:
    ((number,),) = await world.fetch("SELECT n FROM bot_count")
    return int(number)


async def letters(world: World) -> list[str]:
    return [letter.reason for letter in await world.inside(world.bridge.store.dead_letters())]


@pytest.fixture
def clashing(router: Router) -> list[str]:
    """A handler whose order is there already, once one was made; and what it was called with."""
    calls: list[str] = []

    @router.message()
    async def order(turn: Turn[Message]) -> str:
        calls.append(turn.event.text)
        turn.state["last"] = turn.event.text
        turn.execute(COUNT).execute(ADD, 7, turn.event.text, 1)
        return f"noted: {turn.event.text}"

    return calls


async def test_a_statement_that_fails_gives_the_event_up_at_once_and_leaves_nothing(
    world: World, ann: Contact, clashing: list[str]
) -> None:
    for text in ("tea", "mate"):
        await ann.says(text)
        await world.settle()
    assert clashing == ["tea", "mate"]
    assert ann.texts == ["noted: tea"]
    assert (await orders(world), await counted(world)) == ([(7, "tea")], 1)
    assert await ann.state() == {"last": "tea"}
    (reason,) = await letters(world)
    assert reason.startswith(
        "given up at once: StatementFailed: SQLite: UNIQUE constraint failed: bot_orders.no: INSERT"
    )


async def test_an_error_handler_answers_for_a_statement_that_failed(
    world: World, router: Router, ann: Contact, clashing: list[str]
) -> None:
    @router.error(errors.StatementFailed)
    async def sorry(turn: Turn, error: errors.StatementFailed) -> str:
        assert isinstance(error, HandlerError)
        turn.execute(COUNT)
        return "it is there already"

    for text in ("tea", "mate"):
        await ann.says(text)
        await world.settle()
    assert ann.texts == ["noted: tea", "it is there already"]
    assert (await orders(world), await counted(world), await letters(world)) == ([(7, "tea")], 2, [])
    assert len(clashing) == 2


async def test_an_error_handler_whose_own_statement_fails_is_not_called_again_and_again(
    world: World, router: Router, ann: Contact, clashing: list[str]
) -> None:
    @router.error()
    async def sorry(turn: Turn, error: Exception) -> str:
        del error
        turn.execute(ADD, 7, "sorry", 1)
        return "never"

    for text in ("tea", "mate", "milk"):
        await ann.says(text)
        await world.settle()
    assert ann.texts == ["noted: tea"]
    assert len(clashing) == 3
    assert len(await letters(world)) == 2
    assert [line["event"] for line in world.log].count("error_handler_failed") == 2


async def test_a_statement_fails_for_one_event_of_a_batch_and_the_others_go_on(
    world: World, router: Router, ann: Contact
) -> None:
    @router.message(overlap="merge")
    async def all_orders(turn: Turn[Message]) -> str:
        texts = [event.text for event in turn.events if isinstance(event, Message)]
        for text in texts:
            turn.execute(ADD, 0 if text == "bad" else len(text), text, 1)
        return ", ".join(texts)

    await ann.says("bad", "a", "bb")
    await world.settle()
    await ann.says("bad")
    await world.settle()
    assert await orders(world) == [(0, "bad"), (1, "a"), (2, "bb")]
    assert len(await letters(world)) == 1


async def test_a_query_that_fails_can_be_caught(world: World, router: Router, ann: Contact) -> None:
    @router.message()
    async def look(turn: Turn[Message]) -> str:
        try:
            await turn.fetch("SELECT nothing FROM nowhere")
        except HandlerError as error:
            turn.execute(COUNT)
            return type(error).__name__
        return "?"

    await ann.says("a")
    await world.settle()
    assert (ann.texts, await counted(world)) == (["StatementFailed"], 1)


async def test_a_query_finds_what_is_committed_and_not_what_its_turn_executes(
    world: World, router: Router, ann: Contact
) -> None:
    @router.message()
    async def look(turn: Turn[Message]) -> str:
        turn.execute(COUNT)
        ((number,),) = await turn.fetch("SELECT n FROM bot_count")
        return f"{number}"

    for _ in range(2):
        await ann.says("a")
        await world.settle()
    assert (ann.texts, await counted(world)) == (["0", "1"], 2)


@pytest.mark.parametrize("fault", ["store_fails", "slow_store", "crash"])
async def test_a_statement_is_done_once_though_its_commit_is_tried_again(
    world: World, clashing: list[str], fault: str
) -> None:
    async def scenario(world: World) -> None:
        clashing.clear()
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("tea")
        await world.settle()
        await ann.says("mate")
        await world.settle()
        assert (await orders(world), await counted(world)) == ([(7, "tea")], 1)
        ann.saw_once("noted: tea")
        assert len(await letters(world)) == 1
        assert not any("UNIQUE" in str(line) for line in world.log), "the log has no words of a statement"

    assert world.explore(scenario, seeds=30, faults={fault}).runs == 30


def refusing(act: Callable[[Dialog], Any], *, in_step: bool) -> Router:
    router = Router("dialogs")

    @router.message()
    async def begin(turn: Turn[Message]) -> None:
        await turn.begin(talk)

    @router.dialog(version=1)
    async def talk(d: Dialog) -> str:
        async def acts() -> None:
            await act(d)

        await (d.step(acts) if in_step else acts())
        return "done"

    return router


async def _executes(d: Dialog) -> None:
    d.turn.execute(COUNT)


async def _fetches(d: Dialog) -> None:
    await d.turn.fetch("SELECT 1")


@pytest.mark.parametrize(
    ("act", "in_step", "refusal"),
    [
        (_executes, True, "a step cannot execute"),
        (_fetches, False, "reads its tables in a step"),
        (_executes, False, ""),
        (_fetches, True, ""),
    ],
)
async def test_a_dialog_executes_outside_of_its_steps_and_reads_inside(
    world: World, act: Callable[[Dialog], Any], refusal: str, *, in_step: bool
) -> None:
    world.use(refusing(act, in_step=in_step))
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says("a")
    await world.settle()
    assert ann.texts == ([] if refusal else ["done"])
    assert all(refusal in reason for reason in await letters(world))
    assert len(await letters(world)) == bool(refusal)


async def test_a_turn_has_a_bound_for_its_statements(world: World, router: Router, ann: Contact) -> None:
    @router.message()
    async def without_end(turn: Turn[Message]) -> None:
        while True:
            turn.execute(ADD, 1, turn.event.text * 100_000, 1)

    await ann.says("a")
    await world.settle()
    (reason,) = await letters(world)
    assert reason.endswith("at most 4 MiB of statements and parameters")


async def test_a_migration_that_cannot_be_applied_is_no_start(router: Router, tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE bot_a (x); nonsense", "utf-8")
    world = World(router, settings={"storage": {"migrations": str(tmp_path)}})
    with pytest.raises(ConfigError, match=r"storage\.migrations: 0001_a\.sql: NONSENSE is no part of a migration"):
        await world.settle()
