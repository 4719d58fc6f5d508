"""`threadbridge emulate`: a gateway on this machine, for trying things out and for breaking them."""

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
from bridge.emulation.server import EmulatorServer
from bridge.emulation.signing import signer_for
from bridge.errors import Problem
from bridge.providers.port import HonoursKeys
from bridge.providers.registry import emulator_type, provider_type
from bridge.units import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.config.accounts import Account
    from bridge.providers.port import Emulator, EmulatorType

_WHERE: Final = ("Its webhooks go to --webhook.", "Its webhooks go to the account, and pass its door.")


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
            help="Where it listens, on 127.0.0.1; else as the base_url in -c.",
        ),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="URL", help="Where its webhooks go, without a channel.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="'NAME: VALUE'", help="Sent with every webhook; repeatable.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("-c", "--config", metavar="FILE", help="Play the other end of the account in it."),
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="Which account of -c, where there are several.")
    ] = None,
    drop: Annotated[
        float, typer.Option("--drop", min=0, max=1, metavar="P", help="Take a message, then cut the connection.")
    ] = 0.0,
    dup: Annotated[float, typer.Option("--dup", min=0, max=1, metavar="P", help="Post a webhook twice.")] = 0.0,
    delay: Annotated[float, typer.Option("--delay", min=0, metavar="MS", help="Wait before every answer.")] = 0.0,
    fail: Annotated[
        list[str] | None, typer.Option("--fail", metavar="CODE:P", help="Refuse with this code; repeatable.")
    ] = None,
    honour_keys: Annotated[
        bool, typer.Option("--honour-keys", help="Answer a repeated idempotency key without sending again.")
    ] = False,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="Append every exchange as a line of JSON, redacted.")
    ] = None,
) -> None:
    """Emulate a provider, as strict as its documentation, with faults on demand.

    Its contacts are moved by POSTs to /_emulator/says, /presses, /sends, /locates and /status; what it was sent is
    at /_emulator/seen. P is a probability from 0 to 1.

    With -c it accepts the credentials of the account, and its webhooks pass the account's own door: so it fits a
    `threadbridge run` of the same file, whose base_url is the address printed here.

    Example: `threadbridge emulate konnek -c threadbridge.toml --port 9001 --drop 0.1 --fail 500:0.2`
    """
    with exits():
        headers = dict(_header(each) for each in header or ())
        emulator_class = _emulator_class(provider)
        owner, url = _account(config, provider, account) if config is not None else (None, None)
        sign = _signer(owner, headers)
        _check_url(webhook)
        port = port or _port(owner)
        emulator = emulator_for(emulator_class, owner, honour_keys=honour_keys)
        try:
            faults = Faults(drop=drop, dup=dup, delay_ms=delay, fail=dict(_failure(each) for each in fail or ()))
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
        say(f"{server.emulator.name} is emulated; its base_url is {server.url}{_differs(account, server.url)}")
        accepted = f"the credentials of {account.name}" if account else _accepted(server.emulator)
        say(f"It accepts: {accepted}")
        say(_WHERE[account is not None] if to_somewhere else "Its webhooks go nowhere: give --webhook or -c.")
        spoken = json.dumps({"channel": _channel(server.emulator, account), "contact": "ann", "text": "hello"})
        say(f"A contact speaks: curl {server.url}/_emulator/says -d {shlex.quote(spoken)}")
        sys.stdout.flush()
        await stop.wait()


def _differs(account: Account | None, url: str) -> str:
    """What the account has to be told before it sends here."""
    return f", and that of {account.name} is another" if account and account.provider.base_url != url else ""


def _channel(emulator: Emulator, account: Account | None) -> str:
    """One that is there, so that the line can be pasted as it is."""
    own = (account.provider.channels if account else None) or emulator.settings.get("channels")
    return str(next(iter(own or provider_type(emulator.name).relays)))


def _accepted(emulator: Emulator) -> str:
    """The account keys that the emulator wants to see: made up, so no secret."""

    def shown(value: Any) -> str:  # noqa: ANN401 - whatever a provider's settings hold
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        return json.dumps(list(text) if isinstance(text, tuple) else text, default=str)

    return ", ".join(f"{name} = {shown(value)}" for name, value in emulator.sample_settings.items())


def _emulator_class(provider: str) -> EmulatorType:
    if provider == "playground":
        raise typer.BadParameter("the playground's other end is the console; try `threadbridge demo`")
    try:
        return emulator_type(provider)
    except LookupError as error:
        raise typer.BadParameter(str(error)) from None


def emulator_for(kind: EmulatorType, account: Account | None, *, honour_keys: bool) -> Emulator:
    """The other end of an account, or of one with made-up credentials."""
    settings = (
        {name: getattr(account.settings, name) for name in type(account.settings).model_fields} if account else None
    )
    emulator = kind(SystemClock().now, Random(), settings)  # noqa: S311 - makes ids of made-up messages
    if honour_keys:
        if not isinstance(emulator, HonoursKeys):
            raise typer.BadParameter(f"{emulator.name} knows no idempotency keys", param_hint="--honour-keys")
        emulator.honours_keys = True
    return emulator


def _account(file: Path, provider: str, name: str | None) -> tuple[Account, str]:
    """The one account at this provider, or the one of this name; and the URL its webhooks go to."""
    config = load_config(file)
    found = [each for each in config.accounts.values() if each.provider.name == provider and each.inbound is not None]
    if name is not None:
        found = [each for each in found if each.name == name]
    if len(found) != 1:
        called = f" named {name}" if name is not None else ""
        hint = "choose one with --account" if found else "give --webhook and --header instead"
        raise typer.BadParameter(
            f"{file} has {len(found) or 'no'} accounts at {provider} with a route{called}; {hint}", param_hint="-c"
        )
    return found[0], str(webhook_url(config.server.local_url, found[0], show_secrets=True))


def _check_url(webhook: str | None) -> None:
    """Refuse what no webhook could be posted to, before anybody waits for one."""
    try:
        parts = urlsplit(webhook or "http://nowhere")
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        raise typer.BadParameter("want a URL like http://127.0.0.1:8080/webhooks/shop", param_hint="--webhook")


def _signer(account: Account | None, headers: Mapping[str, str]) -> Callable[[bytes], Mapping[str, str]] | None:
    """What makes the account's webhooks authentic; headers by hand stand in where nothing can."""
    if account is None or account.inbound is None:
        return None
    try:
        return signer_for(account.inbound, SystemClock().now, Random())  # noqa: S311 - makes ids of made-up messages
    except ValueError as error:
        if headers:
            return None
        raise typer.BadParameter(
            f"the webhooks of {account.name} cannot be signed here: {error}; "
            "give what authenticates them with --header 'NAME: VALUE'",
            param_hint="-c",
        ) from None


def _port(account: Account | None) -> int:
    """The port an account on this machine sends to."""
    try:
        found = urlsplit(account.provider.base_url if account else "")
        if found.scheme == "http" and is_loopback(found.hostname or "") and found.port:
            return found.port
    except ValueError:
        pass
    raise typer.BadParameter(
        "needed, unless -c names an account whose base_url is on this machine", param_hint="--port"
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
