"""People: whatever ids they have, and what the bot keeps of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.web.api import contacts, models
from bridge.web.operator.page import Page

if TYPE_CHECKING:
    from aiohttp import web

    from bridge.web.operator.page import Ask


async def _contacts(ask: Ask) -> web.StreamResponse:
    """People, those met last first; or those of an identity."""
    query = ask.request.query
    asked = ask.read(models.ContactsAsked, {name: query.get(name) for name in ("cursor", "identity")})
    page = await contacts.contacts(ask.call(query=asked))
    template = "people.html" if ask.is_fragment else "contacts.html"
    return ask.render(template, page=page, asked=asked)


async def _contact(ask: Ask) -> web.StreamResponse:
    """One person."""
    return ask.render("contact.html", person=await contacts.contact(ask.call()))


PAGES: Final = (
    Page(path="/contacts", act=_contacts, name="Contacts"),
    Page(path="/contacts/{contact_id}", act=_contact),
)
