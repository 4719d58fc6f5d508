"""Rules compiled for search: one dictionary lookup finds the few that an event can match."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bridge.events import Message, Postback, Status
from bridge.keys import name_of
from bridge.routing.filters import NO_CAPTURES
from bridge.routing.rules import SEALED, STALE, TAGS, Match, Rule, Scope
from bridge.text.equal_text import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bridge.events import Event, ThreadRef
    from bridge.routing.filters import Captures
    from bridge.routing.handlers import Handler

_ScopedRule: TypeAlias = tuple[Rule, Scope]
_Candidate: TypeAlias = "tuple[Rule, Scope, Match | None]"
"""A rule, where it stands, and its match: the same for every event, if its handler takes nothing but the turn."""

_WORDS: Final[Mapping[str, Callable[[Any], str]]] = {
    Message.tag: lambda event: fold(event.text),
    Postback.tag: lambda event: str(event.key),
    SEALED: lambda event: name_of(event.key),
    Status.tag: lambda event: str(event.value),
}
"""The one word of an event that exact rules are looked up by; their number costs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """The rules for one tag, in order: those for each known word, and those for every other word."""

    by_word: Mapping[str, tuple[_Candidate, ...]]
    others: tuple[_Candidate, ...]


class RuleIndex:
    """The rules of a book by tag and word."""

    __slots__ = ("_tables",)

    def __init__(self, rules: Iterable[_ScopedRule]) -> None:
        ordered = sorted(rules, key=lambda scoped: scoped[0].rank)
        by_tag = {tag: [scoped for scoped in ordered if tag in scoped[0].tags] for tag in TAGS}
        self._tables = {tag: _table(scoped) for tag, scoped in by_tag.items() if scoped}

    @property
    def tags(self) -> Iterable[str]:
        """The tags that have rules."""
        return self._tables.keys()

    def match(self, event: Event, ref: ThreadRef, step: str | None, *, anytime: bool) -> Match | None:
        """The first rule that fits, and whose handler accepts the captures; with `anytime` only rules marked so."""
        tag = _press_tag(event) if isinstance(event, Postback) else event.tag
        table = self._tables.get(tag)
        if table is None:
            return None
        candidates = table.others
        if table.by_word:
            candidates = table.by_word.get(_WORDS[tag](event), candidates)
        for rule, scope, match in candidates:
            if anytime and not rule.handler.options.anytime:
                continue
            captures = _captures(rule, event, ref, step) if rule.predicates else NO_CAPTURES
            if captures is None:
                continue
            if match is not None:
                return match
            if (arguments := rule.handler.accept(captures)) is not None:
                return Match(handler=rule.handler, arguments=arguments, scope=scope)
        return None


def _captures(rule: Rule, event: Event, ref: ThreadRef, step: str | None) -> Captures | None:
    captures: Captures = NO_CAPTURES
    for predicate in rule.predicates:
        more = predicate(event, ref, step)
        if more is None:
            return None
        if more:
            captures = {**captures, **more} if captures else more
    return captures


def _press_tag(event: Postback) -> str:
    return STALE if event.stale else SEALED if event.sealed else event.tag


def _table(scoped_rules: list[_ScopedRule]) -> _Table:
    words = set(chain.from_iterable(rule.words or () for rule, _ in scoped_rules))
    candidates = [(rule, scope, _match_of(rule.handler, scope)) for rule, scope in scoped_rules]
    return _Table(
        by_word={word: tuple(each for each in candidates if _asks_for(each[0], word)) for word in words},
        others=tuple(each for each in candidates if each[0].words is None),
    )


def _match_of(handler: Handler, scope: Scope) -> Match | None:
    return None if handler.takes_captures else Match(handler=handler, arguments=NO_CAPTURES, scope=scope)


def _asks_for(rule: Rule, word: str) -> bool:
    return rule.words is None or word in rule.words
