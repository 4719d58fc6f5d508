"""The audit, for whoever wants to know who asked for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.units import moment
from bridge.web.api import models
from bridge.web.api.calls import page_of, read_cursor

if TYPE_CHECKING:
    from bridge.web.api.calls import Call


async def audited(call: Call) -> models.Audit:
    """What programs and people asked for, the latest first."""
    asked: models.AuditAsked = call.query
    before = read_cursor(asked.cursor)
    found = [
        entry
        for backend, account in call.lists(asked.account)
        for entry in await backend.store.audited(account=account, before=before, limit=asked.limit + 1)
    ]
    page, more = page_of(found, asked.limit, lambda entry: (entry.at, entry.id))
    items = [
        models.AuditedOut(
            id=call.id_of(entry.account, entry.id),
            at=moment(entry.at),
            who=entry.who,
            what=entry.what,
            account=entry.account,
            target=entry.target,
        )
        for entry in page
    ]
    return models.Audit(items=items, next=more)
