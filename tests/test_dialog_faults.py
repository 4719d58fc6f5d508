"""Dialogs under attack: what authors, contacts and crashes do to them that nobody planned."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bridge import Button, Buttons, Depends, Dialog, HandlerError, Key, Router, Turn
from bridge.journal import digest
from bridge.testing import World
from tests.dialogs import asking


class Track(Key):
    no: int


async def told(router: Router, *words: str) -> list[str]:
    """What is said to somebody who says these words, one after the other."""
    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for word in words:
            await ann.says(word)
            await world.settle()
        return ann.texts


async def test_what_a_dialog_keeps_before_its_question_is_no_part_of_what_it_found() -> None:
    """Played again and again, it finds the state of its beginning, not what it made of that itself."""

    async def script(d: Dialog) -> str:
        seen = d.turn.state.setdefault("seen", [])
        await d.say("Hello." if not seen else "Hello again.")
        seen.append(len(seen))
        words = [await d.ask(f"Word {number}?") for number in range(3)]
        return f"{' '.join(words)} {d.turn.state['seen']}"

    router = Router()
    router.dialog()(script)

    @router.default()
    async def go(turn: Turn[Any]) -> None:
        turn.state["x"] = 1
        await turn.begin(script)

    assert (await told(router, "go", "a", "b", "c"))[-1] == "a b c [0]"


@pytest.mark.parametrize("typed", ["yes", None])
async def test_a_button_of_a_dialog_that_is_over_answers_no_question_of_the_next(typed: str | None) -> None:
    async def script(d: Dialog, what: str) -> str:
        return f"{what}: {await d.choose(f'{what}?', yes=True, no=False)}"

    router = Router()
    router.dialog()(script)

    @router.default()
    async def go(turn: Turn[Any]) -> None:
        await turn.begin(script, turn.event.text)

    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("refund")
        await ann.clicks("yes")
        await world.settle()
        (old, _), *_ = [each.choices for each in ann.seen if each.choices]
        await ann.says("delete all")
        await world.settle()
        world.post(ann, [(world.emulator("konnek").presses("whatsapp", ann.address, old), "an old press")])
        await world.settle()
        assert ann.texts == ["refund?", "refund: True", "delete all?"]
        await (ann.says(typed) if typed else ann.clicks("no"))
        await world.settle()
        assert ann.texts[3:] == [f"delete all: {typed is not None}"]


async def test_a_typed_key_in_a_prompt_answers_under_its_seal_only() -> None:
    async def script(d: Dialog) -> str:
        return f"got {await d.ask(Buttons('Which?', [Button(Track(no=7), 'Seven'), Button('all', 'All')]))}"

    with World(asking(script)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("go")
        await world.settle()
        forged = Button("Track[7]", "Number seven")
        world.post(ann, [(world.emulator("konnek").presses("whatsapp", ann.address, forged), "a forged press")])
        await world.settle()
        assert ann.texts == ["Which?", "Which?"]
        await ann.clicks("Seven")
        await world.settle()
        await ann.says("go")
        await ann.clicks("All")
        await world.settle()
        assert ann.texts[2:] == ["got Track[7]", "Which?", "got all"]


def test_nothing_is_injected_into_a_dialog_and_it_is_told_so_at_once() -> None:
    async def script(d: Dialog, shop: object = Depends(object)) -> None:
        await d.say(str(shop))

    with pytest.raises(HandlerError, match=r"script: nothing is injected into a dialog, such as 'shop'"):
        Router().dialog()(script)


@pytest.mark.parametrize(
    ("one", "other"),
    [(Decimal("1.5"), Decimal("2.5")), (b"a", b"b"), ({1, 2}, {1, 3}), ([1], [2]), (Track(no=1), Track(no=2))],
)
def test_calls_with_other_arguments_are_told_apart(one: object, other: object) -> None:
    assert digest("pay", [one]) == digest("pay", [one])
    assert digest("pay", [one]) != digest("pay", [other])
    assert digest("pay", [object()]) == digest("pay", [object()])  # which has an address, another in each process
