"""Where a bot author's function was written, and how its signature reads: so that a mistake is told by its line."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from types import SimpleNamespace, UnionType
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from bridge.errors import HandlerError
from bridge.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.callsite import Site

_POSITIONAL: Final = frozenset(
    {
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    }
)
NAMED: Final = frozenset({inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY})
"""The kinds of parameters that can be given by name."""

UNREADABLE: Final = object()
"""What an annotation says that cannot be read at run time, as one imported for type checkers only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A function of a bot author. `name` is module:qualname; `file` and `line` are where it stands.

    One that is not `is_async` may block: the engine runs it in a thread.
    """

    function: Callable[..., Any]
    name: str
    file: str
    line: int
    is_async: bool

    def error(self, reason: str) -> HandlerError:
        """A mistake in how this function is written."""
        return HandlerError(f"{self.file}:{self.line}: {self.name}: {reason}")


def written(function: Callable[..., Any], site: Site, *, what: str) -> Written:
    """A function and its place; `what` it is to be, for the error's text.

    Raises:
        HandlerError: it cannot be called.
    """
    if not callable(function):
        raise site.error(f"{what} is a function, not a {type(function).__name__}")
    source = source_of(function)
    code = getattr(source, "__code__", None)
    return Written(
        function=function,
        name=f"{getattr(source, '__module__', '?')}:{getattr(source, '__qualname__', type(function).__qualname__)}",
        file=code.co_filename if code else site.file,
        line=code.co_firstlineno if code else site.line,
        is_async=inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(source),
    )


def source_of(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - a function, or whatever else can be called
    """The written function behind a partial, a wrapper or an object that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return function if hasattr(function, "__qualname__") else type(function).__call__


def signature_of(author: Written) -> inspect.Signature:
    """The parameters. Raises HandlerError where they cannot be read."""
    try:
        return inspect.signature(author.function)
    except (TypeError, ValueError):
        raise author.error("its parameters cannot be read") from None


def is_positional(parameter: inspect.Parameter | None) -> bool:
    """Whether a parameter can be given without its name."""
    return parameter is not None and parameter.kind in _POSITIONAL


def annotation_of(author: Written, parameter: inspect.Parameter, site: Site) -> Any:  # noqa: ANN401 - any annotation
    """The type a parameter is annotated with, read on its own: the turn's may well be imported for typing only.

    Raises:
        HandlerError: it cannot be read.
    """
    if parameter.annotation is parameter.empty:
        return Any
    try:
        return _read(author, parameter.name, parameter.annotation, site)
    except Exception as error:  # noqa: BLE001 - reading an annotation runs its author's code
        reason = f"the annotation of its parameter {parameter.name!r} cannot be read: {error}"
        raise author.error(reason) from None


def annotation_if_readable(author: Written, name: str, annotation: object, site: Site) -> Any:  # noqa: ANN401 - the same
    """What an annotation says, or UNREADABLE."""
    if annotation is inspect.Parameter.empty:
        return Any
    try:
        return _read(author, name, annotation, site)
    except Exception:  # noqa: BLE001 - the same
        return UNREADABLE


def check_turn(
    author: Written, turn: inspect.Parameter, site: Site, events: frozenset[type[Event]] = frozenset()
) -> type | None:
    """Refuse a first parameter that says it is no turn, or one of other events than `events` (none: any will do).

    Returns:
        The class that it says the state is, if it says one: Order of `Turn[Message, Order]`.

    Raises:
        HandlerError: so it says.
    """
    from bridge.conversation.turn import Turn  # noqa: PLC0415 - the router is loaded by those who need no turns

    wanted = annotation_if_readable(author, turn.name, turn.annotation, site)
    if wanted is Turn or get_origin(wanted) is Turn:
        said, *state = get_args(wanted) or (Event,)
        kinds = tuple(each for each in _members(said) if isinstance(each, type) and issubclass(each, Event))
        wrong = [event for event in events if kinds and not issubclass(event, kinds)]
        if wrong:
            names = " or ".join(sorted(event.__name__ for event in wrong))
            told = " | ".join(kind.__name__ for kind in kinds)
            raise author.error(f"its turn is annotated Turn[{told}], but its rule is for a {names}")
        return next((each for each in state if isinstance(each, type) and issubclass(each, BaseModel)), None)
    if is_other_class(wanted, Turn):
        raise author.error(f"its first parameter is the turn, but {turn.name!r} is annotated {wanted.__name__}")
    return None


def is_other_class(wanted: object, given: type) -> bool:
    """Whether an annotation is a class that an object of the class `given` is surely none of."""
    if (
        not isinstance(wanted, type)
        or Any in (wanted, given)  # a class since Python 3.11
        or get_origin(wanted) is not None
        or getattr(wanted, "_is_protocol", False)
    ):
        return False
    return not (issubclass(given, wanted) or issubclass(wanted, given))


def takes(wanted: object, given: type) -> bool:
    """Whether a parameter annotated `wanted` may be given an object of the class `given`, as far as can be told."""
    return any(not is_other_class(each, given) for each in _members(wanted))


def _members(wanted: object) -> tuple[object, ...]:
    """The members of a union, or the one type that it is."""
    return get_args(wanted) if get_origin(wanted) in {Union, UnionType} else (wanted,)


def _read(author: Written, name: str, annotation: object, site: Site) -> Any:  # noqa: ANN401 - the same
    alone = SimpleNamespace(__annotations__={name: annotation})
    known = getattr(source_of(author.function), "__globals__", {})
    return get_type_hints(alone, known, dict(site.scope), include_extras=True)[name]
