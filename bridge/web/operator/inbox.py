"""The inbox: conversations with search and filters, and the page of each."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from aiohttp import hdrs

from bridge.web.api import models, threads
from bridge.web.console.entries import shown_entry
from bridge.web.operator.page import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from bridge.web.operator.page import Ask

_LATEST: Final = 100
"""Things that a thread's page shows at once."""


async def _inbox(ask: Ask) -> web.StreamResponse:
    """Conversations, the latest first."""
    query = ask.request.query
    asked = ask.read(models.ThreadsAsked, {name: query.get(name) for name in ("cursor", "account", "held")})
    page = await threads.threads(ask.call(query=asked))
    accounts = sorted(name for backend in ask.backends for name in backend.accounts)
    template = "threads.html" if ask.is_fragment else "inbox.html"
    return ask.render(template, page=page, asked=asked, accounts=accounts)


async def _thread(ask: Ask) -> web.StreamResponse:
    """One conversation."""
    call = ask.call(query=models.Page())
    backend, summary = await call.thread()
    entries = await backend.store.history(summary.id, limit=_LATEST)
    shown: Sequence[dict[str, Any]] = [one for entry in entries if (one := shown_entry(entry)) is not None]
    thread = await threads.thread(ask.call())
    template = "timeline.html" if ask.is_fragment else "thread.html"
    return ask.render(template, thread=thread, entries=shown, key=secrets.token_hex(16))


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
    Page(path="/threads/{thread_id}/take", act=_take, method=hdrs.METH_POST, role="operator"),
    Page(path="/threads/{thread_id}/return", act=_give_back, method=hdrs.METH_POST, role="operator"),
)
