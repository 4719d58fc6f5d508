"""What a command asks a running bridge to remove, a part at a time: a command that ends leaves nothing half done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.log import log
from bridge.store.retention import Sweep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.app.parts import Parts


async def keep(parts: Parts, verb: str, asked: Mapping[str, Any]) -> Mapping[str, object]:
    """See control_protocol.KEEP. Raises ValueError, TypeError or KeyError for what is not so."""
    match verb:
        case "sweep":
            before, after, limit = int(asked["before"]), int(asked["after"]), int(asked["limit"])
            return (await parts.store.sweep(Sweep(asked["sweep"]), before, after=after, limit=limit))._asdict()
        case "erase":
            erased = await parts.store.erase(int(asked["thread"]), int(asked["at"]), limit=int(asked["limit"]))
            if not erased.more:
                log.info("thread_erased", thread=int(asked["thread"]))
            return {"rows": dict(erased.rows), "more": erased.more}
        case "erase contact":
            return (await parts.store.erase_contact(int(asked["contact"])))._asdict()
        case "reseal":
            return (await parts.store.reseal(int(asked["limit"])))._asdict()
        case "wipe":
            return {"wiped": await parts.store.wipe()}
        case _:
            raise ValueError(f"this bridge knows no {verb}: it runs another version than this command")
