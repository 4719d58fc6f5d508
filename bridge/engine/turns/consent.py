"""Consent, below all handlers: words by which a contact opts out and in, and hours in which the bot begins nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from bridge.callsite import call_site
from bridge.conversation.turn import draft_of
from bridge.events import FROM_CONTACT, GROUP, Message, Postback
from bridge.frozen import dataclass
from bridge.routing.handlers import handler_of
from bridge.routing.rules import Match
from bridge.text.equal_text import fold
from bridge.units import micros, moment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from bridge.conversation.turn import Turn
    from bridge.events import Event, ThreadRef

_NO_FINDS: Final = frozenset[str]()
_NO_WORDS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Quiet:
    """The hours of each day in which the bot begins nothing, in minutes after midnight; they may span midnight."""

    begins: int
    ends: int
    zone: ZoneInfo

    def until(self, now: int, zone: str | None = None) -> int | None:
        """When they end (microseconds), if they are now; `zone` is the contact's own."""
        whose = self.zone if zone is None else ZoneInfo(zone)
        local = moment(now).astimezone(whose)
        minute = local.hour * 60 + local.minute
        spans = self.begins > self.ends
        quiet = (minute >= self.begins or minute < self.ends) if spans else self.begins <= minute < self.ends
        if not quiet:
            return None
        day = local.date() + timedelta(days=int(spans and minute >= self.begins))
        return micros(datetime(day.year, day.month, day.day, self.ends // 60, self.ends % 60, tzinfo=whose))


class Words:
    """The words of an account by which a contact opts out and in; without `stop` no event is looked at."""

    def __init__(self, stop: Mapping[str, str] = _NO_WORDS, start: Sequence[str] = ()) -> None:
        """Each word of `stop` has what is said once when the contact opts out by it; "" for nothing."""
        self._confirm = {fold(word): confirm for word, confirm in stop.items()}
        self._acts = {fold(word): _opt_in for word in start} | dict.fromkeys(self._confirm, self._opt_out)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._confirm)

    def act(self, event: Message | Postback) -> Callable[[Turn[Any]], Awaitable[str | None]] | None:
        """What an event does that is one of the words, and nothing else."""
        return self._acts.get(_said(event))

    async def _opt_out(self, turn: Turn[Message | Postback]) -> str | None:
        draft = draft_of(turn)
        draft.end_dialog()
        draft.effects.opts_out = True
        return None if draft.opted_out else self._confirm.get(_said(turn.event)) or None


def _said(event: Message | Postback) -> str:
    return fold(event.text if isinstance(event, Message) else event.title)


class Consent:
    """What is configured about it; without words, no event is looked at."""

    def __init__(self, words: Mapping[str, Words] | None = None, quiet: Quiet | None = None) -> None:
        """The `words` by account."""
        self._words = words or {}
        self.asked = any(self._words.values())
        """Whether any event is looked at."""
        self.quiet = quiet

    def match(self, event: Event, ref: ThreadRef) -> Match | None:
        """What an event does that is one of the words, and nothing else; None for any other."""
        if not isinstance(event, FROM_CONTACT) or ref.channel == GROUP:
            return None
        words = self._words.get(ref.account)
        act = words.act(event) if words else None
        return None if act is None else Match(handler=handler_of(act, _NO_FINDS, call_site()), arguments={})


async def _opt_in(turn: Turn[Any]) -> None:
    draft_of(turn).effects.opts_out = False


UNASKED: Final = Consent()
"""Where nothing about it is configured."""
