"""Problems of a configuration, one line each: key path, reason, a suggestion; never the value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from bridge.errors import Problem
from bridge.text.spelling import hint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

PREFIX: Final = "THREADBRIDGE_"
"""Environment variables replace keys of the file: THREADBRIDGE_SECTION__KEY."""

KeyPath: TypeAlias = tuple[int | str, ...]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Collects problems and warnings. Each names its source: the file or the environment."""

    file: str
    environment: Mapping[str, Any]
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def problem(self, path: KeyPath, reason: str) -> None:
        """Add a problem: the configuration cannot be used."""
        self.problems.append(self._line(path, reason, warning=False))

    def warn(self, path: KeyPath, reason: str) -> None:
        """Add a warning: the configuration can be used."""
        self.warnings.append(self._line(path, reason, warning=True))

    def _line(self, path: KeyPath, reason: str, *, warning: bool) -> Problem:
        inner: object = self.environment
        for part in path:
            if not isinstance(inner, Mapping) or part not in inner:
                return Problem(self.file, key_path(path), reason, warning)
            inner = inner[part]
        return Problem("environment", variable(path), reason, warning)


def problems_of(
    error: ValidationError, model: type[BaseModel], *, tagged: bool = False, shown: bool = False
) -> list[tuple[KeyPath, str]]:
    """Each problem of a validation: its key path and its reason.

    The fields of `model` give suggestions. Of a `tagged` union the tag is no part of the key path. A reason repeats
    a value only where they may be `shown`: none is a secret.
    """
    problems = []
    for details in error.errors(include_url=False):
        path = details["loc"][1:] if tagged else details["loc"]
        problems.append((path, _reason(details, _keys(model, path), shown=shown)))
    return problems


def unknown(name: str, known: Iterable[str], *, what: str = "key") -> str:
    """`unknown key; did you mean secret?`, or the list of the known ones."""
    names = [*known]
    return f"unknown {what}; {hint(name, names)}" if names else f"unknown {what}"


def key_path(path: Iterable[int | str]) -> str:
    """`("handlers", "load", 0)` as `handlers.load[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def variable(path: KeyPath) -> str:
    """`("handlers", "load")` as `THREADBRIDGE_HANDLERS__LOAD`."""
    return PREFIX + "__".join(map(str, path)).upper()


def _reason(error: ErrorDetails, keys: Iterable[str], *, shown: bool) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown(str(error["loc"][-1]), keys)
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"want {words} {context[bound]}"
    if kind in _REASONS:
        return _REASONS[kind]
    raised = context.get("error")
    text = str(raised) if isinstance(raised, Exception) else error["msg"].removeprefix("Input should be ")
    return " ".join(text.split()) if shown else _without_value(text, error["input"])


def _without_value(text: str, value: object) -> str:
    """The reason, unless it repeats the value: a value may be a secret under the wrong key."""
    values = value if isinstance(value, list | tuple) else (value,)
    if any(isinstance(part, str) and len(part) > len("abc") and part in text for part in values):
        return "not valid here"
    return " ".join(text.split())


def _keys(model: type[BaseModel], path: KeyPath) -> Iterable[str]:
    """The known keys beside the last part of `path`."""
    inner: object = model
    for part in path[:-1]:
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            field_info = inner.model_fields.get(str(part))
            inner = _table_in(field_info.annotation) if field_info else None
        elif (arguments := get_args(inner)) and isinstance(part, int if get_origin(inner) in {tuple, list} else str):
            inner = _table_in(arguments[0 if isinstance(part, int) else -1])
        else:
            return ()
    return inner.model_fields if isinstance(inner, type) and issubclass(inner, BaseModel) else ()


def _table_in(annotation: object) -> object:
    """A type without the None beside it."""
    members = [member for member in get_args(annotation) if member is not NoneType]
    is_optional = get_origin(annotation) in {Union, UnionType} and len(members) == 1
    return members[0] if is_optional else annotation
