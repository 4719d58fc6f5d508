"""What a bridge keeps of a contact, in one turn: fields, tags and so on, as a dialog may play them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from bridge.conversation.state import State, over
from bridge.errors import HandlerError
from bridge.frozen import dataclass

if TYPE_CHECKING:
    from bridge.conversation.state import StateModel

_GIVEN: Final = frozenset({"id", "identities"})
"""What the gateway says of a contact, and no handler writes."""


@dataclass(slots=True, eq=False)
class KeptContact:
    """What a bridge keeps of the contact of a turn: read at the first use, since many bots ask for nothing of it.

    `stored` is what the thread has of its contact, see bridge.store.people; None: it is nobody's.
    """

    stored: bytes | None
    _values: dict[str, Any] | None = None
    _fields: State | None = None
    model: StateModel | None = None
    """The model that the fields are shown as, once they are asked for."""
    _over: bool = False

    @property
    def is_known(self) -> bool:
        """Whether the thread has a contact."""
        return self.stored is not None

    @property
    def read(self) -> dict[str, Any]:
        """What is kept, but for the fields. Raises HandlerError where there is no contact."""
        if self.stored is None:
            raise HandlerError("a group has no contact, nor has a job: in a group, member_state is the speaker's own")
        if self._values is None:
            self.become(orjson.loads(self.stored))
        assert self._values is not None
        return self._values

    @property
    def fields(self) -> State:
        """The fields. Raises HandlerError, also where they do not fit their model."""
        assert self.read is not None
        assert self._fields is not None
        self._fields.show_as(self.model)
        return self._fields

    def want_open(self) -> None:
        """Raises HandlerError once the turn is over."""
        if self._over:
            raise over()

    def values(self) -> dict[str, Any] | None:
        """All that is kept, as JSON gives it back, in a copy; None: nobody asked for anything. Raises as `encode`."""
        if self._values is None or self._fields is None:
            return None
        fields = orjson.Fragment(self._fields.encode())
        copied: dict[str, Any] = orjson.loads(orjson.dumps({**self._values, "fields": fields}))
        return copied

    def snapshot(self) -> dict[str, Any] | None:
        """All that is kept, in a copy, whether anybody asked or not; None: there is no contact."""
        if self.stored is None:
            return None
        return self.values() or orjson.loads(self.stored)

    def become(self, values: dict[str, Any] | None) -> None:
        """Be with other values; None: as it began. Who holds the fields holds those of the other values then."""
        if values is None:
            if self._values is None:
                return
            values = {} if self.stored is None else orjson.loads(self.stored)
        if self._fields is None:
            self._fields = State({}, name="the contact's fields")
            if self._over:
                self._fields.close()
        self._fields.become(dict(values.get("fields", {})))
        self._values = {name: value for name, value in values.items() if name != "fields"}

    def encode(self) -> bytes | None:
        """What is kept from now on, as JSON; None: no other than before.

        Raises:
            HandlerError: the fields are not JSON, do not fit their model, or are larger than 64 KiB.
        """
        if self._values is None or self.stored is None or self._fields is None:
            return None
        encoded = self._fields.encode()
        before = orjson.loads(self.stored)
        kept = {name: value for name, value in self._values.items() if name not in {"id", "identities"}}
        if {**kept, "fields": orjson.loads(encoded)} == {name: before[name] for name in before.keys() - _GIVEN}:
            return None
        return orjson.dumps({**kept, "fields": orjson.Fragment(encoded)})

    def close(self) -> None:
        """No more writes."""
        self._over = True
        if self._fields is not None:
            self._fields.close()
