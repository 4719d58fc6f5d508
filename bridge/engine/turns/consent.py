"""Consent, below all handlers: words by which a contact opts out and in, and hours in which the bot begins nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from bridge.callsite import call_site
from bridge.conversation.turn import draft_of
from bridge.equal_text import fold
from bridge.events import GROUP, Message, Postback
from bridge.frozen import dataclass
from bridge.routing.handlers import handler_of
from bridge.routing.rules import Match
from bridge.units import micros, moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from bridge.conversation.turn import Turn
    from bridge.events import Event, ThreadRef

_NO_FINDS: Final = frozenset[str]()


@dataclass(frozen=True, slots=True)
class Quiet:
    """The hours of each day in which the bot begins nothing, in minutes after midnight; they may span midnight."""

    begins: int
    ends: int
    zone: ZoneInfo

    def until(self, now: int) -> int | None:
        """When they end (microseconds), if they are now."""
        local = moment(now).astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        spans = self.begins > self.ends
        quiet = (minute >= self.begins or minute < self.ends) if spans else self.begins <= minute < self.ends
        if not quiet:
            return None
        day = local.date() + timedelta(days=int(spans and minute >= self.begins))
        return micros(datetime(day.year, day.month, day.day, self.ends // 60, self.ends % 60, tzinfo=self.zone))


class Consent:
    """What is configured about it; without words, no event is looked at."""

    def __init__(
        self,
        stop: Sequence[str] = (),
        start: Sequence[str] = (),
        confirm: str = "",
        quiet: Quiet | None = None,
    ) -> None:
        """`confirm` is said once when the contact opts out; "" for nothing."""
        self.asked = bool(stop)
        """Whether any event is looked at."""
        self._words = {fold(word): _opt_in for word in start} | {fold(word): self._opt_out for word in stop}
        self._confirm = confirm
        self.quiet = quiet

    def match(self, event: Event, ref: ThreadRef) -> Match | None:
        """What an event does that is one of the words, and nothing else; None for any other."""
        if not isinstance(event, Message | Postback) or ref.channel == GROUP:
            return None
        said = event.text if isinstance(event, Message) else event.title
        if (act := self._words.get(fold(said))) is None:
            return None
        return Match(handler=handler_of(act, _NO_FINDS, call_site()), arguments={})

    async def _opt_out(self, turn: Turn[Any]) -> str | None:
        draft = draft_of(turn)
        draft.end_dialog()
        draft.effects.opts_out = True
        return self._confirm if self._confirm and not draft.opted_out else None


async def _opt_in(turn: Turn[Any]) -> None:
    draft_of(turn).effects.opts_out = False


UNASKED: Final = Consent()
"""Where nothing about it is configured."""
