"""The place of one worker: the process that serves there, the one that is to follow, and those that leave."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Final

from bridge.workers.child import Stage
from bridge.workers.words import ADOPT, GO, HAND_OVER, STEP_BACK, TAKE_OVER

if TYPE_CHECKING:
    from bridge.workers.child import Child

LEAVE_SECONDS: Final = 30.0
"""For a worker to finish what runs; it gives itself DRAIN_SECONDS for that."""
_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 10.0
_HEALTHY: Final = 30.0
"""Seconds of life after which a death counts as the first one again."""


class Post:
    """Which processes are there, and when the next one begins."""

    def __init__(self, number: int, *, side_by_side: bool) -> None:
        """Nobody is there yet. `side_by_side`: two processes may have the store at the same time."""
        self.number = number
        self._side_by_side = side_by_side
        self.current: Child | None = None
        self.successor: Child | None = None
        self.leaving: list[Child] = []
        self.again_at: float | None = None
        """When the next one begins, where one has died."""
        self._deaths = 0

    def children(self) -> list[Child]:
        """Every process that is there."""
        return [*self.leaving, *(child for child in (self.current, self.successor) if child is not None)]

    @property
    def is_manned(self) -> bool:
        """Whether a process is there, or is to begin."""
        return bool(self.children()) or self.again_at is not None

    @property
    def is_served(self) -> bool:
        """Whether a process takes webhooks there."""
        return self.current is not None and self.current.stage is Stage.SERVING

    def let_go(self) -> None:
        """Let a successor that is prepared go on, behind the one that serves; one that only begins to is waited for."""
        following, serving = self.successor, self.current
        if following is None or following.stage is not Stage.PREPARED:
            return
        if serving is None:
            following.go(GO)
        elif self._side_by_side:
            if not self.leaving:  # who leaves gives its connections to the one that serves, which must not leave, too
                following.go(GO)
        elif serving.stage is Stage.SERVING:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                following.go(TAKE_OVER, theirs.fileno())
                serving.say(HAND_OVER, [ours.fileno()])
            self.current = None
            self._leaves(serving)

    def promote(self) -> None:
        """The successor serves; the one that serves beside it ends."""
        before, self.current, self.successor = self.current, self.successor, None
        if before is not None and self.current is not None:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                self.current.say(ADOPT, [theirs.fileno()])
                before.say(STEP_BACK, [ours.fileno()])
            self._leaves(before)

    def _leaves(self, child: Child) -> None:
        child.stage, child.until = Stage.LEAVING, time.monotonic() + LEAVE_SECONDS
        self.leaving.append(child)

    def remove(self, child: Child) -> None:
        """It has ended."""
        if child in self.leaving:
            self.leaving.remove(child)
        elif child is self.current:
            self.current = None
        else:
            self.successor = None

    def begin_again(self, dead: Child) -> float:
        """Begin the next process after a pause, which grows from death to death; the pause."""
        self._deaths = 0 if dead.age > _HEALTHY else self._deaths
        pause: float = min(_PAUSE * 2**self._deaths, _LONGEST_PAUSE)
        self._deaths += 1
        self.again_at = time.monotonic() + pause
        return pause
