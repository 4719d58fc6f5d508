"""What a handler holds: the event, the conversation as it stands, and a place to put the replies."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields
from itertools import dropwhile
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, Protocol, Self, TypeAlias, get_origin

from bridge.conversation.contact import People, Person
from bridge.conversation.draft import begun_draft
from bridge.conversation.effects import Sending, keyed
from bridge.conversation.own_tables import NoTables, OwnTables, Tables
from bridge.conversation.state import State
from bridge.conversation.suspension import StoreWatch
from bridge.conversation.timers import NoTimers, SetsTimers, Timers
from bridge.conversation.transcript import Entry, pairs_of
from bridge.errors import HandlerError
from bridge.events import Event
from bridge.messages import MESSAGE_TYPES, Outgoing, Text
from bridge.units import moment

if TYPE_CHECKING:
    # Only type checkers know the defaults: to them `Turn` alone is `Turn[Event]`, and takes any turn.
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, MutableMapping, Sequence
    from datetime import datetime

    from typing_extensions import TypeVar, TypeVarTuple

    from bridge.conversation.contact import ContactThread
    from bridge.conversation.draft import Draft
    from bridge.conversation.effects import Destination
    from bridge.events import Contact, ThreadRef

    E_co = TypeVar("E_co", bound=Event, default=Event, covariant=True)
    S_co = TypeVar("S_co", default=MutableMapping[str, Any], covariant=True)
    D = TypeVar("D", bound="HasTurn")
    Ts = TypeVarTuple("Ts")
else:
    from typing import TypeVar

    E_co = TypeVar("E_co", bound=Event, covariant=True)
    S_co = TypeVar("S_co", covariant=True)

_OUTGOING: Final = tuple(MESSAGE_TYPES.values())

Reply: TypeAlias = "str | Outgoing | Sequence[Reply]"
"""What can be said: a text, a message, or several of them."""

To: TypeAlias = "ThreadRef | Contact | str"
"""Whom to send to: a thread, a contact, or what the gateway takes, such as a phone number or an id."""


class Services(Tables, Timers, People, Protocol):
    """What a running bridge does for the author of a turn."""

    async def history(self, limit: int) -> Sequence[Entry]:
        """The last things said before the turn: at most `limit`, oldest first."""
        ...

    async def begin(self, turn: Turn[Any, Any], dialog: Callable[..., object], arguments: tuple[object, ...]) -> None:
        """Begin a dialog in a turn. Raises HandlerError when that is impossible."""
        ...

    def destination(self, to: To, channel: str | None, account: str | None) -> Destination:
        """The conversation to send to. Raises HandlerError where none can begin."""
        ...

    def text(self, key: str, locale: str | None, values: Mapping[str, object]) -> str:
        """A text of the bot's catalogue. Raises HandlerError."""
        ...


class HasTurn(Protocol):
    """What the function of a dialog takes first, to type checkers."""

    @property
    def turn(self) -> Turn[Any, Any]:
        """The turn."""
        ...


class NoServices(NoTables, NoTimers):
    """Implements Services where no bridge runs: nothing was said before."""

    async def history(self, limit: int) -> Sequence[Entry]:
        """Nothing."""
        del limit
        return ()

    async def begin(
        self, turn: Turn[Any, Any], dialog: Callable[..., object], arguments: tuple[object, ...]
    ) -> NoReturn:
        """Refuse."""
        del turn, dialog, arguments
        raise HandlerError("dialogs begin in turns of a running bridge only")

    async def threads_of_contact(self) -> Sequence[ContactThread]:
        """None."""
        return ()

    def destination(self, *_asked: object) -> NoReturn:
        """Refuse."""
        raise HandlerError("messages are sent in turns of a running bridge only")

    def text(self, *_asked: object) -> NoReturn:
        """Refuse."""
        raise HandlerError("texts are looked up in turns of a running bridge only")


_NO_SERVICES: Final = NoServices()


class Turn(OwnTables, SetsTimers, Generic[E_co, S_co]):
    """One event handled once in its thread. Nothing leaves and nothing is kept until the turn is committed.

    `Turn[Message]` is a turn whose event is a Message, for handlers that look into it; `Turn[Message, Order]` one in a
    router with `state=Order`.
    """

    __slots__ = ("_draft", "_services", "thread")
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
        members: bytes | None = None,
        person: bytes | None = None,
        now: int | None = None,
        services: Services = _NO_SERVICES,
    ) -> None:
        """Begin a turn; `state` is the thread's, as stored (JSON) or as a mapping, which is copied.

        `now` is in microseconds since 1970; None: when the event happened.
        """
        self.thread = thread
        self._services: Services = services
        happened = (event, tuple(older), tuple(skipped))
        kept = State(state if isinstance(state, bytes) else deepcopy(dict(state)))
        self._draft = begun_draft(happened, kept, step, dialog, members, person, now, StoreWatch())

    def __repr__(self) -> str:
        return f"<Turn {self.event.tag} {self.event.id} in {self.thread}>"

    @property
    def event(self) -> E_co:
        """The event that this turn answers; the newest, where it answers several."""
        event: E_co = self._draft.event
        return event

    @property
    def events(self) -> tuple[Event, ...]:
        """All events that this turn answers, oldest first; the last one is `event`. Several where rules overlap so."""
        return self._draft.events

    @property
    def skipped(self) -> tuple[Event, ...]:
        """Older events that this turn passes over, oldest first: under `overlap="latest"`."""
        return self._draft.skipped

    @property
    def now(self) -> datetime:
        """When the turn began, in UTC; tests set it by their clock.

        Outside of a dialog's steps it is when the event happened: a dialog that is played back meets the same time.
        """
        draft = self._draft
        if draft.now is None or (draft.plays and not draft.in_step):
            return self.event.at
        return moment(draft.now)

    @property
    def replies(self) -> tuple[Outgoing, ...]:
        """All messages that were added so far."""
        return tuple(self._draft.effects.replies)

    @property
    def contact(self) -> Person:
        """The person on the other side, and what is kept of them."""
        return Person(self.event.contact, self._draft, self._services)

    @property
    def state(self) -> S_co:
        """What the conversation remembers, kept when the turn is committed: JSON values under text keys, or the model.

        The model is what the handler's router names as `state=`.
        """
        seen: S_co = self._draft.state.seen
        return seen

    @property
    def member_state(self) -> MutableMapping[str, Any]:
        """What the conversation remembers of the person who speaks: JSON values under text keys, kept like the state.

        In a group each member has their own, while `state` belongs to all.

        Raises:
            HandlerError: the turn is not of a message or a press, or a dialog asks for it.
        """
        if self._draft.plays:
            raise HandlerError("a dialog has variables of its own: member_state is for handlers")
        return self._draft.members.state_of(self._draft.event)

    @property
    def step(self) -> str | None:
        """Where the conversation is, as rules with `step=` ask for it; kept like the state."""
        return self._draft.step

    @step.setter
    def step(self, step: str | None) -> None:
        self._draft.want_open()
        if not isinstance(step, str | None):
            raise HandlerError(f"a step is a text or None, not a {type(step).__name__}")
        self._draft.step = step

    def reply(self, *messages: Reply) -> Self:
        """Add messages, in order; a text is a Text, a list its items. They leave when the turn is committed.

        Raises:
            HandlerError: something among them cannot be said, or the turn is over; then none of them is added.
        """
        self._draft.want_open()
        self._draft.say(as_messages(messages))
        return self

    def say(self, text: str) -> Self:
        """Add a text."""
        if not isinstance(text, str):
            raise HandlerError(f"say() takes a text, not a {type(text).__name__}; reply() takes messages")
        return self.reply(text)

    def send(
        self,
        to: To,
        *messages: Reply,
        channel: str | None = None,
        account: str | None = None,
        key: str | None = None,
    ) -> Self:
        """Send messages to another conversation, which need not have begun; see docs/how-to/speak-first.md.

        They enter the order of that conversation when this turn is committed, or not at all. `account` is this turn's
        unless another is named; `channel` may be left out where `to` says enough. A person (turn.contact) is reached
        wherever a message may go now, in the order of [channels]. Under a `key` an account sends once.

        Raises:
            HandlerError: the gateway can begin no such conversation, something among the messages cannot be said, or
                the turn is over. The turn fails so, too, when the key is known with other messages.
        """
        self._draft.want_open()
        said = as_messages(messages)
        if not said:
            raise HandlerError("send() takes a message at least")
        destination = self._services.destination(to, channel, account)
        self._draft.send(Sending(to=destination, messages=said, key=keyed(key)))
        return self

    def t(self, key: str, /, *, locale: str | None = None, **values: object) -> str:
        """A text of the bot's catalogue with `values` in it: in `locale`, else the contact's, else the default one.

        `count` chooses among plural forms.

        Raises:
            HandlerError: no such language has the key, or a value is missing.
        """
        return self._services.text(key, locale or self.contact.locale, values)

    async def history(self, limit: int = 20) -> list[Entry]:
        """The last things said in this thread before this turn, at most `limit` (1 to 1000), oldest first.

        Raises:
            HandlerError: the limit is another; or a dialog asks, outside of its steps: it would find more each time.
        """
        self._draft.want_open()
        if self._draft.plays and not self._draft.in_step:
            raise HandlerError("a dialog reads what was said before in a step: await d.step(d.turn.transcript, 20)")
        if not 1 <= limit <= 1000:  # noqa: PLR2004 - as the docstring says
            raise HandlerError(f"history() takes a limit from 1 to 1000, not {limit}")
        return list(await self._services.history(limit))

    async def transcript(self, limit: int = 20) -> list[dict[str, str]]:
        """The history and this turn's own events as {"role": "user" or "assistant", "content": text}.

        Language models take it as it is: it begins with the user, the roles alternate, and what one side said in a row
        is joined by line ends.
        """
        own = [Entry(direction="in", at=event.at, event=event) for event in (*self.skipped, *self.events)]
        return list(dropwhile(lambda pair: pair["role"] != "user", pairs_of([*await self.history(limit), *own])))

    def handoff(self, note: str = "") -> Self:
        """Give the thread to a person: what this turn says still leaves, then the bot is silent until it is returned.

        What the contact says meanwhile is kept; see bridge.events.Returned. `note` is for the person.
        """
        self._draft.want_open()
        if not isinstance(note, str):
            raise HandlerError(f"a note is a text, not a {type(note).__name__}")
        self._draft.effects.handoff = note
        return self

    def end(self) -> Self:
        """End the dialog that waits in this thread: the next words are no answer to its question.

        Without one nothing happens, nor where it waits for another member of a group. Inside of a dialog it ends that,
        like a return.

        Raises:
            HandlerError: a step of the dialog calls it, or the turn is over.
        """
        self._draft.want_open()
        self._draft.end_dialog()
        return self

    def begin(self, dialog: Callable[[D, *Ts], Awaitable[object]], *arguments: *Ts) -> Awaitable[None]:
        """Begin a dialog in this thread, to be awaited: it runs up to its first question. One that waits here ends.

        `arguments` are JSON values, for the dialog's parameters after the first.

        Raises:
            HandlerError: it is no dialog of this bridge, or cannot be called so; when awaited.
        """
        self._draft.want_open()
        beginning = self._services.begin(self, dialog, arguments)
        self._draft.unbegun.append(beginning)
        return self._begun(beginning)

    async def _begun(self, beginning: Coroutine[Any, Any, None]) -> None:
        self._draft.unbegun.remove(beginning)
        await beginning


def is_turn(annotation: object) -> bool:
    """Whether an annotation is Turn; one that is only known as text is, when that text names Turn."""
    if isinstance(annotation, str):
        return annotation.strip("'\" ").partition("[")[0].rpartition(".")[2] == Turn.__name__
    return (get_origin(annotation) or annotation) is Turn


def draft_of(turn: Turn[Any, Any]) -> Draft:
    """The engine's handle on a turn."""
    return turn._draft  # noqa: SLF001 - the one door


def turn_with(draft: Draft, thread: ThreadRef, services: Services) -> Turn[Any, Any]:
    """The turn of a draft, as the engine begins it: to give ten arguments by name takes longer than all of the rest."""
    turn: Turn[Any, Any] = object.__new__(Turn)
    turn.thread, turn._services, turn._draft = thread, services, draft  # noqa: SLF001 - as above
    return turn


def as_messages(value: object) -> tuple[Outgoing, ...]:
    """What a handler returned as messages: a text, a message or a list of them; None and the turn itself are none.

    Raises:
        HandlerError: a value among them is nothing that can be said.
    """
    if type(value) is str:  # most of all replies
        return (_text(value or " "),)
    return () if value is None or isinstance(value, Turn) else tuple(_flat(value))


def _text(text: str) -> Text:
    """As Text(text) for a text that is not empty, at half the cost: a frozen class sets seven fields by their names."""
    message = object.__new__(Text)
    _set_text(message, text)
    for unset, value in _UNSET:
        unset(message, value)
    return message


_set_text: Final = vars(Text)["text"].__set__
_UNSET: Final = [(getattr(Text, own.name).__set__, own.default) for own in fields(Text) if own.name != "text"]


def _flat(value: object) -> Iterator[Outgoing]:
    if isinstance(value, str):
        yield _text(value or " ")  # the commit drops a blank text, with one warning
    elif isinstance(value, _OUTGOING):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _flat(item)
    else:
        kinds = "a text, a message or a list of them"
        raise HandlerError(f"what is said is {kinds}, not a {type(value).__name__}")
