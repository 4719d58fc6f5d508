"""Small values by account and name: how far polling read, and the secrets of the bridge, each in a table of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..results import Result
from ..rows import SECRETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.errors import StoreError

    from .transaction import Transaction

    Value = tuple[str, str, str]

_ADVANCE: Final = """
INSERT INTO cursors (account, name, value) VALUES ($1, $2, $3)
ON CONFLICT (account, name) DO UPDATE SET value = excluded.value
"""
_RENEW: Final = """
INSERT INTO secrets (account, name, value) VALUES ($1, $2, $3)
ON CONFLICT (account, name) DO UPDATE SET value = excluded.value
"""
_KEEP: Final = "INSERT INTO secrets (account, name, value) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
_KEPT: Final = f"SELECT {SECRETS} FROM secrets WHERE account = $1 AND name = $2"


async def advance(tx: Transaction, values: Sequence[Value]) -> list[Result | StoreError]:
    """How far each (account, name) was read."""
    await tx.each(_ADVANCE, values)
    return [Result() for _ in values]


async def keep_secrets(tx: Transaction, values: Sequence[Value]) -> list[Result | StoreError]:
    """Values under names that are free. Each result's `value` is what is kept there now."""
    await tx.each(_KEEP, values)
    return [Result(value=(await tx.fetch(_KEPT, account, name))[0][0]) for account, name, _ in values]


async def renew_secrets(tx: Transaction, values: Sequence[Value]) -> list[Result | StoreError]:
    """Values in the place of those before."""
    await tx.each(_RENEW, values)
    return [Result() for _ in values]
