"""People: whatever ids they have, and what the bot keeps of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import hdrs

from bridge.web.api import contacts, models, threads
from bridge.web.api.problems import Refusal
from bridge.web.operator.page import Page

if TYPE_CHECKING:
    from aiohttp import web

    from bridge.web.operator.page import Ask

_THREADS: Final = 50
"""Conversations of a person that their page shows."""


async def _contacts(ask: Ask) -> web.StreamResponse:
    """People, those met last first; or those of an identity."""
    query = ask.request.query
    asked = ask.read(models.ContactsAsked, {name: query.get(name) for name in ("cursor", "identity")})
    page = await contacts.contacts(ask.call(query=asked))
    template = "people.html" if ask.is_fragment else "contacts.html"
    return ask.render(template, page=page, asked=asked)


async def _contact(ask: Ask) -> web.StreamResponse:
    """One person."""
    person = await contacts.contact(ask.call())
    talks = [await threads.thread(ask.call(thread_id=thread_id)) for thread_id in person.threads[:_THREADS]]
    return ask.render("contact.html", person=person, page=models.Threads(items=talks, next=None))


async def _erase(ask: Ask) -> web.StreamResponse:
    """Remove all that is known of a person, once somebody says twice that they want it."""
    if ask.form.get("sure") != "yes":
        raise Refusal(422, "tick the box: what is erased is gone for good")
    return ask.render("erased.html", erased=await contacts.erase(ask.call()))


PAGES: Final = (
    Page(path="/contacts", act=_contacts, name="Contacts"),
    Page(path="/contacts/{contact_id}", act=_contact),
    Page(path="/contacts/{contact_id}/erase", act=_erase, method=hdrs.METH_POST, role="operator"),
)
