"""`threadbridge trace`: one timeline of an event, looked up beside its owner."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from typer.testing import CliRunner

from bridge.cli import app
from bridge.engine.turns.idempotency import idempotency_key
from bridge.engine.turns.sending import SENT
from bridge.events import Contact, Send, encode_event
from bridge.store.lifecycle import InboxState, Outcome
from bridge.store.records import TimerRow
from bridge.testing.contract.store.desk import AT, NOON, Desk, again, arrival, given_up, news, saying, sent

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

BOT = """
from bridge import Router, Turn
router = Router("bot")
@router.default()
def answer(turn: Turn) -> str:
    return "ok"
"""
SECOND = 1_000_000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "threadbridge.toml").write_text(
        '[handlers]\nload = ["traced_bot"]\n[accounts.shop]\nprovider = "playground"\n'
    )
    (tmp_path / "traced_bot.py").write_text(BOT)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


async def filled(folder: Path) -> Desk:
    """A turn whose message is tried twice, delivered and read; and one that is dead."""
    desk = await Desk(f"sqlite:///{folder / 'threadbridge.db'}").open()
    first, second = await desk.hear("00112233445566ff/wamid.1", "00112233445566ff/wamid.2")
    keys = [idempotency_key("shop", first.key, 0, "traced_bot:answer", 0, part) for part in (0, SENT)]
    commit = await desk.commit_of(first, saying("hello", keys[0], given_up=["menu: no lists"]))
    event = Send(id=f"send:{keys[1]}", contact=Contact(id="bob"), at=NOON, messages=())
    send = arrival(event.id, "bob", event=event, encoded=encode_event(event), received_at=AT + SECOND)
    timer = TimerRow(due_at=AT + 90 * SECOND, name="nudge")
    await desk.store.commit_turn(replace(commit, sends=[send], timers=[timer], at=AT + SECOND))
    (message,) = desk.told.messages
    exchange = orjson.dumps([{"method": "POST", "path": "/send", "ms": 3, "status": 503, "answer": "busy"}])
    failed = again(message, Outcome.NOT_SENT, at=AT + 2 * SECOND, exchange=exchange)
    await desk.store.retry_delivery(failed)
    await desk.store.settle_delivery(sent(replace(message, attempt=2), "m-1", at=AT + 3 * SECOND))
    await desk.receive(news("m-1", "delivered", received_at=AT + 4 * SECOND))
    await desk.store.retry_turn(again(second, at=AT + 5 * SECOND))
    trace = '  File "engine.py", line 1, in run\n    f()\n  File "bot.py", line 7, in f\n    raise X\nX'
    await desk.store.settle_turn(replace(given_up(second, "raised X"), trace=trace, at=AT + 6 * SECOND))
    return desk


def call(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["trace", *arguments, "-c", str(folder / "threadbridge.toml")])


def lines(folder: Path, name: str) -> list[tuple[str, ...]]:
    result = call(folder, name)
    assert result.exit_code == 0, result.stderr
    return [tuple(line.split("\t")[1:]) for line in result.stdout.splitlines()]


def test_a_trace_tells_everything_in_order_beside_a_running_bridge(folder: Path) -> None:
    with asyncio.Runner() as loop:
        desk = loop.run(filled(folder))
        told = lines(folder, "wamid.1")
        loop.run(desk.store.close())
    key = idempotency_key("shop", "00112233445566ff/wamid.1", 0, "traced_bot:answer", 0, 0)
    assert told == [
        (
            "in-1",
            "stored",
            'message, shop whatsapp:ann, seq 1, key 00112233445566ff/wamid.1, "00112233445566ff/wamid.1"',
        ),
        ("in-1", "turn", "try 1, handler traced_bot:answer, 1 message"),
        ("in-4", "sends", "to shop whatsapp:bob"),
        ("timer:1", "sets", "timer nudge"),
        ("out-3", "planned", f'text, "hello", given up: menu: no lists, key {key}'),
        ("out-3", "tried", "try 1, not sent, not now, POST /send 503 busy"),
        ("out-3", "tried", "try 2, sent"),
        ("out-3", "sent", "the gateway calls it m-1, status delivered"),
        ("in-5", "status", "delivered"),
        ("timer:1", "waiting", "timer nudge"),
    ]


def test_whatever_names_an_event_or_its_message_gives_the_same_trace(folder: Path) -> None:
    asyncio.run(closed(folder))
    key = idempotency_key("shop", "00112233445566ff/wamid.1", 0, "traced_bot:answer", 0, 0)
    traces = {
        call(folder, name).stdout for name in ("in-1", "1", "wamid.1", "00112233445566ff/wamid.1", "out-3", "m-1", key)
    }
    assert len(traces) == 1
    assert "hello" in traces.pop()


async def closed(folder: Path) -> None:
    desk = await filled(folder)
    await desk.store.close()


def test_a_dead_event_tells_its_tries_and_where_it_failed(folder: Path) -> None:
    asyncio.run(closed(folder))
    assert lines(folder, "in-2")[1:] == [
        ("in-2", "failed", "try 1"),
        ("in-2", "dead", 'try 1, raised X, File "bot.py", line 7, in f'),
    ]


def test_a_trace_is_there_as_json_with_its_exchanges(folder: Path) -> None:
    asyncio.run(closed(folder))
    rows: list[dict[str, Any]] = json.loads(call(folder, "in-1", "--json").stdout)
    (failed,) = (row for row in rows if row["what"] == "tried" and row["outcome"] == "not sent")
    assert failed["exchange"] == [{"method": "POST", "path": "/send", "ms": 3, "status": 503, "answer": "busy"}]
    assert (rows[0]["at"], rows[0]["event"]["text"]) == ("2026-01-01T12:00:00.000Z", "00112233445566ff/wamid.1")
    assert rows[1]["handler"] == "traced_bot:answer"


def test_an_event_that_waits_tells_for_what(folder: Path) -> None:
    asyncio.run(waiting(folder))
    assert lines(folder, "in-1")[1:] == [("in-1", "failed", "try 1, not now"), ("in-1", "waits", "for try 2")]


async def waiting(folder: Path) -> None:
    desk = await Desk(f"sqlite:///{folder / 'threadbridge.db'}").open()
    (row,) = await desk.hear("1")
    await desk.store.retry_turn(again(row))
    await desk.store.close()


def test_a_name_of_several_lists_them(folder: Path) -> None:
    asyncio.run(two(folder))
    result = call(folder, "wamid.1")
    assert result.exit_code == 1
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["in-2", "in-1"]
    assert result.stderr == "wamid.1 names 2: trace one of these ids\n"
    assert [row["account"] for row in json.loads(call(folder, "wamid.1", "--json").stdout)] == ["other", "shop"]


async def two(folder: Path) -> None:
    desk = await Desk(f"sqlite:///{folder / 'threadbridge.db'}").open()
    for account in ("shop", "other"):
        await desk.hear("00112233445566ff/wamid.1", account=account)
    await desk.store.close()


def test_a_name_of_nothing_is_told(folder: Path) -> None:
    assert call(folder, "in-1").exit_code == 1
    asyncio.run(two(folder))
    result = call(folder, "wamid")
    assert (result.exit_code, result.stderr) == (1, "wamid: no event and no message has this id, key or name\n")


def test_handlers_that_cannot_be_loaded_leave_the_rest_of_the_trace(folder: Path) -> None:
    asyncio.run(closed(folder))
    (folder / "threadbridge.toml").write_text(
        '[handlers]\nload = ["nowhere_at_all"]\n[accounts.shop]\nprovider = "playground"\n'
    )
    assert ("in-1", "turn", "try 1, 1 message") in lines(folder, "in-1")


def test_what_is_known_of_quarantine_is_traced(folder: Path) -> None:
    asyncio.run(strange(folder))
    assert lines(folder, "in-1")[-1] == ("in-1", "quarantined", "no idea")


async def strange(folder: Path) -> None:
    desk = await Desk(f"sqlite:///{folder / 'threadbridge.db'}").open()
    await desk.receive(arrival("q", state=InboxState.QUARANTINED, reason="no idea", ref=None, event=None, encoded=b""))
    await desk.store.close()
