"""What a bot author writes rules with: decorators that say which events a function is for."""

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
from bridge.routing.checks import is_class, key_pattern_at, known_key, manner_at, place_tests, regex_at, shape_at, texts
from bridge.routing.depends import Override, dependency_of
from bridge.routing.filters import Condition, Test, as_filter, asked, keyed, one_of, searched, unpacked, why_stale
from bridge.routing.handlers import dialog_handler_of, error_handler_of, handler_of, press_parameter
from bridge.routing.middleware import layer_of
from bridge.routing.rulebook import NOWHERE, PRESSES, SEALED, STALE, Catch, Changed, Match, Rank, Rule, RuleBook, Script
from bridge.units import fold

if TYPE_CHECKING:
    import re

    from pydantic import BaseModel

    from bridge.conversation.state import Migrate
    from bridge.events import ThreadRef
    from bridge.routing.checks import Values
    from bridge.routing.handlers import Handler
    from bridge.routing.overlap import Manners
    from bridge.routing.types import (
        Around,
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

_ANYTHING: Final = frozenset[str]()
_AS_ALL: Final[Mapping[str, Any]] = {}


class Router:
    """Rules in the order they are written; the first that matches decides.

    Every decorator hands the function back unchanged, so one function may stand under several rules. The function's
    first parameter is the turn; what a rule finds (fields of a key, named groups, a filter's mapping) arrives as
    keyword arguments, converted by the annotations. A conversion that fails means that the rule does not match.

    Where a thread must be is said by `provider`, `account`, `channel` and `step`: one text or several. How turns go
    is said by `overlap` and `timeout`: see bridge.overlap.Manners.

    Raises:
        HandlerError: at once, with file and line, for an argument that can never work, or a function with a
            parameter that nobody fills.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        state: type[BaseModel] | None = None,
        version: int = 1,
        migrate: Migrate | None = None,
    ) -> None:
        """`name` is for people only.

        With `state`, a pydantic model, handlers here see `turn.state` as one of those; what it does not know of is
        kept beside it. When its shape changes, let `version` climb and `migrate(stored, version)` make what an older
        version stored (0: before there was `migrate`) into what this one reads.
        """
        self.name = name or "router"
        self.rules = RuleBook()
        if state is not None:
            self.rules.shape = shape_at(call_site(), state, version, migrate)

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
        **manner: Unpack[Manners],
    ) -> Callable[[OnMessage], OnMessage]:
        """A message: `text` is compared trimmed and case-folded, `regex` is searched for, `kind` as in events."""
        site = call_site()
        words = None if text is None else frozenset(map(fold, texts(site, "text", text)))
        tests = place_tests(site, provider=provider, account=account, channel=channel, step=step)
        if kind is not None:
            tests.append(one_of("kind", texts(site, "kind", kind, known=MESSAGE_KINDS)))
        finds = _ANYTHING
        if regex is not None:
            pattern = regex_at(site, regex)
            finds = frozenset(pattern.groupindex)
            tests.append(searched(pattern))
        return self._rule(site, {Message.tag}, filters, words=words, tests=tests, finds=finds, manner=manner)

    @overload
    def postback(
        self,
        key: type[K],
        *filters: Condition,
        provider: Values = None,
        account: Values = None,
        channel: Values = None,
        step: Values = None,
        **manner: Unpack[Manners],
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
        **manner: Unpack[Manners],
    ) -> Callable[[OnPostback], OnPostback]: ...
    def postback(
        self,
        key: str | type[Key] | None = None,
        *filters: Condition,
        provider: Values = None,
        account: Values = None,
        channel: Values = None,
        step: Values = None,
        **manner: Unpack[Manners],
    ) -> Callable[[F], F]:
        """A press: `key` may hold fields, `size:{size}`; each takes one character or more up to the next literal.

        With a class of keys, `postback(Track)`, the handler's second parameter is the key that was pressed. A press
        that is stale is for `stale`, and never comes here.
        """
        site = call_site()
        tests = place_tests(site, provider=provider, account=account, channel=channel, step=step)
        if key is None:
            return self._rule(site, PRESSES - {STALE}, filters, tests=tests, manner=manner)
        if isinstance(key, type) and issubclass(key, Key):
            words = frozenset({known_key(site, key).key_name})
            return self._rule(site, {SEALED}, filters, words=words, tests=tests, press=key, manner=manner)
        pattern = key_pattern_at(site, key)
        if pattern.literal is not None:
            return self._rule(
                site, {Postback.tag}, filters, words=frozenset({pattern.literal}), tests=tests, manner=manner
            )
        finds = frozenset(pattern.fields)
        return self._rule(site, {Postback.tag}, filters, tests=[*tests, keyed(pattern)], finds=finds, manner=manner)

    def stale(self) -> Callable[[OnPostback], OnPostback]:
        """A press of a typed key that is good for nothing (any more); looked at after all other rules but defaults.

        The rule finds the `reason`: "forged" for this conversation, "expired", or "unknown" where no rule takes what
        it stands for (any more).
        """
        tests = (why_stale,)
        return self._rule(call_site(), {STALE, SEALED}, tests=tests, finds=frozenset({"reason"}), rank=Rank.STALE)

    def status(self, *values: str) -> Callable[[OnStatus], OnStatus]:
        """What became of a message of ours: sent, delivered, read or failed; any, when none is named."""
        site = call_site()
        words = texts(site, "status", values, known=STATUS_VALUES) if values else None
        return self._rule(site, {Status.tag}, words=words)

    def echo(self) -> Callable[[OnEcho], OnEcho]:
        """A message from our side that came back: our own, or typed by a human agent."""
        return self._rule(call_site(), {Echo.tag})

    def unrecognised(self) -> Callable[[OnUnrecognised], OnUnrecognised]:
        """An event of a kind we do not know."""
        return self._rule(call_site(), {Unrecognised.tag})

    def on(self, event_type: type[E], *filters: Condition, **manner: Unpack[Manners]) -> OnEvent[E]:
        """Any event of a class in bridge.events; `Event` itself means every one of them."""
        site = call_site()
        if not is_class(event_type, Event):
            raise site.error(f"on() takes a class in bridge.events, not {event_type!r}")
        tags = {tag for tag, cls in EVENT_TYPES.items() if issubclass(cls, event_type)}
        return self._rule(site, tags | PRESSES if Postback.tag in tags else tags, filters, manner=manner)

    def default(self, **manner: Unpack[Manners]) -> Callable[[OnAnything], OnAnything]:
        """A message or press that no rule of any router matched; of several defaults the first one wins."""
        return self._rule(call_site(), {Message.tag, *PRESSES}, rank=Rank.DEFAULT, manner=manner)

    @overload
    def error(self, only: type[X], /) -> OnError[X]: ...
    @overload
    def error(self, *types: type[Exception]) -> Callable[[F], F]: ...
    def error(self, *types: type[Exception]) -> Callable[[F], F]:
        """An exception of one of `types` (any, when none is named) out of a handler; called with turn and error.

        It is offered to the error handlers of the failing handler's own router, in the order written, then to those
        of the router that includes it, and so on outwards; never to routers beside it. One out of a filter, or out of
        a handler that no rule led to, is offered to all of them in the order written. What the failed turn did is
        undone; an error handler may depend on others.
        """
        site = call_site()
        for each in types:
            if not is_class(each, Exception):
                raise site.error(f"error() takes classes of exceptions, not {each!r}")

        def register(function: F) -> F:
            handler = error_handler_of(function, types, call_site())
            self.rules.add(Catch(types=types or (Exception,), handler=handler))
            return function

        return register

    def dialog(
        self,
        version: int = 1,
        *,
        name: str | None = None,
        changed: Changed = "restart",
        timeout: str | float | None = None,
    ) -> Callable[[OnDialog], OnDialog]:
        """A dialog, `async def refund(d: Dialog, no: int)`, for `turn.begin(refund, 7)`.

        Let `version` climb whenever it asks or does something else than before, and leave the old function registered
        beside it, under the same `name` (by default that of the function), for as long as conversations are in it.
        Where the version that began a conversation is gone, or does something else at a step that it has done already,
        `changed` decides: "restart" it (from the first question; but to "handoff", when it took a step outside),
        "finish" (the event goes to the rules), or "handoff" (to a person, with a note).

        `timeout` is how long a turn may take that an answer begins, as for rules; its steps are part of it.
        """
        site = call_site()
        if version < 1:
            raise site.error("the version of a dialog is a whole number from 1 on: @router.dialog(version=1)")
        if changed not in get_args(Changed):
            raise site.error(f"changed is one of {', '.join(get_args(Changed))}, not {changed!r}")

        manner = manner_at(site, {} if timeout is None else {"timeout": timeout})

        def register(function: OnDialog) -> OnDialog:
            handler = replace(dialog_handler_of(function, call_site()), manner=manner)
            self.rules.add(Script(name=name or handler.name, version=version, handler=handler, changed=changed))
            return function

        return register

    def middleware(self, function: Around) -> Around:
        """Around the handlers of this router and of those included in it: `async def mw(turn, call_next)`.

        It runs once a rule matched, the outermost router's first, within a router in the order written, and may take
        the `match` and whatever it depends on. `await call_next()` runs what is inside, at most once; without it the
        handler is not run. What is inside has replied by then (`turn.replies`); what the middleware returns is said
        after that. An error passes through it, and what it raises goes to the error handlers like a handler's.
        """
        self.rules.wrap(layer_of(function, call_site(), outer=False), outer=False)
        return function

    def outer_middleware(self, function: Around) -> Around:
        """Around the search for a handler: sees every event of the bridge, whichever router it is written in.

        It runs before any filter is asked, and what it does to `turn.step` counts for the rules. The outermost
        router's runs first, then those of the routers it includes, in their order. Otherwise like `middleware`.
        """
        self.rules.wrap(layer_of(function, call_site(), outer=True), outer=True)
        return function

    def override(self, dependency: Callable[..., object], fake: Callable[..., object]) -> Override:
        """In tests: what depends on `dependency`, here and in the routers included, gets the value of `fake` instead.

        `with router.override(get_orders, fake_orders): ...` ends with its block, else `.undo()` ends it. Where a
        router and one that it includes override the same dependency, the outer one counts. A fake may depend on what
        it replaces, and gets the real one.

        Raises:
            HandlerError: the fake is written in a way that cannot work.
        """
        return Override(self.rules.overrides, dependency, dependency_of(fake, call_site()))

    def include(self, router: Router) -> None:
        """Put all rules of another router here, also those it gets later."""
        site = call_site()
        if not isinstance(router, Router):
            raise site.error(f"include() takes a Router, not a {type(router).__name__}")
        try:
            self.rules.include(router.rules)
        except ValueError as error:
            raise site.error(f"{self!r} cannot include {router!r}: {error}") from None

    def match(self, event: Event, ref: ThreadRef, step: str | None) -> Match | None:
        """For the engine: the first rule that fits an event in its thread at a step; None: none does.

        Raises:
            HandlerError: a filter or a handler turns out to be written in a way that cannot work.
        """
        return self.rules.match(event, ref, step)

    def match_error(self, error: BaseException, match: Match | None = None) -> Handler | None:
        """For the engine: the handler for an exception out of what `match` led to: handler(turn, error)."""
        return self.rules.match_error(error, match.place if match else NOWHERE)

    def wants(self, tag: str) -> bool:
        """For the engine: whether there is any rule at all for events with this tag."""
        return not self.rules.tables().keys().isdisjoint(PRESSES if tag == Postback.tag else {tag})

    def handlers(self) -> tuple[Handler, ...]:
        """For the engine: all handlers, those of errors too, each function once, in the order written."""
        return self.rules.handlers()

    def _rule(
        self,
        site: Site,
        tags: Iterable[str],
        filters: tuple[Condition, ...] = (),
        *,
        words: frozenset[str] | None = None,
        tests: Iterable[Test] = (),
        finds: frozenset[str] = _ANYTHING,
        manner: Mapping[str, Any] = _AS_ALL,
        press: type[Key] | None = None,
        rank: Rank = Rank.ORDINARY,
    ) -> Callable[[F], F]:
        """The decorator that adds one rule. A bot author's filters are asked last: they may cost anything."""
        try:
            own = [as_filter(each) for each in filters]
        except HandlerError as error:
            raise site.error(str(error)) from None
        known: frozenset[str] | None = finds
        for each in own:
            known = None if known is None or each.finds is None else known | each.finds

        events = frozenset(EVENT_TYPES.get(tag, Postback) for tag in tags)
        goes = manner_at(site, manner)

        def register(function: F) -> F:
            handler = replace(handler_of(function, known, call_site(), events=events, press=press), manner=goes)
            typed = [] if press is None else [unpacked(press, press_parameter(function))]
            all_tests = (*typed, *tests, *map(asked, own))
            rule = Rule(tags=frozenset(tags), handler=handler, words=words, tests=all_tests, rank=rank, press=press)
            self.rules.add(rule)
            return function

        return register


def combine(routers: Iterable[Router]) -> Router:
    """One router with the rules of all, in their order: the order is the priority.

    Raises:
        HandlerError: they do not go together, or a handler names a model of the state that it would not see.
    """
    combined = Router("all")
    for router in routers:
        combined.include(router)
    combined.rules.check_models()
    return combined
