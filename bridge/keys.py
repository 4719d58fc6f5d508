"""Typed keys: small models that stand behind buttons and rows, as text that fits into a provider's key."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, ClassVar, Final, Self, TypeVar, dataclass_transform

import orjson
from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from bridge.callsite import call_site
from bridge.errors import HandlerError
from bridge.units import read_seconds

LONGEST: Final = 4096
"""Bytes that a packed key may have: a key says which, the conversation's state says what."""


K = TypeVar("K", bound="Key")

_MODELS: Final[dict[type, TypeAdapter[Any]]] = {}
"""The models of the classes that were asked for: making one takes a while."""


class PackedKey(str):
    """A typed key as text, not signed yet; `lifetime` in microseconds, None: it never expires."""

    __slots__ = ("lifetime",)

    lifetime: int | None

    def __new__(cls, text: str, lifetime: int | None = None) -> Self:
        """Like a str, with a lifetime."""
        made = super().__new__(cls, text)
        made.lifetime = lifetime
        return made


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Key:
    """What a press means, as a small immutable model: `class Track(Key): no: int`.

    `Button(Track(no=7), "Track")` sends it, `@router.postback(Track)` receives it. It travels as text, signed for its
    conversation: a press with a key that was forged, or belongs to another conversation, is stale (see Postback). The
    class is known by its name, or by `name=`, which may be shorter; `expires=` ("15min", or a timedelta) says how long
    after it was said a key is good for. Fields are whatever JSON can hold and pydantic can read; a field added later
    needs a default, or buttons sent before are stale.

    Raises:
        HandlerError: the name or the lifetime makes no sense.
    """

    key_name: ClassVar[str]
    key_lifetime: ClassVar[int | None] = None

    def __init_subclass__(cls, *, name: str | None = None, expires: str | timedelta | None = None) -> None:
        """Make it a model."""
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
    """The name of the class that a text was packed from."""
    return text.partition("[")[0]


def unpack(cls: type[K], text: str) -> K | None:
    """The key that was packed, or None when it does not fit the class (any more)."""
    name, bracket, rest = text.partition("[")
    if name != cls.key_name:
        return None
    names = [each.name for each in fields(cls)]  # type: ignore[arg-type] # a dataclass, by __init_subclass__
    try:
        values = orjson.loads(f"{bracket}{rest}")
        if len(values) > len(names):
            return None
        key: K = model_of(cls).validate_python(dict(zip(names, values, strict=False)))
    except (ValidationError, orjson.JSONDecodeError):
        return None
    return key


def model_of(cls: type[Key]) -> TypeAdapter[Any]:
    """What reads and writes the values of a class.

    Raises:
        HandlerError: a field has an annotation that nothing can be read into.
    """
    if (known := _MODELS.get(cls)) is not None:
        return known
    try:
        made: TypeAdapter[Any] = TypeAdapter(cls)
        if not made.pydantic_complete:
            made.rebuild()
    except (PydanticSchemaGenerationError, PydanticUserError, NameError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise HandlerError(f"{cls.__module__}:{cls.__qualname__}: its fields cannot be read: {reason}") from None
    _MODELS[cls] = made
    return made


def as_text(key: str | Key) -> str:
    """The text of a button's key: a plain one as it is."""
    return pack(key) if isinstance(key, Key) else key


def _lifetime(cls: type[Key], expires: str | timedelta) -> int:
    try:
        seconds = expires.total_seconds() if isinstance(expires, timedelta) else read_seconds(expires)
    except ValueError as error:
        raise call_site().error(f"{cls.__name__}: expires {error}") from None
    if seconds < 1:
        raise call_site().error(f"{cls.__name__}: a key that expires is good for a second at least")
    return round(seconds * 1_000_000)
