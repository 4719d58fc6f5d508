"""Lists for a person who looks in: threads by a search, a thread from its latest row back, and timers to come."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

import orjson

from bridge.events import Contact, Echo, ThreadRef
from bridge.store.looks import FIRST, ThreadPage, TimerSummary
from bridge.store.searching import LOOKED_THROUGH, Candidate, is_own, matcher
from bridge.store.takeover import SPOKEN

from . import tracing, views
from .fetching import Fetching
from .records import REF, one_of
from .timers import NEXT_DUE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.store.looks import HistoryEntry, Place, ThreadSearch
    from bridge.store.traces import TracedEvent, TracedMessage

    from .records import Row

CANDIDATE: Final = "t.updated_at, t.id, t.account, t.channel, t.conversation, t.contact, t.note"
IS_LISTED: Final = "(t.leads_to IS NULL OR t.last_heard IS NOT NULL)"
"""Nothing happens any more in the other ones."""
TO_COME: Final = f"r.id, r.thread_id, {REF}, t.contact, r.name, r.due_at, r.set_at, r.message, r.handler, r.since"
EVENT_SAID: Final = f"kind {one_of(*SPOKEN, Echo.tag)}"
"""Events that are somebody's words."""
_CHUNK: Final = 1000
"""Threads that are read at once, where most of them may not be meant."""


class Looks(NamedTuple):
    """What is asked, in the SQL of one database. The first five give CANDIDATE.

    `latest` and `held` (those that a person has) are of an account before a place, so many; `of_ids` are by a JSON list
    of ids, and `named` by two forms of an identity. `waiting` and `dead` give ids of threads, so many. `summaries` are
    by a JSON list. `to_come` gives TO_COME of an account behind a place. `last_said` gives threads of a JSON list, each
    with the id of what was said last in it; `entries` are things said, by a JSON list of ids.
    """

    latest: str
    held: str
    of_ids: str
    named: str
    waiting: str
    dead: str
    summaries: str
    to_come: str
    last_said: str
    entries: str


class Looking(Fetching):
    """Both readers' methods for these lists."""

    LOOKS: ClassVar[Looks]
    TRACES: ClassVar[tracing.Queries]

    async def _positions(self, thread_id: int, before: int, limit: int) -> Sequence[Row]:
        """The ids of a thread's latest rows below one, newest first; each with "in" or "out"."""
        raise NotImplementedError

    async def search_threads(
        self, search: ThreadSearch, *, limit: int = 100, before: Place | None = None
    ) -> ThreadPage:
        """Threads that a person looks for, the latest first."""
        matches = matcher(search)
        named = (await self._named(search))[:limit]
        first = {thread.id for thread in named}
        found = named if before is None else []
        walk = await self._walk(search, before or FIRST, limit)
        more: Place | None = None
        while chunk := await walk.chunk():
            for thread in chunk:
                if thread.id not in first and matches(thread):
                    if len(found) == limit:
                        return await self._page(found, more or before or FIRST)
                    found.append(thread)
                more = thread.place
            if walk.looked_at >= LOOKED_THROUGH:
                return await self._page(found, more)
        return await self._page(found, None)

    async def _page(self, found: Sequence[Candidate], more: Place | None) -> ThreadPage:
        ids = [thread.id for thread in found]
        rows = {row[0]: views.summary(row) for row in await self._fetch(self.LOOKS.summaries, _json(ids))}
        return ThreadPage(threads=[rows[thread_id] for thread_id in ids if thread_id in rows], next=more)

    async def _named(self, search: ThreadSearch) -> list[Candidate]:
        """Threads whose contact has the text as an identity, of all that the search leaves."""
        name = search.text.strip()
        if not name or not name.isprintable():  # no store takes NUL or half a character
            return []
        matches = matcher(replace(search, text=""))
        rows = await self._fetch(self.LOOKS.named, name, f"+{name}")
        named = [thread for row in rows if matches(thread := Candidate(*row))]
        if named and (search.waits or search.dead):
            ids = await self._chosen(search)
            named = [thread for thread in named if thread.id in ids]
        return named

    async def _walk(self, search: ThreadSearch, before: Place, limit: int) -> _Walk:
        if search.waits or search.dead:
            ids = sorted(await self._chosen(search))
            rows = [Candidate(*row) for row in await self._fetch(self.LOOKS.of_ids, _json(ids))]
            return _Walk(self._fetch, [], before, limit, [row for row in rows if row.place < before])
        accounts = [search.account] if search.account is not None else await self._accounts()
        query = self.LOOKS.held if search.held else self.LOOKS.latest
        return _Walk(self._fetch, [(query, account) for account in accounts], before, limit)

    async def _accounts(self) -> list[str]:
        return [row[0] for row in await self._fetch(views.ACCOUNTS) if not is_own(row[0])]

    async def _chosen(self, search: ThreadSearch) -> set[int]:
        """The threads in which something waits, or of which something is dead, or both."""
        asked = [(search.waits, self.LOOKS.waiting), (search.dead, self.LOOKS.dead)]
        sets = [{row[0] for row in await self._fetch(query, LOOKED_THROUGH)} for is_asked, query in asked if is_asked]
        return set.intersection(*sets)

    async def last_said(self, thread_ids: Sequence[int]) -> dict[int, HistoryEntry]:
        """By thread, what was said last in it."""
        places = await self._fetch(self.LOOKS.last_said, _json(thread_ids))
        rows = await self._fetch(self.LOOKS.entries, _json([row[1] for row in places]))
        entries = {row[0]: views.history_entry(row) for row in rows}
        return {row[0]: entries[row[1]] for row in places if row[1] in entries}

    async def timeline(
        self, thread_id: int, *, before: int | None = None, limit: int = 100
    ) -> list[TracedEvent | TracedMessage]:
        """The latest events and messages of a thread below a number, oldest first."""
        positions = await self._positions(thread_id, before or views.LAST, limit)
        return await tracing.rows_of(self._fetch, self.TRACES, [(row[0], row[1]) for row in positions])

    async def timers_to_come(
        self, *, account: str | None = None, limit: int = 100, after: Place = (0, 0)
    ) -> list[TimerSummary]:
        """Timers that wait, the next one first."""
        accounts = [account] if account is not None else [row[0] for row in await self._fetch(NEXT_DUE)]
        timers = [
            _timer(row)
            for name in accounts
            if not is_own(name)
            for row in await self._fetch(self.LOOKS.to_come, name, *after, limit)
        ]
        return sorted(timers, key=lambda timer: (timer.due_at, timer.id))[:limit]


class _Walk:
    """From a place back through the threads of several accounts, chunk by chunk, the latest first."""

    def __init__(
        self,
        fetch: tracing.Fetch,
        lists: Iterable[tuple[str, str]],
        before: Place,
        limit: int,
        chosen: Sequence[Candidate] = (),
    ) -> None:
        """`lists` are queries, each with its account; `chosen` are threads that are looked at instead."""
        self._fetch = fetch
        self._rest = dict.fromkeys(lists, before)
        self._size = min(limit + 1, _CHUNK)
        self._ahead: dict[tuple[str, str], list[Candidate]] = {}
        self._chosen = sorted(chosen, reverse=True)
        self.looked_at = 0

    async def chunk(self) -> list[Candidate]:
        """The next ones; none at the end."""
        if self._chosen:
            chunk, self._chosen = self._chosen, []
            return chunk
        for source in [*self._rest]:
            if not self._ahead.get(source):
                await self._read(source)
        chunk = self._merged()
        self.looked_at += len(chunk)
        self._size = _CHUNK
        return chunk

    async def _read(self, source: tuple[str, str]) -> None:
        query, account = source
        rows = await self._fetch(query, account, *self._rest[source], self._size)
        self._ahead[source] = [Candidate(*row) for row in rows]
        if len(rows) < self._size:
            del self._rest[source]
        else:
            self._rest[source] = self._ahead[source][-1].place

    def _merged(self) -> list[Candidate]:
        """What is read already down to the place where a list has more that is not."""
        lowest = max((self._ahead[source][-1][:2] for source in self._rest), default=(0, 0))
        chunk: list[Candidate] = []
        for source, ahead in self._ahead.items():
            reached = next((at for at, thread in enumerate(ahead) if thread[:2] < lowest), len(ahead))
            chunk += ahead[:reached]
            self._ahead[source] = ahead[reached:]
        return sorted(chunk, reverse=True)  # by place: it is what they begin with


def _timer(row: Row) -> TimerSummary:
    return TimerSummary(
        id=row[0],
        thread_id=row[1],
        ref=ThreadRef(*row[2:6]),
        contact=Contact(**orjson.loads(row[6])) if row[6] else None,
        name=row[7],
        due_at=row[8],
        set_at=row[9],
        message=row[10],
        handler=row[11],
    )


def _json(ids: Sequence[int]) -> str:
    return orjson.dumps([*ids]).decode()
