"""Handlers: an author's functions as the engine calls them, with the arguments that a rule gives."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from bridge.conversation.dialog import Dialog
from bridge.routing.depends import Needs, needs_of
from bridge.routing.overlap import DEFAULT_OPTIONS, RuleOptions
from bridge.routing.signatures import (
    NAMED,
    AuthorFunction,
    annotation_if_readable,
    annotation_of,
    author_function,
    check_turn,
    is_other_class,
    is_positional,
    is_turn,
    signature_of,
    source_of,
    takes,
)
from bridge.text.equal_text import with_plain_digits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from bridge.callsite import Site
    from bridge.conversation.turn import Turn
    from bridge.events import Event
    from bridge.routing.filters import Captures

_ABSENT: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parameter:
    """A parameter that takes a capture; without an `adapter` it takes any value."""

    name: str
    required: bool
    wanted: object
    adapter: TypeAdapter[Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler(AuthorFunction):
    """An author's function under one rule, with its dependencies (`needs`) and the options of its turns.

    `model` is the state's class in the annotation of its turn.
    """

    needs: Needs = field(default=(), repr=False, compare=False)
    options: RuleOptions = DEFAULT_OPTIONS
    model: type[BaseModel] | None = field(default=None, repr=False, compare=False)
    _parameters: tuple[_Parameter, ...] = field(default=(), repr=False, compare=False)
    _turn: str = field(default="", repr=False, compare=False)
    _takes_all: bool = field(default=False, repr=False, compare=False)

    def __call__(self, turn: Turn, *arguments: object) -> object:
        """Call it with positional arguments: an error handler with the error."""
        return self.function(turn, *arguments)

    def call(self, turn: Turn, arguments: Mapping[str, Any]) -> object:
        """Call it with the arguments of its match. The result may be an awaitable."""
        return self.function(turn, **arguments) if arguments else self.function(turn)

    @property
    def takes_captures(self) -> bool:
        """Whether anything of what its rule finds is an argument of it."""
        return bool(self._parameters) or self._takes_all

    def accept(self, captures: Captures) -> Mapping[str, Any] | None:
        """The captures as keyword arguments, converted by the annotations; None when a value does not convert.

        Raises:
            HandlerError: a parameter without a default has no capture, after a filter that does not declare its
                captures, or gives them only sometimes.
        """
        arguments: dict[str, Any] = {}
        for parameter in self._parameters:
            value = captures.get(parameter.name, _ABSENT)
            # A group of a regular expression that took no part is None: the default stands in for it.
            if value is _ABSENT or (value is None and not parameter.required):
                if parameter.required:
                    raise self.error(f"nothing was found for its parameter {parameter.name!r}")
                continue
            if parameter.adapter is not None and type(value) is not parameter.wanted:
                try:
                    value = _converted(parameter.adapter, value)
                except ValidationError:
                    return None
            arguments[parameter.name] = value
        if self._takes_all:
            rest = captures.keys() - arguments.keys() - {self._turn}
            arguments.update({name: value for name, value in captures.items() if name in rest})
        return arguments


def handler_of(
    function: Callable[..., Any],
    finds: frozenset[str] | None,
    site: Site,
    *,
    events: frozenset[type[Event]] = frozenset(),
    key: type | None = None,
) -> Handler:
    """A function as the handler of a rule for `events`; `finds` are the rule's captures, None: not declared.

    The rule of a typed `key` passes the pressed key as second parameter, whatever its name.

    Raises:
        HandlerError: it cannot be called, takes no turn or one of other events, yields, has a parameter without a
            source or an annotation that cannot be read or converted to; or a dependency of it is wrong.
    """
    author, turn, parameters = _split(function, site)
    model = check_turn(author, turn, site, events)
    if key is not None and finds is not None:
        finds |= {_checked_key_parameter(author, parameters, key, site)}
    needs = needs_of(author, parameters, site)
    injected = {name for name, _ in needs}
    parameters = [parameter for parameter in parameters if parameter.name not in injected]
    fillable = _fillable(author, parameters, finds)
    return Handler(
        function=function,
        name=author.name,
        file=author.file,
        line=author.line,
        is_async=author.is_async,
        may_wait=author.may_wait,
        needs=needs,
        model=model,
        _parameters=tuple(_parameter(author, parameter, site) for parameter in fillable),
        _turn=turn.name,
        _takes_all=any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters),
    )


def _fillable(
    author: AuthorFunction, parameters: list[inspect.Parameter], finds: frozenset[str] | None
) -> list[inspect.Parameter]:
    """The parameters that captures fill. Raises HandlerError for one without a source."""
    fillable = [
        parameter for parameter in parameters if parameter.kind in NAMED and (finds is None or parameter.name in finds)
    ]
    for parameter in parameters:
        is_single = parameter.kind in NAMED | {parameter.POSITIONAL_ONLY}
        if is_single and parameter.default is parameter.empty and parameter not in fillable:
            known = f"its rule finds {', '.join(sorted(finds))}" if finds else "its rule finds nothing"
            raise author.error(f"its parameter {parameter.name!r} has no source: {known}")
    return fillable


def error_handler_of(function: Callable[..., Any], types: tuple[type[Exception], ...], site: Site) -> Handler:
    """A function as a handler of errors of `types`, called with the turn and the error.

    Raises:
        HandlerError: it does not take these two, or is annotated with another error.
    """
    author, turn, parameters = _split(function, site)
    model = check_turn(author, turn, site)
    needs = needs_of(author, parameters, site)
    try:
        signature_of(author).bind(None, None, **dict(needs))
    except TypeError:
        raise author.error("a handler of errors takes the turn and the error") from None
    error = parameters[0]
    wanted = annotation_of(author, error, site) if error.kind is not error.VAR_POSITIONAL else Any
    if wrong := [cls.__name__ for cls in types if not takes(wanted, cls)]:
        raise author.error(f"its parameter {error.name!r} is annotated as another error than {', '.join(wrong)}")
    return Handler(
        function=function,
        name=author.name,
        file=author.file,
        line=author.line,
        is_async=author.is_async,
        may_wait=author.may_wait,
        needs=needs,
        model=model,
    )


def dialog_handler_of(function: Callable[..., Any], site: Site) -> Handler:
    """A function as a dialog, called with its Dialog and the arguments that begin it.

    Raises:
        HandlerError: it is no `async def`, takes no Dialog, or has a parameter without a source.
    """
    author, dialog, parameters = _split(function, site, first="the dialog")
    if not author.is_async:
        raise author.error("a dialog is an async def: it awaits its answers")
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            reason = "a dialog is begun with arguments in order"
            raise author.error(f"its parameter {parameter.name!r} has no source: {reason}")
    if is_turn(author, dialog, site):
        raise author.error(f"a dialog takes a Dialog first, but {dialog.name!r} is a turn: that is d.turn")
    wanted = annotation_if_readable(author, dialog.name, dialog.annotation, site)
    if isinstance(wanted, type) and is_other_class(wanted, Dialog):
        raise author.error(f"a dialog takes a Dialog first, but {dialog.name!r} is annotated {wanted.__name__}")
    if needs := needs_of(author, parameters, site):
        raise author.error(f"nothing is injected into a dialog, as its parameter {needs[0][0]!r} asks for: it is JSON")
    return Handler(function=function, name=author.name, file=author.file, line=author.line, is_async=True)


def key_parameter(function: Callable[..., Any]) -> str:
    """The name of a handler's second parameter, which takes the pressed key."""
    return list(inspect.signature(function).parameters)[1]


def _checked_key_parameter(author: AuthorFunction, parameters: list[inspect.Parameter], key: type, site: Site) -> str:
    second = parameters[0] if parameters else None
    if second is None or second.kind is not second.POSITIONAL_OR_KEYWORD:
        raise author.error(f"the handler of a press takes the key as its second parameter: {key.__name__}")
    if not takes(annotation_of(author, second, site), key):
        raise author.error(f"its parameter {second.name!r} takes the key, but is not annotated {key.__name__}")
    return second.name


def _split(
    function: Callable[..., Any], site: Site, first: str = "the turn"
) -> tuple[AuthorFunction, inspect.Parameter, list[inspect.Parameter]]:
    """The function of a handler, its first parameter, and its other parameters."""
    author = author_function(function, site, role="a handler")
    source = source_of(function)
    if inspect.isgeneratorfunction(source) or inspect.isasyncgenfunction(source):
        raise author.error("a handler returns its answer; it does not yield")
    turn, *parameters = signature_of(author).parameters.values() or (None,)
    if turn is None or not is_positional(turn):
        raise author.error(f"a handler takes {first} as its first parameter")
    return author, turn, parameters


def _parameter(author: AuthorFunction, parameter: inspect.Parameter, site: Site) -> _Parameter:
    wanted = annotation_of(author, parameter, site)
    return _Parameter(
        name=parameter.name,
        required=parameter.default is parameter.empty,
        wanted=wanted,
        adapter=None if wanted is Any or wanted is object else _adapter(author, parameter, wanted),
    )


def _converted(adapter: TypeAdapter[Any], value: object) -> Any:  # noqa: ANN401 - the parameter's type
    """A value as the parameter's type, from the digits of any script. Raises ValidationError."""
    try:
        return adapter.validate_python(value)
    except ValidationError:
        if not isinstance(value, str) or (plain := with_plain_digits(value)) == value:
            raise
        return adapter.validate_python(plain)


def _adapter(author: AuthorFunction, parameter: inspect.Parameter, wanted: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - a type
    try:
        try:
            return TypeAdapter(wanted, config=ConfigDict(arbitrary_types_allowed=True))
        except PydanticUserError as error:
            if error.code != "type-adapter-config-unused":
                raise
            return TypeAdapter(wanted)
    except (PydanticUserError, NameError, TypeError):
        reason = f"nothing can be converted to the annotation of its parameter {parameter.name!r}"
        raise author.error(reason) from None
