"""`threadbridge urls`: the webhook URL of each account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from bridge.cli.output import DEFAULT, AsJson, ConfigFile, exits, listing
from bridge.config.load import load_config
from bridge.providers.registry import PLAYGROUND
from bridge.providers.signatures import PathAuth
from bridge.units import is_loopback

if TYPE_CHECKING:
    from bridge.config.accounts import Account
    from bridge.config.load import Config

HIDDEN = "****"


def urls(
    config: ConfigFile = DEFAULT,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print the secrets in paths.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the webhook URL of each account, to paste into the provider's page.

    The URLs begin with [server] public_url, or else with this machine's address. An account without an inbound secret
    has no URL; the list gives the reason.

    Example: `threadbridge urls -c shop/threadbridge.toml --show-secrets`
    """
    with exits():
        read = load_config(config)
        rows = [row for account in read.accounts.values() for row in _rows(read, account, show_secrets=show_secrets)]
        if not as_json:
            rows = [row | {"url": row["url"] or f"no route: {row['reason']}"} for row in rows]
        listing(rows, columns=("account", "provider", "url"), as_json=as_json, empty="no accounts are configured")


def webhook_url(base: str, account: Account, *, show_secrets: bool) -> str | None:
    """The webhook URL of an account, without a channel; None without a route."""
    if account.inbound is None:
        return None
    url = f"{base}/webhooks/{account.name}"
    if isinstance(account.inbound, PathAuth):
        secret = account.inbound.secret[0].get_secret_value()
        url += f"/{quote(secret, safe='') if show_secrets else HIDDEN}"
    return url


def _rows(config: Config, account: Account, *, show_secrets: bool) -> list[dict[str, object]]:
    about: dict[str, object] = {"account": account.name, "provider": account.provider.name}
    url = webhook_url(config.server.public_url or config.server.local_url, account, show_secrets=show_secrets)
    shown = [url] if url else []
    channels = account.provider.channels or ()
    if url and len(channels) > 1:
        shown = [f"{url}/{channel}" for channel in channels]
    reason = "the account has no inbound secret"
    if not shown and account.provider.name == PLAYGROUND:
        shown = [f"{config.server.local_url}/console"] if is_loopback(config.server.host) else []
        reason = "the console needs a loopback address"
    if shown:
        return [about | {"url": url, "reason": None} for url in shown]
    return [about | {"url": None, "reason": reason}]
