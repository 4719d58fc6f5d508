"""On which channel a person is reached: where a message may go now, in the configured order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.conversation.effects import Destination
from bridge.errors import HandlerError
from bridge.store.people.identities import is_lost
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.clock import Clock
    from bridge.config.accounts import Account
    from bridge.conversation.effects import Effects
    from bridge.store.port import Store
    from bridge.store.records import ThreadRow


class Reach:
    """Finds the conversation in which a person is written to."""

    def __init__(self, store: Store, accounts: Mapping[str, Account], order: Sequence[str], clock: Clock) -> None:
        """`order` has channels, the best first."""
        self._store = store
        self._accounts = accounts
        self._rank = {channel.lower(): number for number, channel in enumerate(order)}
        self._clock = clock

    async def settle(self, effects: Effects) -> None:
        """Say of each person that a turn writes to in which conversation. Raises HandlerError, StoreError."""
        if any(sending.to.person is not None for sending in effects.sends):
            effects.sends = [replace(sending, to=await self.found(sending.to)) for sending in effects.sends]

    async def found(self, to: Destination) -> Destination:
        """A destination with its conversation. Raises HandlerError where the person has none that fits, StoreError."""
        if to.person is None:
            return to
        threads = await self._store.threads_of_contact(to.person)
        wanted, now = to.ref, self._clock.now()
        fitting = [
            thread
            for thread in threads
            if not thread.is_alias and not is_lost(thread, thread.address)
            if thread.ref.account in self._accounts and wanted.account in {"", thread.ref.account}
            if not wanted.channel or thread.ref.channel.lower() == wanted.channel.lower()
        ]
        if not fitting:
            where = f" on {wanted.channel}" if wanted.channel else ""
            raise HandlerError(
                f"contact {to.person} has no conversation{where}: give an address in place of the contact"
            )
        return Destination(ref=max(fitting, key=lambda thread: self._worth(thread, now)).ref, contact=to.contact)

    def _worth(self, thread: ThreadRow, now: int) -> tuple[bool, bool, int, int]:
        """The more the better: consent and an open window before the order, and that before the last word."""
        window = self._accounts[thread.ref.account].provider.capabilities(thread.ref.channel).window
        is_open = window is None or (thread.last_heard is not None and now - thread.last_heard <= window * SECOND)
        rank = self._rank.get(thread.ref.channel.lower(), len(self._rank))
        return thread.opted_out == 0, is_open, -rank, thread.last_heard or 0
