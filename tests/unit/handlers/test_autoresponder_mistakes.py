"""An auto-responder's file: each mistake is a line with the file, the line, the key and a suggestion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.errors import ConfigError
from handlers.autoresponder import read_router

if TYPE_CHECKING:
    from pathlib import Path

HEAD = '[replies.hi]\nwords = ["hi"]\ntext = "Hi"\n'


def lines(folder: Path, text: str, name: str = "r.toml") -> list[str]:
    file = folder / name
    file.write_text(text, "utf-8")
    try:
        read_router(file)
    except ConfigError as error:
        return [str(problem).removeprefix(f"{folder}/") for problem in error.problems]
    return []


MISTAKES = {
    "an unknown key": (
        '[replies.hi]\nwrods = ["hi"]\ntext = "x"',
        "r.toml:2: replies.hi.wrods: unknown key; did you mean words?",
    ),
    "no replies": ('languages = ["en"]', "r.toml:1: replies: missing"),
    "a text that is none": (
        '[replies.hi]\nwords = "hi"\ntext = 5',
        'r.toml:3: replies.hi.text: want a text in quotes, or texts by language, like {en = "Hello", id = "Halo"}',
    ),
    "a blank text": ('[replies.hi]\nwords = "hi"\ntext = " \u200b"', "r.toml:3: replies.hi.text: is blank"),
    "a language that is not listed": (
        '[replies.hi]\nwords = "hi"\ntext = {en = "x", de = "y"}',
        "r.toml:3: replies.hi.text.de: no language is named de; there are en; languages = [...] names them",
    ),
    "a language that a text lacks": (
        'languages = ["en", "id"]\n[replies.hi]\nwords = "hi"\ntext = {en = "x"}',
        "r.toml:4: replies.hi.text: lacks id",
    ),
    "a value that does not exist": (
        '[values]\nshop = "S"\n[replies.hi]\nwords = "hi"\ntext = "At {shpo}"',
        "r.toml:5: replies.hi.text: no value is named shpo; did you mean shop?",
    ),
    "a brace": (
        '[replies.hi]\nwords = "hi"\ntext = "{"',
        "r.toml:3: replies.hi.text: a { stands alone; a brace that is to be read is written twice",
    ),
    "a button that leads nowhere": (
        f'{HEAD}buttons = ["menue"]\n[replies.menu]\nwords = "m"\ntext = "M"',
        "r.toml:4: replies.hi.buttons[0]: no reply is named menue; did you mean menu?",
    ),
    "a button without a title": (
        f'{HEAD}buttons = [\n"b"]\n[replies.b]\ntext = "B"',
        "r.toml:5: replies.hi.buttons[0]: the reply b has no title to show",
    ),
    "two buttons of one title": (
        f'{HEAD}buttons = ["b", "c"]\n[replies.b]\ntitle = "X"\ntext = "B"\n[replies.c]\ntitle = "x!"\ntext = "C"',
        "r.toml:4: replies.hi.buttons: two of them read the same in en",
    ),
    "a circle": (
        f'{HEAD}then = "hi"',
        "r.toml:4: replies.hi.then: goes in a circle: hi -> hi",
    ),
    "a reply that is never said": (
        f'{HEAD}[replies.b]\ntext = "B"',
        "r.toml:4: replies.b: nothing leads here: give it words, or name it among the buttons of another",
    ),
    "a word of two replies": (
        f'{HEAD}[replies.b]\ntext = "B"\nwords = ["Hi!"]',
        "r.toml:6: replies.b.words: 'Hi!' is already a word of replies hi",
    ),
    "a word that opts out": (
        f'{HEAD}[consent]\nstop = ["HI"]',
        "r.toml:2: replies.hi.words: 'hi' is already an opt-out word, which no reply sees",
    ),
    "a pattern": ('[replies.hi]\nregex = "(x"\ntext = "x"', "r.toml:2: replies.hi.regex: "),
    "a group of a taken name": (
        '[replies.hi]\nregex = "(?P<reply>x)"\ntext = "x"',
        "r.toml:2: replies.hi.regex: no group is named reply",
    ),
    "a zone": (
        f'timezone = "Asia/Jakrata"\n{HEAD}',
        "r.toml:1: timezone: there is no such time zone; want a name like Asia/Jakarta",
    ),
    "hours": (
        f'{HEAD}[hours]\nopen = "Mo-Fx 9-5"',
        'r.toml:5: hours.open: want opening hours like "Mo-Fr 08:00-17:00; Sa 09:00-12:00" (expected wday)',
    ),
    "holidays within the hours": (
        f'{HEAD}[hours]\nopen = "Mo-Fr 08:00-17:00; PH off"',
        'r.toml:5: hours.open: leave PH and SH out; holidays = "ID" closes on the public holidays of a country',
    ),
    "a country": (
        f'{HEAD}[hours]\nopen = "24/7"\nholidays = "XX"',
        "r.toml:6: hours.holidays: Country XX not available; want a country like ID, or a part of it like DE-BY",
    ),
    "away without hours": (
        f'away = "x"\n{HEAD}',
        'r.toml:1: away: is said outside of the hours: write them, like [hours] open = "Mo-Fr 08:00-17:00"',
    ),
    "a time without hours": (
        '[replies.hi]\nwords = "hi"\ntext = "{opens}"',
        "r.toml:3: replies.hi.text: {opens} needs opening hours: write [hours]",
    ),
    "a choice without choices": (
        f'{HEAD}ask = [\n{{field = "a", kind = "choice", text = "A?"}}]',
        'r.toml:5: replies.hi.ask[0]: choices and kind = "choice" go together',
    ),
    "a day that must be open": (
        f'{HEAD}ask = [{{field = "a", kind = "date", must = "open", text = "A?"}}]',
        'r.toml:4: replies.hi.ask[0].must: "open" needs opening hours: write [hours]',
    ),
    "a kind of question": (
        f'{HEAD}ask = [{{field = "a", kind = "mail", text = "A?"}}]',
        "r.toml:4: replies.hi.ask[0].kind: 'text', 'name', 'email', 'phone', 'date', 'number' or 'choice'",
    ),
    "a language without phrases of ours": (
        'languages = ["nl"]\n[replies.hi]\nwords = "hi"\nask = [{field = "a", kind = "email", text = "A?"}]',
        "r.toml:1: languages: none of our own in nl: write [phrases] cancelled = ..., email = ...",
    ),
    "a phrase": (
        f'{HEAD}[phrases]\nemial = "x"',
        "r.toml:5: phrases.emial: no phrase is named emial; did you mean email?",
    ),
    "buttons below nothing": (
        '[replies.hi]\nwords = "hi"\nbuttons = ["hi"]\ntitle = "t"\nlanguage = "en"',
        "r.toml:1: replies.hi: buttons stand below a text: give it text",
    ),
    "a contact's value where no contact is known": (
        f'[values]\nshop = "S"\n{HEAD}[consent]\nstop = "stop"\nconfirm = "Bye, {{name}}"',
        "r.toml:8: consent.confirm: no value is named name; there are shop",
    ),
    "a value in a title": (
        f'[values]\nshop = "S"\n{HEAD}title = "{{shop}}"',
        "r.toml:6: replies.hi.title: no value is named shop; there are none",
    ),
    "a text of nothing but a value": (
        '[replies.hi]\nwords = "hi"\ntext = "{name}"',
        "r.toml:3: replies.hi.text: is blank where name is not known: write {name|words}",
    ),
    "a blank word": ('[replies.hi]\nwords = ["hi", " "]\ntext = "x"', "r.toml:2: replies.hi.words: ' ' is blank"),
    "two answers to one question": (
        f'{HEAD}[[faq]]\nquestion = "Q?"\nanswer = "A"\n[[faq]]\nquestion = "Q?"\nanswer = "B"',
        "r.toml:8: faq[1].question: has an answer already",
    ),
    "nothing to say": ('[replies.hi]\nwords = "hi"', "r.toml:1: replies.hi: says nothing: give it a text"),
}


@pytest.mark.parametrize(("text", "line"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_line_with_a_suggestion(tmp_path: Path, text: str, line: str) -> None:
    shown = lines(tmp_path, text)
    assert len(shown) == 1, shown
    assert shown[0].startswith(line)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    shown = lines(
        tmp_path, "replies:\n  hi:\n    words: hi\n    text: '{a}'\n    buttons: [b]\n    then: c\n", "r.yaml"
    )
    assert shown == [
        "r.yaml:6: replies.hi.then: no reply is named c; there are hi",
        "r.yaml:5: replies.hi.buttons[0]: no reply is named b; there are hi",
        "r.yaml:4: replies.hi.text: no value is named a; there are closes, name, opens, phone, time, today",
    ]


def test_a_file_that_is_right_has_no_lines(tmp_path: Path) -> None:
    assert lines(tmp_path, HEAD) == []
