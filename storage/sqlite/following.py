"""What followers are told, into the outbox in the transaction of the facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from .. import views
from ..following import Facts, letters_of, messages_of
from . import outbox, threads
from .queries import DEAD_LETTER

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from bridge.errors import StoreError
    from bridge.store.following import Followers

    from ..results import Result
    from ..writer import Unit
    from .cache import Cache

TOLD: Final = f"SELECT {views.SAID} FROM json_each(?) j CROSS JOIN outbox o ON o.id = j.value"


def tell(
    db: sqlite3.Connection,
    cache: Cache,
    followers: Followers,
    units: Sequence[Unit],
    results: Sequence[Result | StoreError],
    by_kind: Mapping[str, Sequence[int]],
) -> None:
    """Tell followers what the units of this transaction did."""
    facts = Facts(followers, units, results, by_kind)
    tellings = facts.tellings({thread_id: threads.one(db, cache, thread_id) for thread_id in facts.thread_ids})
    if not tellings:
        return
    own = [threads.of(db, cache, telling.ref, None, telling.fact.at) for telling in tellings]
    wanted = orjson.dumps(messages_of(tellings)).decode()
    entries = {row[0]: views.history_entry(row) for row in db.execute(TOLD, (wanted,))}
    dead = [db.execute(DEAD_LETTER[side], (row_id,)).fetchone() for side, row_id in letters_of(tellings)]
    letters = {letter.id: letter for letter in map(views.dead_letter, filter(None, dead))}
    numbers = [cache.number() for _ in tellings]
    outbox.put(db, cache, facts.said(tellings, own, entries, letters, numbers))
