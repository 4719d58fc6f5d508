"""Measures turns: how many ended how, and after how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.engine.counters import Counters
from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.clock import Clock
    from bridge.engine.spans import Spans, TurnSpan
    from bridge.store.records import InboxRow, TurnCommit


class TurnMeter:
    """Knows of each thread when its turn began: there is one at a time."""

    def __init__(self, clock: Clock, counters: Counters | None = None, spans: Spans | None = None) -> None:
        """No turn runs. Without `spans` no trace is kept."""
        self.counters = counters or Counters()
        self._clock = clock
        self._spans = spans
        self._began: dict[int, int] = {}
        self._running: dict[int, TurnSpan] = {}
        """The trace of each turn, where traces are kept."""

    def begin(self, row: InboxRow, now: int) -> None:
        """The turn of an event begins `now`."""
        if self._spans is not None:
            self.leave(row.thread_id)
            self._running[row.thread_id] = self._spans.turn(row)
        self._began[row.thread_id] = now

    def end(self, row: InboxRow, outcome: str) -> None:
        """It ended as one of TURN_OUTCOMES says; an event may come to its end without a turn."""
        account, began = row.ref.account, self._began.pop(row.thread_id, None)
        self.counters.turns[account, outcome] += 1
        if began is None:
            return
        took = self._clock.now() - began
        self.counters.turn_seconds[account].add(took / SECOND if took > 0 else 0.0)  # the clock may have been set back
        if self._running and (running := self._running.pop(row.thread_id, None)) is not None:
            running.end(outcome)

    def retried(self, row: InboxRow) -> None:
        """It is tried again."""
        self.counters.retries[row.ref.account, "event"] += 1
        self.end(row, "retried")

    def dead(self, row: InboxRow) -> None:
        """It is given up."""
        self.counters.dead[row.ref.account, "event"] += 1
        self.end(row, "dead")

    def committing(self, row: InboxRow, commit: TurnCommit) -> None:
        """Its effects are about to be committed."""
        if self._running and (running := self._running.get(row.thread_id)) is not None:
            running.saying(commit)

    def committed(self, row: InboxRow, commit: TurnCommit) -> None:
        """They are; a message that has no form on its channel is a dead letter already."""
        for saying in commit.sayings:
            if saying.bar is not None:
                self.counters.ended(row.ref.account, saying.bar, dead=True)
        self.end(row, "kept" if commit.holds else "done")

    def leave(self, thread_id: int) -> None:
        """No turn runs in a thread any more, however the last one ended."""
        self._began.pop(thread_id, None)
        if self._running and (running := self._running.pop(thread_id, None)) is not None:
            running.end("left")
