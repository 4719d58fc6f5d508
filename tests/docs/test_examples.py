"""The examples of the pages: each auto-responder's conversations go as written, on all five gateways."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bridge.testing import World
from bridge.testing.conversations import hold, read_conversations
from handlers.autoresponder import read_router
from handlers.autoresponder.hours import Hours
from handlers.autoresponder.model import Asking, Consent, Fallback, Faq, Greeting, Question, Replies, Reply
from tests.docs.generated import SCHEMA, schema_page
from tests.docs.pages import DOCS, keys_documented
from tests.support.worlds import CHANNELS

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

    from bridge.testing.conversations import Conversation

FILES = [file for file in sorted((DOCS / "examples").iterdir()) if file.suffix != ".txt"]
TALKS = [
    pytest.param(file, talk, id=f"{file.stem}: {talk.title}")
    for file in FILES
    for talk in read_conversations(file.with_suffix(".txt").read_text("utf-8"))
]


@pytest.mark.parametrize("place", CHANNELS, ids=lambda place: place[0])
@pytest.mark.parametrize(("file", "talk"), TALKS)
async def test_a_conversation_of_an_example_goes_as_written(
    file: Path, talk: Conversation, place: tuple[str, str]
) -> None:
    with World(read_router(file), at=talk.at) as world:
        transcript = await hold(talk, world, *place)
        assert world.errors == []
        assert not transcript.differs, f"\n{transcript}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_has_fewer_than_80_lines(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) < 80


def test_the_schema_for_editors_is_current() -> None:
    assert SCHEMA.read_text("utf-8") == schema_page()
    assert json.loads(schema_page())["title"] == "Replies"


TABLES = {
    "The file": Replies,
    "replies": Reply,
    "ask": Question,
    "faq": Faq,
    "hours": Hours,
    "greeting": Greeting,
    "fallback": Fallback,
    "asking": Asking,
    "consent": Consent,
}


@pytest.mark.parametrize(("heading", "model"), TABLES.items(), ids=TABLES.keys())
def test_the_reference_lists_the_keys_of_each_table(heading: str, model: type[BaseModel]) -> None:
    assert keys_documented(f"## {heading}", page="autoresponder.md") == set(model.model_fields)
