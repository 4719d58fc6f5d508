"""What followers are told of a transaction, out of its units and their results: see bridge.store.following."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bridge.store.following import (
    beside,
    is_follower,
    of_arrivals,
    of_delivery,
    of_event_given_up,
    of_news,
    of_turn,
    payload_of,
    saying_of,
)
from bridge.store.replay import letter_of

from .results import Result
from .rows import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bridge.errors import StoreError
    from bridge.events import ThreadRef
    from bridge.store.following import Fact, Followers
    from bridge.store.looks import DeadLetter, HistoryEntry
    from bridge.store.records import Arrival, Settled, ThreadRow, TurnCommit

    from .writer import Unit


class Telling(NamedTuple):
    """A fact, the thread that it is of, and the thread in which a follower is told of it."""

    fact: Fact
    thread: ThreadRow
    ref: ThreadRef
    result: Result


class Facts:
    """Of one transaction, those that any follower is told of."""

    def __init__(
        self,
        followers: Followers,
        units: Sequence[Unit],
        results: Sequence[Result | StoreError],
        by_kind: Mapping[str, Sequence[int]],
    ) -> None:
        """What the units of each kind did, in the order in which the kinds went through the transaction."""
        self._followers = followers
        self._facts: list[tuple[Fact, Result]] = []
        for kind, tell in _TELL.items():
            for index in by_kind.get(kind, ()):
                if isinstance(result := results[index], Result):
                    self._facts += [(fact, result) for fact in tell(units[index].payload, result)]

    @property
    def thread_ids(self) -> set[int]:
        """The threads in which something happened."""
        return {fact.thread_id for fact, _ in self._facts}

    def tellings(self, threads: Mapping[int, ThreadRow]) -> list[Telling]:
        """Who is told of what; a follower's own threads are no news."""
        return [
            Telling(fact, thread, beside(account, thread.ref), result)
            for fact, result in self._facts
            if not is_follower((thread := threads[fact.thread_id]).ref.account)
            for account in self._followers.of(fact.type)
        ]

    def said(
        self,
        tellings: Sequence[Telling],
        own: Sequence[ThreadRow],
        entries: Mapping[int, HistoryEntry],
        letters: Mapping[str, DeadLetter],
        numbers: Sequence[int],
    ) -> list[tuple[Said, Result]]:
        """The rows of the outbox, each in its follower's `own` thread."""
        rows = []
        for (fact, thread, ref, result), follows, number in zip(tellings, own, numbers, strict=True):
            entry = None if fact.message is None else entries.get(fact.message)
            letter = None if fact.letter is None else letters.get(fact.letter)
            payload = payload_of(fact, thread, self._followers, entry, letter)
            rows.append((Said(saying_of(ref.account, number, fact, payload), follows, fact.at), result))
        return rows


def messages_of(tellings: Sequence[Telling]) -> list[int]:
    """The messages that are to be read."""
    return sorted({telling.fact.message for telling in tellings if telling.fact.message is not None})


def letters_of(tellings: Sequence[Telling]) -> list[tuple[str, int]]:
    """The dead letters that are to be read: side and number."""
    names = sorted({telling.fact.letter for telling in tellings if telling.fact.letter is not None})
    return [(side, row_id) for side, row_id in map(letter_of, names) if row_id is not None]


def _of_delivery(end: Settled, result: Result) -> Iterator[Fact]:
    if result.value:
        yield from of_delivery(end)
    yield from _news(result, end.at)


def _of_turn(turn: TurnCommit, result: Result) -> Iterator[Fact]:
    yield from of_turn(turn)
    yield from _news(result, turn.at)


def _of_arrivals(arrivals: Sequence[Arrival], result: Result) -> Iterator[Fact]:
    for arrival in arrivals[:1]:
        yield from _news(result, arrival.received_at)
    yield from of_arrivals(result.received)


def _of_replay(call: tuple[str, int, Sequence[Arrival] | None], result: Result) -> Iterator[Fact]:
    """What was in quarantine arrives only now."""
    return _of_arrivals(call[2] or (), result) if call[2] else iter(())


def _news(result: Result, at: int) -> Iterator[Fact]:
    for thread_id, row_id, value, reason in result.news:
        yield from of_news(thread_id, row_id, value, reason, at)


_TELL: Final[Mapping[str, Callable[[Any, Result], Iterator[Fact]]]] = {
    "settle delivery": _of_delivery,
    "settle turn": lambda end, _: of_event_given_up(end),
    "commit turn": _of_turn,
    "receive": _of_arrivals,
    "replay": _of_replay,
}
"""What units did, kind by kind, in the order of each store's own."""
