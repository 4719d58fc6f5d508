"""What the outbox knows of the messages in an echo's thread; see bridge.store.echoes.Evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge.messages import decode_message
from bridge.store import echoes
from bridge.store.echoes import TRIED, Tried
from bridge.store.lifecycle import OutboxState, Outcome

from .. import records
from ..rows import TRIED as TRIED_COLUMNS
from . import segments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.events import Echo

    from .connection import Fetch

_UNKNOWN: Final = records.literal(Outcome.UNKNOWN)
_KEYED: Final = "SELECT 1 FROM outbox WHERE account = $1 AND key IN ($2, $3) LIMIT 1"
_NAMED: Final = f"""
{segments.back_to("0")}
SELECT 1 FROM s CROSS JOIN LATERAL (
    SELECT 1 FROM outbox o
    WHERE o.id >> {segments.BITS} = s.n AND o.account = $1 AND o.message_id = $2 AND o.message_id IS NOT NULL) m LIMIT 1
"""
_ON_THE_WIRE: Final = f"SELECT 1 FROM outbox WHERE thread_id = $1 AND {records.MESSAGE_OPEN} AND attempt > 0 LIMIT 1"
_TRIED: Final = f"""
{segments.back_to("0")}
SELECT m.* FROM s CROSS JOIN LATERAL (
    SELECT {TRIED_COLUMNS}, coalesce(o.outcome, '') = {_UNKNOWN}
           OR EXISTS (SELECT 1 FROM attempts a WHERE a.outbox_id = o.id AND a.outcome = {_UNKNOWN})
    FROM outbox o WHERE o.id >> {segments.BITS} = s.n AND o.thread_id = $1 AND o.attempt > 0
    ORDER BY o.id DESC LIMIT {TRIED}) m LIMIT {TRIED}
"""


class _Wanted(Exception):
    """The judgement asks for a fact that is not looked up yet."""


class _Evidence:
    """Of one thread: the facts that were looked up, each when it was asked for."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}

    def _fact(self, name: str) -> Any:  # noqa: ANN401 - each fact has a type of its own
        if name not in self.facts:
            raise _Wanted(name)
        return self.facts[name]

    def is_named(self, echo: Echo) -> bool:  # noqa: ARG002 - there is one echo
        return bool(self._fact("named"))

    def is_on_the_wire(self) -> bool:
        return bool(self._fact("on the wire"))

    def tried(self) -> Iterator[Tried]:
        for _, encoded, state, left_at, unanswered in self._fact("tried"):
            try:
                message = decode_message(encoded)
            except records.UNREADABLE:  # says nothing of an echo
                continue
            yield Tried(message, OutboxState(state), left_at, bool(unanswered))


async def is_ours(fetch: Fetch, echo: Echo, account: str, thread_id: int, *, at: int, waited: int) -> bool | None:
    """As bridge.store.echoes.is_ours, of an echo in a thread."""
    evidence = _Evidence()
    while True:
        try:
            return echoes.is_ours(echo, evidence, at=at, waited=waited)
        except _Wanted as wanted:
            match name := str(wanted):
                case "named":
                    rows = await fetch(_KEYED, account, echo.id, echo.message_key)
                    rows = rows or await fetch(_NAMED, account, echo.id)
                case "on the wire":
                    rows = await fetch(_ON_THE_WIRE, thread_id)
                case _:
                    rows = await fetch(_TRIED, thread_id)
            evidence.facts[name] = rows
