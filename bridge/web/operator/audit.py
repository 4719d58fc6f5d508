"""The audit: who asked for which change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.web.api import audit, models
from bridge.web.operator.page import Page

if TYPE_CHECKING:
    from aiohttp import web

    from bridge.web.operator.page import Ask


async def _audit(ask: Ask) -> web.StreamResponse:
    """Changes, the latest first."""
    query = ask.request.query
    asked = ask.read(models.AuditAsked, {name: query.get(name) for name in ("cursor", "account")})
    page = await audit.audited(ask.call(query=asked))
    accounts = sorted(name for backend in ask.backends for name in backend.accounts)
    template = "audit-rows.html" if ask.is_fragment else "audit.html"
    return ask.render(template, page=page, asked=asked, accounts=accounts)


PAGES: Final = (Page(path="/audit", act=_audit, name="Audit"),)
