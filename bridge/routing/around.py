"""Decorators for middleware: what runs around handlers, or around the search for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.callsite import call_site
from bridge.routing.middleware import middleware_of

if TYPE_CHECKING:
    from bridge.routing.rulebook import RuleBook
    from bridge.routing.types import Around


class MiddlewareRouter:
    """The middleware of a router."""

    _book: RuleBook

    def middleware(self, function: Around) -> Around:
        """Runs around the handlers of this router and of included ones: `async def mw(turn, call_next)`.

        It runs after a rule matches: the outermost router's first, in each router in the order written. It may take
        the `match` and dependencies. `await call_next()` runs the inside, at most once; without it the handler does
        not run. Then the replies of the inside are in `turn.replies`; the middleware's own result comes after them.
        An error passes through. An error of the middleware goes to the error handlers.
        """
        self._book.wrap(middleware_of(function, call_site(), outer=False), outer=False)
        return function

    def outer_middleware(self, function: Around) -> Around:
        """Runs around the search for a handler, for every event of the bridge, whichever router it is written in.

        It runs before any filter, and the search uses the `turn.step` that it sets. The outermost router's runs
        first, then those of included routers, in their order. Otherwise it is like `middleware`.
        """
        self._book.wrap(middleware_of(function, call_site(), outer=True), outer=True)
        return function
