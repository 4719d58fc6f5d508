"""What libraries, warnings, threads and tasks report goes to the log: their places and errors, and no word."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import warnings
from io import StringIO
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import structlog

from bridge.log import configure_logs, finish_logs
from bridge.log.foreign import foreign_logs, task_failed

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary-7c1e"


class Written:
    """What the log wrote so far, line by line."""

    def __init__(self) -> None:
        self.file = StringIO()

    def lines(self) -> list[dict[str, Any]]:
        finish_logs()
        return [orjson.loads(line) for line in self.file.getvalue().splitlines()]


@pytest.fixture
def log(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    """The log of a process; no word of anybody may be in it, or beside it."""
    written = Written()
    before = structlog.get_config()
    with monkeypatch.context() as patched:
        patched.setattr("sys.stderr", written.file)
        configure_logs(as_json=True)
    try:
        with foreign_logs():
            yield written
        out, err = capfd.readouterr()
        assert CANARY not in out + err + str(written.lines())
    finally:
        structlog.configure(**before)


def _fail() -> None:
    raise ValueError(CANARY)


async def test_a_task_that_nobody_awaits_is_named_with_its_error(log: Written) -> None:
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
    (line,) = log.lines()
    assert (line["action"], line["level"]) == ("task_failed", "error")
    assert line["handler"].endswith("background")
    assert line["reason"].startswith("ValueError at test_foreign.py:")
    assert "in _fail" in line["traceback"]


def test_a_librarys_logger_is_named_with_its_place(log: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])  # pytest's own
    logger = logging.getLogger("some.package")
    logger.info(CANARY)
    logger.warning("%s said", CANARY)
    try:
        _fail()
    except ValueError:
        logger.exception(CANARY)
    said, failed = log.lines()
    assert (said["action"], said["level"], said["logger"]) == ("foreign_log", "warning", "some.package")
    assert said["file"].startswith("test_foreign.py:")
    assert (failed["level"], failed["reason"].partition(" ")[0]) == ("error", "ValueError")


def test_a_program_that_sets_up_its_own_logging_keeps_it(log: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    records: list[logging.LogRecord] = []
    own = logging.Handler()
    monkeypatch.setattr(own, "emit", records.append)
    logging.basicConfig(handlers=[own])
    logging.getLogger("their.bot").warning("order placed")
    assert [record.getMessage() for record in records] == ["order placed"]
    assert log.lines() == []


def test_a_warning_is_its_class_and_place(log: Written) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning(RuntimeWarning(CANARY), RuntimeWarning, "/somewhere/bot.py", 7)
    assert [(line["action"], line["reason"], line["file"]) for line in log.lines()] == [
        ("python_warning", "RuntimeWarning", "bot.py:7")
    ]


def test_a_thread_that_fails_is_named_with_its_error(log: Written) -> None:
    thread = threading.Thread(target=_fail, name="worker")
    thread.start()
    thread.join()
    assert [(line["action"], line["handler"]) for line in log.lines()] == [("thread_failed", "worker")]


def test_an_error_that_python_ignores_is_a_line(log: Written) -> None:
    class Broken:
        def __del__(self) -> None:
            _fail()

    Broken()
    gc.collect()
    (line,) = log.lines()
    assert (line["action"], line["handler"].endswith("Broken.__del__")) == ("error_ignored", True)


def test_of_many_failures_the_count_has_no_word_either(log: Written) -> None:
    for _ in range(3):
        thread = threading.Thread(target=_fail, name="worker")
        thread.start()
        thread.join()
    first, others = log.lines()
    assert "in _fail" in first["traceback"]
    assert (others["count"], "traceback" in others) == (2, False)


def test_afterwards_all_is_as_before() -> None:
    before = logging.lastResort, warnings.showwarning, threading.excepthook
    with foreign_logs():
        assert logging.lastResort is not before[0]
    assert (logging.lastResort, warnings.showwarning, threading.excepthook) == before
