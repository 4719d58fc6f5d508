"""What a handler needs is away for a long time, and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge import Message, Router, Turn
from bridge.testing.world import World
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR: Final = 3600 * SECOND
PEOPLE: Final = 40


class Backend:
    """What the bot's handler asks."""

    def __init__(self) -> None:
        self.away = False
        self.asked = 0

    def bot(self) -> Router:
        router = Router("bot")

        @router.message(text="ping")
        async def ping(turn: Turn[Any]) -> str:
            return f"pong {turn.event.id != ''}"

        @router.message()
        async def ask(turn: Turn[Any]) -> str:
            self.asked += 1
            if self.away or turn.event.text == "poison":
                raise ConnectionError("the backend is away")
            return f"got {turn.event.text}"

        return router


def let_pass(world: World, span: int, until: Callable[[], bool] = lambda: False) -> None:
    """Virtual time passes in which whatever is due happens."""
    stage = world._begun()
    end = stage.now + span
    while not until() and (stage.step() or stage.pass_time(end)):
        pass
    if not until():
        stage.jump(end)


def lines(world: World, event: str) -> int:
    return sum(line.get("event") == event for line in world.log)


async def test_events_wait_two_hours_for_their_handlers_backend_and_lose_no_try() -> None:
    backend = Backend()
    with World(backend.bot(), counts=False) as world:
        people = [world.contact("konnek", "telegram", f"p{number}") for number in range(PEOPLE)]
        backend.away = True
        for person in people:
            await person.says("one")
            await person.says("two")
        let_pass(world, 2 * HOUR)
        assert backend.asked < 2 * 3600 / 30 + 4 * PEOPLE
        assert (lines(world, "handler_paused"), lines(world, "event_dead")) == (1, 0)
        await people[0].says("three")
        other = world.contact("konnek", "telegram", "other")
        await other.says("ping")
        let_pass(world, SECOND)
        assert other.texts == ["pong True"]
        backend.away = False
        came_back = world._begun().now
        let_pass(world, HOUR, lambda: all(len(person.texts) >= 2 for person in people))
        assert world._begun().now - came_back <= 60 * SECOND
        await world.settle()
        assert all(person.texts[:2] == ["got one", "got two"] for person in people)
        assert people[0].texts[2:] == ["got three"]
        assert (lines(world, "handler_paused"), lines(world, "handler_resumed"), lines(world, "event_dead")) == (
            1,
            1,
            0,
        )


async def test_an_event_that_fails_among_others_that_do_not_is_given_up_after_its_tries() -> None:
    backend = Backend()
    with World(backend.bot(), counts=False) as world:
        eve = world.contact("konnek", "telegram", "eve")
        await eve.says("poison")
        for number in range(5):
            await world.contact("konnek", "telegram", f"p{number}").says("hi")
        await world.settle()
        assert (lines(world, "event_dead"), lines(world, "handler_paused")) == (1, 0)
        assert backend.asked == 5 + 5


async def test_a_handler_that_fails_for_everybody_for_a_day_gives_its_events_up() -> None:
    backend = Backend()
    with World(backend.bot(), counts=False) as world:
        people = [world.contact("konnek", "telegram", f"p{number}") for number in range(4)]
        backend.away = True
        for person in people:
            await person.says("one")
        let_pass(world, 25 * HOUR)
        assert lines(world, "event_dead") == 4
        letters = await world.inside(world.bridge.store.dead_letters())
        assert {letter.reason for letter in letters} == {
            "given up after 24 hours, in which its handler failed for everybody: ConnectionError: the backend is away"
        }
        backend.away = False
        await people[0].says("two")
        await world.settle()
        assert people[0].texts == ["got two"]


async def test_a_poisonous_event_that_looks_like_an_outage_takes_no_neighbour_along() -> None:
    router = Router("poison")

    @router.message(overlap="merge")
    async def answer(turn: Turn[Message]) -> str:
        if any(isinstance(event, Message) and event.text == "poison" for event in turn.events):
            raise ValueError
        return "fine"

    with World(router, counts=False) as world:
        ann, *others = (world.contact("konnek", "telegram", name) for name in ("ann", "bob", "cid", "dan"))
        for other in others:
            await other.says("poison")
        assert await world.until(lambda: lines(world, "handler_paused") == 1)
        await ann.says("hello", "poison")
        await world.advance("2d")
        assert ann.texts == ["fine"]
        letters = await world.inside(world.bridge.store.dead_letters())
        assert len(letters) == 4
