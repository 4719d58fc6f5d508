"""Every account's deliveries: each row of the outbox goes to the worker of its account."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.engine.delivery.worker import DeliveryWorker
    from bridge.store.records import OutboxRow
    from bridge.store.shares import Use


class Delivery:
    """The workers of all accounts."""

    def __init__(self, workers: Sequence[DeliveryWorker]) -> None:
        """Nothing leaves until `start`."""
        self.workers = {worker.account: worker for worker in workers}

    async def start(self) -> None:
        """Take up what waits in the store."""
        for worker in self.workers.values():
            await worker.start()

    def follow(self, account: str, reason: str, seconds: float) -> None:
        """See store.Listener.paused."""
        if (worker := self.workers.get(account)) is not None:
            worker.follow(reason, seconds)

    def uses(self) -> Mapping[str, Use]:
        """See store.Listener."""
        found = ((account, worker.client.use()) for account, worker in self.workers.items())
        return {account: use for account, use in found if use is not None}

    def share(self, processes: int, slots: Mapping[str, int]) -> None:
        """See store.Listener."""
        for account, worker in self.workers.items():
            worker.client.share(processes, slots.get(account))

    def inherited(self, *, missed: bool) -> None:
        """See store.Listener."""
        for worker in self.workers.values():
            worker.inherited(missed=missed)

    def offer(self, rows: Sequence[OutboxRow]) -> None:
        """Take messages that were just committed; those of an account that is not configured stay in the store."""
        by_account: dict[str, list[OutboxRow]] = {}
        for row in rows:
            by_account.setdefault(row.ref.account, []).append(row)
        for name, own in by_account.items():
            if name in self.workers:
                self.workers[name].lanes.offer(own)

    def resolve(self, row_ids: Sequence[int]) -> None:
        """Drop messages that a status proved sent."""
        for worker in self.workers.values():
            worker.resolve(row_ids)

    async def settle(self) -> None:
        """Return when nothing is being sent."""
        for worker in self.workers.values():
            await worker.lanes.settle()

    async def stop(self, seconds: float) -> None:
        """Begin nothing new, and wait for the answers to what is on the wire."""
        await asyncio.gather(*(worker.lanes.stop(seconds) for worker in self.workers.values()))
