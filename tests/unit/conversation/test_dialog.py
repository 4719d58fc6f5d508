"""Dialogs: what they say and take, and that neither restarts, faults nor repetitions change it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from bridge import Button, Buttons, Dialog, NoAnswer, Router, Turn
from bridge.testing.world import World
from tests.support.dialog_bots import Payments, asking, play, refunds
from tests.support.worlds import CHANNELS

if TYPE_CHECKING:
    import bridge as only_for_type_checkers

WORDS = ("order 7", "broken", "yes", "many", "5")
SAID = [
    "About order 7.",
    "What went wrong?",
    "Refund it?",
    "How many stars?",
    "A number, please.",
    "Done: ref-7, 5 stars, because broken.",
]


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_dialog_goes_on_where_it_waits(channel: tuple[str, str], *, crash: bool) -> None:
    payments = Payments()
    with World(refunds(payments)) as world:
        ann = world.contact(*channel, "ann")
        for word in WORDS:
            await ann.says(word)
            await world.settle()
            if crash:
                await world.crash()
        await world.settle()
        assert [text.partition("\n")[0] for text in ann.texts] == SAID, ann.phone()
        kept = {"orders": 1, "begun": 1, "reasons": ["broken"], "stars": 5}
        assert await ann.state() == kept
    assert (payments.by_key, payments.asked) == ({"refund-7": 7}, ["refund-7"])


async def test_what_is_marked_anytime_goes_before_a_dialog_and_all_else_after_it() -> None:
    with World(refunds(Payments())) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in ("order 7", "help", "order 8", "no"):
            await ann.says(word)
        await world.settle()
        ann.saw("What went wrong?", "We are here.", "Refund it?")
        ann.saw_nothing("~order 8.")
        assert await ann.state() == {"orders": 1, "begun": 1, "helped": 1, "reasons": ["order 8"]}


async def test_what_others_kept_meanwhile_is_there_and_stays() -> None:
    """The state that a dialog is played again with is that of then; from its question on, it is that of now."""
    router = Router()
    seen: list[tuple[int | None, int | None]] = []

    @router.message(text="go")
    async def go(turn: Turn[Any]) -> None:
        await turn.begin(script)
        turn.state["after"] = 1

    @router.message(text="more", anytime=True)
    async def more(turn: Turn[Any]) -> None:
        turn.state["after"] += 1

    @router.dialog()
    async def script(d: Dialog) -> None:
        first = d.turn.state.get("after")
        await d.ask("One?")
        second = d.turn.state.get("after")
        await d.ask("Two?")
        seen.append((first, second))
        d.turn.state["after"] *= 100

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in ("go", "more", "a", "more", "b"):
            await ann.says(word)
            await world.settle()
            await world.crash()
        assert (seen, await ann.state()) == ([(None, 2)], {"after": 300})


async def test_a_question_takes_a_press_a_number_or_a_title_and_returns_what_was_listed() -> None:
    async def script(d: Dialog) -> str:
        got = [await d.ask(f"Size {n}?", choices=["Small", 42, "Large"], retry="One of these.") for n in range(4)]
        return f"got {got!r}"

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await ann.clicks("Small")
        await world.settle()
        for word in ("42", "LARGE", "huge", "2"):
            await ann.says(word)
            await world.settle()
        assert ann.texts[-2:] == ["One of these.", "got ['Small', 42, 'Large', 'Large']"]


async def test_a_button_pressed_twice_answers_one_question() -> None:
    async def script(d: Dialog) -> str:
        sure = await d.choose("Sure?", yes=True, no=False)
        return f"{sure}, {await d.ask('Why?')}"

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await ann.clicks("yes")
        await world.settle()
        await ann.clicks("yes")
        await ann.clicks("no")
        await world.settle()
        ann.saw_once("Why?")
        await ann.says("so")
        await world.settle()
        assert ann.texts[-1] == "True, so"


async def test_a_prompt_with_its_own_buttons_gives_their_keys() -> None:
    async def script(d: Dialog) -> str:
        return f"got {await d.ask(Buttons('Which?', [Button('a-1', 'First'), Button('a-2', 'Second')]))}"

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await ann.clicks("Second")
        await world.settle()
        assert ann.texts[-1] == "got a-2"


async def test_answers_come_back_as_what_parse_made_of_them() -> None:
    async def script(d: Dialog) -> str:
        price = await d.ask("Price?", parse=Decimal)
        parts = await d.ask("Parts?", parse=lambda said: tuple(said.split()))
        await d.ask("Sure?")
        return f"{price!r} {parts!r}"

    assert (await play(script, "x", "1.50", "a b", "yes"))[-1] == "Decimal('1.50') ('a', 'b')"


async def test_the_answers_own_event_is_at_hand_whenever_the_dialog_is_played_again() -> None:
    async def script(d: Dialog) -> str:
        await d.ask("A photo?", accept="image")
        media = d.turn.event.media
        await d.ask("And why?")
        return f"{media and media.url}, {d.turn.event.text}"

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.settle()
        await ann.sends("image", "https://cdn.example/1.jpg")
        await world.settle()
        await world.crash()
        await ann.says("so")
        await world.settle()
        assert ann.texts[-1] == "https://cdn.example/1.jpg, so"


async def test_a_dialog_that_begins_another_is_followed_by_it_and_so_may_go_round_for_ever() -> None:
    async def script(d: Dialog) -> None:
        said = await d.ask("More?")
        d.turn.state["rounds"] = d.turn.state.get("rounds", 0) + 1
        if said != "stop":
            await d.turn.begin(script)
        await d.say(f"{d.turn.state['rounds']} rounds")

    assert await play(script, "a", "b", "stop") == ["More?", "More?", "More?", "3 rounds"]


async def test_a_dialog_takes_the_place_of_one_that_waits() -> None:
    router = Router()

    @router.message(regex="begin (?P<n>.)", anytime=True)
    async def begin(turn: Turn[Any], n: str) -> None:
        await turn.begin(script, n)

    @router.dialog()
    async def script(d: Dialog, n: str) -> str:
        return f"{n}: {await d.ask(f'{n}?', timeout='1h', on_timeout='late')}"

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in ("begin a", "begin b", "x"):
            await ann.says(word)
        await world.settle()
        await world.advance("2h")
        assert ann.texts == ["a?", "b?", "b: x"]


@pytest.mark.parametrize("crash", [False, True])
async def test_a_question_that_nobody_answers_ends_in_time(*, crash: bool) -> None:
    with World(refunds(Payments())) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("order 7")
        await world.advance("23h")
        ann.saw_nothing("~Another")
        if crash:
            await world.crash()
        await world.advance("2h")
        ann.saw_once("Another time, then.")
        await ann.says("hello")
        await world.settle()
        ann.saw_once("other: hello")


async def test_an_answer_in_time_ends_the_wait() -> None:
    with World(refunds(Payments())) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("order 7")
        await world.advance("23h")
        await ann.says("broken")
        await world.advance("30d")
        ann.saw_nothing("~Another")
        assert ann.texts[-1].startswith("Refund it?")


async def test_a_dialog_may_catch_that_nobody_answered_and_ends_when_it_does_not() -> None:
    async def catching(d: Dialog) -> str:
        try:
            await d.ask("Well?", timeout=60)
        except NoAnswer:
            again = await d.ask("Still there?", timeout=60)
            return f"good: {again}"
        return "never"

    async def turned(turn: Turn[Any]) -> str:
        return f"late, {turn.contact.id and 'you'}"

    async def calling(d: Dialog) -> None:
        await d.ask("Well?", timeout=60, on_timeout=turned)

    with World(asking(catching)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.advance(61)
        await world.crash()
        await ann.says("yes")
        await world.settle()
        assert ann.texts == ["Well?", "Still there?", "good: yes"]
        await ann.says("go")
        await world.advance(300)
        await ann.says("too late")
        await world.settle()
        assert ann.texts[3:] == ["Well?", "Still there?", "other: too late"]
    with World(asking(calling)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.advance(61)
        assert ann.texts == ["Well?", "late, you"]


class Turnstile:
    """No turn, whatever its name begins with."""


async def by_name(turn: Any) -> str:
    return f"turn of {turn.event.tag}"


async def by_annotation(late: Turn[Any]) -> str:
    return f"turn of {late.event.tag}"


async def by_text(late: only_for_type_checkers.Turn[Any]) -> str:
    return f"turn of {late.event.tag}"


async def other(d: Turnstile) -> str:
    return type(d).__name__


@pytest.mark.parametrize(
    ("on_timeout", "text"),
    [(by_name, "turn of timer"), (by_annotation, "turn of timer"), (by_text, "turn of timer"), (other, "Dialog")],
)
async def test_a_function_for_a_timeout_takes_a_turn_where_it_says_so_and_else_the_dialog(
    on_timeout: Any, text: str
) -> None:
    async def calling(d: Dialog) -> None:
        await d.ask("Well?", timeout=60, on_timeout=on_timeout)

    with World(asking(calling)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.advance(61)
        assert ann.texts == ["Well?", text]
