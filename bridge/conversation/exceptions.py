"""Exceptions around an author's function, and how a journal keeps those that steps raise."""

from __future__ import annotations

from importlib import import_module
from operator import attrgetter
from typing import Any, Final

import orjson

from bridge.conversation.journal import name_of
from bridge.errors import BridgeError, StepFailed
from bridge.strict_json import not_json

_LONGEST: Final = 1000
"""Characters of an attribute that is kept."""

_MOVED: Final = {
    "bridge.runner:TookTooLong": "bridge.conversation.exceptions:TookTooLong",
    "bridge.runner:Interrupted": "bridge.conversation.exceptions:Interrupted",
}
"""Where classes are now that older journals know by another name."""


class TookTooLong(BridgeError):
    """A handler ran out of time; whatever it still does has no effect."""


class Interrupted(BridgeError):
    """Newer events stopped a handler; whatever it still does has no effect."""


def kept(error: Exception) -> list[Any]:
    """An error as JSON: its class, its arguments if they are JSON, its text, and its attributes as far as they are."""
    arguments = list(error.args)
    attributes = {name: value for name, value in vars(error).items() if _is_small(value)}
    if not_json(arguments, "") is not None:
        return [name_of(type(error)), None, str(error), attributes]
    return [name_of(type(error)), orjson.loads(orjson.dumps(arguments)), str(error), attributes]


def _is_small(value: object) -> bool:
    return not isinstance(value, list | dict | tuple) and not_json(value, "") is None and len(str(value)) <= _LONGEST


def made_again(name: str, arguments: list[Any] | None, text: str, attributes: dict[str, Any]) -> Exception:
    """The error that a step raised, as far as its class still makes one; else a StepFailed that names it."""
    try:
        cls = _exception_named(_MOVED.get(name, name))
        error: Any = cls.__new__(cls, *(arguments or [text]))
        error.args = tuple(arguments or [text])
        vars(error).update(attributes)
    except Exception:  # noqa: BLE001 - whatever its author's class does here, the error is told by its name
        return StepFailed(f"{name}: {text}")
    return error if isinstance(error, Exception) else StepFailed(f"{name}: {text}")


def _exception_named(name: str) -> type[Exception]:
    """The class that a stored name stands for. Raises TypeError when that is no class of exceptions."""
    module, _, path = name.partition(":")
    named: object = attrgetter(path)(import_module(module))
    if not (isinstance(named, type) and issubclass(named, Exception)):
        raise TypeError(f"{name} is no exception")
    return named
