"""`threadbridge spending`: what steps of dialogs spent of their budgets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bridge.cli.looking import OfDemo, OfDev, StoreUrl, looked_at
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, exits, listing
from bridge.cli.threads import Limit, OfAccount, no_store_yet
from bridge.store.opening import open_reader

if TYPE_CHECKING:
    from bridge.config.load import Config

_COLUMNS: Final = ("account", "budget", "period", "amount")


def spending(
    config: ConfigFile = DEFAULT,
    account: OfAccount = None,
    limit: Limit = 1000,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
    as_json: AsJson = False,
) -> None:
    """Show what steps spent of each budget, in its day or month.

    The budget that was last charged comes first. The amount is in the unit that the budget counts in: an assistant
    counts in millionths. The list takes no lock, and works while the bridge runs.

    Example: `threadbridge spending --account shop`
    """
    with exits():
        rows = asyncio.run(_spent(looked_at(config, store, dev=dev, demo=demo, accounts=False), account, limit))
        listing(rows, columns=_COLUMNS, as_json=as_json, empty="nothing is spent")


async def _spent(config: Config, account: str | None, limit: int) -> list[dict[str, object]]:
    if no_store_yet(config):
        return []
    store = await open_reader(config.storage.url)
    try:
        return [spent._asdict() for spent in await store.spending(account=account, limit=limit)]
    finally:
        await store.close()
