"""News of messages: noted at its message, or kept in early_statuses until that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge.events import Status, ThreadRef
from bridge.store.following import RESOLVED
from bridge.store.lifecycle import INBOX, OUTBOX, InboxMove, InboxState, OutboxMove, OutboxState, Outcome, climbs
from bridge.store.statuses import EarlyStatus, early_state, highest, is_wanted, resolves

from .. import records
from ..rows import EARLY, SPOKEN
from . import lookups, recipients, segments, unreadable
from .heads import begin_next, is_idle
from .transaction import Place, place_of, unnest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.records import Arrival

    from ..results import Result
    from .transaction import Transaction

_MESSAGE: Final = f"{SPOKEN}, j.n"
_KEYED: Final = f"""
SELECT {_MESSAGE} FROM {unnest("bigint", "text", "text")} j (n, account, name)
JOIN outbox o ON o.key = j.name AND o.account = j.account JOIN threads t ON t.id = o.thread_id
"""
_NAMED: Final = f"""
{segments.back_to("0")}
SELECT {_MESSAGE} FROM {unnest("bigint", "text", "text", "text", "text")} j (n, account, name, channel, conversation)
CROSS JOIN LATERAL (
    SELECT r.* FROM s CROSS JOIN LATERAL (
        SELECT w.* FROM outbox w
        WHERE w.id >> {segments.BITS} = s.n AND w.account = j.account AND w.message_id = j.name
            AND w.message_id IS NOT NULL
    ) r JOIN threads p ON p.id = r.thread_id
    WHERE j.channel IS NULL OR (p.channel = j.channel AND p.conversation = j.conversation) LIMIT 1
) o JOIN threads t ON t.id = o.thread_id
"""
"""The newest message of a name, in one conversation or in any."""
_NOTE: Final = f"""
UPDATE outbox o SET delivery = j.value, delivery_error = j.error
FROM {unnest("bigint", "text", "text")} j (id, value, error) WHERE o.id = j.id
"""
_RESOLVE: Final = f"""
UPDATE outbox o SET status = {records.literal(OUTBOX.after(OutboxMove.RESOLVED))},
                    outcome = {records.literal(Outcome.RESOLVED)}, done_at = j.at
FROM {unnest("bigint", "bigint")} j (id, at) WHERE o.id = j.id
"""
_KEEP: Final = f"""
INSERT INTO early_statuses (account, message_id, inbox_id, value, error, wanted)
SELECT * FROM {unnest("text", "text", "bigint", "text", "text", "boolean")}
"""
ANY_EARLY: Final = "SELECT 1 FROM early_statuses LIMIT 1"
_TAKE_EARLY: Final = f"""
DELETE FROM early_statuses WHERE account = $1 AND message_id IN ($2, $3) RETURNING {EARLY}
"""
_JOIN_EARLY: Final = f"""
UPDATE inbox SET thread_id = coalesce(thread_id, $1), seq = $2, status = $3, attempt = $4
WHERE id = $5 AND status {records.one_of(*INBOX.before(InboxMove.JOINED))}
"""


@dataclass(slots=True)
class Spoken:
    """A message that a status speaks of, as the transaction leaves it so far."""

    id: int
    thread_id: int
    delivery: str | None
    state: OutboxState
    outcome: Outcome | None
    ref: ThreadRef


class News:
    """The statuses among arrivals: the messages they speak of, and what they change. `write` stores it."""

    def __init__(self) -> None:
        """Nothing is looked up yet."""
        self._of: dict[int, Spoken] = {}
        self._noted: dict[int, tuple[str, str | None]] = {}
        self._resolved: dict[int, int] = {}
        self._freed: set[int] = set()
        self._early: list[tuple[str, str, int, str, str, bool]] = []

    async def look_up(self, tx: Transaction, statuses: Sequence[Arrival]) -> None:
        """The messages they speak of: by their keys, which no others have; else by the gateway's ids.

        A message in the status's own conversation comes before any other of that id.
        """
        known: dict[int, Spoken] = {}
        asked = {id(arrival): (arrival.account, _message_of(arrival)) for arrival in statuses}
        await self._find(tx, _KEYED, [(number, *names) for number, names in asked.items()])
        for anywhere in (False, True):
            rows: list[tuple[int, str, str, str | None, str | None]] = []
            for arrival in statuses:
                if id(arrival) in self._of or (anywhere and arrival.ref is None):
                    continue
                place: Place | tuple[None, None, None] = (None, None, None)
                if arrival.ref is not None and not anywhere:
                    place = place_of(arrival.ref)
                rows.append((id(arrival), *asked[id(arrival)], *place[1:]))
            await self._find(tx, _NAMED, rows)
        for number, spoken in self._of.items():
            self._of[number] = known.setdefault(spoken.id, spoken)

    @property
    def threads(self) -> set[int]:
        """The threads of those messages."""
        return {spoken.thread_id for spoken in self._of.values()}

    async def _find(self, tx: Transaction, query: str, rows: Sequence[Sequence[object]]) -> None:
        for row_id, thread_id, delivery, status, outcome, *ref, number in await tx.arrays(query, rows):
            state, came_to = OutboxState(status), Outcome(outcome) if outcome else None
            self._of[number] = Spoken(row_id, thread_id, delivery, state, came_to, ThreadRef(*ref))

    def message_of(self, arrival: Arrival) -> Spoken | None:
        """What was found."""
        return self._of.get(id(arrival))

    def join(self, arrival: Arrival, number: int, result: Result) -> tuple[int | None, InboxState]:
        """Note a status at the message it speaks of, or keep it until that is known; its thread and its own state."""
        status, message = arrival.event, self.message_of(arrival)
        assert isinstance(status, Status)
        if message is None:
            name, wanted = status.message_id, is_wanted(arrival)
            self._early.append((arrival.account, name, number, status.value, status.error, wanted))
            return None, early_state(arrival)
        if resolves(message.state, message.outcome, status.value):
            self._resolved[message.id] = arrival.received_at
            if message.state is OutboxState.OPEN:  # a dead one had freed its thread before
                self._freed.add(message.thread_id)
            message.state, message.outcome = OUTBOX.after(OutboxMove.RESOLVED), Outcome.RESOLVED
            result.resolved.append(message.id)
            result.news.append((message.thread_id, message.id, RESOLVED, ""))
        if climbs(message.delivery, status.value):
            message.delivery = status.value
            self._noted[message.id] = (status.value, status.error or None)
            result.news.append((message.thread_id, message.id, status.value, status.error))
        return message.thread_id, arrival.state

    async def write(self, tx: Transaction) -> None:
        """Store what was noted, resolved and kept."""
        await note(tx, [(row_id, *news) for row_id, news in self._noted.items()])
        await tx.arrays(_RESOLVE, [*self._resolved.items()])
        await tx.arrays(_KEEP, self._early)
        await begin_next(tx, "outbox", self._freed)


async def threads_of(tx: Transaction, arrivals: Sequence[Arrival]) -> set[int]:
    """The threads of the messages that statuses speak of, before any of them is locked."""
    found = News()
    if arrivals:
        await found.look_up(tx, arrivals)
    return found.threads


def _message_of(arrival: Arrival) -> str:
    assert isinstance(arrival.event, Status)
    return arrival.event.message_id


async def note(tx: Transaction, news: Sequence[tuple[int, str, str | None]]) -> None:
    """Note what became of messages: the last news of each, and its error."""
    await tx.arrays(_NOTE, news)
    await recipients.tell(tx, news)


async def any_early(tx: Transaction) -> bool:
    """Whether news waits for its message."""
    return bool(await tx.fetch(ANY_EARLY))


async def join_early(tx: Transaction, outbox_id: int, thread_id: int, message_id: str | None, result: Result) -> None:
    """A message that was sent meets the news of it that came before."""
    query = "SELECT account, key, delivery FROM outbox WHERE id = $1"
    account, key, delivery = (await tx.fetch(query, outbox_id))[0]
    taken = await tx.fetch(_TAKE_EARLY, account, key, message_id or key)
    early = [EarlyStatus(*row) for row in sorted(map(tuple, taken))]
    if (news := highest(delivery, [(status.value, status.error) for status in early])) is not None:
        value, error = news
        await note(tx, [(outbox_id, value, error or None)])
        result.news.append((thread_id, outbox_id, value, error))
    for status in early:
        await _take_place(tx, status, thread_id, result)


async def _take_place(tx: Transaction, status: EarlyStatus, thread_id: int, result: Result) -> None:
    """A status that came early takes its place in the thread."""
    state = INBOX.move(InboxState.EARLY, status.move)
    head = state is InboxState.OPEN and await is_idle(tx, "inbox", thread_id)
    (number,) = await tx.numbers(1)
    if await tx.execute(_JOIN_EARLY, thread_id, number, state, int(head), status.inbox_id) and state is InboxState.OPEN:
        rows = await tx.fetch(lookups.ONE_EVENT, status.inbox_id)
        result.received.extend(await unreadable.readable(tx, rows))
