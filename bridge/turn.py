"""What a handler holds: the event, the conversation as it stands, and a place to put the replies."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeAlias

import orjson

from bridge.errors import HandlerError
from bridge.events import Event
from bridge.messages import MESSAGE_TYPES, Outgoing, Text
from bridge.transcript import Entry, pairs_of

if TYPE_CHECKING:
    # Only type checkers know the default: to them `Turn` alone is `Turn[Event]`, and takes any turn.
    from typing_extensions import TypeVar

    from bridge.events import Contact, ThreadRef

    E_co = TypeVar("E_co", bound=Event, default=Event, covariant=True)
else:
    from typing import TypeVar

    E_co = TypeVar("E_co", bound=Event, covariant=True)

STATE_LIMIT: Final = 64 * 1024
"""Bytes of JSON that a thread's state may have."""

REPLY_LIMIT: Final = 1000
"""Messages that one turn may reply with: a handler that never stops must not take the memory along."""

_DEPTH_LIMIT: Final = 64
_OUTGOING: Final = tuple(MESSAGE_TYPES.values())

Reply: TypeAlias = "str | Outgoing | Sequence[Reply]"
"""What can be said: a text, a message, or several of them."""


History: TypeAlias = Callable[[int], Awaitable[Sequence[Entry]]]
"""Where a turn reads what was said: at most so many entries, oldest first."""


async def _no_history(_limit: int) -> Sequence[Entry]:
    return ()


class Turn(Generic[E_co]):
    """One event handled once in its thread. Nothing leaves and nothing is kept until the turn is committed.

    `Turn[Message]` is a turn whose event is a Message, for handlers that look into it.
    """

    __slots__ = ("_history", "_older", "_over", "_replies", "_state", "_step", "event", "skipped", "thread")

    def __init__(
        self,
        event: E_co,
        thread: ThreadRef,
        *,
        state: bytes | Mapping[str, Any] = b"{}",
        step: str | None = None,
        older: Sequence[Event] = (),
        skipped: Sequence[Event] = (),
        history: History = _no_history,
    ) -> None:
        """Begin a turn; `state` is the thread's, as stored (JSON) or as a mapping, which is copied."""
        self.event = event
        self.thread = thread
        self._state = _State(orjson.loads(state) if isinstance(state, bytes) else deepcopy(dict(state)))
        self._step = step
        self._history = history
        self._older = tuple(older)
        self.skipped = tuple(skipped)
        """Older events that this turn passes over, oldest first: under `overlap="latest"`."""
        self._replies: list[Outgoing] = []
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
    def state(self) -> MutableMapping[str, Any]:
        """What the conversation remembers: JSON values under text keys, kept when the turn is committed."""
        return self._state

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
        if len(self._replies) + len(said) > REPLY_LIMIT:
            raise HandlerError(f"a turn replies with at most {REPLY_LIMIT} messages")
        self._replies.extend(said)
        return self

    def say(self, text: str) -> Self:
        """Add a text."""
        if not isinstance(text, str):
            raise HandlerError(f"say() takes a text, not a {type(text).__name__}; reply() takes messages")
        return self.reply(text)

    async def history(self, limit: int = 20) -> list[Entry]:
        """The last things said in this thread before this turn, at most `limit` (1 to 1000), oldest first."""
        self._want_open()
        if not 1 <= limit <= 1000:  # noqa: PLR2004 - as the docstring says
            raise HandlerError(f"history() takes a limit from 1 to 1000, not {limit}")
        return list(await self._history(limit))

    async def transcript(self, limit: int = 20) -> list[dict[str, str]]:
        """The history and this turn's own events as {"role": "user" or "assistant", "content": text}.

        Language models take it as it is: the roles alternate, and what one side said in a row is joined by line ends.
        """
        own = [Entry(direction="in", at=event.at, event=event) for event in (*self.skipped, *self.events)]
        return pairs_of([*await self.history(limit), *own])

    @property
    def replies(self) -> tuple[Outgoing, ...]:
        """For the engine: all that was replied so far."""
        return tuple(self._replies)

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
            raise _over()


class _State(MutableMapping[str, Any]):
    """The thread's state: a plain mapping until the turn is over, read-only from then on."""

    __slots__ = ("_over", "_values")

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._over = False

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - whatever the handler kept
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:  # noqa: ANN401 - the same
        self._want_open()
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        self._want_open()
        del self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)

    def encode(self) -> bytes:
        """As JSON; the values are looked at one by one, because orjson takes more than JSON gives back."""
        if problem := _not_json(self._values, "state", 0):
            raise HandlerError(problem)
        data = orjson.dumps(self._values)
        if len(data) > STATE_LIMIT:
            raise HandlerError(f"state is {len(data)} bytes of JSON; a thread may keep {STATE_LIMIT}")
        return data

    def close(self) -> None:
        """No more writes."""
        self._over = True

    def _want_open(self) -> None:
        if self._over:
            raise _over()


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


def _not_json(value: object, path: str, depth: int) -> str | None:
    """What in `value` would not come back from JSON as it went in, or None."""
    if not isinstance(value, dict | list | tuple):
        problem = _not_scalar(value)
        return problem and f"{path} {problem}"
    if depth > _DEPTH_LIMIT:
        return f"{path} is nested more than {_DEPTH_LIMIT} deep"
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(value, dict) and (not isinstance(key, str) or _not_scalar(key)):
            return f"{path} has the key {key!r}, a {type(key).__name__}; a key is a text"
        if problem := _not_json(each, f"{path}[{key!r}]", depth + 1):
            return problem
    return None


def _not_scalar(value: object) -> str | None:
    problem = None
    match value:
        case None | bool():
            pass
        case str() if not _is_utf8(value):
            problem = "has a lone surrogate, which is no text"
        case int() if not -(2**63) <= value < 2**64:
            problem = "is an integer of more than 64 bits"
        case float() if not math.isfinite(value):
            problem = f"is {value}, which is not JSON"
        case str() | int() | float():
            pass
        case _:
            problem = f"is a {type(value).__name__}, which is not JSON"
    return problem


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _over() -> HandlerError:
    return HandlerError("the turn is over: what is said or kept now would be lost; handlers finish before they return")
