"""An author's functions: where they are written and how their signatures read, so that errors name the line."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, field
from opcode import opmap
from types import SimpleNamespace, UnionType
from typing import TYPE_CHECKING, Any, Final, TypeGuard, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from bridge.conversation.turn import Turn
from bridge.errors import HandlerError
from bridge.events import EVENT_TYPES, Event
from bridge.own import lasting_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.callsite import Site

T = TypeVar("T")

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
"""The value of an annotation that cannot be read at run time, like one imported for type checkers only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorFunction:
    """A function of a bot author. `name` is module:qualname; `file` and `line` are its place in the code.

    A function that is not `is_async` may block: the engine runs it in a thread.
    """

    function: Callable[..., Any]
    name: str
    file: str
    line: int
    is_async: bool
    may_wait: bool = field(default=True, repr=False, compare=False)
    """Whether it may have to wait for something: an `async def` without an `await` runs to its end at once."""

    def error(self, reason: str) -> HandlerError:
        """A mistake in how this function is written."""
        return HandlerError(f"{self.file}:{self.line}: {self.name}: {reason}")


def author_function(function: Callable[..., Any], site: Site, *, role: str) -> AuthorFunction:
    """A function and its place; `role` is its part in a rule, for the error's text.

    Raises:
        HandlerError: it cannot be called.
    """
    if not callable(function):
        raise site.error(f"{role} is a function, not a {type(function).__name__}")
    source = source_of(function)
    code = getattr(source, "__code__", None)
    return AuthorFunction(
        function=function,
        name=lasting_name(source),
        file=code.co_filename if code else site.file,
        line=code.co_firstlineno if code else site.line,
        is_async=inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(source),
        may_wait=_may_wait(function),
    )


def _may_wait(function: Callable[..., Any]) -> bool:
    """Whether a function has anything like an `await`: each of them is one SEND in its code."""
    code = getattr(function, "__code__", None)
    return code is None or not code.co_flags & inspect.CO_COROUTINE or opmap.get("SEND", 0) in {0, *code.co_code[::2]}


def source_of(function: Callable[..., object]) -> Callable[..., object]:
    """The written function behind a partial, a wrapper or a callable object."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return function if hasattr(function, "__qualname__") else type(function).__call__


def signature_of(author: AuthorFunction) -> inspect.Signature:
    """The parameters. Raises HandlerError when they cannot be read."""
    try:
        return inspect.signature(author.function)
    except (TypeError, ValueError):
        raise author.error("its parameters cannot be read") from None


def is_positional(parameter: inspect.Parameter | None) -> bool:
    """Whether a parameter can be given without its name."""
    return parameter is not None and parameter.kind in _POSITIONAL


def is_class(value: object, parent: type[T]) -> TypeGuard[type[T]]:
    """Whether a value is a class below `parent`."""
    return isinstance(value, type) and issubclass(value, parent)


def annotation_of(author: AuthorFunction, parameter: inspect.Parameter, site: Site) -> object:
    """The type that annotates a parameter; Any without one. Other annotations of the function stay unread.

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


def annotation_if_readable(
    author: AuthorFunction, name: str, annotation: object, site: Site, known: Mapping[str, object] | None = None
) -> object:
    """The type of an annotation, or UNREADABLE; `known` are names that it may use without importing them."""
    if annotation is inspect.Parameter.empty:
        return Any
    try:
        return _read(author, name, annotation, site, known)
    except Exception:  # noqa: BLE001 - the same
        return UNREADABLE


def check_turn(
    author: AuthorFunction, turn: inspect.Parameter, site: Site, events: frozenset[type[Event]] = frozenset()
) -> type[BaseModel] | None:
    """Refuse a first parameter annotated as anything but a turn of `events` (empty: of any event).

    Returns:
        The model of the state in the annotation: Order of `Turn[Message, Order]`.

    Raises:
        HandlerError: it is annotated so.
    """
    wanted = annotation_if_readable(author, turn.name, turn.annotation, site)
    if wanted is Turn or get_origin(wanted) is Turn:
        event, *state = get_args(wanted) or (Event,)
        kinds = tuple(member for member in _members(event) if is_class(member, Event))
        wrong = [event for event in events if kinds and not issubclass(event, kinds)]
        if wrong:
            names = " or ".join(sorted(event.__name__ for event in wrong))
            annotated = " | ".join(kind.__name__ for kind in kinds)
            raise author.error(f"its turn is annotated Turn[{annotated}], but its rule is for a {names}")
        return next((model for model in state if is_class(model, BaseModel)), None)
    if isinstance(wanted, type) and is_other_class(wanted, Turn):
        raise author.error(f"its first parameter is the turn, but {turn.name!r} is annotated {wanted.__name__}")
    return None


def is_turn(author: AuthorFunction, parameter: inspect.Parameter, site: Site) -> bool:
    """Whether a parameter is annotated as a turn, imported or not."""
    known = {"Turn": Turn, "Event": Event, **{cls.__name__: cls for cls in EVENT_TYPES.values()}}
    wanted = annotation_if_readable(author, parameter.name, parameter.annotation, site, known)
    return wanted is Turn or get_origin(wanted) is Turn


def is_other_class(wanted: object, given: type) -> bool:
    """Whether an annotation is a class that excludes objects of the class `given`."""
    if (
        not isinstance(wanted, type)
        or Any in (wanted, given)  # a class since Python 3.11
        or get_origin(wanted) is not None
        or getattr(wanted, "_is_protocol", False)
    ):
        return False
    return not (issubclass(given, wanted) or issubclass(wanted, given))


def takes(wanted: object, given: type) -> bool:
    """Whether a parameter annotated `wanted` may take an object of the class `given`, as far as types tell."""
    return any(not is_other_class(member, given) for member in _members(wanted))


def _members(wanted: object) -> tuple[object, ...]:
    """The members of a union, or the one type that it is."""
    return get_args(wanted) if get_origin(wanted) in {Union, UnionType} else (wanted,)


def _read(
    author: AuthorFunction, name: str, annotation: object, site: Site, known: Mapping[str, object] | None = None
) -> object:
    alone = SimpleNamespace(__annotations__={name: annotation})
    own = getattr(source_of(author.function), "__globals__", {})
    return get_type_hints(alone, {**(known or {}), **own}, dict(site.scope), include_extras=True)[name]
