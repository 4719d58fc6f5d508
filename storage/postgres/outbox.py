"""The outbox: messages said by turns, their tries, and the ends of their journeys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge.errors import ClaimLost, StoreError
from bridge.store.following import DROPPED
from bridge.store.heads import begins
from bridge.store.lifecycle import OUTBOX, OutboxMove, OutboxState, Outcome, climbs

from .. import records
from ..results import Result
from ..rows import MESSAGE_VALUES, message_row, message_values, said_by
from . import statuses
from .heads import begin_next, busy
from .transaction import unnest
from .waves import waves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.records import Retry, Settled, TurnCommit

    from ..rows import Said
    from .transaction import Transaction

_TYPES: Final = (
    "bigint text text bigint bigint bigint text bytea bytea bytea text bigint bigint bigint bigint text bigint"
)
_SAY: Final = f"INSERT INTO outbox ({MESSAGE_VALUES}) SELECT * FROM {unnest(*_TYPES.split())}"
_RETRY: Final = f"""
UPDATE outbox o SET attempt = j.attempt, available_at = j.available_at, tried_at = j.at, error = j.reason,
                    outcome = j.outcome
FROM {unnest("bigint", "bigint", "bigint", "bigint", "text", "text")} j (id, attempt, available_at, at, reason, outcome)
WHERE o.id = j.id AND o.{records.MESSAGE_OPEN} RETURNING o.id
"""
_SETTLE: Final = f"""
UPDATE outbox o SET status = j.status, outcome = coalesce(j.outcome, o.outcome), message_id = j.message_id,
                    error = j.reason, done_at = j.at
FROM {unnest("bigint", "text", "text", "text", "text", "bigint")} j (id, status, outcome, message_id, reason, at)
WHERE o.id = j.id AND o.{records.MESSAGE_OPEN} RETURNING o.id
"""
_NAME: Final = f"""
UPDATE outbox o SET message_id = j.message_id FROM {unnest("bigint", "text")} j (id, message_id)
WHERE o.id = j.id AND o.status = {records.literal(OUTBOX.after(OutboxMove.RESOLVED))} AND o.message_id IS NULL
"""
"""A message that a status proved sent learns the provider's id of it, so that later statuses find it."""
_DELIVERY: Final = "SELECT o.id, o.delivery FROM outbox o WHERE o.id = ANY($1::bigint[])"
_CLAIM: Final = f"""
UPDATE outbox o SET outcome = {records.literal(Outcome.CLAIMED)} FROM threads t
WHERE o.id = ANY($1::bigint[]) AND o.{records.MESSAGE_OPEN} AND t.id = o.thread_id AND t.holder = $2 RETURNING o.id
"""
_ATTEMPT: Final = f"""
INSERT INTO attempts (outbox_id, attempt, at, outcome, reason, exchange)
SELECT * FROM {unnest("bigint", "bigint", "bigint", "text", "text", "bytea")}
"""


async def say(tx: Transaction, turns: Sequence[TurnCommit], results: Sequence[Result]) -> None:
    """The messages of the turns into the outbox."""
    speaking = zip(turns, results, strict=True)
    await put(tx, [(said, result) for turn, result in speaking if turn.sayings for said in said_by(turn)])


async def put(tx: Transaction, messages: Sequence[tuple[Said, Result]]) -> None:
    """Messages into the outbox; one that finds its thread's outbox empty is its runnable head."""
    if not messages:
        return
    in_use = await busy(tx, "outbox", {said.thread.id for said, _ in messages})
    values: list[tuple[Any, ...]] = []
    for (said, result), number in zip(messages, await tx.numbers(len(messages)), strict=True):
        leaves = said.saying.state is OutboxState.OPEN
        row = message_row(said, number, attempt=int(leaves and begins(said.thread.id, in_use)))
        if leaves:
            result.queued.append(row)
        else:
            result.news.append((said.thread.id, row.id, DROPPED, said.saying.dropped))
        values.append(message_values(said, row))
    await tx.arrays(_SAY, values)


async def retry(tx: Transaction, retries: Sequence[Retry]) -> list[Result | StoreError]:
    """Messages that did not leave wait for their next attempt, which is counted now."""
    results: list[Result | StoreError] = []
    for wave in waves(retries, lambda again: again.row_id):
        values = [
            (again.row_id, again.attempt, again.available_at, again.at, again.reason, again.outcome) for again in wave
        ]
        changed = {row[0] for row in await tx.arrays(_RETRY, values)}
        tried = [again for again in wave if again.row_id in changed and again.outcome]
        await tx.arrays(
            _ATTEMPT,
            [
                (
                    *(again.row_id, again.attempt if again.free else again.attempt - 1, again.at),
                    *(again.outcome, again.reason, again.exchange or None),
                )
                for again in tried
            ],
        )
        for again in wave:
            lost = ClaimLost(f"message {again.row_id} is settled")
            results.append(Result(threads={again.thread_id}) if again.row_id in changed else lost)
    return results


async def claim(tx: Transaction, claims: Sequence[tuple[int, int]]) -> list[Result | StoreError]:
    """Messages about to be sent at most once: should the process die now, their outcome is unknown."""
    ours = {row[0] for row in await tx.fetch(_CLAIM, [row_id for row_id, _ in claims], tx.epoch)}
    return [Result() if row_id in ours else ClaimLost(f"message {row_id} is settled") for row_id, _ in claims]


async def settle(tx: Transaction, settled: Sequence[Settled]) -> list[Result | StoreError]:
    """Messages at the end of their journey, joined with any news of them that came early.

    Each result's `value` is whether this ended the journey.
    """
    for state in {end.state for end in settled}:
        OUTBOX.reach(OutboxState.OPEN, OutboxState(state))
    ended: set[int] = set()
    for wave in waves(settled, lambda end: end.row_id):
        ended |= await _end(tx, wave)
    await tx.arrays(
        _ATTEMPT,
        [
            (end.row_id, end.attempt, end.at, end.outcome, end.reason or None, end.exchange or None)
            for end in settled
            if end.outcome
        ],
    )
    results = [Result(end.row_id in ended, threads={end.thread_id}) for end in settled]
    if await statuses.any_early(tx):
        for end, result in zip(settled, results, strict=True):
            if end.state is OutboxState.SENT:
                await statuses.join_early(tx, end.row_id, end.thread_id, end.message_id, result)
    await begin_next(tx, "outbox", {end.thread_id for end in settled if end.row_id in ended})
    return [*results]


async def _end(tx: Transaction, ends: Sequence[Settled]) -> set[int]:
    """Those messages whose journeys this ended; a status may have ended others before."""
    values = [(end.row_id, end.state, end.outcome, end.message_id, end.reason or None, end.at) for end in ends]
    ended = {row[0] for row in await tx.arrays(_SETTLE, values)}
    late = [(end.row_id, end.message_id) for end in ends if end.row_id not in ended and end.message_id is not None]
    await tx.arrays(_NAME, late)
    if told := {end.row_id: end.status for end in ends if end.status is not None}:
        delivery: dict[int, str | None] = dict(map(tuple, await tx.fetch(_DELIVERY, [*told])))
        news = [(row_id, value, None) for row_id, value in told.items() if climbs(delivery[row_id], value)]
        await statuses.note(tx, news)
    return ended
