"""Sessions of pytest in a copy of the code, each in a fork of a process that has imported all but the code."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import coverage
import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CODE: Final = ("bridge", "handlers", "storage")
LEFT_OUT: Final = (
    "acceptance",
    "docs",
    "faults",
    "typing",
    "unit/test_architecture.py",
    "unit/providers/test_third_party.py",
)
"""Of the tests: what starts processes, or looks at something else than the code at work."""
PROFILE: Final = "HYPOTHESIS_PROFILE"
MEMORY: Final = 6 << 30
"""Bytes that a session may take."""


@dataclass(frozen=True, slots=True)
class Session:
    """What came of some tests: pytest's exit code (None: time was up), who failed, the seconds of each, the imports."""

    code: int | None
    failed: Sequence[str] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    modules: Sequence[str] = ()


class Watch:
    """A pytest plugin: only the wanted tests, in their order; what came of them; and whose each traced line is."""

    def __init__(self, wanted: Sequence[str] | None, trace: coverage.Coverage | None) -> None:
        self.order = None if wanted is None else {name: at for at, name in enumerate(wanted)}
        self.trace = trace
        self.failed: list[str] = []
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if (order := self.order) is not None:
            items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.seconds[nodeid] = -_spent()
        if self.trace is not None:
            self.trace.switch_context(nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.seconds[nodeid] += _spent()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed += [report.nodeid] * report.failed

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.failed += [f"collecting {report.nodeid}"] * report.failed


def _spent() -> float:
    """Seconds of a processor that this process and those it started have had: more even than a clock's."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def run(tree: Path, wanted: Sequence[str] | None = None, *, data: Path | None = None, seconds: float = 7200) -> Session:
    """The wanted tests, or all, in the copy `tree`, until one fails. With `data`, all are run and traced into it."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_session, args=(theirs, tree, wanted, data))
    child.start()
    theirs.close()
    assert child.pid is not None
    try:
        return Session(*ours.recv()) if ours.poll(seconds) else Session(None)
    except EOFError:
        return Session(-1, ["a crash"])
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.join()


def collect(tree: Path) -> None:
    """Leave the compiled tests in the copy: sessions that compile them each time take most of their time for it."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONDONTWRITEBYTECODE", PROFILE}}
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "tests"]
    subprocess.run(command, cwd=tree, env={**kept, "PYTHONPATH": str(tree)}, stdout=subprocess.DEVNULL, check=True)


def _session(answer: Any, tree: Path, wanted: Sequence[str] | None, data: Path | None) -> None:
    os.setpgrp()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    os.chdir(tree)
    sys.path[0] = os.environ["PYTHONPATH"] = str(tree)
    options = ["-q", "-m", "not soak", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    options += [f"--basetemp={tree}.tmp", *(f"--ignore=tests/{name}" for name in LEFT_OUT)]
    trace = None
    if data is not None:
        trace = coverage.Coverage(data, include=[f"{tree}/{name}/*" for name in CODE], config_file=False)
        trace.start()
    elif wanted is not None:
        options.append("-x")
        sys.dont_write_bytecode = True  # the next mutant may be as long and as old as this one
    watch = Watch(wanted, trace)
    code = pytest.main([*options, *sorted({name.partition("::")[0] for name in wanted or ["tests"]})], plugins=[watch])
    if trace is not None:
        trace.stop()
        trace.save()
    files = {name: str(getattr(module, "__file__", None)) for name, module in sys.modules.items()}
    for name, file in files.items():
        assert name.partition(".")[0] not in CODE or file.startswith(str(tree)), f"{file} is not of the copy"
    others = [name for name, file in files.items() if not file.startswith((str(tree), "None"))]
    answer.send((int(code), watch.failed, dict(watch.seconds), others))
