"""The entries of a rule book, where each stands, and what a match gives."""

from __future__ import annotations

import dataclasses
from dataclasses import field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from bridge.events import EVENT_TYPES, Postback
from bridge.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.conversation.state import StateModel
    from bridge.keys import Key
    from bridge.routing.depends import Dependency
    from bridge.routing.filters import Predicate
    from bridge.routing.handlers import Handler
    from bridge.routing.middleware import Middleware
    from bridge.routing.schedules import Schedule

SEALED: Final = "sealed"
STALE: Final = "stale"
PRESS_TAGS: Final = frozenset({Postback.tag, SEALED, STALE})
"""A press is one of these to a rule: a plain key, a good typed key, or a stale one."""
TAGS: Final = frozenset(EVENT_TYPES) | PRESS_TAGS

Missed: TypeAlias = Literal["latest", "all", "skip"]
"""What becomes of the times of a job at which no bridge ran."""

Changed: TypeAlias = Literal["restart", "finish", "handoff"]
"""The fate of a dialog when its script changed."""


class Rank(IntEnum):
    """The order of rules: all rules of one rank come before those of the next."""

    ORDINARY = 0
    STALE = 1
    DEFAULT = 2
    HELD = 3
    """Only while a person has the thread, and then no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Takes events with one of `tags` and one of `words` (None: any word) that pass all `predicates`."""

    tags: frozenset[str]
    handler: Handler
    words: frozenset[str] | None = None
    predicates: tuple[Predicate, ...] = ()
    rank: Rank = Rank.ORDINARY
    key: type[Key] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRule:
    """Takes exceptions of `types` that a handler raised."""

    types: tuple[type[Exception], ...]
    handler: Handler


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One version of a dialog. `changed` decides about conversations that an older version began."""

    name: str
    version: int
    handler: Handler
    changed: Changed


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRule:
    """A job, with its times. `missed` decides about those at which no bridge ran."""

    name: str
    schedule: Schedule
    missed: Missed
    handler: Handler


Entry: TypeAlias = Rule | ErrorRule | Script | JobRule


@dataclass(slots=True, eq=False)
class RouterSettings:
    """The settings of one router: they hold for its own entries and for those of the routers it includes."""

    state_model: StateModel | None = None
    fields_model: StateModel | None = None
    inner: list[Middleware] = field(default_factory=list)
    outer: list[Middleware] = field(default_factory=list)
    overrides: dict[Callable[..., Any], Dependency] = field(default_factory=dict)
    stop: dict[str, str] = field(default_factory=dict)
    """Words by which a contact opts out, with what is said then."""
    start: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where an entry stands: the settings that hold there, from the outermost router to its own.

    `inner` is the middleware around a handler there, outermost first. `error_rules` are tried in order, those of
    the entry's own router first. `state_model` and `fields_model` are the models of the state and of the contact's
    fields: the innermost router that has one decides.
    """

    settings: tuple[RouterSettings, ...] = ()
    inner: tuple[Middleware, ...] = ()
    error_rules: tuple[ErrorRule, ...] = ()
    state_model: StateModel | None = None
    fields_model: StateModel | None = None


NO_SCOPE: Final = Scope()
"""The scope of a handler without a rule, like a timer's."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The handler for an event, its keyword arguments, and the scope of its rule."""

    handler: Handler
    arguments: Mapping[str, Any]
    scope: Scope = NO_SCOPE
