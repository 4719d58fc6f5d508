"""The watchdog names the author's line, whichever room of threadbridge runs beneath it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bridge.engine.watchdog import culprit
from bridge.testing.decisions import Decisions, Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


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
