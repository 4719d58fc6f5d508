"""A turn's part in the author's own tables, where no bridge runs; and the row that a query finds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.conversation import own_tables
from bridge.conversation.turn import Turn, draft_of
from bridge.errors import HandlerError
from bridge.events import Contact, Message, ThreadRef
from bridge.statements import Record, Statement

EVENT = Message(id="1", contact=Contact(id="ann"), at=datetime(2026, 1, 1, tzinfo=UTC), text="hello")


@pytest.fixture
def turn() -> Turn[Message]:
    return Turn(EVENT, ThreadRef("shop", "konnek", "whatsapp", "ann"))


def test_statements_are_kept_in_order_beside_the_replies(turn: Turn[Message]) -> None:
    assert turn.execute("a", 1).reply("said").execute("b") is turn
    assert draft_of(turn).effects.statements == [Statement("a", (1,)), Statement("b")]


def test_a_turn_that_is_over_takes_no_statement(turn: Turn[Message]) -> None:
    draft_of(turn).close()
    with pytest.raises(HandlerError, match="over"):
        turn.execute("a")


def test_a_turn_executes_so_many_statements_at_most(turn: Turn[Message], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_tables, "STATEMENT_LIMIT", 2)
    turn.execute("a").execute("b")
    with pytest.raises(HandlerError, match="at most 2 statements"):
        turn.execute("c")
    assert len(draft_of(turn).effects.statements) == 2


@pytest.mark.parametrize("value", ["x" * 90, b"x" * 90])
def test_a_turn_executes_so_many_bytes_at_most(
    turn: Turn[Message], monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    monkeypatch.setattr(own_tables, "STATEMENT_SIZE", 100)
    turn.execute("12345")
    with pytest.raises(HandlerError, match="MiB"):
        turn.execute("123456", value)


async def test_where_no_bridge_runs_nothing_is_read(turn: Turn[Message]) -> None:
    with pytest.raises(HandlerError, match="running bridge"):
        await turn.fetch("SELECT 1")


def test_a_row_is_read_by_place_name_and_all_at_once() -> None:
    row = Record(("no", "what"), (7, "tea"))
    no, what = row
    assert (no, what, row[-1], row[:1], row["no"], len(row)) == (7, "tea", "tea", (7,), 7, 2)
    assert (dict(row), row.keys(), "tea" in row) == ({"no": 7, "what": "tea"}, ("no", "what"), True)
    assert row == (7, "tea")
    assert row == Record(("other", "names"), (7, "tea"))
    assert row != (7, "mate")
    assert {row} == {Record((), (7, "tea"))}
    assert repr(row) == "Record(no=7, what='tea')"


def test_a_name_that_is_not_there_is_said_with_those_that_are() -> None:
    with pytest.raises(KeyError, match="no column 'size': there is no, what"):
        Record(("no", "what"), (7, "tea"))["size"]
