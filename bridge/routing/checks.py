"""What the decorators of a router are given, checked at once: every mistake is a HandlerError with file and line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from bridge.conversation.state import Shape, read_keys
from bridge.errors import HandlerError
from bridge.keys import Key, model_of
from bridge.routing.filters import KeyPattern, Test, at_step, one_of
from bridge.routing.overlap import Manner, manner_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from bridge.callsite import Site
    from bridge.conversation.state import Migrate

Values: TypeAlias = str | Iterable[str] | None
"""One text or several; None: it does not matter."""


def shape_at(site: Site, model: object, version: int, migrate: Migrate | None) -> Shape:
    """What the handlers of a router are to see the state as."""
    from pydantic import BaseModel, ValidationError  # noqa: PLC0415 - most routers have no model

    if not is_class(model, BaseModel):
        raise site.error(f"state is a class of pydantic's BaseModel, not {model!r}")
    known: type[BaseModel] = model  # type: ignore[assignment] # as is_class says
    if version < 1:
        raise site.error("version is a whole number from 1 on")
    if version > 1 and migrate is None:
        raise site.error(f"version {version} needs migrate=, to read what older versions stored")
    try:
        known.model_validate({})
    except ValidationError as error:
        missing = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
        raise site.error(
            f"a conversation begins with nothing: give defaults in {known.__name__} to {missing}"
        ) from None
    for name, keys in read_keys(known).items():
        field = known.model_fields[name]
        kept = field.serialization_alias or name
        if field.exclude:
            raise site.error(f"{known.__name__}.{name} is excluded from what is kept, and would be forgotten")
        if kept not in keys:
            raise site.error(
                f"{known.__name__}.{name} is kept as {kept!r}, and read as {min(keys)!r}: one alias=, please"
            )
    return Shape(model=known, version=version, migrate=migrate)


def place_tests(site: Site, *, provider: Values, account: Values, channel: Values, step: Values) -> list[Test]:
    """The tests for where a thread is."""
    places = {"provider": provider, "account": account, "channel": channel}
    tests = [one_of(name, texts(site, name, value)) for name, value in places.items() if value is not None]
    return tests if step is None else [*tests, at_step(texts(site, "step", step))]


def manner_at(site: Site, given: Mapping[str, Any]) -> Manner:
    """How the turns of a rule go."""
    try:
        return manner_of(given)
    except ValueError as error:
        raise site.error(str(error)) from None


def is_class(value: object, parent: type) -> bool:
    """Whether a value is a class of that kind."""
    return isinstance(value, type) and issubclass(value, parent)


def texts(site: Site, name: str, value: object, *, known: frozenset[str] | None = None) -> frozenset[str]:
    """One text or several, checked against what there is."""
    values = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    for each in values:
        if not isinstance(each, str):
            raise site.error(f"{name} is a text or several, not {each!r}")
        if known is not None and each not in known:
            raise site.error(f"{name} {each!r} is none of {', '.join(sorted(known))}")
    if not values:
        raise site.error(f"{name} names nothing, so this could never match")
    return frozenset(values)


def regex_at(site: Site, regex: str | re.Pattern[str]) -> re.Pattern[str]:
    """A pattern for texts."""
    try:
        pattern = re.compile(regex)
    except (re.error, TypeError) as error:
        raise site.error(f"regex {regex!r} cannot be read: {error}") from None
    if not isinstance(pattern.pattern, str):
        raise site.error(f"regex {regex!r} is for bytes; messages are text")
    return pattern


def known_key(site: Site, key: type[Key]) -> type[Key]:
    """The class, when its fields can be read."""
    try:
        if key is not Key:
            model_of(key)
            return key
    except HandlerError as error:
        raise site.error(str(error)) from None
    raise site.error("Key itself means nothing; name a class of yours")


def key_pattern_at(site: Site, key: object) -> KeyPattern:
    """A key with or without fields."""
    if not isinstance(key, str):
        raise site.error(f"a key is a text or a class of keys, not {key!r}; filters come after it")
    try:
        return KeyPattern(key)
    except ValueError as error:
        raise site.error(f"key {error}") from None
