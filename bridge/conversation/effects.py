"""What a turn does beside what it leaves in its thread, and how a dialog puts that aside while it plays the past."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bridge.errors import HandlerError
from bridge.frozen import dataclass
from bridge.messages import is_plain_text
from bridge.strict_json import not_json
from bridge.units import SECOND, micros, read_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.events import Contact, Event, ThreadRef
    from bridge.messages import Outgoing
    from bridge.statements import Statement


@dataclass(slots=True, eq=False)
class Effects:
    """What a turn does when it is committed, beside what it leaves in its thread."""

    replies: list[Outgoing] = field(default_factory=list)
    laters: list[Later] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    sends: list[Sending] = field(default_factory=list)
    opts_out: bool | None = None
    """Whether the contact opts out of messages, or in again (False); None: neither."""
    statements: list[Statement] = field(default_factory=list)
    handoff: str | None = None
    """The note to the person who takes over; None: the bot keeps the thread."""

    def is_plain(self) -> bool:
        """Whether all that it does is to say plain texts in its own thread, as nearly always."""
        if self.laters or self.cancelled or self.sends or self.statements:
            return False
        if self.opts_out is not None or self.handoff is not None:
            return False
        for message in self.replies:  # noqa: SIM110 - as any_medium in bridge.engine.turns.media
            if not is_plain_text(message):
                return False
        return True

    def forget(self, name: str) -> None:
        """Cancel the timers of a name, also those that the turn itself sets."""
        self.laters = [later for later in self.laters if later.name != name]
        self.cancelled.append(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A conversation that messages are sent to; `address` is what they have to carry beside it.

    `identities` say whose it is, where it is given as the gateway names people. `person` is the number of a contact to
    be reached wherever that is best: then `ref` names an account or a channel at most.
    """

    ref: ThreadRef
    contact: Contact
    address: Mapping[str, str] = field(default_factory=dict)
    identities: tuple[tuple[str, str], ...] = ()
    person: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Messages to a conversation that need not have spoken; sent once under a `key`, if there is one."""

    to: Destination
    messages: Sequence[Outgoing]
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What a turn really is, while a dialog goes through its past in it."""

    happened: tuple[Event, tuple[Event, ...], tuple[Event, ...]]
    values: dict[str, Any]
    step: str | None
    effects: Effects
    person: dict[str, Any] | None = None


Delay: TypeAlias = "str | float | timedelta | datetime"
"""How long to wait, "2h", a number of seconds or a timedelta; or until when: a datetime with a time zone."""


REPLIED: Final = "replied"
"""For `unless`: the contact said or pressed something meanwhile."""


AT: Final = "at"
"""The name of the timers that hold messages for later."""


QUIET: Final = ":quiet"
"""The name of the timer that returns a thread when its person has gone quiet."""


_LONGEST: Final = timedelta(days=3660)


_LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A timer that is not set yet: due in `delay` microseconds from the commit on, or `at` a time (microseconds)."""

    delay: int = 0
    at: int | None = None
    name: str = ""
    unless: str | None = None
    handler: str | None = None
    arguments: bytes = b"{}"
    model: str | None = None


def span_of(delay: Delay, what: str) -> tuple[int, int | None]:
    """A delay in microseconds, or 0 and the time it ends at. Raises HandlerError when it is neither."""
    if isinstance(delay, datetime):
        if delay.tzinfo is None:
            raise HandlerError(f"{what} takes a datetime with a time zone, such as datetime.now(UTC)")
        return 0, micros(delay)
    try:
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else read_seconds(delay)
    except ValueError as error:
        raise HandlerError(f"{what}: {error}") from None
    if not 0 <= seconds <= _LONGEST.total_seconds():
        raise HandlerError(f"{what} waits for nothing at least and ten years at most")
    return round(seconds * SECOND), None


def keyed(key: object) -> str | None:
    """A key that messages may be sent under. Raises HandlerError for what is none."""
    if key is None:
        return None
    if isinstance(key, str) and 0 < len(key) <= _LONGEST_NAME and not not_json(key, "it"):
        return key
    raise HandlerError(f"a key to send under is a text of 1 to {_LONGEST_NAME} characters")


def named(name: object) -> str:
    """A name that a handler may give to a timer. Raises HandlerError for one that is taken, or is none."""
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or name == AT or name[0] == ":":
        raise HandlerError(f"a timer's name is a text of 1 to {_LONGEST_NAME} characters, no {AT!r}, no ':' first")
    if "\0" in name or not_json(name, "it"):
        raise HandlerError("a timer's name can be stored anywhere: no NUL character, no lone surrogate")
    return name
