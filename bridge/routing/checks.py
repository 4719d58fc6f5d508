"""Checks of a decorator's arguments: every mistake is a HandlerError with file and line, at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel, ValidationError

from bridge.conversation.state import StateModel, read_keys
from bridge.errors import HandlerError
from bridge.keys import Key, model_of
from bridge.routing.filters import KeyPattern, at_step, one_of
from bridge.routing.overlap import RuleOptions, options_of
from bridge.routing.patterns import Pattern
from bridge.routing.signatures import is_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.callsite import Site
    from bridge.conversation.state import Migrate
    from bridge.routing.filters import Predicate

Values: TypeAlias = str | Iterable[str] | None
"""One text or several; None: any."""


def checked_state_model(site: Site, model: object, version: int, migrate: Migrate | None) -> StateModel:
    """The model of the state that a router's handlers see."""
    if not is_class(model, BaseModel):
        raise site.error(f"state is a class of pydantic's BaseModel, not {model!r}")
    if version < 1:
        raise site.error("version is a whole number from 1 on")
    if version > 1 and migrate is None:
        raise site.error(f"version {version} needs migrate=, to read what older versions stored")
    try:
        model.model_validate({})
    except ValidationError as error:
        missing = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
        raise site.error(
            f"a conversation begins with nothing: give defaults in {model.__name__} to {missing}"
        ) from None
    for name, keys in read_keys(model).items():
        field = model.model_fields[name]
        written = field.serialization_alias or name
        if field.exclude:
            raise site.error(f"{model.__name__}.{name} is excluded from what is kept, and would be forgotten")
        if written not in keys:
            raise site.error(
                f"{model.__name__}.{name} is kept as {written!r}, and read as {min(keys)!r}: one alias=, please"
            )
    return StateModel(model=model, version=version, migrate=migrate)


def thread_predicates(
    site: Site, *, provider: Values, account: Values, channel: Values, step: Values
) -> list[Predicate]:
    """The conditions on a thread and its step."""
    subjects = {"provider": provider, "account": account, "channel": channel}
    predicates = [one_of(name, texts(site, name, value)) for name, value in subjects.items() if value is not None]
    return predicates if step is None else [*predicates, at_step(texts(site, "step", step))]


def checked_options(site: Site, keywords: Mapping[str, Any]) -> RuleOptions:
    """The options of a rule's turns."""
    try:
        return options_of(keywords)
    except ValueError as error:
        raise site.error(str(error)) from None


def texts(site: Site, name: str, value: object, *, known: frozenset[str] | None = None) -> frozenset[str]:
    """One text or several, each of them `known` (None: any text)."""
    values = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    for text in values:
        if not isinstance(text, str):
            raise site.error(f"{name} is a text or several, not {text!r}")
        if known is not None and text not in known:
            raise site.error(f"{name} {text!r} is none of {', '.join(sorted(known))}")
    if not values:
        raise site.error(f"{name} names nothing, so this could never match")
    return frozenset(values)


def checked_regex(site: Site, regex: str | re.Pattern[str]) -> Pattern:
    """A pattern that searches texts."""
    try:
        pattern = re.compile(regex)
        if isinstance(pattern.pattern, str):
            return Pattern(pattern)
    except (re.error, TypeError, ValueError) as error:
        raise site.error(f"regex {regex!r} cannot be read: {error}") from None
    raise site.error(f"regex {regex!r} is for bytes; messages are text")


def checked_key(site: Site, key: type[Key]) -> type[Key]:
    """A class of keys whose fields can be read."""
    try:
        if key is not Key:
            model_of(key)
            return key
    except HandlerError as error:
        raise site.error(str(error)) from None
    raise site.error("Key itself means nothing; name a class below it")


def checked_key_pattern(site: Site, key: object) -> KeyPattern:
    """A key with or without fields."""
    if not isinstance(key, str):
        raise site.error(f"a key is a text or a class of keys, not {key!r}; filters come after it")
    try:
        return KeyPattern(key)
    except ValueError as error:
        raise site.error(f"key {error}") from None
