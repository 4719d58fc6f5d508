"""Broadcasts: where each stands, what became of each message, and pause, resume and cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import hdrs

from bridge.store.broadcasts import BroadcastState, RecipientState
from bridge.web.api import broadcast_models as models
from bridge.web.api import broadcasts
from bridge.web.operator.page import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from bridge.web.operator.page import Ask

_SHOWN: Final = 50
ACTS: Final = {"resume": broadcasts.resume, "pause": broadcasts.pause, "cancel": broadcasts.cancel}
_OFFERED: Final = {
    BroadcastState.DRAFT: ("resume", "cancel"),
    BroadcastState.RUNNING: ("pause", "cancel"),
    BroadcastState.PAUSED: ("resume", "cancel"),
}
WORDS: Final = {"resume": "Resume", "pause": "Pause", "cancel": "Cancel"}
_AHEAD: Final = (RecipientState.WAITING, RecipientState.RELEASED)


async def _broadcasts(ask: Ask) -> web.StreamResponse:
    """All of them, the newest first."""
    query = ask.request.query
    values = {**{name: query.get(name) for name in ("cursor", "account")}, "limit": _SHOWN}
    page = await broadcasts.broadcasts(ask.call(query=ask.read(models.BroadcastsAsked, values)))
    return ask.render("broadcasts.html", page=page)


async def _broadcast(ask: Ask) -> web.StreamResponse:
    """One, with its recipients; a part of the page shows how far it is."""
    told = await broadcasts.look_at_broadcast(ask.call())
    ahead = sum(told.states.get(state, 0) for state in _AHEAD)
    common: dict[str, Any] = {"told": told, "done": told.recipients - ahead, "words": WORDS}
    common["acts"] = _OFFERED.get(told.state, ())
    if ask.is_fragment:
        return ask.render("broadcast-standing.html", **common)
    query = ask.request.query
    values = {**{name: query.get(name) for name in ("cursor", "state")}, "limit": _SHOWN}
    asked = ask.read(models.RecipientsAsked, values)
    page = await broadcasts.recipients(ask.call(query=asked))
    return ask.render("broadcast.html", page=page, asked=asked, states=[*RecipientState], **common)


async def _act(ask: Ask) -> web.StreamResponse:
    """Pause, resume or cancel it."""
    await ACTS[ask.path["act"]](ask.call())
    return ask.go(f"broadcasts/{ask.path['broadcast_id']}")


PAGES: Sequence[Page] = (
    Page(path="/broadcasts", act=_broadcasts, name="Broadcasts"),
    Page(path="/broadcasts/{broadcast_id}", act=_broadcast),
    Page(
        path=f"/broadcasts/{{broadcast_id}}/{{act:{'|'.join(ACTS)}}}",
        act=_act,
        method=hdrs.METH_POST,
        role="operator",
    ),
)
