"""How properties are looked for, what each test finds, and what is shown after all: documented errors, fault runs."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from aiohttp import web_app
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

settings.register_profile("suite", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
"""The suite looks at the same examples each time, so that a change and not luck makes it fail; a search is for more."""

os.environ.setdefault("SSL_CERT_FILE", os.devnull)
"""Each process would read this machine's certificate authorities, a tenth of its start; no test needs one of them."""


gc.set_threshold(10_000, 20, 50)
"""Tests and their modules stay: at Python's own threshold each worker searches them for garbage, and finds none."""


@pytest.fixture(autouse=True)
def usual_log() -> Iterator[None]:
    """A bridge that serves decides what its process logs; the next test is to find it as this one did."""
    usual = structlog.get_config()
    yield
    structlog.configure(**usual)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Begin in each worker with another file: it takes long to rewrite one, and a later worker finds it done."""
    report = yield
    if isinstance(collector, pytest.Dir) and (worker := os.environ.get("PYTEST_XDIST_WORKER")):
        files = sorted(Path(__file__).parent.rglob("test_*.py"))
        first = files[len(files) * int(worker.removeprefix("gw")) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])]
        report.result.sort(key=lambda node: (not first.is_relative_to(node.path), node.path < first))
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with faults and simulations: many take long, and one that is begun last is waited for alone.

    Workers that began with other files have one order again.
    """
    items.sort(key=lambda item: (not item.nodeid.startswith(("tests/faults/", "tests/simulation/")), item.path))


def pytest_collection_finish() -> None:
    """Search what was collected for garbage no more; count no calls in worlds, which takes as long as all else."""
    gc.freeze()
    if (worlds := sys.modules.get("bridge.testing.world")) is not None:
        worlds.World.__init__.__kwdefaults__["counts"] = False


@pytest.fixture(autouse=True, scope="module")
def no_application_of_before() -> Iterator[None]:
    """aiohttp keeps the last 1,024 handlers, each with its application and all that this holds."""
    yield
    web_app._cached_build_middleware.cache_clear()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test that asks a world for its calls: worlds are made as bot authors make them."""
    from bridge.testing.world import World  # noqa: PLC0415 - brings the engine along, which other tests can do without

    defaults: Any = World.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "counts", True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have recorded, in whichever process: documented errors and their outcomes, counts of faults."""
    passed = terminalreporter.getreports("passed")
    recorded = [(name, value, report.nodeid) for report in passed for name, value in report.user_properties]
    errors = sorted(value for name, value, _ in recorded if name == "documented error")
    if errors:
        rows = [("provider", "answer", "outcome"), *errors]
        wide = [max(len(row[at]) for row in rows) for at in (0, 1)]
        terminalreporter.section("documented errors and what becomes of the message")
        for provider, answer, outcome in rows:
            terminalreporter.line(f"{provider:{wide[0]}}  {answer:{wide[1]}}  {outcome}")
    runs = [f"{node.rpartition('::')[2]}: {line}" for name, line, node in recorded if name == "fault run"]
    if runs:
        terminalreporter.section("fault runs")
        for line in runs:
            terminalreporter.line(line)
