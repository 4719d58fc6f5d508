"""What followers are told, into the outbox in the transaction of the facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .. import views
from ..following import Facts, letters_of, messages_of
from . import outbox, threads
from .queries import DEAD_LETTER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.errors import StoreError
    from bridge.store.following import Followers

    from ..results import Result
    from ..writer import Unit
    from .transaction import Transaction

TOLD: Final = f"SELECT {views.SAID} FROM outbox o WHERE o.id = ANY($1::bigint[])"


async def tell(
    tx: Transaction,
    followers: Followers,
    units: Sequence[Unit],
    results: Sequence[Result | StoreError],
    by_kind: Mapping[str, Sequence[int]],
) -> None:
    """Tell followers what the units of this transaction did."""
    facts = Facts(followers, units, results, by_kind)
    tellings = facts.tellings(tx.threads)
    if not tellings:
        return
    await threads.ensure_all(tx, {telling.ref: (None, telling.fact.at) for telling in tellings})
    entries = {row[0]: views.history_entry(row) for row in await tx.fetch(TOLD, messages_of(tellings))}
    dead = [await tx.fetch(DEAD_LETTER[side], row_id) for side, row_id in letters_of(tellings)]
    letters = {letter.id: letter for rows in dead for letter in map(views.dead_letter, rows)}
    own = [threads.of(tx, telling.ref) for telling in tellings]
    await outbox.put(tx, facts.said(tellings, own, entries, letters, await tx.numbers(len(tellings))))
