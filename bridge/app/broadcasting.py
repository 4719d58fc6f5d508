"""What a command asks a running bridge about broadcasts, a part at a time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from bridge.engine.broadcasts.composing import Row
from bridge.store.broadcasts import Bounds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.engine.broadcasts.composing import Composer


async def compose(composer: Composer, verb: str, asked: Mapping[str, Any]) -> Mapping[str, object]:
    """See control_protocol.BROADCAST. Raises ValueError, TypeError or KeyError for what is not so."""
    match verb:
        case "begin":
            at = asked["at"]
            begun = await composer.begin(
                asked["account"],
                asked["message"],
                channel=asked["channel"],
                at=None if at is None else datetime.fromisoformat(at),
                bounds=Bounds(*asked["bounds"]),
                title=asked["title"],
                columns=asked["columns"],
            )
            return {"id": begun}
        case "add":
            rows = [Row(int(number), to, columns) for number, to, columns in asked["rows"]]
            return {"flaws": [[*flaw] for flaw in await composer.add(asked["id"], rows)]}
        case "start" | "pause" | "cancel":
            moves = {"start": composer.start, "pause": composer.pause, "cancel": composer.cancel}
            return {"moved": await moves[verb](asked["id"])}
        case _:
            raise ValueError(f"this bridge knows no {verb}: it runs another version than this command")
