"""What a handler holds: the event, the conversation as it stands, and a place to put the replies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, MutableMapping, Sequence
from copy import deepcopy
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, Protocol, Self, TypeAlias

import orjson

from bridge.conversation.effects import Effects, Shelf, named
from bridge.conversation.state import State, over
from bridge.conversation.transcript import Entry, pairs_of
from bridge.errors import HandlerError
from bridge.events import Event
from bridge.messages import MESSAGE_TYPES, Outgoing, Text

if TYPE_CHECKING:
    # Only type checkers know the defaults: to them `Turn` alone is `Turn[Event]`, and takes any turn.
    from typing_extensions import TypeVar, TypeVarTuple

    from bridge.conversation.effects import Delay, Later
    from bridge.conversation.journal import Leg
    from bridge.conversation.state import StateModel
    from bridge.events import Contact, ThreadRef

    E_co = TypeVar("E_co", bound=Event, default=Event, covariant=True)
    S_co = TypeVar("S_co", default=MutableMapping[str, Any], covariant=True)
    D = TypeVar("D", bound="HasTurn")
    Ts = TypeVarTuple("Ts")
else:
    from typing import TypeVar

    E_co = TypeVar("E_co", bound=Event, covariant=True)
    S_co = TypeVar("S_co", covariant=True)

REPLY_LIMIT: Final = 1000
"""Messages that one turn may reply with: a handler that never stops must not take the memory along."""

TIMER_LIMIT: Final = 100
"""Timers that one turn may set."""

_OUTGOING: Final = tuple(MESSAGE_TYPES.values())

Reply: TypeAlias = "str | Outgoing | Sequence[Reply]"
"""What can be said: a text, a message, or several of them."""


History: TypeAlias = Callable[[int], Awaitable[Sequence[Entry]]]
"""Where a turn reads what was said: at most so many entries, oldest first."""


Begin: TypeAlias = Callable[["Turn[Any, Any]", Callable[..., object], tuple[object, ...]], Coroutine[Any, Any, None]]
"""What begins a dialog in a turn."""


Schedule: TypeAlias = (
    "Callable[[Delay, Callable[..., object], str | None, str | None, Mapping[str, Any], str | None], Later]"
)
"""What checks a timer (delay, handler, unless, name, arguments, model) and keeps it as data."""


class HasTurn(Protocol):
    """What the function of a dialog takes first, to type checkers."""

    @property
    def turn(self) -> Turn[Any, Any]:
        """The turn."""
        ...


async def _no_history(_limit: int) -> Sequence[Entry]:
    return ()


async def _no_dialogs(_turn: Turn[Any, Any], _dialog: Callable[..., object], _arguments: tuple[object, ...]) -> None:
    raise HandlerError("dialogs begin in turns of a running bridge only")


def _no_timers(*_arguments: object) -> NoReturn:
    raise HandlerError("timers are set in turns of a running bridge only")


class Turn(Generic[E_co, S_co]):
    """One event handled once in its thread. Nothing leaves and nothing is kept until the turn is committed.

    `Turn[Message]` is a turn whose event is a Message, for handlers that look into it; `Turn[Message, Order]` one in a
    router with `state=Order`.
    """

    __slots__ = (
        "_begin",
        "_effects",
        "_history",
        "_older",
        "_over",
        "_schedule",
        "_state",
        "_step",
        "_unbegun",
        "asked",
        "begun",
        "dialog",
        "event",
        "in_step",
        "plays",
        "skipped",
        "stepped",
        "thread",
    )
    if not TYPE_CHECKING:
        __class_getitem__ = classmethod(GenericAlias)

    def __init__(
        self,
        event: E_co,
        thread: ThreadRef,
        *,
        state: bytes | Mapping[str, Any] = b"{}",
        step: str | None = None,
        older: Sequence[Event] = (),
        skipped: Sequence[Event] = (),
        dialog: bytes | None = None,
        history: History = _no_history,
        begin: Begin = _no_dialogs,
        schedule: Schedule = _no_timers,
    ) -> None:
        """Begin a turn; `state` is the thread's, as stored (JSON) or as a mapping, which is copied."""
        self.event = event
        self.thread = thread
        self._state = State(orjson.loads(state) if isinstance(state, bytes) else deepcopy(dict(state)))
        self._step = step
        self._history = history
        self._older = tuple(older)
        self.skipped = tuple(skipped)
        """Older events that this turn passes over, oldest first: under `overlap="latest"`."""
        self._effects = Effects([], [], [])
        self._begin = begin
        self._schedule = schedule
        self._unbegun: list[Coroutine[Any, Any, None]] = []
        self.dialog = dialog
        """For the engine: the dialog that waits in the thread, as stored."""
        self.stepped: set[str] = set()
        """For the engine: the runs of dialogs that took steps in it, or ended."""
        self.plays = False
        """For the engine: a dialog runs in it right now."""
        self.in_step = False
        """For the engine: a step of it is being taken."""
        self.asked = False
        """For the engine: a dialog put a question; what was offered before is no longer what an answer means."""
        self.begun = 0
        """For the engine: how many dialogs began in it."""
        self._over = False

    def __repr__(self) -> str:
        return f"<Turn {self.event.tag} {self.event.id} in {self.thread}>"

    @property
    def events(self) -> tuple[Event, ...]:
        """All events that this turn answers, oldest first; the last one is `event`. Several where rules overlap so."""
        return (*self._older, self.event)

    @property
    def contact(self) -> Contact:
        """The person on the other side."""
        return self.event.contact

    @property
    def state(self) -> S_co:
        """What the conversation remembers, kept when the turn is committed: JSON values under text keys, or the model.

        The model is what the handler's router names as `state=`.
        """
        return self._state.seen  # type: ignore[no-any-return]

    @property
    def step(self) -> str | None:
        """Where the conversation is, as rules with `step=` ask for it; kept like the state."""
        return self._step

    @step.setter
    def step(self, step: str | None) -> None:
        self._want_open()
        if not isinstance(step, str | None):
            raise HandlerError(f"a step is a text or None, not a {type(step).__name__}")
        self._step = step

    def reply(self, *messages: Reply) -> Self:
        """Add messages, in order; a text is a Text, a list its items. They leave when the turn is committed.

        Raises:
            HandlerError: something among them cannot be said, or the turn is over; then none of them is added.
        """
        self._want_open()
        said = as_messages(messages)
        if len(self._effects.replies) + len(said) > REPLY_LIMIT:
            raise HandlerError(f"a turn replies with at most {REPLY_LIMIT} messages")
        self._effects.replies.extend(said)
        return self

    def say(self, text: str) -> Self:
        """Add a text."""
        if not isinstance(text, str):
            raise HandlerError(f"say() takes a text, not a {type(text).__name__}; reply() takes messages")
        return self.reply(text)

    async def history(self, limit: int = 20) -> list[Entry]:
        """The last things said in this thread before this turn, at most `limit` (1 to 1000), oldest first.

        Raises:
            HandlerError: the limit is another; or a dialog asks, outside of its steps: it would find more each time.
        """
        self._want_open()
        if self.plays and not self.in_step:
            raise HandlerError("a dialog reads what was said before in a step: await d.step(d.turn.transcript, 20)")
        if not 1 <= limit <= 1000:  # noqa: PLR2004 - as the docstring says
            raise HandlerError(f"history() takes a limit from 1 to 1000, not {limit}")
        return list(await self._history(limit))

    async def transcript(self, limit: int = 20) -> list[dict[str, str]]:
        """The history and this turn's own events as {"role": "user" or "assistant", "content": text}.

        Language models take it as it is: the roles alternate, and what one side said in a row is joined by line ends.
        """
        own = [Entry(direction="in", at=event.at, event=event) for event in (*self.skipped, *self.events)]
        return pairs_of([*await self.history(limit), *own])

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
        self._want_open()
        if len(self._effects.laters) >= TIMER_LIMIT:
            raise HandlerError(f"a turn sets at most {TIMER_LIMIT} timers")
        asked = self._schedule(delay, handler, unless, name, arguments, self._state.model)
        if name is not None:
            self.cancel(name)
        self._effects.laters.append(asked)
        return self

    def cancel(self, name: str) -> Self:
        """Cancel the timers of that name in this thread, also one that is due and waits for its turn.

        Raises:
            HandlerError: it is no name that a timer can have.
        """
        self._want_open()
        named(name)
        self._effects.forget(name)
        return self

    def handoff(self, note: str = "") -> Self:
        """Give the thread to a person: what this turn says still leaves, then the bot is silent until it is returned.

        What the contact says meanwhile is kept; see bridge.events.Returned. `note` is for the person.
        """
        self._want_open()
        if not isinstance(note, str):
            raise HandlerError(f"a note is a text, not a {type(note).__name__}")
        self._effects.handoff = note
        return self

    def begin(self, dialog: Callable[[D, *Ts], Awaitable[object]], *arguments: *Ts) -> Awaitable[None]:
        """Begin a dialog in this thread, to be awaited: it runs up to its first question. One that waits here ends.

        `arguments` are JSON values, for the dialog's parameters after the first.

        Raises:
            HandlerError: it is no dialog of this bridge, or cannot be called so; when awaited.
        """
        self._want_open()
        beginning = self._begin(self, dialog, arguments)
        self._unbegun.append(beginning)
        return self._begun(beginning)

    async def _begun(self, beginning: Coroutine[Any, Any, None]) -> None:
        self._unbegun.remove(beginning)
        await beginning

    @property
    def effects(self) -> Effects:
        """For the engine: what is to be done when the turn is committed.

        Raises:
            HandlerError: a dialog was to begin, and nobody awaited it.
        """
        if self._unbegun:
            for each in self._unbegun:
                each.close()
            raise HandlerError("turn.begin() was not awaited, so the dialog did not begin; await it in an async def")
        return self._effects

    @property
    def replies(self) -> tuple[Outgoing, ...]:
        """For the engine: all that was replied so far."""
        return tuple(self._effects.replies)

    def take_shape(self, shape: StateModel | None) -> None:
        """For the engine: the model that the handler sees the state as. Raises HandlerError when it does not fit."""
        self._state.take_shape(shape)

    def values(self) -> dict[str, Any]:
        """For the engine: the state as JSON gives it back, in a copy."""
        return orjson.loads(self._state.encode())  # type: ignore[no-any-return]

    @property
    def happened(self) -> tuple[Event, tuple[Event, ...], tuple[Event, ...]]:
        """For dialogs: the event, the older ones, and those skipped."""
        return self.event, self._older, self.skipped

    @happened.setter
    def happened(self, events: tuple[Event, tuple[Event, ...], tuple[Event, ...]]) -> None:
        self.event = events[0]  # type: ignore[assignment] # of the past, perhaps
        self._older, self.skipped = events[1:]

    def set_aside(self) -> Shelf:
        """For dialogs: what this turn is, on a shelf; what is done from now on has no effect."""
        shelf = Shelf(
            happened=self.happened,
            values=self.values(),
            step=self._step,
            effects=self._effects,
        )
        self._effects = Effects([], [], [])
        return shelf

    def recall(self, leg: Leg) -> None:
        """For dialogs: be the next turn of the past; without `values` the state is what the last one made of it."""
        self.happened = (leg.event, leg.older, leg.skipped)
        if leg.values is not None:
            self._state.become(deepcopy(leg.values))  # what is written to them now is no part of the past
            self._step = leg.step

    def resume(self, shelf: Shelf) -> bool:
        """For dialogs: be the turn that this really is, and whether its state is not what the past made of it."""
        differs = self.values() != shelf.values or self._step != shelf.step
        self.happened = shelf.happened
        if differs:
            self._state.become(shelf.values)
            self._step = shelf.step
        self._effects = shelf.effects
        return differs

    def encode_state(self) -> bytes:
        """For the engine: the state as JSON, in UTF-8.

        Raises:
            HandlerError: it is not JSON (the text names the key), or is larger than 64 KiB.
        """
        return self._state.encode()

    def close(self) -> None:
        """For the engine: whatever a handler that was left behind still does has no effect, and is told so."""
        self._over = True
        self._state.close()

    def _want_open(self) -> None:
        if self._over:
            raise over()


def as_messages(value: object) -> tuple[Outgoing, ...]:
    """What a handler returned as messages: a text, a message or a list of them; None and the turn itself are none.

    Raises:
        HandlerError: a value among them is nothing that can be said.
    """
    return () if value is None or isinstance(value, Turn) else tuple(_flat(value))


def _flat(value: object) -> Iterator[Outgoing]:
    if isinstance(value, str):
        if not value:
            raise HandlerError("an empty text cannot be said")
        yield Text(value)
    elif isinstance(value, _OUTGOING):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _flat(each)
    else:
        kinds = "a text, a message or a list of them"
        raise HandlerError(f"what is said is {kinds}, not a {type(value).__name__}")
