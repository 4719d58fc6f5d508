"""`threadbridge emulate`: a gateway on this machine, with faults on demand."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer
from pydantic import SecretStr

from bridge.cli.output import exits, no_such_port, say
from bridge.cli.urls import webhook_url
from bridge.clock import SystemClock
from bridge.config.load import load_config
from bridge.emulation.faults import Faults
from bridge.emulation.server import EmulatorServer, base_path
from bridge.emulation.signing import signer_for
from bridge.errors import Problem
from bridge.providers.port import HonoursKeys
from bridge.providers.registry import PLAYGROUND, emulator_type, provider_type
from bridge.units import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.config.accounts import Account
    from bridge.providers.port import Emulator, EmulatorType

_WHERE: Final = ("Its webhooks go to --webhook.", "Its webhooks go to the account, signed as the account expects.")


def emulate(
    provider: Annotated[
        str, typer.Argument(metavar="PROVIDER", help="aelyst, ginalne, konnek, relationlabs or whautochat.")
    ],
    *,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            min=1,
            max=65_535,
            metavar="N",
            help="Listen on this port of 127.0.0.1; default: the port of the base_url in -c.",
        ),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="URL", help="Post webhooks to this URL, without a channel.")
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="'NAME: VALUE'", help="Send this header with every webhook; repeatable."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "-c", "--config", metavar="FILE", help="Emulate the gateway of the account in this configuration."
        ),
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="The account, where -c has several.")
    ] = None,
    drop: Annotated[
        float, typer.Option("--drop", min=0, max=1, metavar="P", help="Accept a message, then cut the connection.")
    ] = 0.0,
    dup: Annotated[float, typer.Option("--dup", min=0, max=1, metavar="P", help="Post a webhook twice.")] = 0.0,
    delay: Annotated[float, typer.Option("--delay", min=0, metavar="MS", help="Wait before every answer.")] = 0.0,
    fail: Annotated[
        list[str] | None, typer.Option("--fail", metavar="CODE:P", help="Refuse with this code; repeatable.")
    ] = None,
    honour_keys: Annotated[
        bool, typer.Option("--honour-keys", help="Answer a repeated idempotency key without a second message.")
    ] = False,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="Append every exchange as a line of JSON, redacted.")
    ] = None,
) -> None:
    """Emulate a provider, as strict as its documentation, with faults on demand.

    POST to /_emulator/says, /presses, /sends, /locates or /status to act as a contact. GET /_emulator/seen returns the
    messages it received. P is a probability from 0 to 1.

    With -c the emulator accepts the account's credentials, and signs webhooks as the account expects. It then fits
    `threadbridge run` with the same file, if the account's base_url is the printed address.

    Example: `threadbridge emulate konnek -c threadbridge.toml --port 9001 --drop 0.1 --fail 500:0.2`
    """
    with exits():
        headers = dict(_header(text) for text in header or ())
        emulator_class = _emulator_class(provider)
        owner, url = _account(config, provider, account) if config is not None else (None, None)
        sign = _signer(owner, headers)
        _check_url(webhook)
        port = port or _port(owner)
        emulator = emulator_for(emulator_class, owner, honour_keys=honour_keys)
        try:
            faults = Faults(drop=drop, dup=dup, delay_ms=delay, fail=dict(_failure(text) for text in fail or ()))
            server = EmulatorServer(
                emulator, port=port, webhook=webhook or url, headers=headers, sign=sign, faults=faults, log=log
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        except OSError as error:
            raise typer.BadParameter(f"{log}: {error.strerror}", param_hint="--log") from None
        try:
            asyncio.run(_serve(server, owner, to_somewhere=bool(webhook or url)))
        except OSError as error:
            raise no_such_port(error, Problem("emulate", "--port", f"127.0.0.1:{port}")) from None


async def _serve(server: EmulatorServer, account: Account | None, *, to_somewhere: bool) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with server:
        say(f"{server.emulator.name} is emulated; its base_url is {server.url}{_differs(account, server)}")
        accepted = f"the credentials of {account.name}" if account else _accepted(server.emulator)
        say(f"It accepts: {accepted}")
        say(_WHERE[account is not None] if to_somewhere else "Its webhooks go nowhere; give --webhook or -c.")
        example = json.dumps({"channel": _channel(server.emulator, account), "contact": "ann", "text": "hello"})
        say(f"To write as a contact: curl {server.url}/_emulator/says -d {shlex.quote(example)}")
        sys.stdout.flush()
        await stop.wait()


def _differs(account: Account | None, server: EmulatorServer) -> str:
    """A warning when the account sends elsewhere; the gateway's own path is served too."""
    served = {server.url, server.url + base_path(server.emulator)}
    return f"; {account.name} has another" if account and account.provider.base_url not in served else ""


def _channel(emulator: Emulator, account: Account | None) -> str:
    """A channel that exists, so that the printed line works."""
    own = (account.provider.channels if account else None) or emulator.settings.get("channels")
    return str(next(iter(own or provider_type(emulator.name).relays)))


def _accepted(emulator: Emulator) -> str:
    """The credentials that the emulator accepts. They are samples, not secrets."""

    def shown(value: Any) -> str:  # noqa: ANN401 - whatever a provider's settings hold
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        return json.dumps(list(text) if isinstance(text, tuple) else text, default=str)

    return ", ".join(f"{name} = {shown(value)}" for name, value in emulator.sample_settings.items())


def _emulator_class(provider: str) -> EmulatorType:
    if provider == PLAYGROUND:
        raise typer.BadParameter("the console is the playground's gateway; try `threadbridge demo`")
    try:
        return emulator_type(provider)
    except LookupError as error:
        raise typer.BadParameter(str(error)) from None


def emulator_for(kind: EmulatorType, account: Account | None, *, honour_keys: bool) -> Emulator:
    """The emulator of an account's gateway, or one with sample credentials."""
    settings = (
        {name: getattr(account.settings, name) for name in type(account.settings).model_fields} if account else None
    )
    emulator = kind(SystemClock().now, Random(), settings)  # noqa: S311 - ids of invented messages
    if honour_keys:
        if not isinstance(emulator, HonoursKeys):
            raise typer.BadParameter(f"{emulator.name} has no idempotency keys", param_hint="--honour-keys")
        emulator.honours_keys = True
    return emulator


def _account(file: Path, provider: str, name: str | None) -> tuple[Account, str]:
    """The account at this provider, chosen by name if there are several, and its webhook URL."""
    config = load_config(file)
    accounts = [
        account
        for account in config.accounts.values()
        if account.provider.name == provider and account.inbound is not None
    ]
    if name is not None:
        accounts = [account for account in accounts if account.name == name]
    if len(accounts) != 1:
        called = f" named {name}" if name is not None else ""
        hint = "choose one with --account" if accounts else "give --webhook and --header instead"
        raise typer.BadParameter(
            f"{file} has {len(accounts) or 'no'} accounts at {provider} with a route{called}; {hint}", param_hint="-c"
        )
    return accounts[0], str(webhook_url(config.server.local_url, accounts[0], show_secrets=True))


def _check_url(webhook: str | None) -> None:
    """Refuse a URL that cannot receive a webhook."""
    try:
        parts = urlsplit(webhook or "http://nowhere")
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise typer.BadParameter("want a URL like http://127.0.0.1:8080/webhooks/shop", param_hint="--webhook")


def _signer(account: Account | None, headers: Mapping[str, str]) -> Callable[[bytes], Mapping[str, str]] | None:
    """A function that signs the account's webhooks; None when `headers` authenticate them."""
    if account is None or account.inbound is None:
        return None
    try:
        return signer_for(account.inbound, SystemClock().now, Random())  # noqa: S311 - ids of invented messages
    except ValueError as error:
        if headers:
            return None
        raise typer.BadParameter(
            f"the webhooks of {account.name} cannot be signed here: {error}; "
            "authenticate them with --header 'NAME: VALUE'",
            param_hint="-c",
        ) from None


def _port(account: Account | None) -> int:
    """The port of the account's base_url, if that is on this machine."""
    try:
        url = urlsplit(account.provider.base_url if account else "")
        if url.scheme == "http" and is_loopback(url.hostname or "") and url.port:
            return url.port
    except ValueError:
        pass
    raise typer.BadParameter(
        "required, unless -c has an account whose base_url is on this machine", param_hint="--port"
    )


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not name.strip() or not separator or not text.isprintable():
        raise typer.BadParameter("want 'Name: value'", param_hint="--header")
    return name.strip(), value.strip()


def _failure(text: str) -> tuple[str, float]:
    code, _, chance = text.rpartition(":")
    try:
        return code, float(chance)
    except ValueError:
        raise typer.BadParameter("want CODE:P, like 500:0.1", param_hint="--fail") from None
