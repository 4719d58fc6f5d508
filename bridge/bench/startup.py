"""Processor time until a command answers, and the imports that cost the most of it."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from typing import TYPE_CHECKING, Final

from bridge.bench.processes import BenchError
from bridge.bench.report import Report

if TYPE_CHECKING:
    from bridge.bench.slices import Settings

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "threadbridge --help": ("-m", "bridge", "--help"),
    "import bridge": ("-c", "import bridge"),
    "from bridge import Router, Turn": ("-c", "from bridge import Router, Turn"),
    "import bridge.app": ("-c", "import bridge.app.http"),
}
GOALS: Final = {"threadbridge --help": 0.4, "import bridge": 0.25}
"""Seconds."""
_HEAVIEST: Final = 8


async def startup(settings: Settings) -> Report:
    """Seconds of processor time; then what the heaviest imports take by themselves."""
    report = Report("startup")
    for name, arguments in COMMANDS.items():
        settings.tell(name)
        await _run(arguments)  # compiles what changed since the last run
        report.add(name, "processor time", "s", [await _seconds(arguments) for _ in range(settings.rounds)])
    for name in GOALS:
        for package, milliseconds in await _heaviest(COMMANDS[name]):
            report.add(name, f"import of {package}", "ms", [milliseconds])
    report.notes += [f"goal of {name}: {seconds} s" for name, seconds in GOALS.items()]
    return report


async def _seconds(arguments: tuple[str, ...]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    await _run(arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


async def _heaviest(arguments: tuple[str, ...]) -> list[tuple[str, float]]:
    """The packages whose modules take longest to import, each module counted by itself."""
    spent: dict[str, float] = {}
    for line in (await _run(("-X", "importtime", *arguments))).splitlines():
        alone, _, name = line.removeprefix("import time:").split("|")
        if alone.strip().isdigit():
            package = name.strip().partition(".")[0]
            spent[package] = spent.get(package, 0.0) + int(alone) / 1000
    return sorted(spent.items(), key=lambda item: -item[1])[:_HEAVIEST]


async def _run(arguments: tuple[str, ...]) -> str:
    """Run Python, and return what it wrote on standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"TERM": "dumb"},
    )
    _, errors = await process.communicate()
    if process.returncode:
        raise BenchError(f"python {' '.join(arguments)} ended with {process.returncode}")
    return errors.decode(errors="replace")
