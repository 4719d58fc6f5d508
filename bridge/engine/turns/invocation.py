"""One event's way through a router: outer middleware, the match, inner middleware, dependencies, the handler."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from bridge.conversation.exceptions import TookTooLong
from bridge.conversation.suspension import StoreSignal
from bridge.conversation.turn import as_messages
from bridge.engine.turns.execution import Blocking, NoThread, run, run_task
from bridge.errors import HandlerError
from bridge.frozen import dataclass
from bridge.routing.depends import Make
from bridge.routing.rules import NO_SCOPE, Match, Scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence

    from bridge.conversation.draft import Draft
    from bridge.conversation.turn import Reply, Turn
    from bridge.engine.turns.execution import Bounds, Executor
    from bridge.engine.turns.matching import Matcher
    from bridge.routing.depends import Dependency, Needs
    from bridge.routing.handlers import Handler
    from bridge.routing.middleware import Middleware
    from bridge.routing.rulebook import RuleBook
    from bridge.store.records import ThreadRow

_ENDED: Final = object()


@dataclass(slots=True, eq=False)
class Invocation:
    """The run of one turn, and all that it needs."""

    turn: Turn[Any, Any]
    draft: Draft
    thread: ThreadRow
    book: RuleBook
    matcher: Matcher
    executor: Executor
    bounds: Bounds
    match: Match | None = None
    """It is noted first: whatever is wrong with it is wrong with its handler."""

    async def run(self) -> BaseException | None:
        """Run middleware, matching and handler; their replies are in the turn, and a failed turn is closed.

        How it ended: what was raised. The match that it came to is `match`.

        Raises:
            asyncio.CancelledError: the engine ends; the turn is closed.
            NoThread: a function of it could get no thread; the turn is closed.
            StoreError: the store failed under the author's code, which does not hear of it; the turn is closed.
        """
        draft = self.draft
        try:
            if (reply := await self._begin()) is not None:
                draft.say(as_messages(reply))
        except (asyncio.CancelledError, NoThread):
            draft.close()
            raise
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything, also SystemExit
            draft.close()
            if (failure := draft.watch.failure(ran_out=isinstance(error, TookTooLong))) is not None:
                raise failure from None
            return error
        if (failure := draft.watch.error) is not None:
            draft.close()
            raise failure
        return None

    async def recover(self, handler: Handler, error: BaseException, match: Match | None) -> None:
        """Run a handler of errors in this turn, which is a fresh one: the failed handler's effects are gone.

        Raises:
            StoreSignal: the store failed under the handler.
            BaseException: whatever the handler raised, or TookTooLong.
        """
        ran_out = False
        try:
            await self._recovered(handler, error, match)
        except TookTooLong:
            ran_out = True
            raise
        finally:
            if (failure := self.draft.watch.failure(ran_out=ran_out)) is not None:
                raise StoreSignal(failure) from None

    async def _recovered(self, handler: Handler, error: BaseException, match: Match | None) -> None:
        scope = match.scope if match else NO_SCOPE
        with suppress(HandlerError):  # where the model is what failed, the handler sees the mapping
            self.draft.state.show_as(self.book.state_model_for_error(handler, scope))
        if not handler.needs:
            reply = await run(handler, self.executor, self.bounds, handler, self.turn, error)
        else:
            reply = await run_task(handler.name, self.bounds, self._recover, handler, scope, error)
        self.turn.reply(*as_messages(reply))

    async def _recover(self, handler: Handler, scope: Scope, error: BaseException) -> object:
        async with _Supply(self, handler.name) as supply:
            return await supply.call(handler, scope, error)

    def _begin(self) -> Awaitable[object]:
        """Run it all; what comes of it is still to be said."""
        outer = self.book.outer_middleware()
        consent = self.matcher.consent
        if outer and consent.asked and consent.match(self.turn.event, self.turn.thread) is not None:
            outer = ()  # no author's code stands between a contact and their word
        if not outer:
            match = self._look()
            if not isinstance(match, Match):
                return _itself(match)
            handler = match.handler
            if not handler.needs and not match.scope.inner:
                return run(handler, self.executor, self.bounds, handler.call, self.turn, match.arguments)
        name = self.match.handler.name if self.match else outer[0][0].name
        return run_task(name, self.bounds, self._through, outer)

    def _look(self) -> Match | Reply | None:
        """Find the handler, and show it the state as it wants it."""
        draft = self.draft
        dialog = None if draft.begun else draft.dialog  # an event that begins a dialog is no answer to it
        match = self.matcher.match(draft.event, self.thread, draft.step, dialog)
        if isinstance(match, Match):
            self.match = match
            draft.state.show_as(self.matcher.state_model(draft.event, match))
            draft.contact.model = match.scope.fields_model
        return match

    async def _through(self, outer: Sequence[tuple[Middleware, Scope]]) -> None:
        async with _Supply(self, "turn") as supply:
            await _within(outer, supply, None, lambda: self._handled(supply))

    async def _handled(self, supply: _Supply) -> None:
        """What is inside of the outer middleware."""
        match = self.match or self._look()
        if not isinstance(match, Match):
            self.turn.reply(*as_messages(match))
            return

        async def handle() -> None:
            self.turn.reply(*as_messages(await supply.call(match.handler, match.scope, **match.arguments)))

        await _within([(layer, match.scope) for layer in match.scope.inner], supply, match, handle)


async def _itself(reply: Reply | None) -> Reply | None:
    return reply


async def _within(
    layers: Sequence[tuple[Middleware, Scope]],
    supply: _Supply,
    match: Match | None,
    inside: Callable[[], Awaitable[None]],
) -> None:
    """Run middleware, the first around the others, and all of it around what is `inside`."""
    if not layers:
        await inside()
        return
    (layer, scope), *rest = layers
    called = False

    async def call_next() -> None:
        nonlocal called
        if called:
            raise layer.error("it called call_next() twice, and the handler would run again")
        called = True
        await _within(rest, supply, match, inside)

    arguments = await supply.values(layer.needs, scope)
    if layer.sees_match:
        arguments["match"] = match
    turn = supply.turn
    turn.reply(*as_messages(await layer(turn, call_next, arguments)))


class _Supply:
    """The dependencies of one turn: each made once, and cleaned up in the end, the last one first."""

    def __init__(self, invocation: Invocation, name: str) -> None:
        """Nothing is made yet."""
        self.turn = invocation.turn
        self._book = invocation.book
        self._blocking = Blocking(invocation.executor, name)
        self._made: dict[Callable[..., Any], Any] = {}
        self._open: list[tuple[Dependency, Any]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        raised = error
        try:
            for dependency, generator in reversed(self._open):
                raised = await self._clean_up(dependency, generator, raised)
        finally:
            self._blocking.end()
        if raised is not None and raised is not error:
            raise raised

    async def call(self, handler: Handler, scope: Scope, *arguments: object, **named: object) -> object:
        """Call a handler with its dependencies."""
        named |= await self.values(handler.needs, scope)
        if handler.is_async:
            return await handler.function(self.turn, *arguments, **named)
        return await self._blocking.call(handler.function, self.turn, *arguments, **named)

    async def values(self, needs: Needs, scope: Scope, *replaced: Callable[..., Any]) -> dict[str, Any]:
        """What fills the parameters of a function that stands in `scope`."""
        return {name: await self._value(dependency, scope, *replaced) for name, dependency in needs}

    async def _value(self, dependency: Dependency, scope: Scope, *replaced: Callable[..., Any]) -> Any:  # noqa: ANN401 - its author decides
        """One value. A fake may depend on what it replaces: whatever is in `replaced` stays the real one."""
        real = dependency.function
        if real not in replaced:
            for settings in scope.settings or (self._book.settings,):
                if real in settings.overrides:
                    dependency, replaced = settings.overrides[real], (*replaced, real)
                    break
        if dependency.function not in self._made:
            self._made[dependency.function] = await self._make(dependency, scope, *replaced)
        return self._made[dependency.function]

    async def _make(self, dependency: Dependency, scope: Scope, *replaced: Callable[..., Any]) -> Any:  # noqa: ANN401 - the same
        named = await self.values(dependency.needs, scope, *replaced)
        function, arguments = dependency.function, (self.turn,) if dependency.takes_turn else ()
        match dependency.make:
            case Make.AWAIT:
                return await function(*arguments, **named)
            case Make.CALL:
                return await self._blocking.call(function, *arguments, **named)
        generator = function(*arguments, **named)
        value = await self._step(dependency, generator, None)
        if value is _ENDED:
            raise dependency.error("it yielded nothing")
        self._open.append((dependency, generator))
        return value

    async def _clean_up(
        self,
        dependency: Dependency,
        generator: Any,  # noqa: ANN401 - of either kind
        error: BaseException | None,
    ) -> BaseException | None:
        """Run what follows a `yield`: the error that is on its way after that."""
        try:
            ended = await self._step(dependency, generator, error) is _ENDED
        except BaseException as raised:  # noqa: BLE001 - the others are to be cleaned up all the same
            # Python wraps a StopIteration that passes through a generator.
            wrapped = isinstance(error, StopIteration | StopAsyncIteration) and raised.__cause__ is error
            return error if wrapped else raised
        return error if ended else dependency.error("it yielded twice")

    async def _step(self, dependency: Dependency, generator: Any, error: BaseException | None) -> Any:  # noqa: ANN401 - the same
        """Let a generator go on, or throw an error into it: what it yields, or _ENDED."""
        if dependency.make is Make.GENERATE:
            return await self._blocking.call(_next, generator, error)
        return await _anext(generator, error)


def _next(generator: Generator[Any, None, None], error: BaseException | None) -> Any:  # noqa: ANN401 - what it yields
    try:
        return next(generator) if error is None else generator.throw(error)
    except StopIteration:
        return _ENDED


async def _anext(generator: AsyncGenerator[Any, None], error: BaseException | None) -> Any:  # noqa: ANN401 - the same
    try:
        return await (anext(generator) if error is None else generator.athrow(error))
    except StopAsyncIteration:
        return _ENDED
