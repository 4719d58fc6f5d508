"""Timers, as a turn sets them: calls of functions that are due later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, Self

from bridge.conversation.effects import named
from bridge.errors import HandlerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.conversation.draft import Draft
    from bridge.conversation.effects import Delay, Later

TIMER_LIMIT: Final = 100
"""Timers that one turn may set."""


class Timers(Protocol):
    """The timers of a running bridge."""

    def schedule(
        self,
        delay: Delay,
        handler: Callable[..., object],
        unless: str | None,
        name: str | None,
        arguments: Mapping[str, Any],
        model: str | None,
    ) -> Later:
        """Check a timer, and return it as data. Raises HandlerError for whatever could not work later."""
        ...


class NoTimers:
    """Implements Timers where no bridge runs."""

    def schedule(self, *_asked: object) -> NoReturn:
        """Refuse."""
        raise HandlerError("timers are set in turns of a running bridge only")


class SetsTimers:
    """The part of a turn that has to do with timers."""

    __slots__ = ()
    _draft: Draft
    _services: Timers

    def after(
        self,
        delay: Delay,
        handler: Callable[..., object],
        /,
        *,
        unless: str | None = None,
        name: str | None = None,
        **arguments: Any,  # noqa: ANN401 - whatever the handler takes, as JSON
    ) -> Self:
        """Call `handler(turn, **arguments)` later, in a turn of this thread, exactly once in effect.

        `delay` counts from the commit of this turn: "2h", a number of seconds or a timedelta; a datetime with a time
        zone is a time of day. `handler` is any function at the top level of a module, and is stored by its name. With
        `unless="replied"` it is not called once the contact said or pressed something. A `name` is for `cancel`, and
        takes the place of a timer of that name in this thread. The function sees the state as this turn's handler does.

        Raises:
            HandlerError: at once, for whatever could not work later.
        """
        self._draft.want_open()
        if len(self._draft.effects.laters) >= TIMER_LIMIT:
            raise HandlerError(f"a turn sets at most {TIMER_LIMIT} timers")
        asked = self._services.schedule(delay, handler, unless, name, arguments, self._draft.state.model)
        if name is not None:
            self.cancel(name)
        self._draft.effects.laters.append(asked)
        return self

    def cancel(self, name: str) -> Self:
        """Cancel the timers of that name in this thread, also one that is due and waits for its turn.

        Raises:
            HandlerError: it is no name that a timer can have.
        """
        self._draft.want_open()
        named(name)
        self._draft.effects.forget(name)
        return self
