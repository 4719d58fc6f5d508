"""What libraries, warnings, threads and tasks report goes to the log: their places and errors, and no word."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from bridge.log import FIELDS
from bridge.log_foreign import foreign_logs, task_failed

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary-7c1e"


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Iterator[list[Any]]:
    """What was logged; no word of it anywhere."""
    with capture_logs() as caught, foreign_logs():
        yield caught
    out, err = capfd.readouterr()
    assert CANARY not in out + err + str(caught)
    assert all({*line} - {"event", "log_level"} <= FIELDS for line in caught)


def _fail() -> None:
    raise ValueError(CANARY)


async def test_a_task_that_nobody_awaits_is_named_with_its_error(lines: list[Any]) -> None:
    async def background() -> None:
        _fail()

    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(task_failed)
    try:
        task = loop.create_task(background())
        await asyncio.wait({task})
        del task
        gc.collect()
    finally:
        loop.set_exception_handler(before)
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("task_failed", "error")
    assert line["handler"].endswith("background")
    assert line["reason"].startswith("ValueError at test_log_foreign.py:")
    assert "in _fail" in line["traceback"]


def test_a_librarys_logger_is_named_with_its_place(lines: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])  # pytest's own
    logger = logging.getLogger("some.library")
    logger.info(CANARY)
    logger.warning("%s said", CANARY)
    try:
        _fail()
    except ValueError:
        logger.exception(CANARY)
    said, failed = lines
    assert (said["event"], said["log_level"], said["logger"]) == ("foreign_log", "warning", "some.library")
    assert said["file"].startswith("test_log_foreign.py:")
    assert (failed["log_level"], failed["reason"].partition(" ")[0]) == ("error", "ValueError")


def test_a_program_that_sets_up_its_own_logging_keeps_it(lines: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    records: list[logging.LogRecord] = []
    own = logging.Handler()
    monkeypatch.setattr(own, "emit", records.append)
    logging.basicConfig(handlers=[own])
    logging.getLogger("their.bot").warning("order placed")
    assert [record.getMessage() for record in records] == ["order placed"]
    assert lines == []


def test_a_warning_is_its_class_and_place(lines: list[Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning(RuntimeWarning(CANARY), RuntimeWarning, "/somewhere/bot.py", 7)
    assert [(line["event"], line["reason"], line["file"]) for line in lines] == [
        ("python_warning", "RuntimeWarning", "bot.py:7")
    ]


def test_a_thread_that_fails_is_named_with_its_error(lines: list[Any]) -> None:
    thread = threading.Thread(target=_fail, name="worker")
    thread.start()
    thread.join()
    assert [(line["event"], line["handler"]) for line in lines] == [("thread_failed", "worker")]


def test_an_error_that_python_ignores_is_a_line(lines: list[Any]) -> None:
    class Broken:
        def __del__(self) -> None:
            _fail()

    Broken()
    gc.collect()
    assert [line["event"] for line in lines] == ["error_ignored"]
    assert lines[0]["handler"].endswith("Broken.__del__")


def test_afterwards_all_is_as_before() -> None:
    before = logging.lastResort, warnings.showwarning, threading.excepthook
    with foreign_logs():
        assert logging.lastResort is not before[0]
    assert (logging.lastResort, warnings.showwarning, threading.excepthook) == before
