"""Where the time of a message goes: seconds in each stage, by all messages, written down when the bridge stops."""

from __future__ import annotations

import asyncio
import json
import os
import time
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge.app.bridge import Bridge
from bridge.engine.delivery.client import Client
from bridge.engine.delivery.worker import DeliveryWorker
from bridge.engine.turns.dispatcher import Dispatcher

if TYPE_CHECKING:
    from collections.abc import Callable

FILE: Final = "BENCH_STAGES"
"""The variable of the environment that names the file to write."""
TURN: Final = "2 turn: match, handle, plan, commit"


class Stages:
    """Counts calls and seconds by stage. Stages that wait (commits, sends) overlap between messages."""

    def __init__(self) -> None:
        """Nothing is measured yet."""
        self.calls: dict[str, int] = {}
        self.seconds: dict[str, float] = {}

    def timed(self, owner: object, name: str, stage: str) -> None:
        """Measure an async method of an object or a class, from call to return."""
        inner: Callable[..., Any] = getattr(owner, name)

        @wraps(inner)
        async def outer(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the method takes
            began = time.perf_counter()
            try:
                return await inner(*arguments, **named)
            finally:
                self.calls[stage] = self.calls.get(stage, 0) + 1
                self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began

        setattr(owner, name, outer)


class Watched(Bridge):
    """A bridge that measures its stages; a process has one of them."""

    async def start(self) -> None:
        """See Bridge. What a start takes up from the store is measured too."""
        self._stages = stages = Stages()
        stages.timed(Dispatcher, "work", TURN)
        stages.timed(DeliveryWorker, "work", "4 delivery: send, commit")
        stages.timed(Client, "send", "5 of it: the provider's HTTP API")
        await super().start()
        store = type(self.store)
        stages.timed(store, "receive", "1 receive: wait for the commit")
        stages.timed(store, "commit_turn", "3 of it: wait for the commit")
        stages.timed(store, "settle_delivery", "6 of it: wait for the commit")

    async def stop(self) -> None:
        """See Bridge. The figures are in the file of the environment then."""
        await super().stop()
        figures = {"calls": self._stages.calls, "seconds": self._stages.seconds}
        await asyncio.to_thread(Path(os.environ[FILE]).write_text, json.dumps(figures))
