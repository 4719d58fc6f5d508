"""Channels for the planner's tests: what gateways like ours carry, and a time at which it is planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.planning.capabilities import Capabilities
from bridge.planning.plan import Plan, plan
from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.messages import Outgoing

NOW: Final = 1_760_000_000 * SECOND
DAY: Final = 86_400
MEDIA: Final = {"image", "video", "audio", "voice", "document"}

RICH: Final = Capabilities(
    kinds=frozenset({"text", "location", "buttons", "menu"} | MEDIA),
    text=4096,
    buttons=3,
    button_title=20,
    button_key=256,
    rows=10,
    row_title=24,
    header=frozenset({"text", "image", "video", "document"}),
    footer=True,
    caption=True,
    reply_to=True,
)
PLAIN: Final = Capabilities(kinds=frozenset({"text"}), text=4096)
QUICK: Final = Capabilities(kinds=frozenset({"text", "buttons"}), text=2000, buttons=13, button_title=20)
PICTURES: Final = Capabilities(kinds=frozenset({"text"} | MEDIA), text=1000)
SHOWCASE: Final = Capabilities(kinds=frozenset({"text", "cards", "image"}), buttons=3, button_title=20, caption=True)
WINDOWED: Final = Capabilities(
    kinds=frozenset({"text", "template", "raw"}), text=4096, window=DAY, tags=frozenset({"ACCOUNT_UPDATE"})
)
PROFILES: Final = (RICH, PLAIN, QUICK, PICTURES, SHOWCASE)


def planned(message: Outgoing, capabilities: Capabilities) -> Plan:
    return plan(message, capabilities, now=NOW, last_heard=NOW)
