"""The rule book of a router: its entries and those of the routers it includes, in the order they are written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from bridge.errors import HandlerError
from bridge.events import Postback
from bridge.routing.index import RuleIndex
from bridge.routing.overlap import DEFAULT_OPTIONS
from bridge.routing.rules import (
    NO_SCOPE,
    PRESS_TAGS,
    Entry,
    ErrorRule,
    JobRule,
    Match,
    Rank,
    RouterSettings,
    Rule,
    Scope,
    Script,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bridge.conversation.state import StateModel
    from bridge.events import Event, ThreadRef, Timer
    from bridge.routing.handlers import Handler
    from bridge.routing.middleware import Middleware

_ScriptId: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    """The answers that a book gives often."""

    index: RuleIndex
    held: RuleIndex
    outer: tuple[tuple[Middleware, Scope], ...]
    scripts: Mapping[_ScriptId, tuple[Script, Scope]]
    jobs: Mapping[str, tuple[JobRule, Scope]]
    has_default_options: bool
    waits_for_media: bool


class RuleBook:
    """The entries of one router, and the books of the routers it includes."""

    __slots__ = ("_compiled", "_included_by", "_items", "settings")

    def __init__(self) -> None:
        self.settings = RouterSettings()
        self._items: list[Entry | RuleBook] = []
        self._included_by: list[RuleBook] = []
        self._compiled: _Compiled | None = None

    def add(self, entry: Entry) -> None:
        """Append an entry. Raises HandlerError as `include` does."""
        if self.settings.state_model is not None:
            _check_model(entry.handler, self.settings.state_model)
        self._check_names([entry])
        self._items.append(entry)
        self.invalidate()

    def wrap(self, middleware: Middleware, *, outer: bool) -> None:
        """Add middleware inside of the present one."""
        (self.settings.outer if outer else self.settings.inner).append(middleware)
        self.invalidate()

    def include(self, book: RuleBook) -> None:
        """Append another book, with all that it gets later.

        Raises:
            ValueError: the books would include each other.
            HandlerError: two classes of keys, or two scripts of one version, share a name; or a handler there
                names another model of the state than it would see.
        """
        if book is self or self in book.included():
            raise ValueError("that would be a circle")
        if self.settings.state_model is not None:
            for entry, scope in book.entries():
                _check_model(entry.handler, scope.state_model or self.settings.state_model)
        self._check_names([entry for entry, _ in book.entries()])
        self._items.append(book)
        book.notify(self)
        self.invalidate()

    def notify(self, book: RuleBook) -> None:
        """Tell `book` of every change here."""
        self._included_by.append(book)

    def check_models(self) -> None:
        """Check the outermost book: each handler that names a model of the state sees it.

        Raises:
            HandlerError: one does not.
        """
        for entry, scope in self.entries():
            _check_model(entry.handler, scope.state_model)

    def match(self, event: Event, ref: ThreadRef, step: str | None, *, anytime: bool = False) -> Match | None:
        """The first rule for an event in its thread at a step; with `anytime` only of the rules marked so.

        Raises:
            HandlerError: a filter or a handler turns out to be written in a way that cannot work.
        """
        return (self._compiled or self._compile()).index.match(event, ref, step, anytime=anytime)

    def match_held(self, event: Event, ref: ThreadRef, step: str | None) -> Match | None:
        """The first rule for what the contact says while a person has the thread.

        Raises:
            HandlerError: a filter or a handler turns out to be written in a way that cannot work.
        """
        return self._compile().held.match(event, ref, step, anytime=False)

    def match_error(self, error: BaseException, scope: Scope = NO_SCOPE) -> Handler | None:
        """The first handler for an exception of this class, from `scope` outwards; without a scope, any."""
        rules: Iterable[ErrorRule] = scope.error_rules
        if scope is NO_SCOPE:
            rules = (entry for entry, _ in self.entries() if isinstance(entry, ErrorRule))
        return next((rule.handler for rule in rules if isinstance(error, rule.types)), None)

    def wants(self, tag: str) -> bool:
        """Whether any rule takes events with this tag."""
        return not (PRESS_TAGS if tag == Postback.tag else {tag}).isdisjoint(self._compile().index.tags)

    def handlers(self) -> tuple[Handler, ...]:
        """The handlers of all entries in order, each function once."""
        handlers: dict[int, Handler] = {}
        for entry, _ in self.entries():
            handlers.setdefault(id(entry.handler.function), entry.handler)
        return tuple(handlers.values())

    def scripts(self) -> Mapping[_ScriptId, tuple[Script, Scope]]:
        """The dialogs by name and version, each with its scope."""
        return self._compile().scripts

    def jobs(self) -> Mapping[str, JobRule]:
        """The jobs by name."""
        return {name: job for name, (job, _) in self._compile().jobs.items()}

    def match_job(self, name: str) -> Match | None:
        """The handler of a job; None: there is none of that name any more."""
        if (known := self._compile().jobs.get(name)) is None:
            return None
        job, scope = known
        return Match(handler=job.handler, arguments={}, scope=scope)

    def outer_middleware(self) -> tuple[tuple[Middleware, Scope], ...]:
        """The middleware around the search, of this book and all included ones, outermost first."""
        return (self._compiled or self._compile()).outer

    def has_default_options(self, *, to_media: bool) -> bool:
        """Whether every rule takes one event a turn, in the configured time and, of media, without waiting for them."""
        compiled = self._compiled or self._compile()
        return compiled.has_default_options and not (to_media and compiled.waits_for_media)

    def waits_for_media(self) -> bool:
        """Whether any rule waits until a medium is fetched."""
        return (self._compiled or self._compile()).waits_for_media

    def consent_words(self) -> tuple[Mapping[str, str], frozenset[str]]:
        """The words by which contacts opt out, each with its answer, and those by which they opt in again."""
        stop: dict[str, str] = {}
        start: set[str] = set()
        for book in (self, *self.included()):
            stop = book.settings.stop | stop
            start |= book.settings.start
        return stop, frozenset(start)

    def timeout_of(self, name: str | None) -> float | None:
        """The longest time that a rule gives to a handler, for turns without a rule; None: as configured."""
        timeouts = [entry.handler.options.timeout for entry, _ in self.entries() if entry.handler.name == name]
        return max((timeout for timeout in timeouts if timeout is not None), default=None)

    def state_model_for_error(self, handler: Handler, scope: Scope = NO_SCOPE) -> StateModel | None:
        """The model that an error handler sees: that of its own router, on the way to `scope`."""
        scopes = [at for entry, at in self.entries() if isinstance(entry, ErrorRule) and entry.handler is handler]
        near = [at for at in scopes if at.settings == scope.settings[: len(at.settings)]]
        return next((at.state_model for at in near or scopes), None)

    def state_model_for_timer(self, timer: Timer) -> StateModel | None:
        """The model that a timer's function sees: that of its rule; without a rule, that of the turn that set it.

        Raises:
            HandlerError: no router has that model any more.
        """
        if scopes := [scope for entry, scope in self.entries() if entry.handler.name == timer.handler]:
            return next((scope.state_model for scope in scopes if scope.state_model is not None), None)
        if timer.model is None:
            return None
        models = [book.settings.state_model for book in (self, *self.included())]
        known = [model for model in models if model is not None]
        same = [model for model in known if model.name == timer.model]
        moved = [model for model in known if model.model.__qualname__ == timer.model.partition(":")[2]]
        for model in same or moved:
            return model
        raise HandlerError(f"{timer.handler} is to see the state as {timer.model}, which no router names any more")

    def included(self) -> Iterator[RuleBook]:
        """All books included here, at any depth."""
        for item in self._items:
            if isinstance(item, RuleBook):
                yield item
                yield from item.included()

    def scopes(self, outside: Scope = NO_SCOPE) -> Iterator[Scope]:
        """The scope of this book and of all included ones, in order; a book included twice has two."""
        own = tuple(item for item in self._items if isinstance(item, ErrorRule))
        scope = Scope(
            settings=(*outside.settings, self.settings),
            inner=(*outside.inner, *self.settings.inner),
            error_rules=(*own, *outside.error_rules),
            state_model=self.settings.state_model or outside.state_model,
            fields_model=self.settings.fields_model or outside.fields_model,
        )
        yield scope
        for item in self._items:
            if isinstance(item, RuleBook):
                yield from item.scopes(scope)

    def entries(self, scopes: Iterator[Scope] | None = None) -> Iterator[tuple[Entry, Scope]]:
        """All entries in order, included ones where their book is included, each with its scope."""
        scopes = scopes or self.scopes()
        scope = next(scopes)
        for item in self._items:
            if isinstance(item, RuleBook):
                yield from item.entries(scopes)
            else:
                yield item, scope

    def invalidate(self) -> None:
        """Compile again at the next question, here and in every book that includes this one."""
        self._compiled = None
        for book in self._included_by:
            book.invalidate()

    def _compile(self) -> _Compiled:
        if self._compiled is None:
            entries = list(self.entries())
            scripts = [(entry, scope) for entry, scope in entries if isinstance(entry, Script)]
            jobs = [(entry, scope) for entry, scope in entries if isinstance(entry, JobRule)]
            rules = [(entry, scope) for entry, scope in entries if isinstance(entry, Rule)]
            all_options = [entry.handler.options for entry, _ in entries]
            self._compiled = _Compiled(
                index=RuleIndex((rule, scope) for rule, scope in rules if rule.rank is not Rank.HELD),
                held=RuleIndex((rule, scope) for rule, scope in rules if rule.rank is Rank.HELD),
                outer=tuple((outer, scope) for scope in self.scopes() for outer in scope.settings[-1].outer),
                scripts={(script.name, script.version): (script, scope) for script, scope in scripts},
                jobs={job.name: (job, scope) for job, scope in jobs},
                has_default_options=all(replace(options, media=False) == DEFAULT_OPTIONS for options in all_options),
                waits_for_media=any(options.media for options in all_options),
            )
        return self._compiled

    def _check_names(self, new: list[Entry]) -> None:
        """Refuse a key, a script or a job whose name another one has already."""
        if not any(isinstance(entry, Script | JobRule) or (isinstance(entry, Rule) and entry.key) for entry in new):
            return
        keys: dict[str, object] = {}
        scripts: dict[_ScriptId, Script] = {}
        jobs: dict[str, JobRule] = {}
        for entry in (*(entry for entry, _ in self.entries()), *new):
            if isinstance(entry, Rule) and entry.key is not None:
                name = entry.key.key_name
                if keys.setdefault(name, entry.key) is not entry.key:
                    raise entry.handler.error(f"another class of keys is named {name} too; give one a name=")
            if isinstance(entry, Script) and scripts.setdefault((entry.name, entry.version), entry) is not entry:
                raise entry.handler.error(f"the dialog {entry.name} has a version {entry.version} already")
            if isinstance(entry, JobRule) and jobs.setdefault(entry.name, entry) is not entry:
                raise entry.handler.error(f"another job is named {entry.name} too; give one a name=")


def _check_model(handler: Handler, model: StateModel | None) -> None:
    if handler.model is None:
        return
    name = handler.model.__name__
    if model is None:
        raise handler.error(f"its turn's state is annotated {name}, but no router it belongs to has a state={name}")
    if not issubclass(model.model, handler.model):
        raise handler.error(f"its turn's state is annotated {name}, but its router's is {model.model.__name__}")
