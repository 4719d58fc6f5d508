"""An auto-responder's questions: checked, asked again, cancelled, and kept over restarts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bridge.testing import World
from handlers.autoresponder import read_router
from tests.support.auto_talks import MENU, held
from tests.support.worlds import CHANNELS

if TYPE_CHECKING:
    from pathlib import Path

MONDAY = "at: 2026-11-30 09:00\n"


@pytest.mark.parametrize("place", CHANNELS, ids=lambda place: place[0])
async def test_words_buttons_and_questions_on_all_five_gateways(tmp_path: Path, place: tuple[str, str]) -> None:
    talk = """
ann: Menu!
bot: What now? [Price] [Form]
ann: [Price]
bot: 10 euro
ann: and how much is it?
bot: 10 euro
ann: waht dose a cleening cost
bot: 10 euro
ann: a cleaning, what does that cost?
bot: 10 euro
ann: does a train go there
ann: menu
bot: ~now
ann: [Form]
bot: Name?
restart:
ann: 77
bot: Please write a name.
ann: Ann Lee
bot: How many?
ann: nine
bot: Please write a number (1-8).
ann: 9
bot: Please write a number (1-8).
restart:
ann: 3
bot: 3 for Ann Lee.
ann: person
bot: One moment.
handoff: for Ann Lee, 3
"""
    await held(tmp_path, MENU, talk, place=place)


async def test_a_question_is_cancelled_given_up_and_forgotten(tmp_path: Path) -> None:
    text = f"""{MENU}
[fallback]
text = "What?"
misses = 3
then = "person"
[asking]
cancel = "never mind"
tries = 2
hours = 2
"""
    talk = """
ann: form
bot: Name?
ann: Never mind.
bot: All right, that is cancelled.
ann: form
bot: Name?
wait: 3h
ann: price
bot: 10 euro
ann: form
bot: Name?
ann: 1
bot: Please write a name.
ann: 2
bot: One moment.
handoff: for ann, none
return:
ann: 3
bot: What?
"""
    await held(tmp_path, text, talk)


async def test_a_person_is_called_and_a_button_pressed_while_a_question_waits(tmp_path: Path) -> None:
    talk = """
ann: menu
bot: What now? [Price] [Form]
ann: form
bot: Name?
ann: [Price]
bot: 10 euro
ann: Ann
bot: How many?
ann: Person
bot: One moment.
handoff: for ann, none
return:
ann: 3
ann: price
bot: 10 euro
"""
    await held(tmp_path, MENU, talk)


async def test_a_question_ends_when_a_button_calls_a_person(tmp_path: Path) -> None:
    text = MENU.replace('"price", "form"]', '"price", "person"]').replace(
        "[replies.person]", '[replies.person]\ntitle = "Person"'
    )
    talk = """
ann: menu
bot: What now? [Price] [Person]
ann: form
bot: Name?
ann: [Person]
bot: One moment.
handoff: for ann, none
return:
ann: Ann
"""
    await held(tmp_path, text, talk)


async def test_a_form_may_follow_a_form_and_a_fallback(tmp_path: Path) -> None:
    text = (
        MENU.replace('done = "{count} for {name}."', 'then = "more"')
        + """
[replies.more]
ask = [{field = "more", text = "And you, {name} of {count}?"}]
done = "{more}!"
[fallback]
text = "What?"
misses = 1
then = "more"
"""
    )
    talk = """
ann: form
bot: Name?
ann: Ann
bot: How many?
ann: for 3 people
bot: And you, Ann of 3?
restart:
ann: fine
bot: fine!
ann: xyzzy
bot: And you, Ann of 3?
ann: well
bot: well!
ann: form
bot: Name?
ann: 1
bot: ...
ann: 1
bot: ...
ann: 1
bot: And you, Ann of 3?
ann: bad
bot: bad!
"""
    await held(tmp_path, text, talk)


DATES = """
timezone = "Asia/Jakarta"
country = "ID"
[hours]
open = "Mo-Fr 08:00-17:00"
[replies.form]
words = "form"
done = "{born}; {day}; {mail}; {tel}; {size}"
ask = [
  {field = "born", kind = "date", must = "past", text = "Born?", once = true},
  {field = "day", kind = "date", must = "open", text = "Day?"},
  {field = "mail", kind = "email", text = "Mail?", again = "Mail, please!", once = true},
  {field = "tel", kind = "phone", text = "Phone?", once = true},
  {field = "size", kind = "choice", choices = ["Small", "Large"], text = "Size?"},
]
"""


async def test_each_kind_of_answer_is_checked_and_kept(tmp_path: Path) -> None:
    talk = f"""
{MONDAY}ann: form
bot: Born?
ann: tomorrow
bot: That day is yet to come. Which earlier one?
ann: 3/4/90
bot: Day?
ann: 31.2.
bot: Please write a day like 24 December or 2026-12-24.
ann: saturday
bot: We are closed on that day. Which other one?
ann: Dec 1st
bot: Mail?
ann: ann at example.org
bot: Mail, please!
ann: Ann@Example.ORG
bot: Phone?
ann: 0812-3456-7890
bot: Size? [Small] [Large]
ann: medium
bot: Please choose one of these. [Small] [Large]
ann: [Large]
bot: Tuesday, April 3, 1990; Tuesday, December 1, 2026; Ann@example.org; +6281234567890; Large
ann: form
bot: Day?
"""
    await held(tmp_path, DATES, talk)


async def test_answers_are_kept_in_the_state_of_the_conversation(tmp_path: Path) -> None:
    (tmp_path / "replies.toml").write_text(MENU, "utf-8")
    with World(read_router(tmp_path / "replies.toml"), at=datetime(2026, 11, 30, 9, tzinfo=UTC)) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        for text in ("form", "Ann Lee", "2"):
            await ann.says(text)
            await world.settle()
        assert await ann.fields() == {"name": "Ann Lee", "count": 2}


async def test_every_order_and_fault_keeps_the_answers(tmp_path: Path) -> None:
    (tmp_path / "replies.toml").write_text(MENU, "utf-8")

    async def form(world: World) -> None:
        ann = world.contact("konnek", "whatsapp", "ann")
        for text, answer in (("form", "Name?"), ("Ann", "How many?"), ("2", "2 for Ann.")):
            await ann.says(text)
            await ann.sees(answer)
        await world.settle()
        assert ann.texts == ["Name?", "How many?", "2 for Ann."]
        assert await ann.fields() == {"name": "Ann", "count": 2}

    with World(read_router(tmp_path / "replies.toml")) as world:
        await world.explore(form, seeds=25, faults={"duplicate": None, "crash": 2})
