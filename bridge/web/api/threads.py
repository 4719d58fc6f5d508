"""Conversations: lists, what was said, who has them, and what happened outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import NoThread
from bridge.events import ThreadRef
from bridge.store.following import said
from bridge.store.looks import ThreadPage, ThreadSearch
from bridge.units import moment
from bridge.web.api import models
from bridge.web.api.calls import cursor_of, page_of, read_cursor
from bridge.web.api.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.store.looks import HistoryEntry, Place, ThreadSummary
    from bridge.web.api.calls import Call


async def threads(call: Call) -> models.Threads:
    """Conversations, the latest first."""
    asked: models.ThreadsAsked = call.query
    if asked.conversation is not None:
        return await _one(call, asked)
    before, pages = read_cursor(asked.cursor), []
    for backend, account in call.lists(asked.account):
        search = ThreadSearch(
            text=asked.text,
            account=account,
            channel=asked.channel,
            held=asked.held,
            waits=asked.waits,
            dead=asked.dead,
        )
        pages.append(await backend.store.search_threads(search, limit=asked.limit, before=before))
    page = pages[0] if len(pages) == 1 else _merged(pages, asked.limit)
    return models.Threads(
        items=[_thread(call, summary) for summary in page.threads],
        next=None if page.next is None else cursor_of(page.next),
    )


def _merged(pages: Sequence[ThreadPage], limit: int) -> ThreadPage:
    """The first threads of several lists. One list may have been looked through less far than another."""
    border = max((page.next for page in pages if page.next is not None), default=None)
    found = sorted((thread for page in pages for thread in page.threads), key=_place, reverse=True)
    if border is not None:
        found = [thread for thread in found if _place(thread) >= border]
    return ThreadPage(threads=found[:limit], next=_place(found[limit - 1]) if len(found) > limit else border)


def _place(summary: ThreadSummary) -> Place:
    return summary.last_at, summary.id


async def _one(call: Call, asked: models.ThreadsAsked) -> models.Threads:
    """The conversation of one contact, if it has begun."""
    if asked.account is None or asked.channel is None:
        raise Refusal(422, "a conversation is found by its account, its channel and its own id")
    backend = call.of_account(asked.account)
    provider = backend.accounts[asked.account].provider.name
    ref = ThreadRef(asked.account, provider, asked.channel, asked.conversation or "")
    thread_id = await backend.store.find_thread(ref)
    summary = None if thread_id is None else await backend.store.summary(thread_id)
    is_found = summary is not None and asked.held in {None, summary.note is not None}
    return models.Threads(items=[_thread(call, summary)] if summary is not None and is_found else [], next=None)


async def thread(call: Call) -> models.ThreadOut:
    """One conversation."""
    _, summary = await call.thread()
    return _thread(call, summary)


async def messages(call: Call) -> models.History:
    """What was said in a conversation, the latest first."""
    asked: models.Page = call.query
    backend, summary = await call.thread()
    place = read_cursor(asked.cursor)
    before = None if place is None else place[1]
    entries = await backend.store.history(summary.id, before=before, limit=asked.limit + 1)
    page, more = page_of(entries, asked.limit, lambda entry: (entry.position, entry.position))
    return models.History(items=[_said(entry) for entry in page], next=more)


async def hand_off(call: Call) -> models.Done:
    """Give a conversation to a person: the bot is silent until it is returned."""
    backend, summary = await call.thread()
    await call.audit(backend, "handoff", summary.ref.account, f"thread {summary.id}")
    if not await backend.handoffs.hand_off(summary.id, call.body.note):
        raise NoThread
    return models.Done(id=call.path["thread_id"])


async def give_back(call: Call) -> models.Done:
    """Return a conversation to the bot."""
    backend, summary = await call.thread()
    await call.audit(backend, "return", summary.ref.account, f"thread {summary.id}")
    if not await backend.handoffs.give_back(summary.id):
        raise NoThread
    return models.Done(id=call.path["thread_id"])


async def signal(call: Call) -> models.Done:
    """Tell a conversation what happened outside; a dialog that waits for it goes on."""
    asked: models.SignalIn = call.body
    backend, summary = await call.thread()
    await call.audit(backend, "event", summary.ref.account, f"thread {summary.id}")
    key = await backend.signals.send(summary.ref, asked.name, asked.data, key=asked.idempotency_key)
    return models.Done(id=key)


def _thread(call: Call, summary: ThreadSummary) -> models.ThreadOut:
    ref, contact = summary.ref, summary.contact
    return models.ThreadOut(
        id=call.id_of(ref.account, summary.id),
        account=ref.account,
        provider=ref.provider,
        channel=ref.channel,
        conversation=ref.conversation_id,
        contact=None if contact is None else models.Person.model_validate(contact, from_attributes=True),
        step=summary.step,
        held=summary.note is not None,
        note=summary.note,
        open_events=summary.open_events,
        open_messages=summary.open_messages,
        kept_events=summary.kept_events,
        reason=summary.reason or None,
        last_at=moment(summary.last_at),
    )


def _said(entry: HistoryEntry) -> models.Said:
    return models.Said.model_validate(said(entry))
