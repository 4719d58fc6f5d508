"""Where the time of a message goes, stage by stage."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.bench.closed_loop import Demand
from bridge.bench.ingest import SERVERS
from bridge.bench.processes import Subject
from bridge.bench.report import Report
from bridge.bench.slices import column, interleaved, running
from bridge.bench.stages import FILE, TURN

if TYPE_CHECKING:
    from bridge.bench.slices import Settings


async def stages(settings: Settings) -> Report:
    """Milliseconds a message in each stage, waits included: the stages of different messages overlap."""
    report = Report("stages")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "stages.json")
        subject = Subject(name="threadbridge", module=SERVERS, arguments=("watched",), environment={FILE: str(file)})
        async with running([subject], settings) as at_work:
            await interleaved(at_work, settings, Demand(seconds=settings.seconds))
            report.add(subject.name, "processor time a message", "us", column(at_work[0], "micros"))
            report.heard_of(at_work)
        figures = json.loads(await asyncio.to_thread(file.read_text))
    messages = figures["calls"][TURN]
    for stage, seconds in sorted(figures["seconds"].items()):
        report.add(subject.name, stage, "ms", [seconds * 1000 / messages])
    return report
