"""Contacts merged and parted by an operator; each thread of theirs hears of it in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import NoContact
from bridge.store.people.merging import merge as merging
from bridge.store.people.merging import unmerge as unmerging

from ..results import Result
from .inbox import receive
from .people import run

if TYPE_CHECKING:
    from bridge.errors import StoreError
    from bridge.store.people.asking import Process
    from bridge.store.records import Arrival

    from .transaction import Transaction


async def merge(tx: Transaction, contact_id: int, other_id: int, at: int) -> Result | StoreError:
    """Two contacts are one; the result's `value` is whether they were two."""
    return await _tell(tx, merging(contact_id, other_id, at))


async def unmerge(tx: Transaction, contact_id: int, at: int) -> Result | StoreError:
    """A contact is a person of their own again; the result's `value` is whether they were not."""
    return await _tell(tx, unmerging(contact_id, at))


async def _tell(tx: Transaction, process: Process[list[Arrival] | None]) -> Result | StoreError:
    try:
        told = await run(tx, process)
    except NoContact as error:
        return error
    result = (await receive(tx, [told]))[0] if told else Result()
    result.value = told is not None
    return result
