"""Processor time until a command answers, and the imports that cost the most of it."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from typing import Any, Final

COMMANDS: Final = {
    "threadbridge --help": ("-m", "bridge", "--help"),
    "import bridge": ("-c", "import bridge"),
    "from bridge import Router, Turn": ("-c", "from bridge import Router, Turn"),
    "import bridge.app": ("-c", "import bridge.app.http"),
}
GOALS: Final = {"threadbridge --help": 0.4, "import bridge": 0.25}
"""Seconds."""
RUNS: Final = 5
HEAVIEST: Final = 8


def startup() -> dict[str, Any]:
    """Seconds of processor time, the median of five runs each; then what the heaviest imports take by themselves."""
    figures: dict[str, Any] = {}
    for name, arguments in COMMANDS.items():
        _run(arguments)  # compiles what changed since the last run
        figures[f"{name}, s"] = round(statistics.median(_seconds(arguments) for _ in range(RUNS)), 3)
    figures["goals, s"] = GOALS
    for name in GOALS:
        figures[f"imports of {name}, ms"] = _heaviest(COMMANDS[name])
    return figures


def _seconds(arguments: tuple[str, ...]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _heaviest(arguments: tuple[str, ...]) -> dict[str, float]:
    """The packages whose modules take longest to import, each module counted by itself."""
    spent: dict[str, float] = {}
    for line in _run(("-X", "importtime", *arguments)).splitlines():
        alone, _, name = line.removeprefix("import time:").split("|")
        if alone.strip().isdigit():
            package = name.strip().partition(".")[0]
            spent[package] = spent.get(package, 0.0) + int(alone) / 1000
    heaviest = sorted(spent.items(), key=lambda item: -item[1])[:HEAVIEST]
    return {package: round(milliseconds, 1) for package, milliseconds in heaviest}


def _run(arguments: tuple[str, ...]) -> str:
    """Run Python, and return what it wrote on standard error."""
    shown = subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, text=True, env=os.environ | {"TERM": "dumb"}
    )
    return shown.stderr
