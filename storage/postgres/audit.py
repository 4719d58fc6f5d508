"""The audit: who asked for which change. Rows are added, and never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..results import Result
from ..views import AUDIT_VALUES, audit_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.errors import StoreError
    from bridge.store.looks import AuditEntry

    from .transaction import Transaction

_NOTE: Final = f"INSERT INTO audit ({AUDIT_VALUES}) VALUES ($1, $2, $3, $4, $5)"


async def note(tx: Transaction, entries: Sequence[AuditEntry]) -> list[Result | StoreError]:
    """Add entries."""
    await tx.each(_NOTE, [audit_values(entry) for entry in entries])
    return [Result() for _ in entries]
