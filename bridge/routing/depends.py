"""Dependencies: what a handler needs beside the event, made by a function once in a turn, and cleaned up after it."""

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
    Written,
    annotation_if_readable,
    check_turn,
    is_other_class,
    is_positional,
    signature_of,
    source_of,
    written,
)

if TYPE_CHECKING:
    from types import TracebackType

T = TypeVar("T")

_STREAMS: Final = frozenset({AsyncGenerator, AsyncIterator, Generator, Iterator})
_WIDER: Final = frozenset({(int, float), (int, complex), (float, complex)})
"""Numbers that pass for others without being of their class (PEP 484, "The numeric tower")."""


class Make(Enum):
    """How a dependency's value comes about."""

    CALL = auto()
    AWAIT = auto()
    GENERATE = auto()
    GENERATE_ASYNC = auto()


@dataclass(frozen=True, slots=True)
class _Marked:
    """What stands in a signature for the value of a dependency."""

    function: Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency(Written):
    """A function whose value is injected: how it is made, whether it takes the turn, and what it needs itself."""

    make: Make
    takes_turn: bool = False
    needs: Needs = ()


Needs: TypeAlias = tuple[tuple[str, Dependency], ...]
"""The parameters of a function that dependencies fill, each by its name."""


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
    """What `function` makes, where this stands as the default of a parameter.

    As in `orders: Orders = Depends(get_orders)`. The function may be `async def` or `def` (which runs in a thread),
    may take the turn as its first parameter, and may depend on others. It is called once in a turn, however many ask
    for it. A generator yields once; what follows the `yield` is its clean-up, and runs before the turn is committed,
    the last made first: if the handler raised, with that error thrown in at the `yield`, which it can see but not
    stop; if the clean-up raises, the turn fails.

    Raises:
        HandlerError: it is no function.
    """
    if not callable(function):
        raise call_site().error(f"Depends() takes a function, not a {type(function).__name__}")
    return _Marked(function)


def needs_of(author: Written, parameters: list[inspect.Parameter], site: Site, *callers: Written) -> Needs:
    """What of a function's parameters is to be injected; `callers` are the functions that led to it.

    Raises:
        HandlerError: a dependency, or one of its own, is written in a way that cannot work.
    """
    found: list[tuple[str, Dependency]] = []
    for parameter in parameters:
        wanted = annotation_if_readable(author, parameter.name, parameter.annotation, site)
        marked = _marked(parameter, wanted)
        if marked is None:
            continue
        if parameter.kind not in NAMED:
            raise author.error(f"its parameter {parameter.name!r} cannot be given by name, so nothing can be injected")
        dependency = dependency_of(marked.function, site, *callers, author)
        _check_fit(author, parameter, wanted, dependency, site)
        found.append((parameter.name, dependency))
    return tuple(found)


def dependency_of(function: Callable[..., Any], site: Site, *callers: Written) -> Dependency:
    """A function as a dependency.

    Raises:
        HandlerError: it needs itself, wants a parameter that nobody fills, or hides that it yields.
    """
    author = written(function, site, what="a dependency")
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
        and _marked(first, annotation_if_readable(author, first.name, first.annotation, site)) is None
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


def check_filled(author: Written, parameters: list[inspect.Parameter], needs: Needs) -> None:
    """Refuse a parameter without a default that no dependency fills."""
    given = {name for name, _ in needs}
    for each in parameters:
        optional = each.default is not each.empty or each.kind in {each.VAR_POSITIONAL, each.VAR_KEYWORD}
        if not optional and each.name not in given:
            raise author.error(f"nobody fills its parameter {each.name!r}; want a default, or Depends()")


class Override:
    """A dependency replaced, from now until `undo`, or until the `with` block ends."""

    def __init__(
        self, overrides: dict[Callable[..., Any], Dependency], function: Callable[..., Any], fake: Dependency
    ) -> None:
        """Replace it; another one in its place meanwhile comes back in the end."""
        self._overrides = overrides
        self._function = function
        self._before = overrides.get(function)
        overrides[function] = fake

    def undo(self) -> None:
        """Put back what was there."""
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


def _marked(parameter: inspect.Parameter, wanted: object) -> _Marked | None:
    """The mark in a default, or in an annotation: Annotated[Orders, Depends(get_orders)]."""
    if isinstance(parameter.default, _Marked):
        return parameter.default
    notes = get_args(wanted)[1:] if get_origin(wanted) is Annotated else ()
    return next((each for each in notes if isinstance(each, _Marked)), None)


def _make(author: Written) -> Make:
    function, source = author.function, source_of(author.function)
    if inspect.isasyncgenfunction(function):
        return Make.GENERATE_ASYNC
    if inspect.isgeneratorfunction(function):
        return Make.GENERATE
    if inspect.isasyncgenfunction(source) or inspect.isgeneratorfunction(source):
        raise author.error("its decorator hides that it yields; hand in the bare generator")
    return Make.AWAIT if author.is_async else Make.CALL


def _check_fit(
    author: Written, parameter: inspect.Parameter, wanted: object, dependency: Dependency, site: Site
) -> None:
    """Refuse a parameter annotated with one class and filled by a function that says it returns quite another."""
    given = _given(dependency, site)
    wanted = get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted
    if not isinstance(given, type) or not is_other_class(wanted, given) or (given, wanted) in _WIDER:
        return
    names = f"{getattr(wanted, '__name__', wanted)}, but {dependency.name} makes {given.__name__}"
    raise author.error(f"its parameter {parameter.name!r} is annotated {names}")


def _given(dependency: Dependency, site: Site) -> object:
    """The class of the value, where its function says so."""
    if isinstance(dependency.function, type):
        return dependency.function
    annotation = getattr(source_of(dependency.function), "__annotations__", {}).get("return", inspect.Parameter.empty)
    returns = annotation_if_readable(dependency, "return", annotation, site)
    if dependency.make in {Make.GENERATE, Make.GENERATE_ASYNC}:
        returns = get_args(returns)[0] if get_origin(returns) in _STREAMS and get_args(returns) else UNREADABLE
    return returns
