"""The log: it holds up nobody, whatever becomes of the file it goes to, and shows of an error no word."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING

import orjson
import pytest
import structlog

from bridge import Contact, HandlerError, Message, ThreadRef, Turn, log
from bridge.app.http import create_app
from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError
from bridge.log import LineWriter, kind_of, outcome_of
from bridge.log.tracebacks import readable, trace_of
from tests.support.whole_bridges import configuration, silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


REASON = "say() takes a text, not a int; reply() takes messages"


def turn_of_nobody() -> None:
    contact = Contact(id="ann")
    turn = Turn(Message(id="1", contact=contact, at=datetime.now(UTC)), ThreadRef("shop", "konnek", "whatsapp", "ann"))
    turn.say(7)  # type: ignore[arg-type]


def test_a_pipe_that_nobody_reads_holds_up_nobody(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_QUEUE", 100)
    lines = LineWriter(os.fdopen(pipe[1], "w", closefd=False))

    def write() -> None:
        for _ in range(1000):
            lines.write("x" * 4096 + "\n")

    wrote = threading.Thread(target=write)
    wrote.start()
    wrote.join(10)
    assert not wrote.is_alive()
    while "were dropped" not in os.read(pipe[0], 65_536).decode():
        lines.write("one more\n")


def test_a_pipe_whose_reader_is_gone_fails_nobody(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    lines = LineWriter(os.fdopen(pipe[1], "w", closefd=False))
    for _ in range(10):
        lines.write("x\n")
    lines.finish()


def test_lines_are_written_in_their_order() -> None:
    file = StringIO()
    lines = LineWriter(file)
    for number in range(1000):
        lines.write(f"{number}\n")
    lines.finish(10)
    assert file.getvalue() == "".join(f"{number}\n" for number in range(1000))


def test_of_an_error_the_log_shows_its_kind_and_place_and_no_word() -> None:
    try:
        try:
            int("canary")
        except ValueError as error:
            raise KeyError("canary") from error
    except KeyError as error:
        kind, trace = kind_of(error), trace_of(error)
    assert kind.startswith("KeyError at test_log.py:")
    assert "which came of" in trace
    assert trace.endswith("ValueError")
    assert "invalid literal" not in trace


def test_errors_that_came_of_each_other_come_to_an_end() -> None:
    one, two = ValueError(), KeyError()
    one.__context__, two.__context__ = two, one
    assert trace_of(one) == "ValueError\nwhich came of\nKeyError"


def test_an_author_sees_an_error_whole_and_no_frame_of_ours() -> None:
    try:
        try:
            turn_of_nobody()
        except HandlerError as error:
            raise KeyError("order 7") from error
    except KeyError as error:
        text = readable(error)
    assert text.endswith("KeyError: 'order 7'")
    assert f"HandlerError: {REASON}" in text
    assert "in turn_of_nobody" in text
    assert "bridge/conversation" not in text


@pytest.mark.parametrize("as_json", [False, True])
def test_what_steers_a_terminal_is_escaped_and_a_word_in_any_script_is_not(
    monkeypatch: pytest.MonkeyPatch,
    as_json: bool,  # noqa: FBT001 - a table
) -> None:
    file = StringIO()
    monkeypatch.setattr("sys.stderr", file)
    before = structlog.get_config()
    try:
        log.configure_logs(as_json=as_json)
        log.log.warning("webhook_refused", reason="naïve 終 \x1b[31m\u202e")
        log.finish_logs()
    finally:
        structlog.configure(**before)
    written = orjson.loads(file.getvalue())["reason"] if as_json else file.getvalue()
    assert "naïve 終" in written
    assert not {"\x1b", "\u202e"} & {*written}


@pytest.mark.parametrize("show", [False, True])
def test_the_text_of_an_error_is_shown_to_its_author_alone(monkeypatch: pytest.MonkeyPatch, show: bool) -> None:  # noqa: FBT001 - a table
    file = StringIO()
    monkeypatch.setattr("sys.stderr", file)
    before = structlog.get_config()
    try:
        log.configure_logs(as_json=False, show_errors=show)
        word = "ary"  # a traceback shows the line
        try:
            int(f"can{word}")
        except ValueError as error:
            log.log.warning("turn_failed", handler="bot:answer", traceback=error)
        log.finish_logs()
    finally:
        structlog.configure(**before)
    assert ("canary" in file.getvalue()) is show
    assert "ValueError" in file.getvalue()
    assert "\x1b" not in file.getvalue()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Rejected("no +6281234500099 here", code="13108"), "refused for good (13108)"),
        (Rejected("no +6281234500099 here"), "refused for good"),
        (NotSent("ask Ann", code="429"), "not taken (429)"),
        (NotSent("ask Ann", code="UN_AUTHORIZED", pause=True), "the account is refused (UN_AUTHORIZED)"),
        (OutcomeUnknown("Ann waits", code="-1"), "no answer that is certain (-1)"),
        (NotSent("no connection in time", loggable=True), "no connection in time"),
        (OutcomeUnknown("HTTP 500", code="500", loggable=True), "HTTP 500"),
        (Rejected("no", code="6281234500099"), "refused for good"),
        (Rejected("no", code="Ann"), "refused for good"),
        (Rejected("no", code="13108\n"), "refused for good"),
    ],
    ids=str,
)
def test_of_a_message_that_was_not_sent_the_log_shows_our_own_words_and_a_code(error: SendError, told: str) -> None:
    assert outcome_of(error) == told


@pytest.mark.parametrize(
    ("section", "written"),
    [
        ({}, ['{"', '{"']),
        ({"level": "debug"}, ['{"', '{"', '{"']),
        ({"level": "error", "format": "json"}, ['{"']),
        ({"level": "error", "format": "text"}, ["20"]),
    ],
)
async def test_level_and_format_are_those_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: dict[str, str], written: list[str]
) -> None:
    file = StringIO()
    monkeypatch.setattr("sys.stderr", file)
    before = structlog.get_config()
    structlog.reset_defaults()
    try:
        create_app(configuration(tmp_path, log=section), router=silent())
        for level in ("debug", "info", "error"):
            getattr(log.log, level)("said")
        log.finish_logs()
    finally:
        structlog.configure(**before)
    assert [line[:2] for line in file.getvalue().splitlines()] == written


def test_a_flood_is_written_as_one_line_and_its_count(monkeypatch: pytest.MonkeyPatch) -> None:
    file = StringIO()
    monkeypatch.setattr("sys.stderr", file)
    before = structlog.get_config()
    try:
        log.configure_logs(as_json=True)
        for number in range(40):
            log.log.warning("request_refused", account="shop", status=401, reason="wrong", peer=f"192.0.2.{number}")
        log.log.info("serving")
        log.finish_logs()
    finally:
        structlog.configure(**before)
    lines = [orjson.loads(written) for written in file.getvalue().splitlines()]
    assert [(each["action"], each.get("peer"), each.get("count")) for each in lines] == [
        ("request_refused", "192.0.2.0", None),
        ("serving", None, None),
        ("request_refused", "192.0.2.39", 39),
    ]


def test_what_was_counted_is_written_when_its_minute_is_over() -> None:
    file, told = StringIO(), threading.Event()

    def counts(*, all_of_them: bool = False) -> list[str]:
        del all_of_them
        if told.is_set() or not file.getvalue():
            return []
        told.set()
        return ["the count\n"]

    LineWriter(file, counts=counts, seconds=lambda: None if told.is_set() else 0.001).write("the first\n")
    assert told.wait(10)
