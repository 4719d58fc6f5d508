"""Auto-responders in conversations written as plain text: what a file says is what contacts see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge import Message, Router, Turn
from bridge.testing import World
from handlers.autoresponder import read_router
from tests.support.auto_talks import MENU, held

if TYPE_CHECKING:
    from pathlib import Path


async def test_words_are_whole_words_and_the_longest_wins(tmp_path: Path) -> None:
    text = """
[replies.no]
words = "no"
text = "No"
[replies.late]
words = "no time"
text = "Late"
[replies.han]
words = "价格"
text = "Han"
"""
    talk = """
ann: nothing
ann: not now
ann: oh no!
bot: No
ann: I have NO  time
bot: Late
ann: 请问价格是多少
bot: Han
"""
    await held(tmp_path, text, talk)


async def test_misses_are_counted_in_a_row(tmp_path: Path) -> None:
    text = f'{MENU}[fallback]\ntext = "What?"\nmisses = 2\nthen = "menu"\n'
    talk = """
ann: xyzzy
bot: What?
ann: price
bot: 10 euro
ann: xyzzy
bot: What?
ann: xyzzy
bot: What now? [Price] [Form]
ann: xyzzy
bot: What?
"""
    await held(tmp_path, text, talk)


async def test_a_greeting_comes_once_and_its_reply_only_where_no_other_does(tmp_path: Path) -> None:
    text = f'{MENU}[greeting]\ntext = "Welcome, {{name|friend}}!"\nthen = "menu"\n'
    await held(tmp_path, text, "ann: price\nbot: Welcome, ann!\nbot: 10 euro\nann: xyzzy\n")
    await held(tmp_path, text, "ann: xyzzy\nbot: Welcome, ann!\nbot: What now? [Price] [Form]\nann: xyzzy\n")


AWAY = f"""
timezone = "Asia/Jakarta"
away = "Closed until {{opens}}."
[hours]
open = "Mo-Fr 08:00-17:00"
holidays = "ID"
closed = [2026-12-28]
{MENU}
[replies.open]
words = "open"
text = "Until {{closes}}."
closed = "From {{opens}}."
"""


async def test_away_is_said_once_a_day_and_not_with_a_reply_of_its_own(tmp_path: Path) -> None:
    talk = """
at: 2026-11-28 10:00 Asia/Jakarta
ann: price
bot: Closed until Monday 08:00.
bot: 10 euro
ann: price
bot: 10 euro
wait: 1d
ann: open
bot: From Monday 08:00.
ann: price
bot: Closed until Monday 08:00.
bot: 10 euro
wait: 1d
ann: open
bot: Until 17:00.
ann: price
bot: 10 euro
"""
    await held(tmp_path, AWAY, talk)


async def test_it_is_closed_on_public_holidays_and_on_days_of_its_own(tmp_path: Path) -> None:
    talk = "at: 2026-12-25 10:00 Asia/Jakarta\nann: open\nbot: From Tuesday 08:00.\n"
    await held(tmp_path, AWAY, talk)
    await held(tmp_path, AWAY, "at: 2026-12-31 18:00 Asia/Jakarta\nann: open\nbot: From Monday 08:00.\n")


TWO = """
languages = ["en", "id"]
[replies.price]
words = {en = ["price"], id = ["harga"]}
text = {en = "10 euro", id = "10 dolar"}
[replies.hi]
words = "hi"
text = {en = "Hello", id = "Halo"}
[replies.indonesian]
words = "bahasa"
language = "id"
then = "hi"
"""


async def test_the_language_is_the_one_chosen_or_written_in(tmp_path: Path) -> None:
    talk = """
ann: hi
bot: Hello
ann: harga
bot: 10 dolar
ann: hi
bot: Halo
ann: price
bot: 10 euro
ann: bahasa
bot: Halo
ann: price
bot: 10 dolar
"""
    await held(tmp_path, TWO, talk)


async def test_the_gateway_tells_the_language(tmp_path: Path) -> None:
    (tmp_path / "replies.toml").write_text(TWO, "utf-8")
    with World(read_router(tmp_path / "replies.toml")) as world:
        dewi = world.contact("aelyst", "whatsapp", "dewi", locale="id-ID")
        await dewi.says("hi")
        await world.settle()
        dewi.saw_once("Halo")


async def test_what_a_pattern_finds_is_in_the_text(tmp_path: Path) -> None:
    text = '[replies.order]\nregex = "(?i)order (?P<no>\\\\d+)"\ntext = "Order {no} is on its way."\n'
    await held(tmp_path, text, "ann: my Order 7\nbot: Order 7 is on its way.\n")


async def test_python_handlers_stand_beside_it_in_the_order_of_their_loading(tmp_path: Path) -> None:
    first = Router("first")

    @first.message(text="price")
    async def price(_turn: Turn[Message]) -> str:
        return "Ask Python."

    await held(tmp_path, MENU, "ann: price\nbot: Ask Python.\nann: the price\nbot: 10 euro\n", before=(first,))


async def test_in_a_group_only_what_is_asked_for_is_answered(tmp_path: Path) -> None:
    text = f'{MENU}[greeting]\ntext = "Welcome!"\n[fallback]\ntext = "What?"\n'
    talk = "ann: xyzzy\nann: menu\nbot: ~What now?\nbudi: xyzzy\n"
    await held(tmp_path, text, talk, place=("relationlabs", "group"))


async def test_two_files_keep_their_buttons_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(
            f'[replies.menu]\nwords = "{name}"\ntext = "{name}"\nbuttons = ["b"]\n'
            f'[replies.b]\ntitle = "Go"\ntext = "It is {name}"\n',
            "utf-8",
        )
    with World([read_router(tmp_path / "one.toml"), read_router(tmp_path / "two.toml")]) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("two")
        await ann.clicks("Go")
        await world.settle()
        assert ann.texts == ["two", "It is two"]


async def test_a_button_whose_reply_is_gone_is_a_miss(tmp_path: Path) -> None:
    text = f'{MENU}[fallback]\ntext = "What?"\n'
    (tmp_path / "replies.toml").write_text(text, "utf-8")
    old = read_router(tmp_path / "replies.toml")
    changed = text.replace('"price", "form"]', '"form"]').replace("[replies.price]", "[replies.prices]")
    (tmp_path / "replies.toml").write_text(changed, "utf-8")
    new = read_router(tmp_path / "replies.toml")
    with World(old) as world:
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("menu")
        await world.settle()
        world._stage._router = new
        await world.crash()
        await ann.clicks("Price")
        await world.settle()
        assert ann.texts[-1] == "What?"


CONSENT = """
languages = ["en", "id"]
[consent]
stop = {en = ["stop"], id = ["berhenti"]}
start = ["mulai"]
confirm = {en = "Bye from {shop}.", id = "Dah."}
[values]
shop = "us"
[replies.hi]
words = "hi"
text = "Hi"
"""


@pytest.mark.parametrize("configured", [{}, {"consent": {"stop": ["halt", "stop"], "confirm": "Configured."}}])
async def test_opt_out_words_work_below_all_handlers(tmp_path: Path, configured: dict[str, Any]) -> None:
    (tmp_path / "replies.toml").write_text(CONSENT, "utf-8")
    with World(read_router(tmp_path / "replies.toml"), settings=configured) as world:
        ann = world.contact("konnek", "telegram", "ann")
        await ann.says("STOP")
        await world.settle()
        assert ann.texts == ["Configured." if configured else "Bye from us."]
        await world.send("konnek", "ann", "Sale!", channel="telegram")
        await ann.says("mulai")
        await ann.says("berhenti")
        await ann.says("hi")
        await world.settle()
        assert ann.texts[1:] == ["Dah.", "Hi"]
