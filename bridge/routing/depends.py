"""Dependencies: values that a function makes for a handler, once in a turn, with clean-up."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Annotated, Any, Final, Self, TypeAlias, TypeVar, get_args, get_origin, overload

from bridge.callsite import Site, call_site
from bridge.routing.signatures import (
    NAMED,
    UNREADABLE,
    AuthorFunction,
    annotation_if_readable,
    author_function,
    check_turn,
    is_other_class,
    is_positional,
    signature_of,
    source_of,
)

if TYPE_CHECKING:
    from types import TracebackType

T = TypeVar("T")

_STREAMS: Final = frozenset({AsyncGenerator, AsyncIterator, Generator, Iterator})
_WIDER: Final = frozenset({(int, float), (int, complex), (float, complex)})
"""Numbers that pass for others without being of their class (PEP 484, "The numeric tower")."""


class Make(Enum):
    """How a dependency makes its value."""

    CALL = auto()
    AWAIT = auto()
    GENERATE = auto()
    GENERATE_ASYNC = auto()


@dataclass(frozen=True, slots=True)
class _Mark:
    """Stands in a signature for the value of a dependency."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency(AuthorFunction):
    """A function with an injected value: how it makes it, whether it takes the turn, and its own needs."""

    make: Make
    takes_turn: bool = False
    needs: Needs = ()


Needs: TypeAlias = tuple[tuple[str, Dependency], ...]
"""The parameters of a function with a dependency, each with its name."""


@overload
def Depends(function: Callable[..., AsyncGenerator[T, Any]]) -> T: ...
@overload
def Depends(function: Callable[..., AsyncIterator[T]]) -> T: ...
@overload
def Depends(function: Callable[..., Awaitable[T]]) -> T: ...
@overload
def Depends(function: Callable[..., Generator[T, Any, Any]]) -> T: ...
@overload
def Depends(function: Callable[..., Iterator[T]]) -> T: ...
@overload
def Depends(function: Callable[..., T]) -> T: ...
def Depends(function: Callable[..., Any]) -> Any:  # noqa: N802 - reads like the class that it stands for
    """The value of `function` as the default of a parameter.

    Like `orders: Orders = Depends(get_orders)`.

    The function is `async def` or `def` (which runs in a thread). It may take the turn as its first parameter, and
    may depend on others. It runs once in a turn. A generator yields once; the code after its `yield` is its clean-up.
    Clean-up runs before the commit of the turn, in reverse order. The `yield` raises the error of a failed handler;
    the generator sees that error and cannot stop it. If the clean-up raises, the turn fails.

    Raises:
        HandlerError: `function` cannot be called.
    """
    if not callable(function):
        raise call_site().error(f"Depends() takes a function, not a {type(function).__name__}")
    return _Mark(function)


def needs_of(
    author: AuthorFunction, parameters: list[inspect.Parameter], site: Site, *callers: AuthorFunction
) -> Needs:
    """The dependencies among a function's parameters; `callers` are the functions that need it.

    Raises:
        HandlerError: a dependency, or one of its own, is written in a way that cannot work.
    """
    needs: list[tuple[str, Dependency]] = []
    for parameter in parameters:
        wanted = annotation_if_readable(author, parameter.name, parameter.annotation, site)
        mark = _mark_of(parameter, wanted)
        if mark is None:
            continue
        if parameter.kind not in NAMED:
            raise author.error(f"its parameter {parameter.name!r} cannot be given by name, so nothing can be injected")
        dependency = dependency_of(mark.function, site, *callers, author)
        _check_fit(author, parameter, wanted, dependency, site)
        needs.append((parameter.name, dependency))
    return tuple(needs)


def dependency_of(function: Callable[..., Any], site: Site, *callers: AuthorFunction) -> Dependency:
    """A function as a dependency.

    Raises:
        HandlerError: it needs itself, has a parameter without a source, or hides that it yields.
    """
    author = author_function(function, site, role="a dependency")
    if any(caller.function == function for caller in callers):
        circle = " needs ".join([*(caller.name for caller in callers), author.name])
        raise author.error(f"it needs itself: {circle}")
    parameters = list(signature_of(author).parameters.values())
    first = parameters[0] if parameters else None
    takes_turn = (
        first is not None
        and is_positional(first)
        and first.default is first.empty
        and first.kind is not first.VAR_POSITIONAL
        and _mark_of(first, annotation_if_readable(author, first.name, first.annotation, site)) is None
    )
    if first is not None and takes_turn:
        check_turn(author, first, site)
        parameters = parameters[1:]
    needs = needs_of(author, parameters, site, *callers)
    check_filled(author, parameters, needs)
    return Dependency(
        function=function,
        name=author.name,
        file=author.file,
        line=author.line,
        is_async=author.is_async,
        make=_make(author),
        takes_turn=takes_turn,
        needs=needs,
    )


def check_filled(author: AuthorFunction, parameters: list[inspect.Parameter], needs: Needs) -> None:
    """Refuse a parameter with neither a default nor a dependency."""
    injected = {name for name, _ in needs}
    for parameter in parameters:
        is_optional = parameter.default is not parameter.empty
        is_rest = parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        if not (is_optional or is_rest or parameter.name in injected):
            raise author.error(f"its parameter {parameter.name!r} has no source: expected a default, or Depends()")


class Override:
    """A replaced dependency, from now until `undo` or the end of the `with` block.

    Then the one before comes back.
    """

    def __init__(
        self, overrides: dict[Callable[..., Any], Dependency], function: Callable[..., Any], fake: Dependency
    ) -> None:
        self._overrides = overrides
        self._function = function
        self._before = overrides.get(function)
        overrides[function] = fake

    def undo(self) -> None:
        """Bring back the one before."""
        if self._before is None:
            self._overrides.pop(self._function, None)
        else:
            self._overrides[self._function] = self._before

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()


def _mark_of(parameter: inspect.Parameter, wanted: object) -> _Mark | None:
    """The mark in a default, or in an annotation: Annotated[Orders, Depends(get_orders)]."""
    if isinstance(parameter.default, _Mark):
        return parameter.default
    notes = get_args(wanted)[1:] if get_origin(wanted) is Annotated else ()
    return next((note for note in notes if isinstance(note, _Mark)), None)


def _make(author: AuthorFunction) -> Make:
    function, source = author.function, source_of(author.function)
    if inspect.isasyncgenfunction(function):
        return Make.GENERATE_ASYNC
    if inspect.isgeneratorfunction(function):
        return Make.GENERATE
    if inspect.isasyncgenfunction(source) or inspect.isgeneratorfunction(source):
        raise author.error("its decorator hides that it yields; pass the bare generator")
    return Make.AWAIT if author.is_async else Make.CALL


def _check_fit(
    author: AuthorFunction, parameter: inspect.Parameter, wanted: object, dependency: Dependency, site: Site
) -> None:
    """Refuse a parameter annotated with one class and a function annotated to return another."""
    given = _given(dependency, site)
    wanted = get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted
    if not isinstance(given, type) or not is_other_class(wanted, given) or (given, wanted) in _WIDER:
        return
    names = f"{getattr(wanted, '__name__', wanted)}, but {dependency.name} makes {given.__name__}"
    raise author.error(f"its parameter {parameter.name!r} is annotated {names}")


def _given(dependency: Dependency, site: Site) -> object:
    """The class of the value, if its function is annotated."""
    if isinstance(dependency.function, type):
        return dependency.function
    annotation = getattr(source_of(dependency.function), "__annotations__", {}).get("return", inspect.Parameter.empty)
    returns = annotation_if_readable(dependency, "return", annotation, site)
    if dependency.make in {Make.GENERATE, Make.GENERATE_ASYNC}:
        returns = get_args(returns)[0] if get_origin(returns) in _STREAMS and get_args(returns) else UNREADABLE
    return returns
