"""The pages are short: a sentence a line, at most 25 words, in the words that the house has agreed on."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import PAGES, name_of
from tests.docs.prose import sentences_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_WORDS = 25
AVOIDED = {
    "dead letter": r"(?<!dead )\bletters\b(?! (?:or|and) digit)",
    "effectively": r"\bas good as\b",
    "fix": r"\bmend(?:s|ed|ing)?\b",
    "no, not a": r"\b(?:is|are) none\b(?! of)",
    "replay": r"\bplayed (?:again|back)\b",
    "report, document, get": r"\btold\b",
    "sign": r"\bseal(?:s|ed)?\b",
    "text, section": r"\bpassages?\b",
    "whether, in": r"\bbe that\b",
}
SUBJECTS = re.compile(r"(?:Nobody|Nothing|What|Whatever|Who|Whoever|There (?:is|are))\b")

every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def too_long(text: str) -> list[str]:
    return [str(sentence) for sentence in sentences_of(text) if sentence.words > MOST_WORDS]


def more_than_one(text: str) -> list[str]:
    """The lines with several sentences; a table's cell may hold some."""
    sentences = [sentence for sentence in sentences_of(text) if not sentence.line.is_row]
    pairs = itertools.pairwise(sentences)
    return [str(second) for first, second in pairs if first.line == second.line]


def avoided(text: str) -> Iterator[str]:
    for sentence in sentences_of(text):
        for better, pattern in AVOIDED.items():
            if re.search(pattern, sentence.text, re.IGNORECASE):
                yield f"{sentence} (rather: {better})"
        if SUBJECTS.match(sentence.text) and not sentence.line.is_heading and not sentence.text.endswith("?"):
            yield f"{sentence} (rather: the thing as the subject)"


@every_page
def test_no_sentence_has_more_than_25_words(page: Path) -> None:
    assert too_long(page.read_text("utf-8")) == []


@every_page
def test_a_line_of_prose_is_one_sentence(page: Path) -> None:
    assert more_than_one(page.read_text("utf-8")) == []


@every_page
def test_a_page_uses_the_words_of_the_house(page: Path) -> None:
    assert list(avoided(page.read_text("utf-8"))) == []


LONG = " ".join(["word"] * 26)


@pytest.mark.parametrize(
    "text",
    [
        f"{LONG}.",
        f"# {LONG}",
        f"- {LONG}.",
        f"10. One.\n    {LONG}.",
        f"| a | {LONG} |",
        f"One. {LONG}",
        f"[{LONG}](x.md)",
    ],
)
def test_a_long_sentence_is_noticed_in_prose_lists_tables_and_links(text: str) -> None:
    assert len(too_long(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        f"```sh\n{LONG}\n```",
        f"Text.\n\n    {LONG}",
        f"- Item.\n\n      {LONG}",
        f"See `{LONG}`.",
        f"[here]({LONG.replace(' ', '/')}.md)",
        f"<!-- {LONG} -->",
        f"{LONG[:60]}. {LONG[:60]}.",
    ],
)
def test_code_targets_and_comments_have_no_sentences(text: str) -> None:
    assert too_long(text) == []


@pytest.mark.parametrize("text", ["It is stored. It is sent.", '- "Hello!" It goes on.', "It has `x`. It goes on."])
def test_two_sentences_in_a_line_are_noticed(text: str) -> None:
    assert len(more_than_one(text)) == 1


@pytest.mark.parametrize("text", ["Order no. 7 is done.", "| One. | Two. |", "A file `x.y.z` is e.g. text."])
def test_one_sentence_in_a_line_is_not_two(text: str) -> None:
    assert more_than_one(text) == []


@pytest.mark.parametrize(
    "text", ["It is as good as done.", "Nobody knows.", "- There is a row.", "The bot is told so."]
)
def test_a_word_to_avoid_is_noticed(text: str) -> None:
    assert len(list(avoided(text))) == 1


@pytest.mark.parametrize("text", ["# What is kept", "What may it be?", "Its dead letters are kept.", "See `told`."])
def test_a_heading_a_question_and_code_may_say_it(text: str) -> None:
    assert list(avoided(text)) == []
