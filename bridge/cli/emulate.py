"""`threadbridge emulate`: a gateway on this machine, for trying things out and for breaking them."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from random import Random
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import SecretStr

from bridge.cli.output import exits, no_such_port, say
from bridge.cli.urls import webhook_url
from bridge.clock import SystemClock
from bridge.config import load_config
from bridge.errors import Problem
from bridge.providers.registry import emulator_type
from bridge.providers.signatures import BearerAuth, HeadersAuth
from bridge.testing.emulators import EmulatorServer, Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.accounts import Account
    from bridge.providers.port import Emulator

_SPOKEN = '{"channel": "CHANNEL", "contact": "ann", "text": "hello"}'


def emulate(
    provider: Annotated[
        str, typer.Argument(metavar="PROVIDER", help="aelyst, ginalne, konnek, relationlabs or whautochat.")
    ],
    *,
    port: Annotated[int, typer.Option("--port", min=1, max=65_535, help="Where it listens, on 127.0.0.1.")],
    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="URL", help="Where its webhooks go, without a channel.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="'NAME: VALUE'", help="Sent with every webhook; repeatable.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("-c", "--config", metavar="FILE", help="Take --webhook and its headers from the account in it."),
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
    """Play the other end of a provider: strict like its documentation, with faults on demand.

    Its contacts are moved by POSTs to /_emulator/says, /presses, /sends, /locates and /status; what it was sent is
    at /_emulator/seen. P is a probability from 0 to 1.

    Example: `threadbridge emulate konnek --port 9001 -c threadbridge.toml --drop 0.1 --fail 500:0.2`
    """
    with exits():
        headers = dict(_header(each) for each in header or ())
        if config is not None:
            webhook, headers = _from_account(config, provider, webhook, headers)
        emulator = _emulator(provider, honour_keys=honour_keys)
        try:
            faults = Faults(drop=drop, dup=dup, delay_ms=delay, fail=dict(_failure(each) for each in fail or ()))
            server = EmulatorServer(emulator, port=port, webhook=webhook, headers=headers, faults=faults, log=log)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        except OSError as error:
            raise typer.BadParameter(f"{log}: {error.strerror}", param_hint="--log") from None
        try:
            asyncio.run(_serve(server, webhook))
        except OSError as error:
            raise no_such_port(error, Problem("emulate", "--port", f"127.0.0.1:{port}")) from None


async def _serve(server: EmulatorServer, webhook: str | None) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with server:
        say(f"{server.emulator.name} is emulated; its base_url is {server.url}")
        say(f"It accepts: {_accepted(server.emulator)}")
        say("Its webhooks go to --webhook." if webhook else "Its webhooks go nowhere: give --webhook or -c.")
        say(f"A contact speaks: curl {server.url}/_emulator/says -d {shlex.quote(_SPOKEN)}")
        sys.stdout.flush()
        await stop.wait()


def _accepted(emulator: Emulator) -> str:
    """The account keys that the emulator wants to see: made up, so no secret."""

    def shown(value: Any) -> str:  # noqa: ANN401 - whatever a provider's settings hold
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        return json.dumps(list(text) if isinstance(text, tuple) else text, default=str)

    return ", ".join(f"{name} = {shown(value)}" for name, value in emulator.sample_settings.items())


def _emulator(provider: str, *, honour_keys: bool) -> Emulator:
    if provider == "playground":
        raise typer.BadParameter("the playground's other end is the console; try `threadbridge demo`")
    try:
        kind: Callable[..., Emulator] = emulator_type(provider)
    except LookupError as error:
        raise typer.BadParameter(str(error)) from None
    emulator = kind(SystemClock().now, Random())  # noqa: S311 - makes ids of made-up messages
    if honour_keys:
        if not hasattr(emulator, "honours_keys"):
            raise typer.BadParameter(f"{provider} knows no idempotency keys", param_hint="--honour-keys")
        emulator.honours_keys = True
    return emulator


def _from_account(
    file: Path, provider: str, webhook: str | None, headers: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """The webhook URL and the headers of the one account at this provider; what was given by hand counts more."""
    config = load_config(file)
    found = [each for each in config.accounts.values() if each.provider.name == provider and each.inbound is not None]
    if len(found) != 1:
        raise typer.BadParameter(
            f"{file} has {len(found) or 'no'} accounts at {provider} with a route; give --webhook and --header instead",
            param_hint="-c",
        )
    url = webhook_url(config.server.local_url, found[0], show_secrets=True)
    return webhook or str(url), _credentials(found[0]) | dict(headers)


def _credentials(account: Account) -> dict[str, str]:
    """What the account's door wants to see in the headers; signatures are the emulator's own business."""
    match account.inbound:
        case HeadersAuth(name=str(name), value=(value, *_)):
            return {name: value.get_secret_value()}
        case HeadersAuth(username=(username, *_), password=(password, *_)):
            return {"Auth-username": username.get_secret_value(), "Auth-password": password.get_secret_value()}
        case BearerAuth(secret=secret):
            return {"Authorization": f"Bearer {secret[0].get_secret_value()}"}
        case _:
            return {}


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
