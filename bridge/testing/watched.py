"""What a test can watch of a world: the time, all that happened, what was logged, and how often code ran."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from bridge.testing.stage import NotCounted
from bridge.units import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from bridge.testing.stage import Stage


class Watched:
    """A world to those who only look."""

    def __init__(self, stage: Stage) -> None:
        """All happens on the stage."""
        self._stage = stage
        self.counted = False
        """Whether the scenario asked for `calls`."""

    def calls(self, function: Callable[..., object]) -> int:
        """How often a Python function was called in this world, by whomever; for a method, on any object."""
        self.counted = True
        if not self._stage.counts:
            raise NotCounted
        bare = inspect.unwrap(function)
        code = getattr(getattr(bare, "__func__", bare), "__code__", None)
        if code is None:
            raise TypeError(f"calls of {function!r} cannot be counted: it is no function written in Python")
        return self._stage.calls[code]

    @property
    def now(self) -> datetime:
        """Virtual time, UTC."""
        return moment(self._stage.now)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is on its way."""
        return self._stage.is_quiet

    @property
    def trace(self) -> Sequence[str]:
        """All that happened, a line each: the same for the same bot, scenario and schedule."""
        return self._stage.trace

    @property
    def turned(self) -> int:
        """The place in the trace of the last choice that was not calm."""
        return self._stage.turned

    @property
    def log(self) -> Sequence[Mapping[str, object]]:
        """What the bridge logged."""
        return self._stage.log

    @property
    def errors(self) -> Sequence[BaseException]:
        """What turns that failed raised, oldest first."""
        return self._stage.errors

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """The outgoing events that were taken, oldest first; see the argument `events` of World."""
        return self._stage.events

    def story(self, lines: int = 20) -> str:
        """The last things that happened, for people to read."""
        return "\n".join(("The last that happened:", *(f"  {each}" for each in self.trace[-lines:])))
