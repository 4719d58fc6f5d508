"""The inbox: conversations with search and filters, and the page of each."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from aiohttp import hdrs, web

from bridge.store.answering import may_write
from bridge.store.port import MANY
from bridge.web.api import messages, models, threads
from bridge.web.control_protocol import number_of
from bridge.web.operator.page import Page
from bridge.web.operator.previews import previews
from bridge.web.operator.story import story_of

if TYPE_CHECKING:
    from bridge.web.operator.page import Ask

_LATEST: Final = 100
"""Events and messages that a thread's page shows at once."""
_FILTERS: Final = ("cursor", "text", "account", "channel", "held", "waits", "dead")


async def _inbox(ask: Ask) -> web.StreamResponse:
    """Conversations, the latest first."""
    asked = ask.read(models.ThreadsAsked, {name: ask.request.query.get(name) for name in _FILTERS})
    page = await threads.threads(ask.call(query=asked))
    said = await previews(ask, page)
    if ask.is_fragment:
        return ask.render("threads.html", page=page, said=said)
    accounts = {name: account for backend in ask.backends for name, account in backend.accounts.items()}
    channels = {channel for account in accounts.values() for channel in account.provider.channels or ()}
    values: dict[str, Any] = {"accounts": sorted(accounts), "channels": sorted(channels)}
    return ask.render("inbox.html", page=page, said=said, asked=asked, **values)


async def _thread(ask: Ask) -> web.StreamResponse:
    """One conversation."""
    backend, summary = await ask.call().thread()
    before = number_of(ask.request.query.get("before", "")) or MANY
    rows = await backend.store.timeline(summary.id, before=before, limit=_LATEST)
    thread, row = await threads.thread(ask.call()), await backend.store.thread(summary.id)
    values: dict[str, Any] = {
        "thread": thread,
        "told": story_of(rows),
        "is_latest": before == MANY,
        "earlier": rows[0].id if len(rows) == _LATEST else None,
        "contact_id": None if row.contact_id is None else ask.call().id_of(summary.ref.account, row.contact_id),
        "opted_out": bool(row.opted_out),
        "may_answer": await may_write(backend.store, summary.id),
    }
    return ask.render("timeline.html" if ask.is_fragment else "thread.html", **values, key=secrets.token_hex(16))


async def _write(ask: Ask) -> web.StreamResponse:
    """Say something as a person, who has the conversation from then on."""
    text = ask.form.get("text", "").replace("\r\n", "\n").strip()
    body = {"message": {"kind": "text", "text": text}, "idempotency_key": ask.form.get("key")}
    await messages.write(ask.call(body=ask.read(models.Write, body)))
    if ask.is_fragment:
        return ask.render("key.html", key=secrets.token_hex(16))
    return ask.go(f"threads/{ask.path['thread_id']}")


async def _take(ask: Ask) -> web.StreamResponse:
    """A person has the conversation from now on."""
    await threads.hand_off(ask.call(body=ask.read(models.Note, {"note": ask.form.get("note")})))
    return ask.go(f"threads/{ask.path['thread_id']}")


async def _give_back(ask: Ask) -> web.StreamResponse:
    """The bot has it again."""
    await threads.give_back(ask.call())
    return ask.go(f"threads/{ask.path['thread_id']}")


PAGES: Final = (
    Page(path="/inbox", act=_inbox, name="Inbox"),
    Page(path="/threads/{thread_id}", act=_thread),
    Page(path="/threads/{thread_id}/write", act=_write, method=hdrs.METH_POST, role="operator"),
    Page(path="/threads/{thread_id}/take", act=_take, method=hdrs.METH_POST, role="operator"),
    Page(path="/threads/{thread_id}/return", act=_give_back, method=hdrs.METH_POST, role="operator"),
)
