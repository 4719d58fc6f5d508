"""Conditions of rules: filters that compose, key patterns, and the predicates that rules are made of."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from operator import attrgetter
from string import Formatter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bridge.errors import HandlerError
from bridge.keys import unpack

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.events import Event, Postback, ThreadRef
    from bridge.keys import Key
    from bridge.routing.patterns import Pattern

Captures: TypeAlias = Mapping[str, Any]
"""Values that a condition takes out of an event, by name: they become keyword arguments of the handler."""

Condition: TypeAlias = Callable[[Any], bool | Captures | None]
"""An author's condition on an event: a bool, or captures. Captures always hold, also empty ones."""

Predicate: TypeAlias = "Callable[[Any, ThreadRef, str | None], Captures | None]"
"""One condition of a rule on an event of its kind, the thread and its step; None when it does not hold."""

NO_CAPTURES: Final[Captures] = MappingProxyType({})


class Filter:
    """A condition on an event that composes with `&`, `|` and `~`; usable as a decorator.

    The function gets the event and returns a bool, or a mapping whose items become keyword arguments of the
    handler. `finds` names the keys of that mapping; a rule refuses a handler that needs any other. Without `finds`,
    a function annotated `-> bool` finds nothing, and any other function may find anything (None).

    Raises:
        HandlerError: it is no plain function, or a filter is used with `and`, `or`, `not`.
    """

    __slots__ = ("_function", "finds")

    def __init__(self, function: Condition, *, finds: Iterable[str] | None = None) -> None:
        """Wrap `function`. A Filter around a Filter declares its `finds`."""
        if not _is_plain(function):
            raise HandlerError(f"a filter is a plain function of an event, not {_described(function)}")
        self._function = function
        self.finds = _declared(function) if finds is None else frozenset(finds)

    def __call__(self, event: Event) -> Captures | None:
        """The captures, perhaps none; None when the condition does not hold."""
        result = self._function(event)
        if result is True:
            return NO_CAPTURES
        if result is None or result is False:
            return None
        if isinstance(result, Mapping):
            return result
        if isinstance(result, Awaitable):
            raise HandlerError(f"a filter answers at once; {_described(self._function)} returned an awaitable")
        return NO_CAPTURES if result else None

    def __and__(self, other: Condition) -> Filter:
        """Both hold. Where both capture one name, the right one's value arrives."""
        left, right = self, as_filter(other)

        def both(event: Event) -> Captures | None:
            if (first := left(event)) is None or (second := right(event)) is None:
                return None
            return {**first, **second} if first and second else first or second

        return Filter(both, finds=_union(left, right)) if _are_declared(left, right) else Filter(both)

    def __rand__(self, other: Condition) -> Filter:
        """The same, with a plain function on the left."""
        return as_filter(other) & self

    def __or__(self, other: Condition) -> Filter:
        """Either holds; the captures are those of the first one that holds."""
        left, right = self, as_filter(other)

        def either(event: Event) -> Captures | None:
            return right(event) if (first := left(event)) is None else first

        return Filter(either, finds=_union(left, right)) if _are_declared(left, right) else Filter(either)

    def __ror__(self, other: Condition) -> Filter:
        """The same, with a plain function on the left."""
        return as_filter(other) | self

    def __invert__(self) -> Filter:
        """Holds where this one does not, and captures nothing."""
        return Filter(lambda event: self(event) is None, finds=())

    def __bool__(self) -> bool:
        """Refused: `a and b` would silently be `b`."""
        raise HandlerError("filters compose with & | ~ , not with and, or, not")


def as_filter(condition: Condition) -> Filter:
    """An author's condition as a Filter."""
    return condition if isinstance(condition, Filter) else Filter(condition)


class KeyPattern:
    """A postback key with fields, `buy:{sku}:{n}`: literal parts match exactly, a field takes one character or more.

    A field ends at the first occurrence of the literal after it; the last field takes the rest. `{{` and `}}` are
    literal braces. Matching is linear in the key's length, whatever a stranger sends.

    Raises:
        ValueError: unbalanced braces, a field without a plain name, two fields of one name or with nothing between.
    """

    __slots__ = ("_after", "_before", "_last", "fields")

    def __init__(self, text: str) -> None:
        literals, fields = [""], list[str]()
        for literal, name, spec, conversion in _parsed(text):
            literals[-1] += literal
            if name is None:
                continue
            if not name.isidentifier() or spec or conversion:
                raise ValueError(f"{text!r}: a field is a plain name in braces, like {{size}}")
            if name in fields:
                raise ValueError(f"{text!r} has two fields named {name!r}")
            if fields and not literals[-1]:
                raise ValueError(f"{text!r}: nothing tells where {fields[-1]!r} ends and {name!r} begins")
            fields.append(name)
            literals.append("")
        self.fields = tuple(fields)
        self._before = literals[0]
        self._after = tuple(zip(fields[:-1], literals[1:-1], strict=True))
        self._last = literals[-1] if fields else ""

    @property
    def literal(self) -> str | None:
        """The only key of a pattern without fields."""
        return None if self.fields else self._before

    def match(self, key: str) -> dict[str, str] | None:
        """The fields of a key, or None when it does not fit."""
        if not self.fields:
            return {} if key == self._before else None
        end = len(key) - len(self._last)
        if not (key.startswith(self._before) and key.endswith(self._last)):
            return None
        values, start = dict[str, str](), len(self._before)
        for name, literal in self._after:
            stop = key.find(literal, start + 1)
            if stop < 0:
                return None
            values[name], start = key[start:stop], stop + len(literal)
        if start >= end:
            return None
        values[self.fields[-1]] = key[start:end]
        return values


def _parsed(text: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None


def one_of(subject: str, values: frozenset[str]) -> Predicate:
    """`kind` of the event, or `account`, `provider`, `channel` of its thread, is one of `values`."""
    value_of = attrgetter(subject)
    if subject == "kind":
        return lambda event, _ref, _step: NO_CAPTURES if value_of(event) in values else None
    return lambda _event, ref, _step: NO_CAPTURES if value_of(ref) in values else None


def at_step(steps: frozenset[str]) -> Predicate:
    """The conversation is at one of `steps`."""
    return lambda _event, _ref, step: NO_CAPTURES if step in steps else None


def text_matches(pattern: Pattern) -> Predicate:
    """The message's text contains the pattern; its named groups are the captures."""
    search = pattern.search
    return lambda event, _ref, _step: search(event.text)


def key_matches(pattern: KeyPattern) -> Predicate:
    """The postback's key fits the pattern; its fields are the captures."""
    match = pattern.match
    return lambda event, _ref, _step: match(event.key)


def is_key(cls: type[Key], name: str) -> Predicate:
    """The postback's typed key is one of `cls`, captured as `name`."""

    def predicate(event: Postback, _ref: ThreadRef, _step: str | None) -> Captures | None:
        key = unpack(cls, event.key)
        return None if key is None else {name: key}

    return predicate


def stale_reason(event: Postback, _ref: ThreadRef, _step: str | None) -> Captures:
    """Always holds. A good press without a rule counts as unknown."""
    return {"reason": event.stale or "unknown"}


def passes(condition: Filter) -> Predicate:
    """An author's filter holds."""
    return lambda event, _ref, _step: condition(event)


def _is_plain(function: object) -> bool:
    return callable(function) and not inspect.iscoroutinefunction(function)


def _declared(function: Condition) -> frozenset[str] | None:
    if isinstance(function, Filter):
        return function.finds
    returns = getattr(function, "__annotations__", {}).get("return")
    return frozenset() if returns in {bool, "bool"} else None


def _are_declared(left: Filter, right: Filter) -> bool:
    return left.finds is not None and right.finds is not None


def _union(left: Filter, right: Filter) -> frozenset[str]:
    return (left.finds or frozenset()) | (right.finds or frozenset())


def _described(value: object) -> str:
    return getattr(value, "__qualname__", None) or f"a {type(value).__name__}"
