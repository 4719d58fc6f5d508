"""The part of the Store port that removes what is old, or is to be erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.store.encryption import Resealed
    from bridge.store.erasure import Erased, ErasedContact
    from bridge.store.retention import Sweep, Swept


class HousekeepingReader(Protocol):
    """What a look into a store can tell of it."""

    async def sweepable(self, sweep: Sweep, before: int, *, after: int = 0, limit: int = 10_000) -> Swept:
        """As `Store.sweep`, without changing anything; `limit` is how many rows are looked at."""
        ...

    async def encrypted_under(self) -> Mapping[str, int]:
        """How many values are under each key, by its id; PLAIN: not encrypted. Reads everything."""
        ...


class Housekeeping(HousekeepingReader, Protocol):
    """What only the owner of a store does."""

    async def sweep(self, sweep: Sweep, before: int, *, after: int = 0, limit: int = 200) -> Swept:
        """Remove or empty rows that are older than `before`, at most `limit`, from row `after` on.

        What is open, held or waits for anything stays, and so does what bridge.store.retention says.
        """
        ...

    async def erase(self, thread_id: int, at: int, *, limit: int = 100) -> Erased:
        """Remove a part of a thread, and with the last part the thread itself: open work too, as if it had never been.

        That its events were here is still known for as long as a gateway may deliver them again. Its media are
        forgotten; their bytes are to be removed after that.
        """
        ...

    async def erase_contact(self, contact_id: int) -> ErasedContact:
        """Remove what is known of a person, with all contacts merged into them, once no thread of theirs is left."""
        ...

    async def reseal(self, limit: int = 500) -> Resealed:
        """Encrypt some rows under the newest key, at most `limit`, from where the last call ended, in any process.

        After the last of them the older keys are not needed any more. Without keys this does nothing.

        Raises:
            ConfigError: another process would still use an older key.
        """
        ...

    async def leap(self) -> None:
        """Leave out numbers of timers: a store of which this one is a copy may have given them since."""
        ...

    async def wipe(self) -> bool:
        """Overwrite what is erased wherever the store itself can; False: some program reads it still."""
        ...
