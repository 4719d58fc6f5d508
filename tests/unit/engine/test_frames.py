"""Who looks into a thread names the author's line, whichever room of threadbridge runs beneath it, and comes back."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from bridge.engine.frames import culprit
from bridge.testing.decisions import Decisions, Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


LOOKING: Final = """
import gc, sys, threading
from bridge.engine.frames import frame_of

class Freed:
    def __init__(self):
        self.itself, self.local = self, threading.local()

for room in range(20):
    gc.collect()
    Freed()
    gc.set_threshold(gc.get_count()[0] + room)
    frame = frame_of(threading.get_ident())
    gc.set_threshold(0)
    assert frame.f_back is sys._getframe()
assert gc.isenabled()
"""
"""Collections that begin up to twenty objects later: one of them where frames are made. What they free has a lock."""


class Options(list[tuple[str, float, None]]):
    """Looks at the stack from beneath code of threadbridge."""

    frame: FrameType

    def __len__(self) -> int:
        self.frame = sys._getframe(1)
        return 2

    def __iter__(self) -> Iterator[tuple[str, float, None]]:
        return iter([("a", 1.0, None), ("b", 1.0, None)])


def test_code_of_any_room_is_passed_over_for_the_line_that_called_it() -> None:
    options = Options([("a", 1.0, None), ("b", 1.0, None)])
    Decisions(Schedule(1), calm=True).pick(options)
    assert options.frame.f_code.co_filename.endswith("bridge/testing/decisions.py")
    assert culprit(options.frame)[0].startswith(f"{__file__}:")


@pytest.mark.slow
def test_a_collection_that_becomes_due_while_frames_are_looked_at_does_not_stop_the_process() -> None:
    subprocess.run([sys.executable, "-c", LOOKING], check=True, timeout=30)
