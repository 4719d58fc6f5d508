"""A bot author's function as the engine calls it: its name, its place, and the arguments it can be given."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from bridge.callsite import Site, call_site
from bridge.routing.depends import Needs, needs_of
from bridge.routing.overlap import PLAIN, Manner
from bridge.routing.signatures import (
    NAMED,
    Written,
    annotation_if_readable,
    annotation_of,
    check_turn,
    is_other_class,
    is_positional,
    signature_of,
    source_of,
    takes,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.conversation.turn import Turn
    from bridge.events import Event
    from bridge.routing.filters import Found

_ABSENT: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parameter:
    """One parameter that what was found can fill; `adapter` is None where anything goes."""

    name: str
    required: bool
    wanted: object
    adapter: TypeAdapter[Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler(Written):
    """A function of a bot author under one rule; `needs` are its dependencies, `manner` how its turns go.

    `model` is what it says the state is, if it says so.
    """

    needs: Needs = field(default=(), repr=False, compare=False)
    manner: Manner = PLAIN
    model: type | None = field(default=None, repr=False, compare=False)
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


def handler_of(
    function: Callable[..., Any],
    finds: frozenset[str] | None,
    site: Site,
    *,
    events: frozenset[type[Event]] = frozenset(),
    press: type | None = None,
) -> Handler:
    """A function as the handler of a rule for `events` that finds the names `finds` (None: nobody can tell).

    The rule of a `press` gives the pressed key as second parameter, whatever its name.

    Raises:
        HandlerError: it cannot be called, takes no turn or one of other events, yields, wants a parameter nobody
            fills, or has an annotation that cannot be read or converted to; or a dependency of it is wrong.
    """
    bare, turn, others = _bare_handler(function, site)
    model = check_turn(bare, turn, site, events)
    if press is not None:
        finds = (finds or frozenset()) | {_second(bare, others, press, site)} if finds is not None else None
    needs = needs_of(bare, others, site)
    injected = {name for name, _ in needs}
    others = [each for each in others if each.name not in injected]
    fillable = [each for each in others if each.kind in NAMED and (finds is None or each.name in finds)]
    for each in others:
        if each.default is each.empty and each.kind in NAMED | {each.POSITIONAL_ONLY} and each not in fillable:
            known = f"its rule finds {', '.join(sorted(finds))}" if finds else "its rule finds nothing"
            raise bare.error(f"nobody fills its parameter {each.name!r}: {known}")
    return Handler(
        function=function,
        name=bare.name,
        file=bare.file,
        line=bare.line,
        is_async=bare.is_async,
        needs=needs,
        model=model,
        _parameters=tuple(_parameter(bare, each, site) for each in fillable),
        _turn=turn.name,
        _takes_all=any(each.kind is each.VAR_KEYWORD for each in others),
    )


def error_handler_of(function: Callable[..., Any], types: tuple[type[Exception], ...], site: Site) -> Handler:
    """A function as a handler of errors of `types`, called with the turn and the error.

    Raises:
        HandlerError: it cannot be called with these two, or says that it takes other errors.
    """
    bare, turn, others = _bare_handler(function, site)
    model = check_turn(bare, turn, site)
    needs = needs_of(bare, others, site)
    try:
        signature_of(bare).bind(None, None, **dict(needs))
    except TypeError:
        raise bare.error("a handler of errors takes the turn and the error") from None
    wanted = annotation_of(bare, others[0], site) if others[0].kind is not others[0].VAR_POSITIONAL else Any
    if wrong := [each.__name__ for each in types if not takes(wanted, each)]:
        raise bare.error(f"its parameter {others[0].name!r} is annotated as another error than {', '.join(wrong)}")
    return Handler(
        function=function,
        name=bare.name,
        file=bare.file,
        line=bare.line,
        is_async=bare.is_async,
        needs=needs,
        model=model,
    )


def dialog_handler_of(function: Callable[..., Any], site: Site) -> Handler:
    """A function as a dialog, called with its Dialog and what it was begun with.

    Raises:
        HandlerError: it is no `async def`, takes no Dialog, or wants what nobody gives it.
    """
    from bridge.conversation.dialog import Dialog  # noqa: PLC0415 - the router is loaded by those who need no dialogs

    bare, dialog, others = _bare_handler(function, site, first="the dialog")
    if not bare.is_async:
        raise bare.error("a dialog is an async def: it awaits its answers")
    if wrong := [each.name for each in others if each.kind is each.KEYWORD_ONLY and each.default is each.empty]:
        raise bare.error(f"nobody fills its parameter {wrong[0]!r}: a dialog is begun with arguments in order")
    if "Turn" in str(dialog.annotation):
        raise bare.error(f"a dialog takes a Dialog first, but {dialog.name!r} is a turn: that is d.turn")
    wanted = annotation_if_readable(bare, dialog.name, dialog.annotation, site)
    if is_other_class(wanted, Dialog):
        raise bare.error(f"a dialog takes a Dialog first, but {dialog.name!r} is annotated {wanted.__name__}")
    if needs := needs_of(bare, others, site):
        raise bare.error(f"nothing is injected into a dialog, as its parameter {needs[0][0]!r} asks for: it is JSON")
    return Handler(function=function, name=bare.name, file=bare.file, line=bare.line, is_async=True)


def press_parameter(function: Callable[..., Any]) -> str:
    """The name of a handler's second parameter, which takes the pressed key."""
    return list(inspect.signature(function).parameters)[1]


def _second(bare: Written, others: list[inspect.Parameter], press: type, site: Site) -> str:
    """The parameter that takes the pressed key."""
    second = others[0] if others else None
    if second is None or second.kind is not second.POSITIONAL_OR_KEYWORD:
        raise bare.error(f"the handler of a press takes the key as its second parameter: {press.__name__}")
    if not takes(annotation_of(bare, second, site), press):
        raise bare.error(f"its parameter {second.name!r} takes the key, but is not annotated {press.__name__}")
    return second.name


def _bare_handler(
    function: Callable[..., Any], site: Site, first: str = "the turn"
) -> tuple[Written, inspect.Parameter, list[inspect.Parameter]]:
    """The function of a handler, its turn, and its other parameters."""
    bare = written(function, site, what="a handler")
    source = source_of(function)
    if inspect.isgeneratorfunction(source) or inspect.isasyncgenfunction(source):
        raise bare.error("a handler returns its answer; it does not yield")
    turn, *others = signature_of(bare).parameters.values() or (None,)
    if turn is None or not is_positional(turn):
        raise bare.error(f"a handler takes {first} as its first parameter")
    return bare, turn, others


def _parameter(handler: Written, parameter: inspect.Parameter, site: Site) -> _Parameter:
    wanted = annotation_of(handler, parameter, site)
    return _Parameter(
        name=parameter.name,
        required=parameter.default is parameter.empty,
        wanted=wanted,
        adapter=None if wanted is Any or wanted is object else _adapter(handler, parameter, wanted),
    )


def _adapter(handler: Written, parameter: inspect.Parameter, wanted: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - a type
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


__all__ = ["Handler", "Site", "call_site", "dialog_handler_of", "error_handler_of", "handler_of", "press_parameter"]
