"""The public names with their signatures, one a line: `python -m tests.release.public_api` writes them anew."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ForwardRef

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD: Final = Path(__file__).with_name("public_api.txt")
MODULES: Final = ("bridge", "bridge.testing")
BY_THE_ENGINE: Final = {"Dialog", "Person", "Turn"}
"""Classes whose objects an author is given and never makes."""
_BASES: Final = {"BridgeError", "Event", "Exception", "str", "tuple"}
_MARKS: Final = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}
_CALLED: Final = {"__call__", "__and__", "__or__", "__invert__"}


def public_api() -> list[str]:
    """A line for each public name, and one for each public member of a class."""
    return [line for module in MODULES for name in import_module(module).__all__ for line in _lines(module, name)]


def _lines(module: str, name: str) -> Iterator[str]:
    value = getattr(import_module(module), name)
    full = f"{module}.{name}"
    if inspect.ismodule(value):
        yield full
    elif not inspect.isclass(value):
        yield f"{full}{_signature(value)}" if inspect.isfunction(value) else f"{full} = {value}"
    else:
        bases = ", ".join(base.__name__ for base in value.__mro__[1:] if base.__name__ in _BASES)
        yield f"class {full}" + (f" is {bases}" if bases else "")
        if name not in BY_THE_ENGINE and not issubclass(value, BaseException):
            yield f"{full}{_signature(value)}"
        for member in sorted(dir(value)):
            if _is_public(value, member):
                yield f"{full}.{_member(value, member)}"


def _is_public(owner: type, member: str) -> bool:
    """Whether a member is written for authors here, and not Python's."""
    home = next((cls for cls in owner.__mro__ if member in vars(cls)), object)
    return home.__module__.startswith("bridge") and (member in _CALLED or not member.startswith("_"))


def _member(owner: type, member: str) -> str:
    raw = inspect.getattr_static(owner, member)
    if isinstance(raw, property):
        return f"{member}: {inspect.signature(raw.fget).return_annotation if raw.fget else ''}"
    if isinstance(raw, classmethod | staticmethod) or inspect.isfunction(raw):
        function: Any = raw
        waits = inspect.iscoroutinefunction(inspect.unwrap(getattr(function, "__func__", function)))
        return f"{'await ' if waits else ''}{member}{_signature(getattr(owner, member))}"
    return member


def _signature(function: object) -> str:
    """The signature as the code has it: annotations without the quotes that Python puts around them."""
    assert callable(function)
    try:
        signature = inspect.signature(function)
    except ValueError:
        return "(...)"
    shown = list[str]()
    for param in signature.parameters.values():
        if param.kind is param.KEYWORD_ONLY and not any(text.startswith("*") for text in shown):
            shown.append("*")
        text = _MARKS.get(param.kind.name, "") + param.name
        if param.annotation is not param.empty:
            text += f": {_annotation(param.annotation)}"
        if param.default is not param.empty:
            text += f" = {_default(param.default)}"
        shown.append(text)
    result = "" if signature.return_annotation is signature.empty else f" -> {_annotation(signature.return_annotation)}"
    return f"({', '.join(shown)}){result}"


def _annotation(annotation: object) -> str:
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _default(value: object) -> str:
    """A constant as it is written; anything else only as a default that exists."""
    return repr(value) if value is None or isinstance(value, bool | int | float | str | bytes | tuple) else "..."


if __name__ == "__main__":
    RECORD.write_text("\n".join(public_api()) + "\n", "utf-8")
