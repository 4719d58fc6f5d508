"""Middleware: functions around the handlers of a router, or around the whole search for one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from bridge.routing.depends import Needs, check_filled, needs_of
from bridge.routing.signatures import AuthorFunction, author_function, check_turn, is_positional, signature_of

if TYPE_CHECKING:
    import inspect

    from bridge.callsite import Site
    from bridge.conversation.turn import Turn

CallNext: TypeAlias = Callable[[], Awaitable[None]]
"""Runs what is inside. When it returns, the replies of the inside are in the turn."""

_MATCH: Final = "match"


@dataclass(frozen=True, slots=True, kw_only=True)
class Middleware(AuthorFunction):
    """One middleware; `sees_match` if it takes the match."""

    function: Callable[..., Awaitable[object]]
    needs: Needs = ()
    sees_match: bool = False

    def __call__(self, turn: Turn, call_next: CallNext, arguments: dict[str, object]) -> Awaitable[object]:
        """Run it around `call_next`."""
        return self.function(turn, call_next, **arguments)


def middleware_of(function: Callable[..., Awaitable[object]], site: Site, *, outer: bool) -> Middleware:
    """A function as middleware: `async def`, with the turn, `call_next` and its dependencies as parameters.

    Middleware around handlers may also take the Match, by the name `match`.

    Raises:
        HandlerError: it is no such function.
    """
    author = author_function(function, site, role="a middleware")
    if not author.is_async:
        raise author.error("a middleware is an async def: it awaits call_next()")
    parameters = list(signature_of(author).parameters.values())
    if len(parameters) < len(("turn", "call_next")) or not all(map(is_positional, parameters[:2])):
        raise author.error("a middleware takes the turn and call_next")
    check_turn(author, parameters[0], site)
    parameters = parameters[2:]
    needs = needs_of(author, parameters, site)
    sees_match = any(_is_match(parameter) for parameter in parameters) and _MATCH not in dict(needs)
    if sees_match and outer:
        raise author.error("outer middleware runs before anything is matched, so there is no match to take")
    check_filled(author, [parameter for parameter in parameters if not (sees_match and _is_match(parameter))], needs)
    return Middleware(
        function=function,
        name=author.name,
        file=author.file,
        line=author.line,
        is_async=True,
        needs=needs,
        sees_match=sees_match,
    )


def _is_match(parameter: inspect.Parameter) -> bool:
    return parameter.name == _MATCH and parameter.kind in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}
