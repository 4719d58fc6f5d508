"""Names the code that blocks the event loop: an `async def` that never awaits delays every conversation."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Final

from bridge.engine.frames import culprit, frame_of
from bridge.log import log
from bridge.store.measures import Histogram

_BEAT: Final = 0.1
"""Seconds between two beats of the loop, and between two looks at them."""


class Watchdog:
    """A thread that logs where the loop is when it has not moved for `patience` seconds."""

    def __init__(self, patience: float = 1.0) -> None:
        """Watch nothing until `start`."""
        self._patience = patience
        self._seen = 0.0
        self._loop_thread = 0
        self._stop = threading.Event()
        self._beating: asyncio.TimerHandle | None = None
        self.lag = Histogram()
        """How much later than it should each beat came."""
        self.blocked = 0
        """How often the loop did not move for that long."""

    def start(self) -> None:
        """Watch the running loop."""
        self._loop_thread = threading.get_ident()
        self._beat()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """End the watch."""
        self._stop.set()
        if self._beating is not None:
            self._beating.cancel()

    def _beat(self) -> None:
        now = time.monotonic()
        if self._seen:
            self.lag.add(max(0.0, now - self._seen - _BEAT))
        self._seen = now
        self._beating = asyncio.get_running_loop().call_later(_BEAT, self._beat)

    def _watch(self) -> None:
        reported = 0.0
        while not self._stop.wait(_BEAT):
            seen = self._seen
            if time.monotonic() - seen > self._patience and reported != seen:
                reported = seen
                self.blocked += 1
                self._report(time.monotonic() - seen)

    def _report(self, seconds: float) -> None:
        frame = frame_of(self._loop_thread)
        if frame is not None:
            where, handler = culprit(frame)
            log.warning("loop_blocked", seconds=round(seconds, 1), handler=handler, file=where)
