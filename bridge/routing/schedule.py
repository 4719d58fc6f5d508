"""`turn.after`: checks a call that is due later. The turn's commit makes a timer of it."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from bridge.callsite import call_site
from bridge.conversation.effects import REPLIED, Delay, Later, named, span_of
from bridge.errors import HandlerError
from bridge.routing.handlers import handler_of
from bridge.routing.loading import named_function
from bridge.strict_json import not_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.routing.handlers import Handler


def later(
    delay: Delay,
    handler: Callable[..., object],
    unless: str | None,
    name: str | None,
    arguments: Mapping[str, Any],
    model: str | None = None,
) -> Later:
    """The arguments of `turn.after`, checked; `model` names the model of the turn's state, if it has one.

    Raises:
        HandlerError: the delay is none, the function has no lasting name or cannot be called so, or the arguments
            are not JSON.
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


def _stored(function: Callable[..., object], arguments: Mapping[str, Any]) -> str:
    """The name that finds the function again, checked now and not in two hours."""
    handler = timer_handler(function)
    if "<" in handler.name or "__main__" in handler.name.partition(":")[0]:
        raise HandlerError(f"after() takes a function at the top level of a module, which {handler.name} is not")
    try:
        same = named_function(handler.name) is function
    except HandlerError:
        same = False
    if not same:
        raise HandlerError(f"after() takes a function that is found by its name; {handler.name} is not this one")
    timer_handler(function, frozenset(arguments))
    if handler.accept(arguments) is None:
        raise handler.error("the arguments given to after() do not fit its annotations")
    return handler.name


def timer_handler(function: Callable[..., Any], names: frozenset[str] | None = None) -> Handler:
    """A function as the handler of its timers; `names`: the arguments that it must take.

    Raises:
        HandlerError: it is no handler, does not take one of the `names`, or needs another argument.
    """
    # One that is made within a turn would be kept with all that it holds.
    lasts = inspect.isfunction(function) and "<" not in function.__qualname__
    return (_read if lasts else _read.__wrapped__)(function, names)


@lru_cache(maxsize=1024)
def _read(function: Callable[..., Any], names: frozenset[str] | None) -> Handler:
    """Kept for functions that last: to read one takes longer than its turn, and each timer asks three times."""
    handler = handler_of(function, None, call_site())
    if names is not None:
        parameters = list(inspect.signature(function).parameters.values())[1:]
        takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
        unknown = sorted(names - {parameter.name for parameter in parameters})
        if unknown and not takes_all:
            raise handler.error(f"it takes no {unknown[0]!r}")
        handler_of(function, names, call_site())
    return handler
