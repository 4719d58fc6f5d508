"""What pydantic finds wrong, as lines for people: where, why, what was perhaps meant; never the value itself."""

from __future__ import annotations

from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Where = tuple[int | str, ...]

_BOUNDS: Final = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "missing": "missing",
        "string_type": "want a text in quotes",
        "int_type": "want a whole number",
        "int_parsing": "want a whole number",
        "int_from_float": "want a whole number",
        "float_type": "want a number",
        "float_parsing": "want a number",
        "finite_number": "want a finite number",
        "bool_type": "want true or false",
        "bool_parsing": "want true or false",
        "list_type": "want a list in brackets",
        "tuple_type": "want a list in brackets",
        "dict_type": "want a table",
        "model_type": "want a table",
        "model_attributes_type": "want a table",
        "ip_any_network": "want a network like 10.0.0.0/8, or an address",
        "recursion_loop": "nested in itself",
    }
)


def mistakes(error: ValidationError, model: type[BaseModel], *, tagged: bool = False) -> list[tuple[Where, str]]:
    """Each thing wrong with it: where (key path) and why.

    `model` is what was validated, for suggestions; `tagged`: as one of a union, whose tag is no part of a key path.
    """
    found = []
    for each in error.errors(include_url=False):
        where = each["loc"][1:] if tagged else each["loc"]
        found.append((where, _reason(each, _keys(model, where))))
    return found


def unknown(name: str, known: Iterable[str], *, what: str = "key") -> str:
    """`unknown key; did you mean secret?`, or the list of what there is."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    if near:
        return f"unknown {what}; did you mean {near[0]}?"
    return f"unknown {what}; there are {', '.join(names)}" if names else f"unknown {what}"


def key_path(where: Iterable[int | str]) -> str:
    """`("handlers", "load", 0)` as `handlers.load[0]`."""
    path = ""
    for part in where:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _reason(error: ErrorDetails, keys: Iterable[str]) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        return unknown(str(error["loc"][-1]), keys)
    bounds = [
        f"want {words} {error['ctx'][bound]}" for bound, words in _BOUNDS.items() if bound in error.get("ctx", {})
    ]
    if bounds:
        return bounds[0]
    if kind in _REASONS:
        return _REASONS[kind]
    text = (
        error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ").removeprefix("Input should be ")
    )
    return _without(text, error["input"])


def _without(text: str, value: object) -> str:
    """The reason, unless it repeats the value: whatever was written there may be a secret in the wrong place."""
    values = value if isinstance(value, list | tuple) else (value,)
    if any(isinstance(each, str) and len(each) > len("abc") and each in text for each in values):
        return "not valid here"
    return " ".join(text.split())


def _keys(model: type[BaseModel], where: Where) -> Iterable[str]:
    """The keys that would have been known beside the last part of `where`."""
    for part in where[:-1]:
        found = model.model_fields.get(str(part))
        inner = found.annotation if found else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return ()
        model = inner
    return model.model_fields
