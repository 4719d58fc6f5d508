"""Emulated gateways of a bridge on this machine: what `dev` and `demo` have in place of real ones."""

from __future__ import annotations

import base64
import secrets
from random import Random
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from bridge.cli.emulate import emulator_for
from bridge.cli.urls import webhook_url
from bridge.clock import SystemClock
from bridge.emulation.server import EmulatorServer
from bridge.emulation.signing import signer_for
from bridge.providers.registry import GATEWAYS, PLAYGROUND, emulator_type

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from bridge.config.accounts import Account
    from bridge.config.load import Config

_NOBODY: Final = "http://127.0.0.1:9"
"""Where an emulator will be that has no address yet."""


def gateway_of(account: Account, bridge: str, port: int = 0) -> EmulatorServer:
    """An emulator of an account's gateway, which posts its webhooks to the bridge at a URL; it is not started.

    Raises:
        LookupError, ValueError: the gateway has no emulator, or the account's webhooks cannot be signed here.
    """
    kind = emulator_type(account.provider.name)
    url = webhook_url(bridge, account, show_secrets=True)
    sign = signer_for(account.inbound, SystemClock().now, Random()) if account.inbound else None  # noqa: S311 - ids
    return EmulatorServer(emulator_for(kind, account, honour_keys=False), port=port, webhook=url, sign=sign)


def gateway_accounts() -> dict[str, dict[str, Any]]:
    """An account of each gateway, named like it, with the emulator's own credentials and a secret of this moment."""
    secret = SecretStr(f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}")
    inbound = {"auth": "standard-webhooks", "secrets": [secret]}
    return {
        name: {"provider": name, "base_url": _NOBODY, "inbound": inbound, **emulator_type(name).sample_settings}
        for name in GATEWAYS
    }


async def emulated(config: Config, servers: AsyncExitStack) -> dict[str, str]:
    """By account, where its gateway is emulated for as long as `servers` is open."""
    return {
        account.name: (await servers.enter_async_context(gateway_of(account, config.server.local_url))).url
        for account in config.accounts.values()
        if account.provider.name != PLAYGROUND
    }
