"""What a turn asks to be done later, as a handler writes it; the turn's commit makes timers of it."""

from __future__ import annotations

import inspect
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
