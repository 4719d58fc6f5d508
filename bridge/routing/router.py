"""Routers: decorators that write rules, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack, get_args, overload

from bridge.callsite import Site, call_site
from bridge.errors import HandlerError
from bridge.events import (
    EVENT_TYPES,
    MESSAGE_KINDS,
    STATUS_VALUES,
    Echo,
    Event,
    Message,
    Postback,
    Status,
    Unrecognised,
)
from bridge.keys import Key
from bridge.routing.around import MiddlewareRouter
from bridge.routing.checks import (
    checked_key,
    checked_key_pattern,
    checked_options,
    checked_regex,
    checked_state_model,
    texts,
    thread_predicates,
)
from bridge.routing.consent import ConsentRouter
from bridge.routing.depends import Override, dependency_of
from bridge.routing.filters import (
    Condition,
    Predicate,
    as_filter,
    is_key,
    key_matches,
    one_of,
    passes,
    stale_reason,
    text_matches,
)
from bridge.routing.handlers import dialog_handler_of, error_handler_of, handler_of, key_parameter
from bridge.routing.jobs import JobRouter
from bridge.routing.rulebook import RuleBook
from bridge.routing.rules import PRESS_TAGS, SEALED, STALE, Changed, ErrorRule, Rank, Rule, Script
from bridge.routing.signatures import is_class
from bridge.text.equal_text import fold

if TYPE_CHECKING:
    import re

    from pydantic import BaseModel

    from bridge.conversation.state import Migrate
    from bridge.routing.checks import Values
    from bridge.routing.overlap import RuleKeywords
    from bridge.routing.types import (
        OnAnything,
        OnDialog,
        OnEcho,
        OnError,
        OnEvent,
        OnKey,
        OnMessage,
        OnPostback,
        OnStatus,
        OnUnrecognised,
    )

F = TypeVar("F", bound=Callable[..., object])
E = TypeVar("E", bound=Event)
K = TypeVar("K", bound=Key)
X = TypeVar("X", bound=Exception)

_NO_FINDS: Final = frozenset[str]()
_NO_KEYWORDS: Final[Mapping[str, Any]] = {}


class Router(JobRouter, ConsentRouter, MiddlewareRouter):
    """Rules in the order they are written; the first match decides.

    Every decorator returns its function unchanged, so one function can have several rules. The function's first
    parameter is the turn. The captures of a rule (fields of a key, named groups, a filter's mapping) arrive as
    keyword arguments, converted by the annotations. If a conversion fails, the rule does not match.

    `provider`, `account`, `channel` and `step` bind a rule to threads: one text or several. `overlap`, `timeout` and
    `anytime` are the options of its turns: see bridge.routing.overlap.RuleKeywords.

    Raises:
        HandlerError: at once, with file and line: an argument can never work, or a parameter has no source.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        state: type[BaseModel] | None = None,
        version: int = 1,
        migrate: Migrate | None = None,
        fields: type[BaseModel] | None = None,
    ) -> None:
        """`name` is for people only.

        With `state`, a pydantic model, handlers here see `turn.state` as that model; unknown keys stay beside it.
        When the model changes, raise `version`: `migrate(stored, version)` turns a state of an older version into
        one that this model reads. Version 0 is a state from before there was `migrate`.
        With `fields`, another model, they see `turn.contact.fields` as that one.
        """
        self.name = name or "router"
        self._book = RuleBook()
        if state is not None:
            self._book.settings.state_model = checked_state_model(call_site(), state, version, migrate)
        if fields is not None:
            self._book.settings.fields_model = checked_state_model(call_site(), fields, 1, None)

    def __repr__(self) -> str:
        return f"<Router {self.name}>"

    def message(
        self,
        *filters: Condition,
        text: Values = None,
        regex: str | re.Pattern[str] | None = None,
        kind: Values = None,
        provider: Values = None,
        account: Values = None,
        channel: Values = None,
        step: Values = None,
        **options: Unpack[RuleKeywords],
    ) -> Callable[[OnMessage], OnMessage]:
        """A message: `text` is compared as equal text, `regex` is searched for as written, `kind` as in events."""
        site = call_site()
        words = None if text is None else frozenset(map(fold, texts(site, "text", text)))
        if words is not None and "" in words:
            raise site.error("text is blank; what has no words is chosen by kind=")
        predicates = thread_predicates(site, provider=provider, account=account, channel=channel, step=step)
        if kind is not None:
            predicates.append(one_of("kind", texts(site, "kind", kind, known=MESSAGE_KINDS)))
        finds = _NO_FINDS
        if regex is not None:
            pattern = checked_regex(site, regex)
            finds = pattern.names
            predicates.append(text_matches(pattern))
        return self._rule(
            site, {Message.tag}, filters, words=words, predicates=predicates, finds=finds, options=options
        )

    @overload
    def postback(
        self,
        key: type[K],
        *filters: Condition,
        provider: Values = None,
        account: Values = None,
        channel: Values = None,
        step: Values = None,
        **options: Unpack[RuleKeywords],
    ) -> OnKey[K]: ...
    @overload
    def postback(
        self,
        key: str | None = None,
        *filters: Condition,
        provider: Values = None,
        account: Values = None,
        channel: Values = None,
        step: Values = None,
        **options: Unpack[RuleKeywords],
    ) -> Callable[[OnPostback], OnPostback]: ...
    def postback(
        self,
        key: str | type[Key] | None = None,
        *filters: Condition,
        provider: Values = None,
        account: Values = None,
        channel: Values = None,
        step: Values = None,
        **options: Unpack[RuleKeywords],
    ) -> Callable[[F], F]:
        """A press: `key` may hold fields, `size:{size}`; each takes one character or more up to the next literal.

        With a class of keys, `postback(Track)`, the handler's second parameter is the pressed key. A stale press
        goes to `stale` instead.
        """
        site = call_site()
        predicates = thread_predicates(site, provider=provider, account=account, channel=channel, step=step)
        if key is None:
            return self._rule(site, PRESS_TAGS - {STALE}, filters, predicates=predicates, options=options)
        if is_class(key, Key):
            words = frozenset({checked_key(site, key).key_name})
            return self._rule(site, {SEALED}, filters, words=words, predicates=predicates, key=key, options=options)
        pattern = checked_key_pattern(site, key)
        if pattern.literal is not None:
            words = frozenset({pattern.literal})
            return self._rule(site, {Postback.tag}, filters, words=words, predicates=predicates, options=options)
        predicates.append(key_matches(pattern))
        finds = frozenset(pattern.fields)
        return self._rule(site, {Postback.tag}, filters, predicates=predicates, finds=finds, options=options)

    def stale(self) -> Callable[[OnPostback], OnPostback]:
        """A press of a typed key that is stale; tried after all other rules but defaults.

        The rule finds the `reason`: "forged" for this conversation, "expired", or "unknown": no rule takes the key
        any more.
        """
        finds = frozenset({"reason"})
        return self._rule(call_site(), {STALE, SEALED}, predicates=[stale_reason], finds=finds, rank=Rank.STALE)

    def status(self, *values: str) -> Callable[[OnStatus], OnStatus]:
        """The status of an outgoing message: sent, delivered, read or failed; without `values`, any."""
        site = call_site()
        words = texts(site, "status", values, known=STATUS_VALUES) if values else None
        return self._rule(site, {Status.tag}, words=words)

    def echo(self) -> Callable[[OnEcho], OnEcho]:
        """An outgoing message that the provider reports: the bot's own, or a human agent's."""
        return self._rule(call_site(), {Echo.tag})

    def unrecognised(self) -> Callable[[OnUnrecognised], OnUnrecognised]:
        """An event of an unknown kind."""
        return self._rule(call_site(), {Unrecognised.tag})

    def on(self, event_type: type[E], *filters: Condition, **options: Unpack[RuleKeywords]) -> OnEvent[E]:
        """Any event of a class in bridge.events; `Event` itself means every event."""
        site = call_site()
        if not is_class(event_type, Event):
            raise site.error(f"on() takes a class in bridge.events, not {event_type!r}")
        tags = {tag for tag, cls in EVENT_TYPES.items() if issubclass(cls, event_type)}
        return self._rule(site, tags | PRESS_TAGS if Postback.tag in tags else tags, filters, options=options)

    def default(self, **options: Unpack[RuleKeywords]) -> Callable[[OnAnything], OnAnything]:
        """A message or press that no rule of any router matches; the first default wins."""
        return self._rule(call_site(), {Message.tag, *PRESS_TAGS}, rank=Rank.DEFAULT, options=options)

    def on_held(self, *filters: Condition, **options: Unpack[RuleKeywords]) -> Callable[[OnAnything], OnAnything]:
        """What the contact says or presses while a person has the thread: no other rule takes it.

        The handler's replies leave, and the person keeps the thread. The event is kept for the return as well.
        """
        tags = {Message.tag, *PRESS_TAGS}
        return self._rule(call_site(), tags, filters, rank=Rank.HELD, options=options)

    @overload
    def error(self, only: type[X], /) -> OnError[X]: ...
    @overload
    def error(self, *types: type[Exception]) -> Callable[[F], F]: ...
    def error(self, *types: type[Exception]) -> Callable[[F], F]:
        """An exception of one of `types` (none named: any) from a handler; called with turn and error.

        The failing handler's own router tries its error handlers first, in order, then the router that includes it,
        and so on outwards; routers beside it never do. All error handlers are tried, in order, for an exception from
        a filter, or from a handler without a rule. The effects of the failed turn are undone.
        """
        site = call_site()
        for cls in types:
            if not is_class(cls, Exception):
                raise site.error(f"error() takes classes of exceptions, not {cls!r}")

        def register(function: F) -> F:
            handler = error_handler_of(function, types, call_site())
            self._book.add(ErrorRule(types=types or (Exception,), handler=handler))
            return function

        return register

    def dialog(
        self,
        version: int = 1,
        *,
        name: str | None = None,
        changed: Changed = "restart",
        timeout: str | float | None = None,
        anybody: bool = False,
    ) -> Callable[[OnDialog], OnDialog]:
        """A dialog, `async def refund(d: Dialog, no: int)`, for `turn.begin(refund, 7)`.

        Raise `version` whenever the questions or steps change. Leave the old function registered beside the new one,
        under the same `name` (default: the function's), while conversations are in it. `changed` decides about a
        conversation whose version is gone, or whose script differs at a step that is done: "restart" it from the
        first question (or "handoff", if a step was taken), "finish" (the event goes to the rules), or "handoff" (to a
        person, with a note).

        `timeout` is the time of a turn that an answer begins, steps included. In a group it asks the person whose turn
        began it; with `anybody=True` whoever speaks may answer.
        """
        site = call_site()
        if version < 1:
            raise site.error("the version of a dialog is a whole number from 1 on: @router.dialog(version=1)")
        if changed not in get_args(Changed):
            raise site.error(f"changed is one of {', '.join(get_args(Changed))}, not {changed!r}")
        options = checked_options(site, {"anybody": anybody} | ({} if timeout is None else {"timeout": timeout}))

        def register(function: OnDialog) -> OnDialog:
            handler = replace(dialog_handler_of(function, call_site()), options=options)
            self._book.add(Script(name=name or handler.name, version=version, handler=handler, changed=changed))
            return function

        return register

    def override(self, dependency: Callable[..., object], fake: Callable[..., object]) -> Override:
        """Replaces a dependency in tests, here and in included routers.

        `with router.override(get_orders, fake_orders): ...` ends with its block, otherwise with `.undo()`. The
        override of an outer router wins. A fake may depend on the function it replaces, and gets the real value.

        Raises:
            HandlerError: the fake is written in a way that cannot work.
        """
        return Override(self._book.settings.overrides, dependency, dependency_of(fake, call_site()))

    def include(self, router: Router) -> None:
        """Appends all rules of another router, with those it gets later."""
        site = call_site()
        if not isinstance(router, Router):
            raise site.error(f"include() takes a Router, not a {type(router).__name__}")
        try:
            self._book.include(rulebook_of(router))
        except ValueError as error:
            raise site.error(f"{self!r} cannot include {router!r}: {error}") from None

    def _rule(
        self,
        site: Site,
        tags: Iterable[str],
        filters: tuple[Condition, ...] = (),
        *,
        words: frozenset[str] | None = None,
        predicates: Iterable[Predicate] = (),
        finds: frozenset[str] = _NO_FINDS,
        options: Mapping[str, Any] = _NO_KEYWORDS,
        key: type[Key] | None = None,
        rank: Rank = Rank.ORDINARY,
    ) -> Callable[[F], F]:
        """The decorator that adds one rule. Filters come last: they may cost anything."""
        try:
            own = [as_filter(condition) for condition in filters]
        except HandlerError as error:
            raise site.error(str(error)) from None
        all_finds: frozenset[str] | None = finds
        for condition in own:
            all_finds = None if all_finds is None or condition.finds is None else all_finds | condition.finds
        events = frozenset(EVENT_TYPES.get(tag, Postback) for tag in tags)
        checked = checked_options(site, options)

        def register(function: F) -> F:
            handler = replace(handler_of(function, all_finds, call_site(), events=events, key=key), options=checked)
            typed = [] if key is None else [is_key(key, key_parameter(function))]
            rule = Rule(
                tags=frozenset(tags),
                handler=handler,
                words=words,
                predicates=(*typed, *predicates, *map(passes, own)),
                rank=rank,
                key=key,
            )
            self._book.add(rule)
            return function

        return register


def rulebook_of(router: Router) -> RuleBook:
    """The engine's handle: a router as rules that match events."""
    return router._book  # noqa: SLF001 - authors see a Router without its book


def combine(routers: Iterable[Router]) -> Router:
    """One router with the rules of all, in their order: the order is the priority.

    Raises:
        HandlerError: they do not go together, or a handler names a model of the state that it does not see.
    """
    combined = Router("all")
    for router in routers:
        combined.include(router)
    rulebook_of(combined).check_models()
    return combined
