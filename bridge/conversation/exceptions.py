"""Errors that steps of dialogs raised, as a journal keeps them: told in JSON, and made again from that."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import orjson

from bridge.conversation.journal import name_of
from bridge.errors import StepFailed
from bridge.strict_json import not_json

_LONGEST: Final = 1000
"""Characters of an attribute that is kept."""


def kept(error: Exception) -> list[Any]:
    """An error as JSON: its class, its arguments if they are JSON, its text, and its attributes as far as they are."""
    arguments = list(error.args)
    attributes = {name: each for name, each in vars(error).items() if _is_small(each)}
    if not_json(arguments, "") is not None:
        return [name_of(type(error)), None, str(error), attributes]
    return [name_of(type(error)), orjson.loads(orjson.dumps(arguments)), str(error), attributes]


def _is_small(value: object) -> bool:
    return not isinstance(value, list | dict | tuple) and not_json(value, "") is None and len(str(value)) <= _LONGEST


def made_again(name: str, arguments: list[Any] | None, text: str, attributes: dict[str, Any]) -> Exception:
    """The error that a step raised, as far as it can be made again."""
    module, _, path = name.partition(":")
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
        error = found.__new__(found, *(arguments or [text]))
        error.args = tuple(arguments or [text])
        vars(error).update(attributes)
    except Exception:  # noqa: BLE001 - whatever went wrong, the error is told by its name
        return StepFailed(f"{name}: {text}")
    return error if isinstance(error, Exception) else StepFailed(f"{name}: {text}")
