"""`threadbridge run` and `threadbridge demo`: the bridge as a process."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from bridge.cli.looking import DEMO_STORE
from bridge.cli.output import DEFAULT, ConfigFile, NoAddress, Verbose, complain, exits, no_such_port, say
from bridge.cli.streams import serve_without_output
from bridge.cli.workers import become_parent, handed_over
from bridge.config.load import Config, load_config, read_file
from bridge.errors import Problem
from bridge.footprint import unread_certificates
from bridge.log.foreign import foreign_logs
from bridge.providers.registry import PLAYGROUND
from bridge.workers.link import Link

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping


def run(
    config: ConfigFile = DEFAULT,
    verbose: Verbose = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            max=64,
            metavar="N",
            help="Serve in N processes, which a parent keeps and replaces.",
        ),
    ] = None,
    stop_with: Annotated[
        int | None, typer.Option("--stop-with", hidden=True, help="End when this pipe closes: for `dev`.")
    ] = None,
    open_console: Annotated[
        bool, typer.Option("--open-console", hidden=True, help="Ask nobody for a password: for `dev`.")
    ] = False,
    worker: Annotated[int | None, typer.Option("--worker", hidden=True, help="Which worker this is.")] = None,
    link: Annotated[int | None, typer.Option("--link", hidden=True, help="The socket to its parent.")] = None,
) -> None:
    """Serve: take webhooks, run the handlers, send the replies.

    SIGTERM, SIGHUP or Ctrl-C drains the bridge: it accepts nothing new, and finishes running turns within 10 seconds.
    The next start continues with the rest. A second signal stops at once. Neither loses an acknowledged event.

    With `--workers` a parent starts each process again that dies. SIGHUP, or `threadbridge deploy`, replaces each by a
    new one, which takes over when it is ready: no connection is refused. A SQLite store has one worker.

    Example: `threadbridge run -c shop/threadbridge.toml`

    For deploys that nobody notices: `threadbridge run --workers 1`
    """
    with exits():
        read = load_config(config)
        read = replace(read, console_is_open=open_console)
        if verbose:
            read = replace(read, log=read.log.model_copy(update={"level": "debug"}))
        if link is None:
            for warning in read.warnings:
                complain(str(warning))
        greeting = f"listening on {read.server.local_url} for {_named(read)}"
        if link is not None:
            _serve(read, lambda: None, None, Link(link, worker or 1))
        elif workers is not None:
            with _addressed(read):
                become_parent(read, workers, greeting)
        else:
            _serve(read, lambda: say(greeting), stop_with)


def demo(
    port: Annotated[
        int, typer.Option("--port", min=1, max=65_535, metavar="N", help="Serve the console on this port.")
    ] = 8080,
    config: Annotated[
        Path | None,
        typer.Option("-c", "--config", metavar="FILE", help="Chat with the handlers of this configuration."),
    ] = None,
    auto: Annotated[
        Path | None, typer.Option("--auto", metavar="FILE", help="Chat with the auto-responder of this file.")
    ] = None,
) -> None:
    """Chat with a bot in the browser: no account, no key, no configuration.

    The page /console/try plays a contact of each gateway, all of which are emulated. It shows each message on the wire,
    and lets things go wrong.

    The conversations are kept in threadbridge-demo.db in this folder, and continue after a restart.

    Example: `threadbridge demo --port 9000`

    With your own handlers: `threadbridge demo -c threadbridge.toml`

    With an auto-responder: `threadbridge demo --auto replies.toml`
    """
    with exits():
        from bridge.cli.gateways import emulated, gateway_accounts  # noqa: PLC0415 - `run` emulates none

        accounts = gateway_accounts()
        made = demo_config(port, config, auto, accounts)

        def ready() -> None:
            say("")
            typer.secho(f"  Chat here: {made.server.local_url}/console", bold=True)
            say(f"  Or as a contact of any gateway: {made.server.local_url}/console/try")
            say("")
            say(f"  The conversation is kept in {made.storage.file}, and continues after a restart.")
            say("  Ctrl-C stops.")
            say("")

        async def placed(servers: AsyncExitStack) -> Config:
            for name, url in (await emulated(made, servers)).items():
                accounts[name]["base_url"] = url
            return demo_config(port, config, auto, accounts)

        _serve(made, ready, placed=placed)


def demo_config(
    port: int, file: Path | None, auto: Path | None = None, accounts: Mapping[str, Mapping[str, Any]] | None = None
) -> Config:
    """The playground and gateways on this machine, with an auto-responder, the handlers of `file`, or the menu.

    `accounts` are those of the gateways; None: nobody emulates them.
    """
    if accounts is None:
        from bridge.cli.gateways import gateway_accounts  # noqa: PLC0415 - as above

        accounts = gateway_accounts()
    values: dict[str, Any] = {
        "server": {"port": port},
        "storage": {"url": f"sqlite:///{quote(os.fsencode(Path.cwd() / DEMO_STORE))}"},
        "accounts": {"demo": {"provider": PLAYGROUND}, **accounts},
        "log": {"format": "text", "show_errors": True},
    }
    if auto is not None:
        values["handlers"] = {"load": [f"auto:{auto.absolute()}"]}
    if file is None:
        return replace(Config.from_dict(values, file="demo"), console_is_open=True)
    read = read_file(file)
    values.setdefault("handlers", read.get("handlers", {}))
    if "migrations" in (storage := read.get("storage", {})):
        values["storage"]["migrations"] = storage["migrations"]
    made = Config.from_dict(values, folder=file.absolute().parent, file=str(file))
    return replace(made, console_is_open=True)


def _named(config: Config) -> str:
    return ", ".join(config.accounts) or "no accounts"


def _serve(
    config: Config,
    ready: Callable[[], None],
    stop_with: int | None = None,
    link: Link | None = None,
    *,
    placed: Callable[[AsyncExitStack], Awaitable[Config]] | None = None,
) -> None:
    """`placed` makes the configuration anew, with what lasts as long as the bridge serves."""
    with unread_certificates():
        from bridge.app.serve import Listening, serve  # noqa: PLC0415 - only these commands start the engine

    def is_ready() -> None:
        ready()
        sys.stdout.flush()

    serve_without_output()
    with _addressed(config), foreign_logs():
        listening = Listening(sockets=handed_over(config), stop_with=stop_with, link=link)

        async def main() -> None:
            async with AsyncExitStack() as servers:
                await serve(await placed(servers) if placed else config, ready=is_ready, listening=listening)

        _run(main())


@contextmanager
def _addressed(config: Config) -> Iterator[None]:
    """Says of an address that cannot be had why. Raises NoAddress, ConfigError."""
    try:
        yield
    except socket.gaierror:
        reason = f"{config.server.host} does not resolve to an address"
        raise NoAddress(str(Problem(config.file, "server.host", reason))) from None
    except OSError as error:
        place = f"{config.server.host}:{config.server.port}"
        raise no_such_port(error, Problem(config.file, "server.port", place)) from None


def _run(main: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop, where it is installed."""
    try:
        import uvloop  # noqa: PLC0415 - not available on every system
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)
