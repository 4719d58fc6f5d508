"""What a rule asks of an event: filters that compose, key patterns, and the tests that rules are made of."""

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
    import re
    from collections.abc import Iterable

    from bridge.events import Event, ThreadRef
    from bridge.keys import Key

Found: TypeAlias = Mapping[str, Any]
"""What a condition that holds has found, by name: the keyword arguments of a handler."""

Condition: TypeAlias = Callable[[Any], bool | Found | None]
"""A bot author's own condition on an event: whether it holds, or what it finds (a mapping always holds)."""

Test: TypeAlias = "Callable[[Event, ThreadRef, str | None], Found | None]"
"""One thing a rule asks of an event, its thread and the thread's step; None when it does not hold."""

NOTHING: Final[Found] = MappingProxyType({})


class Filter:
    """A condition on an event that composes with `&`, `|` and `~`; usable as a decorator.

    The function gets the event and returns a bool, or a mapping whose items become keyword arguments of the
    handler. `finds` names what may be in that mapping: then a handler that asks for anything else is refused when it
    is registered. It is taken as empty for a function annotated `-> bool`, and as unknown (None) for others.

    Raises:
        HandlerError: it is no plain function, or a filter is used with `and`, `or`, `not`.
    """

    __slots__ = ("_function", "finds")

    def __init__(self, function: Condition, *, finds: Iterable[str] | None = None) -> None:
        """Wrap `function`; a Filter may be wrapped again to declare what it finds."""
        if not _is_plain(function):
            raise HandlerError(f"a filter is a plain function of an event, not {_named(function)}")
        self._function = function
        self.finds = _finds(function) if finds is None else frozenset(finds)

    def __call__(self, event: Event) -> Found | None:
        """What was found (perhaps nothing, in an empty mapping), or None when the condition does not hold."""
        found = self._function(event)
        if found is True:
            return NOTHING
        if found is None or found is False:
            return None
        if isinstance(found, Mapping):
            return found
        if isinstance(found, Awaitable):
            raise HandlerError(f"a filter answers at once; {_named(self._function)} returned an awaitable")
        return NOTHING if found else None

    def __and__(self, other: Condition) -> Filter:
        """Both hold; what both find arrives, the right one's where they share a name."""
        left, right = self, as_filter(other)

        def both(event: Event) -> Found | None:
            if (first := left(event)) is None or (second := right(event)) is None:
                return None
            return {**first, **second} if first and second else first or second

        return Filter(both, finds=_union(left, right)) if _known(left, right) else Filter(both)

    def __rand__(self, other: Condition) -> Filter:
        """The same, with a plain function on the left."""
        return as_filter(other) & self

    def __or__(self, other: Condition) -> Filter:
        """Either holds; what the first one that holds finds arrives."""
        left, right = self, as_filter(other)

        def either(event: Event) -> Found | None:
            return right(event) if (first := left(event)) is None else first

        return Filter(either, finds=_union(left, right)) if _known(left, right) else Filter(either)

    def __ror__(self, other: Condition) -> Filter:
        """The same, with a plain function on the left."""
        return as_filter(other) | self

    def __invert__(self) -> Filter:
        """Holds where this one does not, and finds nothing."""
        return Filter(lambda event: self(event) is None, finds=())

    def __bool__(self) -> bool:
        """Refused: `a and b` would silently be `b`."""
        raise HandlerError("filters compose with & | ~ , not with and, or, not")


def as_filter(condition: Condition) -> Filter:
    """A bot author's condition as a Filter."""
    return condition if isinstance(condition, Filter) else Filter(condition)


class KeyPattern:
    """A postback key with fields, `buy:{sku}:{n}`: literal parts match exactly, a field takes one character or more.

    A field reaches to the first place where the literal after it stands; the last one takes what is left. `{{` and
    `}}` are the braces themselves. Matching is linear in the key's length, whatever a stranger sends.

    Raises:
        ValueError: unbalanced braces, a field without a plain name, two fields of one name or with nothing between.
    """

    __slots__ = ("_after", "_before", "_last", "fields")

    def __init__(self, text: str) -> None:
        """Read the pattern."""
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
        """The only key this pattern matches, when it has no fields."""
        return None if self.fields else self._before

    def match(self, key: str) -> dict[str, str] | None:
        """The fields of a key, or None when it does not fit."""
        if not self.fields:
            return {} if key == self._before else None
        end = len(key) - len(self._last)
        if not (key.startswith(self._before) and key.endswith(self._last)):
            return None
        found, start = dict[str, str](), len(self._before)
        for name, literal in self._after:
            stop = key.find(literal, start + 1)
            if stop < 0:
                return None
            found[name], start = key[start:stop], stop + len(literal)
        if start >= end:
            return None
        found[self.fields[-1]] = key[start:end]
        return found


def _parsed(text: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None


def one_of(subject: str, values: frozenset[str]) -> Test:
    """`kind` of the event, or `account`, `provider`, `channel` of its thread, is one of `values`."""
    look = attrgetter(subject)
    if subject == "kind":
        return lambda event, _ref, _step: NOTHING if look(event) in values else None
    return lambda _event, ref, _step: NOTHING if look(ref) in values else None


def at_step(steps: frozenset[str]) -> Test:
    """The conversation is at one of `steps`."""
    return lambda _event, _ref, step: NOTHING if step in steps else None


def searched(pattern: re.Pattern[str]) -> Test:
    """The pattern is found in the message's text; its named groups are what it finds."""
    search, named = pattern.search, bool(pattern.groupindex)

    def test(event: Any, _ref: ThreadRef, _step: str | None) -> Found | None:  # noqa: ANN401 - a Message, by its rule
        if (match := search(event.text)) is None:
            return None
        return match.groupdict() if named else NOTHING

    return test


def keyed(pattern: KeyPattern) -> Test:
    """The postback's key fits the pattern; its fields are what it finds."""
    match = pattern.match
    return lambda event, _ref, _step: match(event.key)  # type: ignore[attr-defined]


def unpacked(cls: type[Key], name: str) -> Test:
    """The postback's typed key is one of `cls`; it is found under `name`."""

    def test(event: Any, _ref: ThreadRef, _step: str | None) -> Found | None:  # noqa: ANN401 - a Postback, by its rule
        key = unpack(cls, event.key)
        return None if key is None else {name: key}

    return test


def why_stale(event: Any, _ref: ThreadRef, _step: str | None) -> Found:  # noqa: ANN401 - a Postback, by its rule
    """Why the postback is stale; one that is good and taken by no rule stands for what is gone."""
    return {"reason": event.stale or "unknown"}


def asked(condition: Filter) -> Test:
    """A bot author's filter holds."""
    return lambda event, _ref, _step: condition(event)


def _is_plain(function: object) -> bool:
    return callable(function) and not inspect.iscoroutinefunction(function)


def _finds(function: Condition) -> frozenset[str] | None:
    if isinstance(function, Filter):
        return function.finds
    returns = getattr(function, "__annotations__", {}).get("return")
    return frozenset() if returns in {bool, "bool"} else None


def _known(left: Filter, right: Filter) -> bool:
    return left.finds is not None and right.finds is not None


def _union(left: Filter, right: Filter) -> frozenset[str]:
    return (left.finds or frozenset()) | (right.finds or frozenset())


def _named(value: object) -> str:
    return getattr(value, "__qualname__", None) or f"a {type(value).__name__}"
