"""Tools: plain functions that a model may call, with what it has to know of them."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_type_hints

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from bridge import HandlerError

from .money import Amount, millionths

if TYPE_CHECKING:
    from bridge import ThreadRef

ToolFunction: TypeAlias = Callable[..., Any]

_OURS: Final = frozenset({"key", "turn"})
"""Parameters that the model does not fill."""
_UNNAMED: Final = frozenset(
    {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY}
)
_LONGEST: Final = 8000
"""Bytes of a result that the model reads."""


class WrongArguments(ValueError):
    """A model called a tool with arguments that it does not take; the text says which, for the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that a model may call; made by `tool`."""

    function: ToolFunction
    name: str
    description: str
    confirm: bool | str
    progress: str | None
    price: int
    key: str | None
    once: bool
    arguments: type[BaseModel]
    takes_turn: bool

    @property
    def offer(self) -> dict[str, Any]:
        """As a request offers it."""
        schema = self.arguments.model_json_schema()
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": schema},
        }

    def read(self, arguments: str) -> dict[str, Any]:
        """The values of a call. Raises WrongArguments."""
        try:
            values = self.arguments.model_validate_json(arguments or "{}")
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc'])) or 'arguments'}: {problem['msg']}" for problem in error.errors()
            )
            raise WrongArguments(f"wrong arguments: {problems}") from None
        return {name: getattr(values, name) for name in self.arguments.model_fields}

    def question(self, values: Mapping[str, Any]) -> str:
        """What the contact is asked before it is called."""
        if isinstance(self.confirm, str):
            return self.confirm.format(**values)
        shown = ", ".join(f"{name}: {value}" for name, value in values.items())
        return f"{self.name.replace('_', ' ').capitalize()} ({shown})?" if shown else f"{self.name}?"

    def key_of(self, asked: tuple[ThreadRef, str], values: Mapping[str, Any]) -> str:
        """The same for the same call that the same message of a thread led to, whatever happens in between."""
        if self.key is not None:
            return self.key.format(**values)
        ref, event_id = asked
        what = [ref.account, ref.channel, ref.conversation_id, event_id, self.name, dict(values)]
        return hashlib.sha256(orjson.dumps(what, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def tool(
    function: ToolFunction,
    *,
    confirm: bool | str = False,
    progress: str | None = None,
    price: Amount = 0,
    key: str | None = None,
    once: bool = False,
    timeout: float = 60.0,
    name: str | None = None,
    description: str | None = None,
) -> Tool:
    """A function that a model may call: its name, docstring and annotated parameters are what the model is told.

    It returns JSON. A ValueError's text is told to the model; of another error it hears only that there was one. A
    parameter `turn` is given the turn, to read; a parameter `key` an idempotency key.

    Args:
        function: An `async def`, or a `def`, which runs in a thread.
        confirm: Ask the contact before each call, with buttons: True, or the question, like "Refund order {no}?".
        progress: What is said and sent at once before the first such call of an answer.
        price: What a call costs, out of the assistant's budgets.
        key: The idempotency key, like "refund-{no}". Without one it is made of the message and the arguments.
        once: Never repeat a call of which nobody knows whether it happened; see Dialog.step.
        timeout: Seconds that an `async def` may take.
        name: Another name than the function's.
        description: Other words than the docstring's.

    Raises:
        HandlerError: a parameter has no annotation, or there is nothing to describe it with.
    """
    called = name or getattr(function, "__name__", "")
    described = description or inspect.getdoc(function) or ""
    if not called or not described:
        raise HandlerError(f"a tool has a name and a docstring, which tell a model what it does: {function!r}")
    parameters = inspect.signature(function).parameters
    return Tool(
        function=_worded(function, timeout),
        name=called,
        description=described,
        confirm=confirm,
        progress=progress,
        price=millionths(price, "the price of a tool"),
        key=key,
        once=once,
        arguments=create_model(called, __config__=ConfigDict(extra="forbid"), **_fields(function, called)),
        takes_turn="turn" in parameters,
    )


def _fields(function: ToolFunction, called: str) -> dict[str, Any]:
    """The parameters that the model fills, as a model of pydantic has them. Raises HandlerError."""
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in _OURS:
            continue
        if parameter.annotation is parameter.empty or parameter.kind in _UNNAMED:
            raise HandlerError(
                f"the parameter {parameter.name} of the tool {called} wants an annotation, like `no: int`"
            )
        named = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
        known = getattr(inspect.unwrap(function), "__globals__", {})
        hint = get_type_hints(named, globalns=known, include_extras=True)[parameter.name]
        fields[parameter.name] = (hint, ... if parameter.default is parameter.empty else parameter.default)
    return fields


def _worded(function: ToolFunction, seconds: float) -> ToolFunction:
    """The same function, that returns its result as the model reads it: so long a text has room in a journal."""
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004 - whether that is async

        @wraps(function)
        async def called(**arguments: Any) -> str:  # noqa: ANN401 - the function's own
            async with asyncio.timeout(seconds):
                return _words(await function(**arguments))

        return called

    @wraps(function)
    def answered(**arguments: Any) -> str:  # noqa: ANN401 - the same
        return _words(function(**arguments))

    return answered


def _words(result: object) -> str:
    try:
        words = result if isinstance(result, str) else orjson.dumps(result, default=_plain).decode()
    except orjson.JSONEncodeError:
        raise HandlerError(f"a tool returns JSON, and not a {type(result).__name__}") from None
    cut = words.encode()[:_LONGEST].decode(errors="ignore")
    return words if cut == words else f"{cut} [cut]"


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError
