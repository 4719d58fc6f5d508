"""Units of work: the threads and numbers that each needs, and those that only a thread's holder may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import ClaimLost
from bridge.store.admission import joins_message

from . import claims, people, statuses, timers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.store.records import Arrival

    from ..writer import Unit
    from .transaction import Transaction


def fenced(unit: Unit) -> int | None:
    """The thread that a unit works in, which only its holder may; None: it works in none."""
    thread_id: int | None = None
    match unit.kind:
        case "commit turn":
            thread_id = unit.payload.thread.id
        case "settle delivery" | "retry delivery" | "settle turn" | "retry turn" | "start step" | "end step":
            thread_id = unit.payload.thread_id
    return thread_id


def lost(thread_id: int) -> ClaimLost:
    """What a unit comes to whose thread another process has."""
    return ClaimLost(f"thread {thread_id} is another process's")


def threads_of(units: Sequence[Unit]) -> Iterator[int]:
    """The threads that units name."""
    for unit in units:
        if (thread_id := fenced(unit)) is not None:
            yield thread_id
        elif unit.kind in {"end dialog", "erase"}:
            yield unit.payload[0]
        elif unit.kind == "give up unreadable":
            yield from (row.thread_id for row in unit.payload[1])


async def threads_to_come(tx: Transaction, units: Sequence[Unit], arrivals: Sequence[Arrival]) -> set[int]:
    """The threads that units will come upon: all are locked at once, and so in the order that everybody has."""
    threads = await statuses.threads_of(tx, [arrival for arrival in arrivals if joins_message(arrival)])
    for unit in units:
        if unit.kind == "fire timers":
            threads |= await timers.threads_of_due(tx, *unit.payload)
        elif unit.kind == "release":
            threads |= await claims.threads_in_use(tx)
    return threads | await people.threads_concerned(tx, [*contacts_of(units)])


def contacts_of(units: Sequence[Unit]) -> Iterator[int]:
    """The contacts of whom units change what all their threads know."""
    for unit in units:
        match unit.kind:
            case "merge":
                yield from unit.payload[:2]
            case "unmerge":
                yield unit.payload[0]
            case "commit turn":
                turn = unit.payload
                if turn.thread.contact_id is not None and (turn.person is not None or turn.opts_out is not None):
                    yield turn.thread.contact_id


def arrivals_of(units: Sequence[Unit]) -> Iterator[Arrival]:
    """The events that units store."""
    for unit in units:
        if unit.kind == "receive":
            yield from unit.payload
        elif unit.kind == "commit turn":
            yield from unit.payload.sends
        elif unit.kind == "step broadcast":
            yield from (arrival for _, arrival in unit.payload[0].releases)


def numbers_for(unit: Unit) -> int:
    """How many numbers a unit takes, mostly."""
    match unit.kind:
        case "receive":
            return len(unit.payload)
        case "commit turn":
            return len(unit.payload.sayings) + len(unit.payload.sends)
        case "step broadcast":
            return len(unit.payload[0].releases)
    return 0
