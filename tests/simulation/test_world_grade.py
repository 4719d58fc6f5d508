"""Graded conversations: a table of scores, and a floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.testing import World
from handlers.assistant import Recorded
from tests.support.assistants import answered, shop
from tests.support.priced_model import PricedModel

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.testing.grading import Said

TALKS = """
= A refund
ann: refund 7
ann: [Yes]

= Small talk
at: 2026-11-30 09:00
ann: hello
wait: 1d
ann: hello again
"""


def polite(said: Said) -> float:
    """Whether the bot answers at last."""
    return float(said[-1]["role"] == "assistant")


def thorough(said: Said) -> float:
    return min(1.0, len(said) / 4)


async def test_each_conversation_is_held_and_scored(capsys: pytest.CaptureFixture[str]) -> None:
    with World(shop().router) as world:
        grades = await world.grade(TALKS, polite, thorough, floor=0.9)
    print(grades)  # noqa: T201 - as an author would
    assert capsys.readouterr().out.splitlines() == [
        "conversation  polite  thorough  score",
        "A refund      1.00    1.00      1.00",
        "Small talk    1.00    1.00      1.00",
    ]
    refund, talk = grades.grades
    assert refund.said[-2:] == [
        {"role": "user", "content": "Yes"},
        {"role": "assistant", "content": "Done: paid back order 7"},
    ]
    assert [part["content"] for part in talk.said] == [
        "hello",
        "You said: hello",
        "hello again",
        "You said: hello again",
    ]


async def test_a_conversation_below_the_floor_fails_with_the_table_and_its_words() -> None:
    with World(shop().router) as world, pytest.raises(AssertionError) as failed:
        await world.grade(TALKS + "\n= Short\nann: bye\n", polite, thorough, floor=0.8)
    lines = str(failed.value).splitlines()
    assert lines[0] == "1 of 3 conversations are below 0.8"
    assert lines[4] == "Short         1.00    0.50      0.75"
    assert lines[-3:] == ["Short", "user: bye", "assistant: You said: bye"]


async def test_a_conversation_that_does_not_go_as_its_lines_say_scores_nothing() -> None:
    with World(shop().router) as world:
        with pytest.raises(AssertionError, match=r"- bot: Hi\."):
            await world.grade("ann: hello\nbot: Hi.", polite, floor=0.1)
        assert (await world.grade("ann: hello\nbot: ~hello", polite, floor=1)).grades[0].score == 1


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
async def test_a_score_is_from_0_to_1(score: float) -> None:
    with World(shop().router) as world, pytest.raises(ValueError, match="from 0 to 1"):
        await world.grade("ann: hello", lambda _: score, floor=0)


async def test_something_has_to_be_graded() -> None:
    with World(shop().router) as world:
        for talks, graders in (("", [polite]), (TALKS, [])):
            with pytest.raises(ValueError, match="at least"):
                await world.grade(talks, *graders, floor=0)


async def test_a_recording_needs_no_model(tmp_path: Path) -> None:
    model = PricedModel(answered)
    file = tmp_path / "answers.json"
    for source in (model, None):
        with World(shop(model=Recorded(file, source)).router) as world:
            await world.grade(TALKS, polite, floor=1)
    anew = shop(model=Recorded(file), instructions="You sell coffee.")
    with World(anew.router) as world, pytest.raises(AssertionError, match="record it"):
        await world.grade(TALKS, polite, floor=1)
