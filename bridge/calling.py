"""A bot author's function as the engine calls it: its name, its place, and the arguments it can be given."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from bridge.errors import HandlerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.filters import Found
    from bridge.turn import Turn

_OURS: Final = frozenset({"bridge.router", "bridge.rules", "bridge.calling", "bridge.filters"})
_NAMED: Final = frozenset({inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY})
_POSITIONAL: Final = frozenset(
    {
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    }
)
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A line of a bot author's code, and the names known there."""

    file: str
    line: int
    scope: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def error(self, reason: str) -> HandlerError:
        """The mistake made at this line."""
        return HandlerError(f"{self.file}:{self.line}: {reason}")


def call_site() -> Site:
    """The line outside of the router that called into it."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_back is not None and frame.f_globals.get("__name__") in _OURS:
        frame = frame.f_back
    if frame is None:
        return Site(file="?", line=0)
    return Site(file=frame.f_code.co_filename, line=frame.f_lineno, scope=frame.f_locals)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parameter:
    """One parameter that what was found can fill; `adapter` is None where anything goes."""

    name: str
    required: bool
    wanted: object
    adapter: TypeAdapter[Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """A function of a bot author under one rule. `name` is module:qualname; `file` and `line` are where it stands.

    A `def` handler (not `is_async`) may block: the engine runs it in a thread.
    """

    function: Callable[..., Any]
    name: str
    file: str
    line: int
    is_async: bool
    _parameters: tuple[_Parameter, ...] = field(default=(), repr=False, compare=False)
    _turn: str = field(default="", repr=False, compare=False)
    _takes_all: bool = field(default=False, repr=False, compare=False)

    def __call__(self, turn: Turn, *arguments: object) -> Any:  # noqa: ANN401 - its author decides what it returns
        """Call it with positional arguments: an error handler with the error."""
        return self.function(turn, *arguments)

    def call(self, turn: Turn, arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the same
        """Call it with what its rule found: the result, or the awaitable of an `async def`."""
        return self.function(turn, **arguments)

    def accept(self, found: Found) -> Mapping[str, Any] | None:
        """What was found as keyword arguments, converted by the annotations; None when a value does not convert.

        Raises:
            HandlerError: a parameter without a default was not found (only possible with a filter that does not
                declare what it finds, or finds it only sometimes).
        """
        arguments: dict[str, Any] = {}
        for parameter in self._parameters:
            value = found.get(parameter.name, _ABSENT)
            # A group of a regular expression that took no part is None: the default stands in for it.
            if value is _ABSENT or (value is None and not parameter.required):
                if parameter.required:
                    raise self.error(f"nothing was found for its parameter {parameter.name!r}")
                continue
            if parameter.adapter is not None and type(value) is not parameter.wanted:
                try:
                    value = parameter.adapter.validate_python(value)
                except ValidationError:
                    return None
            arguments[parameter.name] = value
        if self._takes_all:
            arguments.update({name: found[name] for name in found if name not in arguments and name != self._turn})
        return arguments

    def error(self, reason: str) -> HandlerError:
        """A mistake in how this handler is written."""
        return HandlerError(f"{self.file}:{self.line}: {self.name}: {reason}")


def handler_of(function: Callable[..., Any], finds: frozenset[str] | None, site: Site) -> Handler:
    """A function as the handler of a rule that finds the names `finds` (None: nobody can tell).

    Raises:
        HandlerError: it cannot be called, takes no turn, yields, wants a parameter nobody fills, or has an
            annotation that cannot be read or converted to.
    """
    bare, signature = _bare_handler(function, site)
    turn, *others = signature.parameters.values()
    fillable = [each for each in others if each.kind in _NAMED and (finds is None or each.name in finds)]
    for each in others:
        if each.default is each.empty and each.kind in _NAMED | {each.POSITIONAL_ONLY} and each not in fillable:
            known = f"its rule finds {', '.join(sorted(finds))}" if finds else "its rule finds nothing"
            raise bare.error(f"nobody fills its parameter {each.name!r}: {known}")
    return Handler(
        function=function,
        name=bare.name,
        file=bare.file,
        line=bare.line,
        is_async=bare.is_async,
        _parameters=tuple(_parameter(bare, each, site) for each in fillable),
        _turn=turn.name,
        _takes_all=any(each.kind is each.VAR_KEYWORD for each in others),
    )


def error_handler_of(function: Callable[..., Any], site: Site) -> Handler:
    """A function as a handler of errors, called with the turn and the error.

    Raises:
        HandlerError: it cannot be called with these two.
    """
    handler, signature = _bare_handler(function, site)
    try:
        signature.bind(None, None)
    except TypeError:
        raise handler.error("a handler of errors takes the turn and the error") from None
    return handler


def _bare_handler(function: Callable[..., Any], site: Site) -> tuple[Handler, inspect.Signature]:
    """A handler that knows no parameters yet, and the signature they are in."""
    if not callable(function):
        raise site.error(f"a handler is a function, not a {type(function).__name__}")
    source = _source(function)
    code = getattr(source, "__code__", None)
    handler = Handler(
        function=function,
        name=f"{getattr(source, '__module__', '?')}:{getattr(source, '__qualname__', type(function).__qualname__)}",
        file=code.co_filename if code else site.file,
        line=code.co_firstlineno if code else site.line,
        is_async=inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(source),
    )
    if inspect.isgeneratorfunction(source) or inspect.isasyncgenfunction(source):
        raise handler.error("a handler returns its answer; it does not yield")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise handler.error("its parameters cannot be read") from None
    first = next(iter(signature.parameters.values()), None)
    if first is None or first.kind not in _POSITIONAL:
        raise handler.error("a handler takes the turn as its first parameter")
    return handler, signature


def _source(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - a function, or whatever else can be called
    """The written function behind a partial, a wrapper or an object that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return function if hasattr(function, "__qualname__") else type(function).__call__


def _parameter(handler: Handler, parameter: inspect.Parameter, site: Site) -> _Parameter:
    wanted = _annotation(handler, parameter, site)
    return _Parameter(
        name=parameter.name,
        required=parameter.default is parameter.empty,
        wanted=wanted,
        adapter=None if wanted is Any or wanted is object else _adapter(handler, parameter, wanted),
    )


def _annotation(handler: Handler, parameter: inspect.Parameter, site: Site) -> Any:  # noqa: ANN401 - any annotation
    """The type a parameter is annotated with, read on its own: the turn's may well be imported for typing only."""
    if parameter.annotation is parameter.empty:
        return Any
    alone = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    known = getattr(_source(handler.function), "__globals__", {})
    try:
        return get_type_hints(alone, known, dict(site.scope), include_extras=True)[parameter.name]
    except Exception as error:  # noqa: BLE001 - reading an annotation runs its author's code
        reason = f"the annotation of its parameter {parameter.name!r} cannot be read: {error}"
        raise handler.error(reason) from None


def _adapter(handler: Handler, parameter: inspect.Parameter, wanted: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - a type
    try:
        try:
            return TypeAdapter(wanted, config=ConfigDict(arbitrary_types_allowed=True))
        except PydanticUserError as error:
            if error.code != "type-adapter-config-unused":
                raise
            return TypeAdapter(wanted)
    except (PydanticUserError, NameError, TypeError):
        reason = f"nothing can be converted to the annotation of its parameter {parameter.name!r}"
        raise handler.error(reason) from None
