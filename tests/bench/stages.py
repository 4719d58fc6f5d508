"""Where the time of a message goes: the seconds spent in each stage, summed up over all messages."""

from __future__ import annotations

import json
import time
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.app.bridge import Bridge


class Stages:
    """Counts calls and seconds by stage. Stages that wait (commits, sends) overlap between messages."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self.seconds: dict[str, float] = {}

    def add(self, stage: str, seconds: float) -> None:
        self.calls[stage] = self.calls.get(stage, 0) + 1
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def timed(self, owner: Any, name: str, stage: str) -> None:
        """Measure an async method of an object, from call to return."""
        inner: Callable[..., Any] = getattr(owner, name)

        @wraps(inner)
        async def outer(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return await inner(*arguments, **named)
            finally:
                self.add(stage, time.perf_counter() - began)

        setattr(owner, name, outer)


def hold(bridge: Bridge) -> None:
    """Let no turn begin: what is measured then is ingest alone, from the socket to the commit and the answer."""
    start = bridge.start

    async def started() -> None:
        await start()
        await bridge.parts.dispatcher.lanes.stop(0)

    bridge.start = started  # type: ignore[method-assign]


def watch(bridge: Bridge, folder: str) -> None:
    """Measure a bridge from its start on; the figures are written to FOLDER/stages.json when it stops."""
    stages = Stages()
    start, stop = bridge.start, bridge.stop

    async def started() -> None:
        await start()
        stages.timed(bridge.store, "receive", "1 receive: wait for the commit")
        stages.timed(bridge.parts.dispatcher, "work", "2 turn: match, handle, plan, commit")
        stages.timed(bridge.store, "commit_turn", "3 of it: wait for the commit")
        for account in bridge.parts.delivery.workers.values():
            stages.timed(account, "work", "4 delivery: send, commit")
            stages.timed(account._client, "send", "5 of it: the provider's HTTP API")
        stages.timed(bridge.store, "settle_delivery", "6 of it: wait for the commit")
        stages.timed(bridge.store, "_transact", "7 transactions")
        bridge.store._writer._run = bridge.store._transact  # type: ignore[attr-defined]

    async def stopped() -> None:
        await stop()
        Path(folder, "stages.json").write_text(json.dumps({"calls": stages.calls, "seconds": stages.seconds}))

    bridge.start = started  # type: ignore[method-assign]
    bridge.stop = stopped  # type: ignore[method-assign]
