"""`threadbridge webhooks register|list|delete`: our URLs at providers that take them over their API."""

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
from bridge.engine.delivery.client import Client, Http, open_session
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

Named = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account, as it is called in the configuration.")]
ShowSecrets = Annotated[bool, typer.Option("--show-secrets", help="Print the secrets in URLs.")]


@webhooks.command(cls=Command)
def register(
    account: Named,
    config: ConfigFile = DEFAULT,
    url: Annotated[
        str | None, typer.Option("--url", metavar="BASE", help="Take this instead of [server] public_url.")
    ] = None,
    show_secrets: ShowSecrets = False,
) -> None:
    """Have the provider post to this account's URL; once, however often it is called.

    The URL is [server] public_url with the account's route and the secret of its path. A registration of it that is
    there already, or of it with an older secret, is brought up to date.

    Example: `threadbridge webhooks register chat -c shop/threadbridge.toml`
    """
    with exits():
        read = load_config(config)
        own = _account(read, account)
        place = f"{_base(read, config, url)}/webhooks/{own.name}"
        wanted = webhook_url(place.removesuffix(f"/webhooks/{own.name}"), own, show_secrets=True)
        if wanted is None:
            raise ConfigError([Problem(read.file, f"accounts.{account}.inbound", "it has no inbound secret: no route")])
        if not isinstance(own.inbound, PathAuth):
            complain("the URL holds no secret: what is posted to it has to carry the account's own proof of origin")
        done = _ask(own, lambda all_: all_.ensure(f"threadbridge {own.name}", wanted, place))
        shown = _shown(done.url or wanted, place, show_secrets=show_secrets)
        typer.echo(f"{clean(done.id)}\t{clean(shown)}")


@webhooks.command("list", cls=Command)
def list_(
    account: Named, config: ConfigFile = DEFAULT, show_secrets: ShowSecrets = False, as_json: AsJson = False
) -> None:
    """List the URLs the provider posts to; off a terminal one line each, its columns parted by tabs.

    Of URLs that are not this account's only the host is shown, because their paths may hold a secret.

    Example: `threadbridge webhooks list chat --json`
    """
    with exits():
        read = load_config(config)
        own = _account(read, account)
        place = f"{read.server.public_url}/webhooks/{own.name}" if read.server.public_url else None
        found = _ask(own, lambda all_: all_.list())
        rows = [_row(each, place, show_secrets=show_secrets) for each in found]
        listing(rows, columns=("id", "name", "active", "url", "events"), as_json=as_json, empty="none is registered")


@webhooks.command(cls=Command)
def delete(
    account: Named,
    registration: Annotated[str, typer.Argument(metavar="ID", help="As `threadbridge webhooks list` shows it.")],
    config: ConfigFile = DEFAULT,
) -> None:
    """Have the provider forget one URL; that it is gone already is no error.

    Example: `threadbridge webhooks delete chat whk_0123456789abcdef`
    """
    with exits():
        own = _account(load_config(config), account)
        _ask(own, lambda all_: all_.delete(registration))
        say(f"{registration} is not registered (any more)")


def _account(config: Config, name: str) -> Account:
    found = config.accounts.get(name)
    if found is None:
        names = ", ".join(config.accounts) or "none"
        raise typer.BadParameter(f"there is no account {name}; there is {names}", param_hint="ACCOUNT")
    if not isinstance(found.provider, Registers):
        reason = f"{found.provider.name} has no API for webhook URLs; `threadbridge urls` prints what to enter by hand"
        raise typer.BadParameter(reason, param_hint="ACCOUNT")
    return found


def _base(config: Config, file: Path, given: str | None) -> str:
    if given is not None:
        try:
            return str(read_base_url(given))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--url") from None
    if config.server.public_url is None:
        reason = "missing: the provider has to reach us from outside; set it, or give --url"
        raise ConfigError([Problem(str(file), "server.public_url", reason)])
    return config.server.public_url.rstrip("/")


def _ask(account: Account, begin: Callable[[Registrations], Exchange[T]]) -> T:
    """Carry out one exchange; ends the command when the provider does not do as asked."""
    provider: Any = account.provider

    async def run() -> T:
        session = open_session()
        try:
            client = Client(account.provider, account.settings, Http(session), SystemClock())
            return await client.ask(lambda _: begin(provider.webhooks))
        finally:
            await session.close()

    try:
        return asyncio.run(run())
    except SendError as error:
        complain(f"{account.provider.name} did not do it: {error}")
        leave(PROVIDER_FAILED)


def _row(found: Registration, place: str | None, *, show_secrets: bool) -> dict[str, object]:
    return {
        "id": found.id,
        "name": found.name,
        "active": found.active,
        "url": _shown(found.url, place, show_secrets=show_secrets),
        "events": ", ".join(found.events),
    }


def _shown(url: str, place: str | None, *, show_secrets: bool) -> str:
    """A URL without what may be a secret in it."""
    if show_secrets or url == place:
        return url
    if place is not None and url.startswith(f"{place}/"):
        return f"{place}/{HIDDEN}"
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}/{HIDDEN}"
