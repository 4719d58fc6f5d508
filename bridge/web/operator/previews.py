"""The last words of conversations, each as one line of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.web.console.entries import shown_entry
from bridge.web.control_protocol import number_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.store.looks import HistoryEntry
    from bridge.web.api import models
    from bridge.web.api.backend import Backend
    from bridge.web.operator.page import Ask

_LONGEST: Final = 160
"""Characters of a line."""


class Preview(NamedTuple):
    """What was said last: by us, or by the contact. `kind` is for what has no text."""

    is_ours: bool
    kind: str
    text: str


async def previews(ask: Ask, page: models.Threads) -> Mapping[str, Preview]:
    """By conversation of a page, what was said last in it; each database is asked once."""
    call = ask.call()
    shown: dict[str, Preview] = {}
    for backend in call.backends:
        ids = dict(_numbers(ask, backend, page))
        for number, entry in (await backend.store.last_said([*ids])).items():
            shown[ids[number]] = _preview(entry)
    return shown


def _numbers(ask: Ask, backend: Backend, page: models.Threads) -> list[tuple[int, str]]:
    """The conversations of a page that a database has: their numbers there, and their ids."""
    return [
        (number, thread.id)
        for thread in page.items
        for place, own, _ in ask.call().read_id(thread.id)
        if place is backend and (number := number_of(own)) is not None
    ]


def _preview(entry: HistoryEntry) -> Preview:
    content = shown_entry(entry) or {"direction": entry.direction, "kind": entry.kind}
    medium = content.get("media") or {}
    words = (content.get("text"), content.get("title"), medium.get("name"), content.get("location", {}).get("name"))
    text = " ".join(next((word for word in words if word), "").split())
    line = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return Preview(is_ours=content["direction"] == "out", kind=content["kind"], text=line)
