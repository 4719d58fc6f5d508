"""`threadbridge webhooks register|list|delete`: webhook URLs at providers that have an API for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import urlsplit

import typer

from bridge.cli.commands import Command, Group
from bridge.cli.output import DEFAULT, PROVIDER_FAILED, AsJson, ConfigFile, clean, complain, exits, leave, listing, say
from bridge.cli.urls import HIDDEN, webhook_url
from bridge.clock import SystemClock
from bridge.config.load import load_config
from bridge.engine.delivery.client import Client
from bridge.engine.delivery.opening import open_transport
from bridge.errors import ConfigError, Problem, SendError
from bridge.providers.fields import read_base_url
from bridge.providers.optional import Registers
from bridge.providers.signatures import PathAuth

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.config.accounts import Account
    from bridge.config.load import Config
    from bridge.providers.optional import Exchange, Registration, Registrations

T = TypeVar("T")

webhooks = typer.Typer(
    cls=Group, no_args_is_help=True, help="Register webhook URLs at providers that have an API for it."
)

Named = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The name of the account in the configuration.")]
ShowSecrets = Annotated[bool, typer.Option("--show-secrets", help="Print the secrets in URLs.")]


@webhooks.command(cls=Command)
def register(
    account: Named,
    config: ConfigFile = DEFAULT,
    url: Annotated[
        str | None, typer.Option("--url", metavar="BASE", help="Use this base instead of [server] public_url.")
    ] = None,
    show_secrets: ShowSecrets = False,
) -> None:
    """Register this account's webhook URL at the provider, once.

    The URL is [server] public_url with the account's route and the secret of its path. A registration of this URL, or
    of it with an older secret, is updated.

    Example: `threadbridge webhooks register chat -c shop/threadbridge.toml`
    """
    with exits():
        read = load_config(config)
        own = _account(read, account)
        place = f"{_base(read, config, url)}/webhooks/{own.name}"
        wanted = webhook_url(place.removesuffix(f"/webhooks/{own.name}"), own, show_secrets=True)
        if wanted is None:
            raise ConfigError(
                [
                    Problem(
                        read.file,
                        f"accounts.{account}.inbound",
                        "the account has no inbound secret, so it has no route",
                    )
                ]
            )
        if not isinstance(own.inbound, PathAuth):
            complain("the URL holds no secret: the provider must authenticate each webhook as the account expects")
        done = _ask(read, own, lambda registrations: registrations.ensure(f"threadbridge {own.name}", wanted, place))
        shown = _shown(done.url or wanted, place, show_secrets=show_secrets)
        typer.echo(f"{clean(done.id)}\t{clean(shown)}")


@webhooks.command("list", cls=Command)
def list_(
    account: Named, config: ConfigFile = DEFAULT, show_secrets: ShowSecrets = False, as_json: AsJson = False
) -> None:
    """List the registered webhook URLs at the provider.

    A URL of another owner shows its host only, because its path may hold a secret. Off a terminal the list has one
    line an item, with tabs between the columns.

    Example: `threadbridge webhooks list chat --json`
    """
    with exits():
        read = load_config(config)
        own = _account(read, account)
        place = f"{read.server.public_url}/webhooks/{own.name}" if read.server.public_url else None
        registered = _ask(read, own, lambda registrations: registrations.list())
        rows = [_row(registration, place, show_secrets=show_secrets) for registration in registered]
        listing(rows, columns=("id", "name", "active", "url", "events"), as_json=as_json, empty="no URL is registered")


@webhooks.command(cls=Command)
def delete(
    account: Named,
    registration: Annotated[str, typer.Argument(metavar="ID", help="An id from `webhooks list`.")],
    config: ConfigFile = DEFAULT,
) -> None:
    """Delete one webhook URL at the provider; a URL that is already gone is not an error.

    Example: `threadbridge webhooks delete chat whk_0123456789abcdef`
    """
    with exits():
        read = load_config(config)
        own = _account(read, account)
        _ask(read, own, lambda registrations: registrations.delete(registration))
        say(f"{registration} is not registered any more")


def _account(config: Config, name: str) -> Account:
    account = config.accounts.get(name)
    if account is None:
        names = ", ".join(config.accounts) or "none"
        raise typer.BadParameter(f"no account {name}; configured: {names}", param_hint="ACCOUNT")
    if not isinstance(account.provider, Registers):
        reason = (
            f"{account.provider.name} has no API for webhook URLs; `threadbridge urls` prints what to enter by hand"
        )
        raise typer.BadParameter(reason, param_hint="ACCOUNT")
    return account


def _base(config: Config, file: Path, given: str | None) -> str:
    if given is not None:
        try:
            return str(read_base_url(given))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--url") from None
    if config.server.public_url is None:
        reason = "missing: the provider needs a public address; set it, or give --url"
        raise ConfigError([Problem(str(file), "server.public_url", reason)])
    return config.server.public_url.rstrip("/")


def _ask(config: Config, account: Account, begin: Callable[[Registrations], Exchange[T]]) -> T:
    """Carry out one exchange; a refusal ends the command."""
    provider: Any = account.provider

    async def run() -> T:
        transport = open_transport(config.delivery.http_client)
        try:
            client = Client(account.provider, account.settings, transport, SystemClock(), inbound=account.inbound)
            return await client.ask(lambda _: begin(provider.webhooks))
        finally:
            await transport.close()

    try:
        return asyncio.run(run())
    except SendError as error:
        complain(f"{account.provider.name} refused: {error}")
        leave(PROVIDER_FAILED)


def _row(registration: Registration, place: str | None, *, show_secrets: bool) -> dict[str, object]:
    return {
        "id": registration.id,
        "name": registration.name,
        "active": registration.active,
        "url": _shown(registration.url, place, show_secrets=show_secrets),
        "events": ", ".join(registration.events),
    }


def _shown(url: str, place: str | None, *, show_secrets: bool) -> str:
    """A URL without its secrets."""
    if show_secrets or url == place:
        return url
    if place is not None and url.startswith(f"{place}/"):
        return f"{place}/{HIDDEN}"
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}/{HIDDEN}"
