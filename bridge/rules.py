"""Rules in the order they were written, compiled so that finding the first that matches is cheap."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from bridge.events import EVENT_TYPES, Message, Postback, Status
from bridge.filters import NOTHING, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from bridge.calling import Handler
    from bridge.events import Event, ThreadRef
    from bridge.filters import Found, Test

_WORDS: Final[Mapping[str, Callable[[Any], str]]] = {
    Message.tag: lambda event: fold(event.text),
    Postback.tag: lambda event: str(event.key),
    Status.tag: lambda event: str(event.value),
}
"""The one word of an event that rules are looked up by: exact rules cost nothing, however many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The handler an event belongs to, and the keyword arguments its rule found."""

    handler: Handler
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Events with one of `tags` whose word is one of `words` (None: any) and that pass all `tests`.

    A rule marked `default` comes after all that are not, wherever it was written.
    """

    tags: frozenset[str]
    handler: Handler
    words: frozenset[str] | None = None
    tests: tuple[Test, ...] = ()
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """Exceptions of `types` that came out of a handler."""

    types: tuple[type[Exception], ...]
    handler: Handler


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """The rules for one kind of event, in order: those for each known word, and those for every other word."""

    by_word: Mapping[str, tuple[Rule, ...]]
    others: tuple[Rule, ...]


class RuleBook:
    """What one router holds: rules, catches, and the books of the routers it includes, in the order written."""

    __slots__ = ("_entries", "_readers", "_tables")

    def __init__(self) -> None:
        """An empty book."""
        self._entries: list[Rule | Catch | RuleBook] = []
        self._readers: list[RuleBook] = []
        self._tables: Mapping[str, _Table] | None = None

    def add(self, entry: Rule | Catch) -> None:
        """Put something after all that is here."""
        self._entries.append(entry)
        self.forget()

    def include(self, book: RuleBook) -> None:
        """Put another book after all that is here, with whatever is added to it later.

        Raises:
            ValueError: this book is part of the other one, or is the same.
        """
        if book is self or self in book.inner():
            raise ValueError("that would be a circle")
        self._entries.append(book)
        book.read_by(self)
        self.forget()

    def read_by(self, reader: RuleBook) -> None:
        """Note who has to hear of changes here."""
        self._readers.append(reader)

    def forget(self) -> None:
        """Compile again at the next match, here and in every book that includes this one."""
        self._tables = None
        for reader in self._readers:
            reader.forget()

    def inner(self) -> Iterator[RuleBook]:
        """All books included here, however deep."""
        for entry in self._entries:
            if isinstance(entry, RuleBook):
                yield entry
                yield from entry.inner()

    def leaves(self) -> Iterator[Rule | Catch]:
        """All rules and catches in order, included ones where their book was included."""
        for entry in self._entries:
            if isinstance(entry, RuleBook):
                yield from entry.leaves()
            else:
                yield entry

    def tables(self) -> Mapping[str, _Table]:
        """The table for each event tag that has rules."""
        if self._tables is None:
            written = [leaf for leaf in self.leaves() if isinstance(leaf, Rule)]
            rules = sorted(written, key=lambda rule: rule.default)
            by_tag = {tag: [rule for rule in rules if tag in rule.tags] for tag in EVENT_TYPES}
            self._tables = {tag: _compile(some) for tag, some in by_tag.items() if some}
        return self._tables

    def match(self, event: Event, ref: ThreadRef, step: str | None) -> Match | None:
        """The first rule that fits and whose handler can take what was found."""
        table = self.tables().get(event.tag)
        if table is None:
            return None
        rules = table.others
        if table.by_word:
            rules = table.by_word.get(_WORDS[event.tag](event), rules)
        for rule in rules:
            found: Found = NOTHING
            for test in rule.tests:
                more = test(event, ref, step)
                if more is None:
                    break
                if more:
                    found = {**found, **more} if found else more
            else:
                arguments = rule.handler.accept(found)
                if arguments is not None:
                    return Match(handler=rule.handler, arguments=arguments)
        return None

    def match_error(self, error: BaseException) -> Handler | None:
        """The first handler written for an exception of this class."""
        catches = (leaf for leaf in self.leaves() if isinstance(leaf, Catch))
        return next((catch.handler for catch in catches if isinstance(error, catch.types)), None)

    def handlers(self) -> tuple[Handler, ...]:
        """The handlers of all rules and catches in order, each function once."""
        seen: dict[int, Handler] = {}
        for leaf in self.leaves():
            seen.setdefault(id(leaf.handler.function), leaf.handler)
        return tuple(seen.values())


def _compile(rules: list[Rule]) -> _Table:
    """Sort rules by the words they ask for; each list keeps the order, and the rules that ask for none."""
    words: Iterable[str] = set(chain.from_iterable(rule.words or () for rule in rules))
    return _Table(
        by_word={word: tuple(rule for rule in rules if rule.words is None or word in rule.words) for word in words},
        others=tuple(rule for rule in rules if rule.words is None),
    )
