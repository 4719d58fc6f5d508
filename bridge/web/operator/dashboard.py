"""The dashboard: curves of the last day, and each account as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from bridge.web.operator.page import Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.web.operator.page import Ask

_SPANS: Final[Mapping[str, tuple[int, str]]] = {
    "1h": (3600, "One hour"),
    "6h": (6 * 3600, "Six hours"),
    "24h": (24 * 3600, "A day"),
}
_MOST: Final = 360
"""Steps of a curve: more than a screen shows apart."""
_CHARTS: Final[Sequence[tuple[str, str, Sequence[tuple[str, str]]]]] = (
    ("Traffic, per second", "number", (("webhooks", "Webhooks"), ("turns", "Turns"), ("sent", "Messages sent"))),
    (
        "How long it takes",
        "seconds",
        (
            ("turn_p50", "Half of the turns"),
            ("turn_p95", "95% of the turns"),
            ("attempt_p95", "95% of the gateway's answers"),
            ("commit_p95", "95% of the commits"),
        ),
    ),
    ("Backlog", "number", (("open_events", "Events to answer"), ("open_messages", "Messages to send"))),
    ("Longest wait", "seconds", (("oldest", "Longest wait"),)),
    (
        "Outcomes, per minute",
        "number",
        (
            ("again", "To be tried again"),
            ("given_up", "Given up"),
            ("unknown", "Outcome unknown"),
            ("held_back", "Held back"),
        ),
    ),
    (
        "Refusals, per minute",
        "number",
        (
            ("denied", "Not authentic"),
            ("invalid", "Not readable"),
            ("busy", "Not stored"),
            ("quarantined", "Quarantined"),
        ),
    ),
)
"""Of each chart its title, its unit, and its series with their names."""


async def _dashboard(ask: Ask) -> web.StreamResponse:
    """The page, or the accounts alone."""
    states = await ask.figures.accounts()
    oldest = min((state.oldest for state in states if state.oldest is not None), default=None)
    values: dict[str, Any] = {
        "states": states,
        "open_events": sum(state.open_events for state in states),
        "open_messages": sum(state.open_messages for state in states),
        "dead": sum(state.dead for state in states),
        "oldest": oldest,
        "now": ask.clock.now(),
    }
    if ask.is_fragment:
        return ask.render("account-rows.html", **values)
    span = _span(ask)
    is_one_of = ask.figures.is_one_of
    return ask.render("dashboard.html", **values, charts=_CHARTS, spans=_SPANS, span=span, is_one_of=is_one_of)


async def _curves(ask: Ask) -> web.StreamResponse:
    """The values, for the page's program."""
    seconds, _ = _SPANS[_span(ask)]
    curves = ask.figures.curves(seconds, _MOST)
    body = orjson.dumps({"every": curves.every, "times": curves.times, "values": curves.values})
    return web.Response(body=body, content_type="application/json")


def _span(ask: Ask) -> str:
    asked = ask.request.query.get("span", "")
    return asked if asked in _SPANS else "1h"


PAGES: Final = (
    Page(path="/dashboard", act=_dashboard, name="Dashboard"),
    Page(path="/dashboard/curves", act=_curves),
)
