"""What a conversation remembers of each of its members: one JSON mapping a person, beside the state of all."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Final

import orjson

from bridge.conversation.state import State
from bridge.errors import HandlerError
from bridge.events import FROM_CONTACT
from bridge.frozen import dataclass
from bridge.strict_json import json_bytes

MEMBERS_LIMIT: Final = 1024 * 1024
"""Bytes of JSON that the members of one thread may have together; one member may have as much as a thread's state."""


def person_of(event: object) -> str | None:
    """The id of the person who speaks in an event; None for what comes from no contact."""
    return event.contact.id if isinstance(event, FROM_CONTACT) else None


def is_for(whom: str | None, event: object) -> bool:
    """Whether a question that was put to `whom` (None: to anybody) may be answered by an event."""
    return whom is None or person_of(event) in {whom, None}


@dataclass(slots=True, eq=False)
class Members:
    """The members of one thread in one turn: read at the first use, since few bots ask for them.

    `data` is what the thread keeps (JSON: mappings by the members' ids). `is_alone`: the thread is one person's,
    whatever ids they have.
    """

    data: bytes | None
    is_alone: bool = False
    _values: dict[str, Any] = field(default_factory=dict)
    _whom: str = ""
    _state: State | None = None
    _over: bool = False

    def state_of(self, event: object) -> State:
        """The state of the person who speaks in an event. Raises HandlerError where no contact does."""
        if self._state is None:
            whom = person_of(event)
            if whom is None:
                raise HandlerError("member_state is the speaker's: it is there in the turn of a message or a press")
            self._values = orjson.loads(self.data) if self.data else {}
            if self.is_alone and len(self._values) == 1:
                (whom,) = self._values
            self._whom = whom
            self._state = State(self._values.pop(whom, {}))
            if self._over:
                self._state.close()
        return self._state

    def encode(self) -> bytes | None:
        """As JSON; a member with nothing to remember is left out. Raises HandlerError as State.encode, or too much."""
        if self._state is None:
            return self.data
        own = self._state.encode()
        values = {**self._values, self._whom: orjson.loads(own)} if len(self._state) else self._values
        data = json_bytes(values) if values else None
        if data is not None and len(data) > MEMBERS_LIMIT:
            raise HandlerError(f"the members' states are {len(data)} bytes of JSON; a thread may keep {MEMBERS_LIMIT}")
        return data

    def close(self) -> None:
        """No more writes."""
        self._over = True
        if self._state is not None:
            self._state.close()
