"""What a turn asks to be done later, as a handler writes it; the turn's commit makes timers of it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from bridge.calling import call_site, handler_of
from bridge.clock import SECOND, micros
from bridge.errors import HandlerError
from bridge.providers.fields import read_seconds
from bridge.state import not_json
from bridge.store import TimerRow
from bridge.timers import named_function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Delay: TypeAlias = "str | float | timedelta | datetime"
"""How long to wait, "2h", a number of seconds or a timedelta; or until when: a datetime with a time zone."""

REPLIED: Final = "replied"
"""For `unless`: the contact said or pressed something meanwhile."""

AT: Final = "at"
"""The name of the timers that hold messages for later."""

QUIET: Final = ":quiet"
"""The name of the timer that returns a thread when its person has gone quiet."""

_LONGEST: Final = timedelta(days=3660)
_LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A timer that is not set yet: due in `delay` microseconds from the commit on, or `at` a time (microseconds)."""

    delay: int = 0
    at: int | None = None
    name: str = ""
    unless: str | None = None
    handler: str | None = None
    arguments: bytes = b"{}"
    model: str | None = None

    def timer(self, now: int) -> TimerRow:
        """The timer as it is set."""
        return TimerRow(
            due_at=now + self.delay if self.at is None else self.at,
            name=self.name,
            unless=self.unless,
            handler=self.handler,
            arguments=self.arguments,
            model=self.model,
        )


def later(
    delay: Delay,
    handler: Callable[..., object],
    unless: str | None,
    name: str | None,
    arguments: Mapping[str, Any],
    model: str | None = None,
) -> Later:
    """What `turn.after` was given; `model` names what the turn shows its state as, if that is a model.

    Raises:
        HandlerError: the delay is none, the function cannot be found again by its name or cannot be called so, or
            the arguments are not JSON.
    """
    if unless not in {None, REPLIED}:
        raise HandlerError(f'after() knows unless="{REPLIED}", not {unless!r}')
    if problem := not_json(dict(arguments), "the arguments"):
        raise HandlerError(f"after() keeps its arguments as JSON: {problem}")
    span, at = span_of(delay, "after()")
    return Later(
        delay=span,
        at=at,
        name="" if name is None else named(name),
        unless=unless,
        handler=_stored(handler, arguments),
        arguments=orjson.dumps(dict(arguments)),
        model=model,
    )


def span_of(delay: Delay, what: str) -> tuple[int, int | None]:
    """A delay in microseconds, or 0 and the time it ends at. Raises HandlerError when it is neither."""
    if isinstance(delay, datetime):
        if delay.tzinfo is None:
            raise HandlerError(f"{what} takes a datetime with a time zone, such as datetime.now(UTC)")
        return 0, micros(delay)
    try:
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else read_seconds(delay)
    except ValueError as error:
        raise HandlerError(f"{what}: {error}") from None
    if not 0 <= seconds <= _LONGEST.total_seconds():
        raise HandlerError(f"{what} waits for nothing at least and ten years at most")
    return round(seconds * SECOND), None


def named(name: str) -> str:
    """A name that a handler may give to a timer. Raises HandlerError for one that is taken, or is none."""
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or name == AT or name[0] == ":":  # type: ignore[redundant-expr] # authors may have no type checker
        raise HandlerError(f"a timer's name is a text of 1 to {_LONGEST_NAME} characters, no {AT!r}, no ':' first")
    if "\0" in name or not_json(name, "it"):
        raise HandlerError("a timer's name can be stored anywhere: no NUL character, no lone surrogate")
    return name


def _stored(handler: Callable[..., object], arguments: Mapping[str, Any]) -> str:
    """The name by which the function is found again, checked now and not in two hours."""
    known = handler_of(handler, None, call_site())
    if "<" in known.name or "__main__" in known.name.partition(":")[0]:
        raise HandlerError(f"after() takes a function at the top level of a module, which {known.name} is not")
    try:
        found = named_function(known.name)
    except HandlerError:
        found = None
    if found is not handler:
        raise HandlerError(f"after() takes a function that is found by its name; {known.name} is not this one")
    parameters = list(inspect.signature(handler).parameters.values())[1:]
    if not any(each.kind is each.VAR_KEYWORD for each in parameters):
        taken = {each.name for each in parameters}
        if unknown := sorted(set(arguments) - taken):
            raise known.error(f"it takes no {unknown[0]!r}")
    handler_of(handler, frozenset(arguments), call_site())
    if known.accept(arguments) is None:
        raise known.error("the arguments given to after() do not fit its annotations")
    return known.name
