"""Values of the engine's own, made by msgspec: a sixth of the time that a dataclass takes.

They are made and read some forty times for each message; what authors hold (events, messages) is Python's own.
To everybody but their making they are dataclasses: `replace`, `fields` and `asdict` take them, and they are compared,
hashed and shown as such. `changed` is their own `replace`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, Generic

import msgspec

_MADE: Final = frozenset({"__slots__", "__init__", "__dict__", "__weakref__", "__getstate__", "__setstate__"})
"""What a struct has of its own."""
_BASES: Final = ((object,), (Generic,))
_COMPARING: Final = frozenset({"__eq__", "__hash__"})

if TYPE_CHECKING:
    from dataclasses import dataclass
    from dataclasses import replace as changed
else:
    changed = msgspec.structs.replace

    def dataclass(*, frozen: bool = False, eq: bool = True, kw_only: bool = False, **options: bool) -> Any:  # noqa: ANN401 - as Python's own
        """Make such a class; one with a base is made by Python, unless that is Generic."""

        def made(cls: type) -> type:
            value = dataclasses.dataclass(eq=eq, unsafe_hash=frozen, kw_only=kw_only, **options)(cls)
            return _struct(value, frozen=frozen, eq=eq, kw_only=kw_only) if cls.__bases__ in _BASES else value

        return made


def _struct(value: type, *, frozen: bool, eq: bool, kw_only: bool) -> type:
    """The same class as a struct, with the methods of the dataclass; equality too, where not every field counts."""
    fields = dataclasses.fields(value)
    made = {*_MADE, *(f.name for f in fields), *(() if any(not f.compare for f in fields) else _COMPARING)}
    own = {name: member for name, member in vars(value).items() if name not in made}
    return msgspec.defstruct(
        value.__name__,
        [(field.name, Any, _default(field)) for field in fields],
        bases=(msgspec.Struct, *(base for base in value.__bases__ if base is not object)),
        namespace=own,
        module=value.__module__,
        frozen=frozen,
        eq=eq,
        kw_only=kw_only,
    )


def _default(field: dataclasses.Field[Any]) -> Any:  # noqa: ANN401 - of any field
    if field.default_factory is not dataclasses.MISSING:
        return msgspec.field(default_factory=field.default_factory)
    return msgspec.NODEFAULT if field.default is dataclasses.MISSING else msgspec.field(default=field.default)


__all__ = ["changed", "dataclass"]
