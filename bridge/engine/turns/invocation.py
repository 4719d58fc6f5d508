"""One event's way through a router: outer middleware, the match, inner middleware, dependencies, the handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from bridge.conversation.turn import as_messages
from bridge.engine.turns.execution import SideThread, run, run_task
from bridge.routing.depends import Make
from bridge.routing.rules import NO_SCOPE, Match, Scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence

    from bridge.conversation.turn import Turn
    from bridge.engine.turns.execution import Stop
    from bridge.messages import Outgoing
    from bridge.routing.depends import Dependency, Needs
    from bridge.routing.handlers import Handler
    from bridge.routing.middleware import Middleware
    from bridge.routing.rulebook import RuleBook

_ENDED: Final = object()


class Passage:
    """Runs what there is to run for one turn; `match` is the handler that was found, once it is."""

    def __init__(
        self,
        book: RuleBook,
        find: Callable[[Turn[Any]], Match | Outgoing | None],
        ready: Callable[[Turn[Any], Match], None],
        seconds: float,
        stop: Stop = None,
    ) -> None:
        """`find` tells the handler for a turn, or what to say without any, and `ready` makes the turn one for it.

        All may take `seconds` together.
        """
        self._book = book
        self._find = find
        self._ready = ready
        self._seconds = seconds
        self._stop = stop
        self.match: Match | None = None

    async def go(self, turn: Turn[Any]) -> object:
        """Run it all; what is returned is still to be said.

        Raises:
            BaseException: whatever a bot author's function raised, or TookTooLong, or Interrupted.
        """
        outer = self._book.outer_middleware()
        if not outer:
            found = self._look(turn)
            if not isinstance(found, Match):
                return found
            handler = found.handler
            if not handler.needs and not found.scope.inner:
                return await run(handler, self._seconds, handler.call, turn, found.arguments, stop=self._stop)
        name = self.match.handler.name if self.match else outer[0][0].name
        return await run_task(name, self._seconds, self._through, turn, outer, stop=self._stop)

    async def fail(self, turn: Turn[Any], handler: Handler, error: BaseException) -> object:
        """Run a handler of errors; what it returns is still to be said. Raises as `go` does."""
        if not handler.needs:
            return await run(handler, self._seconds, handler, turn, error)
        scope = self.match.scope if self.match else NO_SCOPE

        async def answer() -> object:
            async with _Supply(self._book, turn, handler.name) as supply:
                return await supply.call(handler, scope, error)

        return await run_task(handler.name, self._seconds, answer)

    def _look(self, turn: Turn[Any]) -> Match | Outgoing | None:
        """What `find` tells. The match is noted first: whatever is wrong with it is wrong with its handler."""
        found = self._find(turn)
        if isinstance(found, Match):
            self.match = found
            self._ready(turn, found)
        return found

    async def _through(self, turn: Turn[Any], outer: Sequence[tuple[Middleware, Scope]]) -> None:
        async with _Supply(self._book, turn, "turn") as supply:
            await _within(outer, supply, None, lambda: self._handled(turn, supply))

    async def _handled(self, turn: Turn[Any], supply: _Supply) -> None:
        """What is inside of the outer middleware."""
        match = self.match or self._look(turn)
        if not isinstance(match, Match):
            turn.reply(*as_messages(match))
            return

        async def handle() -> None:
            turn.reply(*as_messages(await supply.call(match.handler, match.scope, **match.arguments)))

        await _within([(layer, match.scope) for layer in match.scope.inner], supply, match, handle)


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

    def __init__(self, book: RuleBook, turn: Turn[Any], name: str) -> None:
        """Nothing is made yet."""
        self.turn = turn
        self._book = book
        self._thread = SideThread(name)
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
            self._thread.end()
        if raised is not None and raised is not error:
            raise raised

    async def call(self, handler: Handler, scope: Scope, *arguments: object, **named: object) -> object:
        """Call a handler with its dependencies."""
        named |= await self.values(handler.needs, scope)
        if handler.is_async:
            return await handler.function(self.turn, *arguments, **named)
        return await self._thread.call(handler.function, self.turn, *arguments, **named)

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
                return await self._thread.call(function, *arguments, **named)
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
            return await self._thread.call(_next, generator, error)
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
