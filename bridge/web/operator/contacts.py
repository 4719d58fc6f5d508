"""People: whatever ids they have, what the bot keeps of them, and who is the same person as whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import hdrs

from bridge.store.looks import ThreadSearch
from bridge.web.api import contacts, models, threads
from bridge.web.api.problems import Refusal
from bridge.web.operator.page import Page
from bridge.web.operator.previews import previews

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from bridge.store.people.cards import ContactCard
    from bridge.web.operator.page import Ask
    from bridge.web.operator.previews import Preview

_THREADS: Final = 50
"""Conversations of a person that their page shows."""
_FOUND: Final = 20
"""People that a search for the same person shows."""
_NOT_FOUND: Final = 404


async def _contacts(ask: Ask) -> web.StreamResponse:
    """People, those met last first; or those of an identity."""
    query = ask.request.query
    asked = ask.read(models.ContactsAsked, {name: query.get(name) for name in ("cursor", "identity")})
    page = await contacts.contacts(ask.call(query=asked))
    template = "people.html" if ask.is_fragment else "contacts.html"
    return ask.render(template, page=page, asked=asked)


async def _contact(ask: Ask) -> web.StreamResponse:
    """One person."""
    _, card, person = await contacts.found(ask.call(), ask.path["contact_id"])
    page, said = await _talks(ask, person)
    return ask.render("contact.html", person=person, page=page, said=said, parts=_parts(card, person))


async def _talks(ask: Ask, person: models.ContactOut) -> tuple[models.Threads, Mapping[str, Preview]]:
    """The conversations of a person, and what was said last in each."""
    talks = [await threads.thread(ask.call(thread_id=thread_id)) for thread_id in person.threads[:_THREADS]]
    page = models.Threads(items=talks, next=None)
    return page, await previews(ask, page)


def _parts(card: ContactCard, person: models.ContactOut) -> list[dict[str, Any]]:
    """Those who were merged into a person, and what each of them takes along when it is unmerged."""
    return [
        {
            "id": contact_id,
            "identities": [known for known in card.identities if known.contact_id == number],
            "threads": [thread for thread in card.threads if thread.contact_id == number],
        }
        for contact_id, number in zip(person.merged, card.merged, strict=True)
    ]


async def _alike(ask: Ask) -> web.StreamResponse:
    """Who is to be merged with a person: a search, and the two beside each other once one is chosen."""
    call = ask.call()
    backend, _, person = await contacts.found(call, ask.path["contact_id"])
    if other_id := ask.request.query.get("other", ""):
        _, _, other = await contacts.found(call, other_id)
        both = [(one, *await _talks(ask, one)) for one in (person, other)]
        return ask.render("merge.html", person=person, other=other, both=both)
    text = ask.read(models.ThreadsAsked, {"text": ask.request.query.get("text")}).text.strip()
    people: dict[str, models.ContactOut] = {}
    if text:
        await _add(ask, text, people)
        for summary in (await backend.store.search_threads(ThreadSearch(text=text), limit=_FOUND)).threads:
            contact_id = (await backend.store.thread(summary.id)).contact_id
            if contact_id is not None:
                await _add(ask, call.id_of(summary.ref.account, contact_id), people)
    people.pop(person.id, None)
    page = models.Contacts(items=list(people.values()), next=None)
    template = "people.html" if ask.is_fragment else "merge.html"
    return ask.render(template, person=person, other=None, text=text, page=page, merges=person)


async def _add(ask: Ask, contact_id: str, people: dict[str, models.ContactOut]) -> None:
    """Add who has an id, if anybody has."""
    try:
        _, _, person = await contacts.found(ask.call(), contact_id)
    except Refusal as refusal:
        if refusal.status != _NOT_FOUND:
            raise
    else:
        people[person.id] = person


async def _merge(ask: Ask) -> web.StreamResponse:
    """Two contacts are one person."""
    body = ask.read(models.OtherContact, {"other": ask.form.get("other")})
    merged = await contacts.merge(ask.call(body=body))
    return ask.go(f"contacts/{merged.id}")


async def _unmerge(ask: Ask) -> web.StreamResponse:
    """A contact is a person of their own again."""
    await contacts.unmerge(ask.call())
    return ask.go(f"contacts/{ask.path['contact_id']}")


async def _erase(ask: Ask) -> web.StreamResponse:
    """Remove all that is known of a person, once somebody says twice that they want it."""
    if ask.form.get("sure") != "yes":
        raise Refusal(422, "tick the box: what is erased is gone for good")
    return ask.render("erased.html", erased=await contacts.erase(ask.call()))


PAGES: Final = (
    Page(path="/contacts", act=_contacts, name="Contacts"),
    Page(path="/contacts/{contact_id}", act=_contact),
    Page(path="/contacts/{contact_id}/merge", act=_alike),
    Page(path="/contacts/{contact_id}/merge", act=_merge, method=hdrs.METH_POST, role="operator"),
    Page(path="/contacts/{contact_id}/unmerge", act=_unmerge, method=hdrs.METH_POST, role="operator"),
    Page(path="/contacts/{contact_id}/erase", act=_erase, method=hdrs.METH_POST, role="operator"),
)
