"""The words of the console: each is there in every language, and the browser's wishes are heard."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from bridge.events import MESSAGE_KINDS, STATUS_VALUES
from bridge.messages import MESSAGE_TYPES
from bridge.store.erasure import KINDS
from bridge.web.api import problems
from bridge.web.operator import story, texts
from bridge.web.operator.pages import NAVIGATION
from bridge.web.operator.texts import LANGUAGES, Texts, language_of
from bridge.web.refusals import phrase_of

HERE = Path(texts.__file__).parent
CALL = re.compile(r"""\b_\(\s*(?:"([^"]*)"|'([^']*)')""")
IN_CODE = re.compile(r"""\btexts\(\s*"([^"]*)\"""")
REFUSAL = re.compile(r"\bRefusal\((\d{3})\b")
EITHER = re.compile(r"""\b_\("([^"]*)" if [^)]*? else _?\(?"([^"]*)\"""")
DYNAMIC = {
    *(name for _, name in NAVIGATION),
    *story._ENDS.values(),
    *story._FATES.values(),
    *(text for text, *_ in story._BESIDE.values()),
    *MESSAGE_KINDS,
    *MESSAGE_TYPES,
    *STATUS_VALUES,
    *KINDS,
    *("Contact", "Bot", "Person", "postback", "unrecognised", "expired", "dropped"),
}


def said() -> set[str]:
    """Every text of the templates and of the code."""
    found = set(DYNAMIC)
    for file in (HERE / "templates").glob("*.html"):
        found |= {match[1] or match[2] for match in CALL.finditer(file.read_text())}
    for file in HERE.glob("*.py"):
        found |= {match[1] for match in IN_CODE.finditer(file.read_text())}
    for file in (*HERE.glob("*.py"), Path(problems.__file__)):
        found |= {phrase_of(int(match[1])) for match in REFUSAL.finditer(file.read_text())}
    return found


@pytest.mark.parametrize("language", [tag for tag in LANGUAGES if tag != "en"])
def test_every_text_is_there_in_every_language_with_the_same_fields(language: str) -> None:
    words = Texts(language)
    missing = {text for text in said() if text not in words._words}
    assert missing == set()
    for text, translated in words._words.items():
        assert fields(text) == fields(translated), text


def fields(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name)


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "id-ID,id;q=0.9,en;q=0.8", "id"),
        (None, "nl,en;q=0.5,id;q=0.7", "id"),
        (None, "fr", "en"),
        (None, "en;q=x,id", "id"),
        ("en", "id", "en"),
        ("id", "en", "id"),
        ("xx", "id", "id"),
        ("../../x", "", "en"),
    ],
)
def test_the_language_is_what_was_chosen_else_what_the_browser_accepts(
    chosen: str | None, accepted: str, language: str
) -> None:
    assert language_of(chosen, accepted) == language


def test_a_text_of_a_contact_is_no_pattern() -> None:
    assert Texts("en")("Erase {name} for good", name="{session}") == "Erase {session} for good"
    assert Texts("en")("{session.token}") == "{session.token}"
