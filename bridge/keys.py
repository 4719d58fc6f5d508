"""Typed keys: small models for the keys of buttons and rows, packed as text."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, ClassVar, Final, Self, TypeVar, dataclass_transform

import orjson
from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from bridge.callsite import call_site
from bridge.errors import HandlerError
from bridge.units import SECOND, read_seconds

LONGEST: Final = 4096
"""The most bytes of a packed key. A key is a reference; the conversation's state holds the data."""


K = TypeVar("K", bound="Key")

_MODELS: Final[dict[type, TypeAdapter[Any]]] = {}
"""The models of the classes in use: building one takes a while."""


class PackedKey(str):
    """A typed key as text, not signed yet; `lifetime` in microseconds, None: it never expires."""

    __slots__ = ("lifetime",)

    lifetime: int | None

    def __new__(cls, text: str, lifetime: int | None = None) -> Self:
        """A str with a lifetime."""
        packed = super().__new__(cls, text)
        packed.lifetime = lifetime
        return packed


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Key:
    """The meaning of a press as a small immutable model: `class Track(Key): no: int`.

    `Button(Track(no=7), "Track")` sends it, `@router.postback(Track)` receives it. It travels as text, signed for its
    conversation. A forged key, or one of another conversation, is stale (see Postback). The text names the class, or
    the shorter `name=`. A key is valid for `expires=` ("15min", or a timedelta) after it was sent. Fields hold JSON
    that pydantic can read. A field added later needs a default, or older buttons become stale.

    Raises:
        HandlerError: the name or the lifetime is invalid.
    """

    key_name: ClassVar[str]
    key_lifetime: ClassVar[int | None] = None
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __init_subclass__(cls, *, name: str | None = None, expires: str | timedelta | None = None) -> None:
        super().__init_subclass__()
        cls.key_name = name or cls.__name__
        if not cls.key_name.isidentifier():
            raise call_site().error(f"{cls.__name__}: the name of a key is a plain name, not {name!r}")
        if expires is not None:
            cls.key_lifetime = _lifetime(cls, expires)
        dataclass(frozen=True, kw_only=True)(cls)


def pack(key: Key) -> PackedKey:
    """The text of a key: its name and its values in the order of the fields, `Track[7]`.

    Raises:
        HandlerError: a value does not fit its field, or the text is longer than 4096 bytes.
    """
    try:
        values = model_of(type(key)).dump_python(key, mode="json", warnings="error")
        text = f"{key.key_name}{orjson.dumps(list(values.values())).decode()}"
    except (PydanticSerializationError, orjson.JSONEncodeError) as error:
        raise HandlerError(f"{key!r} cannot be a key: {error}") from None
    if unpack(type(key), text) != key:
        raise HandlerError(f"{key!r} cannot be a key: it would come back as another one")
    if len(text.encode()) > LONGEST:
        raise HandlerError(f"a {type(key).__name__} of {len(text.encode())} bytes; a key may have {LONGEST}")
    return PackedKey(text, key.key_lifetime)


def name_of(text: str) -> str:
    """The name of a packed key's class."""
    return text.partition("[")[0]


def unpack(cls: type[K], text: str) -> K | None:
    """The packed key; None when it does not fit the class (any more)."""
    name, bracket, rest = text.partition("[")
    if name != cls.key_name:
        return None
    names = [field.name for field in fields(cls)]
    try:
        values = orjson.loads(f"{bracket}{rest}")
        if len(values) > len(names):
            return None
        key: K = model_of(cls).validate_python(dict(zip(names, values, strict=False)))
    except (ValidationError, orjson.JSONDecodeError):
        return None
    return key


def model_of(cls: type[Key]) -> TypeAdapter[Any]:
    """The adapter that reads and writes the values of a class.

    Raises:
        HandlerError: pydantic cannot read a field's annotation.
    """
    if (model := _MODELS.get(cls)) is not None:
        return model
    try:
        model = TypeAdapter(cls)
        if not model.pydantic_complete:
            model.rebuild()
    except (PydanticSchemaGenerationError, PydanticUserError, NameError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise HandlerError(f"{cls.__module__}:{cls.__qualname__}: its fields cannot be read: {reason}") from None
    _MODELS[cls] = model
    return model


def as_text(key: str | Key) -> str:
    """The text of a button's key; a plain one stays the same."""
    return pack(key) if isinstance(key, Key) else key


def _lifetime(cls: type[Key], expires: str | timedelta) -> int:
    try:
        seconds = expires.total_seconds() if isinstance(expires, timedelta) else read_seconds(expires)
    except ValueError as error:
        raise call_site().error(f"{cls.__name__}: expires {error}") from None
    if seconds < 1:
        raise call_site().error(f"{cls.__name__}: a key that expires is good for a second at least")
    return round(seconds * SECOND)
