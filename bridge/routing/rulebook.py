"""Rules in the order they were written, compiled so that finding the first that matches is cheap."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from bridge.errors import HandlerError
from bridge.events import EVENT_TYPES, Message, Postback, Status
from bridge.keys import name_of
from bridge.routing.filters import NOTHING
from bridge.routing.overlap import PLAIN
from bridge.units import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from bridge.conversation.state import Shape
    from bridge.events import Event, ThreadRef, Timer
    from bridge.keys import Key
    from bridge.routing.depends import Dependency
    from bridge.routing.filters import Found, Test
    from bridge.routing.handlers import Handler
    from bridge.routing.middleware import Layer

SEALED: Final = "sealed"
STALE: Final = "stale"
PRESSES: Final = frozenset({Postback.tag, SEALED, STALE})
"""What a press can be to a rule: one with a plain key, with a typed key that is good, or with one that is not."""

Changed: TypeAlias = Literal["restart", "finish", "handoff"]
"""What becomes of a dialog whose script is not what it was."""

TAGS: Final = frozenset(EVENT_TYPES) | PRESSES

_WORDS: Final[Mapping[str, Callable[[Any], str]]] = {
    Message.tag: lambda event: fold(event.text),
    Postback.tag: lambda event: str(event.key),
    SEALED: lambda event: name_of(event.key),
    Status.tag: lambda event: str(event.value),
}
"""The one word of an event that rules are looked up by: exact rules cost nothing, however many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands: `books` from the outermost router to its own.

    `inner` is the middleware around a handler there, the outermost router's first; `catches` are tried in order for
    what it raises, its own router's first.
    """

    books: tuple[RuleBook, ...] = ()
    inner: tuple[Layer, ...] = ()
    catches: tuple[Catch, ...] = ()

    @property
    def shape(self) -> Shape | None:
        """What handlers here see the state as: as its own router says, else as the next one outwards does."""
        return next((book.shape for book in reversed(self.books) if book.shape is not None), None)


NOWHERE: Final = Place()
"""Where a handler stands that no rule led to, like a timer's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The handler an event belongs to, the keyword arguments its rule found, and where the rule stands."""

    handler: Handler
    arguments: Mapping[str, Any]
    place: Place = NOWHERE


class Rank(IntEnum):
    """Which rules are looked at first."""

    ORDINARY = 0
    STALE = 1
    DEFAULT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Events with one of `tags` whose word is one of `words` (None: any) and that pass all `tests`.

    A rule of a later `rank` comes after all of an earlier one, wherever it was written.
    """

    tags: frozenset[str]
    handler: Handler
    words: frozenset[str] | None = None
    tests: tuple[Test, ...] = ()
    rank: Rank = Rank.ORDINARY
    press: type[Key] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """Exceptions of `types` that came out of a handler."""

    types: tuple[type[Exception], ...]
    handler: Handler


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A version of a dialog. `changed` says what becomes of one that was begun by a script which is no more."""

    name: str
    version: int
    handler: Handler
    changed: Changed


Seat: TypeAlias = tuple[Rule, Place]
"""A rule, and the place of its router."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """The rules for one kind of event, in order: those for each known word, and those for every other word."""

    by_word: Mapping[str, tuple[Seat, ...]]
    others: tuple[Seat, ...]


class RuleBook:
    """What one router holds: rules, catches, middleware, and the books of the routers it includes, as written."""

    __slots__ = (
        "_entries",
        "_inner",
        "_outer",
        "_plain",
        "_reached",
        "_readers",
        "_scripts",
        "_tables",
        "overrides",
        "shape",
    )

    def __init__(self) -> None:
        """An empty book."""
        self._entries: list[Rule | Catch | Script | RuleBook] = []
        self._inner: list[Layer] = []
        self._outer: list[Layer] = []
        self._readers: list[RuleBook] = []
        self._tables: Mapping[str, _Table] | None = None
        self._plain: bool | None = None
        self._scripts: Mapping[tuple[str, int], tuple[Script, Place]] | None = None
        self.shape: Shape | None = None
        """What the handlers that stand here see the state as."""
        self._reached: tuple[tuple[Layer, Place], ...] | None = None
        self.overrides: dict[Callable[..., Any], Dependency] = {}
        """Dependencies that tests replaced, for all that stands here."""

    def add(self, entry: Rule | Catch | Script) -> None:
        """Put something after all that is here. Raises HandlerError as `include` does."""
        if self.shape is not None:
            _check_model(entry.handler, self.shape)
        self._check_presses([entry])
        self._check_scripts([entry])
        self._entries.append(entry)
        self.forget()

    def wrap(self, layer: Layer, *, outer: bool) -> None:
        """Put middleware inside of what is here."""
        (self._outer if outer else self._inner).append(layer)
        self.forget()

    def include(self, book: RuleBook) -> None:
        """Put another book after all that is here, with whatever is added to it later.

        Raises:
            ValueError: this book is part of the other one, or is the same.
            HandlerError: two classes of keys, or two scripts of a version, have the same name: one would be taken for
                the other; or a handler there names another model of the state than it would see.
        """
        if book is self or self in book.inner():
            raise ValueError("that would be a circle")
        if self.shape is not None:
            for leaf, place in book.leaves():
                _check_model(leaf.handler, place.shape or self.shape)
        self._check_presses(leaf for leaf, _ in book.leaves())
        self._check_scripts(leaf for leaf, _ in book.leaves())
        self._entries.append(book)
        book.read_by(self)
        self.forget()

    def read_by(self, reader: RuleBook) -> None:
        """Note who has to hear of changes here."""
        self._readers.append(reader)

    def forget(self) -> None:
        """Compile again at the next match, here and in every book that includes this one."""
        self._tables = self._reached = self._plain = self._scripts = None
        for reader in self._readers:
            reader.forget()

    def check_models(self) -> None:
        """Nothing is put around this book any more: every handler that names a model of the state has to see it.

        Raises:
            HandlerError: one would not.
        """
        for leaf, place in self.leaves():
            _check_model(leaf.handler, place.shape)

    def _check_presses(self, new: Iterable[Rule | Catch | Script]) -> None:
        presses = [leaf for leaf in new if isinstance(leaf, Rule) and leaf.press is not None]
        if not presses:
            return
        here = [leaf.press for leaf, _ in self.leaves() if isinstance(leaf, Rule) and leaf.press is not None]
        known = {press.key_name: press for press in here}
        for leaf in presses:
            if leaf.press is not None and known.setdefault(leaf.press.key_name, leaf.press) is not leaf.press:
                raise leaf.handler.error(f"another class of keys is named {leaf.press.key_name} too; give one a name=")

    def _check_scripts(self, new: Iterable[Rule | Catch | Script]) -> None:
        known = {key: script for key, (script, _) in self.scripts().items()}
        for leaf in new:
            if isinstance(leaf, Script) and known.setdefault((leaf.name, leaf.version), leaf) is not leaf:
                raise leaf.handler.error(f"there is a version {leaf.version} of the dialog {leaf.name} already")

    def scripts(self) -> Mapping[tuple[str, int], tuple[Script, Place]]:
        """The dialogs by name and version, each with its place."""
        if self._scripts is None:
            found = ((leaf, place) for leaf, place in self.leaves() if isinstance(leaf, Script))
            self._scripts = {(script.name, script.version): (script, place) for script, place in found}
        return self._scripts

    def inner(self) -> Iterator[RuleBook]:
        """All books included here, however deep."""
        for entry in self._entries:
            if isinstance(entry, RuleBook):
                yield entry
                yield from entry.inner()

    def places(self, around: Place = NOWHERE) -> Iterator[Place]:
        """The place of this book and of all included ones, in order; a book included twice has two."""
        own = tuple(entry for entry in self._entries if isinstance(entry, Catch))
        place = Place(books=(*around.books, self), inner=(*around.inner, *self._inner), catches=(*own, *around.catches))
        yield place
        for entry in self._entries:
            if isinstance(entry, RuleBook):
                yield from entry.places(place)

    def leaves(self, places: Iterator[Place] | None = None) -> Iterator[tuple[Rule | Catch | Script, Place]]:
        """All rules and catches in order, included ones where their book was included, each with its place."""
        places = places or self.places()
        place = next(places)
        for entry in self._entries:
            if isinstance(entry, RuleBook):
                yield from entry.leaves(places)
            else:
                yield entry, place

    def outer(self) -> tuple[tuple[Layer, Place], ...]:
        """The middleware around the matching, of this book and all included ones, the outermost first."""
        if self._reached is None:
            self._reached = tuple((layer, place) for place in self.places() for layer in place.books[-1].layers())
        return self._reached

    def layers(self) -> tuple[Layer, ...]:
        """This book's own middleware around the matching."""
        return tuple(self._outer)

    def tables(self) -> Mapping[str, _Table]:
        """The table for each event tag that has rules."""
        if self._tables is None:
            written = [(leaf, place) for leaf, place in self.leaves() if isinstance(leaf, Rule)]
            seats = sorted(written, key=lambda seat: seat[0].rank)
            by_tag = {tag: [seat for seat in seats if tag in seat[0].tags] for tag in TAGS}
            self._tables = {tag: _compile(some) for tag, some in by_tag.items() if some}
        return self._tables

    def match(self, event: Event, ref: ThreadRef, step: str | None, *, anytime: bool = False) -> Match | None:
        """The first rule that fits and whose handler can take what was found; with `anytime` of those marked so."""
        tag = _press(event) if isinstance(event, Postback) else event.tag
        table = self.tables().get(tag)
        if table is None:
            return None
        seats = table.others
        if table.by_word:
            seats = table.by_word.get(_WORDS[tag](event), seats)
        for rule, place in seats:
            if anytime and not rule.handler.manner.anytime:
                continue
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
                    return Match(handler=rule.handler, arguments=arguments, place=place)
        return None

    def match_error(self, error: BaseException, place: Place = NOWHERE) -> Handler | None:
        """The first handler written for an exception of this class, from `place` outwards; from nowhere, of any."""
        catches: Iterable[Catch] = place.catches
        if place is NOWHERE:
            catches = (leaf for leaf, _ in self.leaves() if isinstance(leaf, Catch))
        return next((catch.handler for catch in catches if isinstance(error, catch.types)), None)

    def shape_of(self, catch: Handler, place: Place = NOWHERE) -> Shape | None:
        """What a handler of errors sees the state as: as its own router says, the one on the way to `place`."""
        places = [each for leaf, each in self.leaves() if isinstance(leaf, Catch) and leaf.handler is catch]
        near = [each for each in places if each.books == place.books[: len(each.books)]]
        return next((each.shape for each in near or places), None)

    def is_plain(self) -> bool:
        """Whether all rules have a turn for each event, and the configured time."""
        if self._plain is None:
            self._plain = all(leaf.handler.manner == PLAIN for leaf, _ in self.leaves())
        return self._plain

    def timeout_of(self, name: str | None) -> float | None:
        """The longest time that a rule gives to a handler, for turns that no rule leads to; None: as configured."""
        manners = [leaf.handler.manner for leaf, _ in self.leaves() if leaf.handler.name == name]
        return max((each.timeout for each in manners if each.timeout is not None), default=None)

    def shape_for(self, timer: Timer) -> Shape | None:
        """What a timer's function sees the state as: if it has rules, as they say; else as whoever set the timer did.

        Raises:
            HandlerError: that was a model, and no router has one of that name any more.
        """
        if places := [place for leaf, place in self.leaves() if leaf.handler.name == timer.handler]:
            return next((place.shape for place in places if place.shape is not None), None)
        if timer.model is None:
            return None
        shapes = [book.shape for book in (self, *self.inner()) if book.shape is not None]
        same = [shape for shape in shapes if shape.name == timer.model]
        moved = [shape for shape in shapes if shape.model.__qualname__ == timer.model.partition(":")[2]]
        if not (found := same or moved):
            raise HandlerError(f"{timer.handler} is to see the state as {timer.model}, which no router names any more")
        return found[0]

    def handlers(self) -> tuple[Handler, ...]:
        """The handlers of all rules and catches in order, each function once."""
        seen: dict[int, Handler] = {}
        for leaf, _ in self.leaves():
            seen.setdefault(id(leaf.handler.function), leaf.handler)
        return tuple(seen.values())


def _check_model(handler: Handler, shape: Shape | None) -> None:
    if handler.model is None:
        return
    said = handler.model.__name__
    if shape is None:
        raise handler.error(f"its turn's state is annotated {said}, but no router it belongs to has a state={said}")
    if not issubclass(shape.model, handler.model):
        raise handler.error(f"its turn's state is annotated {said}, but its router's is {shape.model.__name__}")


def _press(event: Postback) -> str:
    return STALE if event.stale else SEALED if event.sealed else event.tag


def _compile(seats: list[Seat]) -> _Table:
    """Sort rules by the words they ask for; each list keeps the order, and the rules that ask for none."""
    words: Iterable[str] = set(chain.from_iterable(rule.words or () for rule, _ in seats))
    return _Table(
        by_word={word: tuple(seat for seat in seats if _asks_for(seat[0], word)) for word in words},
        others=tuple(seat for seat in seats if seat[0].words is None),
    )


def _asks_for(rule: Rule, word: str) -> bool:
    return rule.words is None or word in rule.words
