"""The glossary defines each word of the vocabulary once."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.docs.pages import DOCS

GLOSSARY = DOCS / "reference" / "glossary.md"
ROWS = re.findall(r"^\| \*\*([a-z ]+)\*\* \| ([^|]+) \|([^|]*)\|$", GLOSSARY.read_text("utf-8"), re.MULTILINE)
VOCABULARY = (
    *("provider", "account", "channel", "webhook", "event", "event key", "thread", "contact", "postback"),
    *("inbox", "outbox", "turn", "router", "filter", "handler", "message", "plan", "delivery", "attempt"),
    *("idempotency key", "outcome", "status", "claim", "dead letter", "replay", "quarantine", "unrecognised"),
    *("echo", "handoff", "ingest", "batch", "invocation", "executor", "commit", "signing", "dry run"),
    *("rate limit", "polling", "schema", "problem", "record", "degrade", "payload", "side effect", "hold"),
    *("admission", "takeover"),
)


@pytest.mark.parametrize("word", VOCABULARY)
def test_each_word_of_the_vocabulary_is_defined(word: str) -> None:
    assert word in [defined for defined, _, _ in ROWS]


def test_no_word_is_defined_twice() -> None:
    counts = Counter(word for word, _, _ in ROWS)
    assert [word for word, count in counts.items() if count > 1] == []


def test_every_row_of_the_glossary_is_read() -> None:
    rows = [line for line in GLOSSARY.read_text("utf-8").splitlines() if line.startswith("| **")]
    assert len(rows) == len(ROWS)


def test_a_word_to_avoid_is_no_word_of_the_glossary() -> None:
    avoided = {word.strip() for _, _, words in ROWS for word in words.split(",") if word.strip()}
    assert avoided.isdisjoint(word for word, _, _ in ROWS)
