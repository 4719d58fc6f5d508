"""`threadbridge dev`: the bridge with emulated gateways, restarted when its code or configuration changes."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import signal
import sys
import webbrowser
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Self
from urllib.parse import quote

import aiohttp
import typer

from bridge.cli.gateways import gateway_of
from bridge.cli.looking import DEV_STORE
from bridge.cli.output import DEFAULT, ConfigFile, Verbose, complain, exits, say
from bridge.config.load import load_config, read_file
from bridge.config.problems import PREFIX
from bridge.errors import ConfigError
from bridge.providers.registry import PLAYGROUND

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from pathlib import Path

    from bridge.config.accounts import Account
    from bridge.config.load import Config

_CONSOLE: Final = "console"
_LOOK: Final = 500
"""Milliseconds between two looks for changes."""
_SOON: Final = 0.1
"""Seconds between two looks whether the bridge is ready."""
_PATIENCE: Final = 3.0
"""Seconds for running turns to end before a restart, which repeats the others."""


def dev(
    config: ConfigFile = DEFAULT,
    *,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=1, max=65_535, metavar="N", help="Listen on this port instead of the configured one."
        ),
    ] = None,
    browser: Annotated[bool, typer.Option("--open", help="Open the console in the browser.")] = False,
    verbose: Verbose = False,
) -> None:
    """Work on a bot: emulated gateways, the console, and a restart at every change.

    The accounts talk to emulators on this machine, never to a real gateway. Conversations are kept in
    threadbridge-dev.db beside the configuration. A missing secret gets a random value. The bridge listens on
    127.0.0.1 only.

    A handler that raises is shown with its traceback, and its event is not tried again.

    A change of a .py, .toml or .yaml file below the configuration's folder restarts the bridge. Code that cannot be
    loaded is reported, and the old code continues. Emulators keep their ports. The bridge ends with this command, also
    when that is killed or its terminal closes.

    Example: `threadbridge dev -c shop/threadbridge.toml --open`
    """
    if verbose:
        os.environ[f"{PREFIX}LOG__LEVEL"] = "debug"
    with exits():
        asyncio.run(_Development(config, port).run(browser=browser))


@dataclass(slots=True, eq=False)
class _Scene:
    """The emulators of one configuration, and the environment that points the bridge at them."""

    config: Config
    text: bytes
    environment: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    """Lines about the emulators, printed once when the bridge starts."""
    servers: AsyncExitStack = field(default_factory=AsyncExitStack)
    ports: dict[str, int] = field(default_factory=dict)
    """The port of each account's emulator, which a shell's history and a test know."""

    @classmethod
    async def of(cls, file: Path, before: _Scene | None = None) -> Self:
        """Read the configuration, and start an emulator for each account that has one.

        The emulators of the scene `before` end, and theirs of the same name take over their ports.

        Raises:
            ConfigError: the configuration cannot be used.
        """
        _invent_secrets(read_file(file))
        scene = cls(load_config(file), _text_of(file))
        if before is not None:
            await before.servers.aclose()
            scene.ports |= before.ports
        try:
            for account in scene.config.accounts.values():
                await scene._emulate(account)
        except BaseException:
            await scene.servers.aclose()
            raise
        accounts = scene.config.accounts
        if not any(account.provider.name == PLAYGROUND for account in accounts.values()) and _CONSOLE not in accounts:
            scene.environment[f"{PREFIX}ACCOUNTS__{_CONSOLE.upper()}__PROVIDER"] = PLAYGROUND
        return scene

    async def _emulate(self, account: Account) -> None:
        if account.provider.name == PLAYGROUND:
            return
        try:
            server = gateway_of(account, self.config.server.local_url, self.ports.get(account.name, 0))
        except (LookupError, ValueError) as error:
            self.lines.append(f"{account.name}: not emulated: {error}; messages go to {account.provider.base_url}")
            return
        await self.servers.enter_async_context(server)
        self.ports[account.name] = int(server.url.rpartition(":")[2])
        self.environment[f"{PREFIX}ACCOUNTS__{account.name.upper()}__BASE_URL"] = server.url
        channel = (account.provider.channels or ("CHANNEL",))[0]
        example = f'{{"channel": "{channel}", "contact": "ann", "text": "hello"}}'
        self.lines.append(
            f"{account.name}: {account.provider.name} is emulated at {server.url}; to write as a contact:"
        )
        self.lines.append(f"  curl {server.url}/_emulator/says -d {shlex.quote(example)}")


class _Development:
    """Keeps one bridge running, with the newest code that can be loaded."""

    def __init__(self, file: Path, port: int | None) -> None:
        """Starts nothing."""
        self._file = file
        self._folder = file.absolute().parent
        self._scene: _Scene | None = None
        self._bridge: Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._pipe: int | None = None
        """Its end here; the bridge stops when it closes, also where this process is killed."""
        os.environ[f"{PREFIX}SERVER__HOST"] = "127.0.0.1"
        os.environ[f"{PREFIX}STORAGE__URL"] = f"sqlite:///{quote(os.fsencode(self._folder / DEV_STORE))}"
        os.environ[f"{PREFIX}HANDLERS__ATTEMPTS"] = "1"
        os.environ |= {f"{PREFIX}LOG__FORMAT": "text", f"{PREFIX}LOG__SHOW_ERRORS": "true"}
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # the cache would keep the first of two saves within a second
        if port is not None:
            os.environ[f"{PREFIX}SERVER__PORT"] = str(port)

    async def run(self, *, browser: bool) -> None:
        """Run until SIGTERM or Ctrl-C."""
        from watchfiles import PythonFilter, awatch  # noqa: PLC0415 - no other command watches files

        stop = asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        wanted = PythonFilter(extra_extensions=(".toml", ".yaml", ".yml"))
        watch = awatch(self._folder, watch_filter=wanted, stop_event=stop, rust_timeout=_LOOK, yield_on_timeout=True)
        try:
            async for changes in watch:
                if self._scene is None:  # the first look: later changes are seen
                    await self._begin(browser=browser)
                elif changes:
                    await self._changed(sorted({path.removeprefix(f"{self._folder}{os.sep}") for _, path in changes}))
        finally:
            await self._end()
            if self._scene is not None:
                await self._scene.servers.aclose()

    async def _begin(self, *, browser: bool) -> None:
        scene = await _Scene.of(self._file)
        await self._renew(scene)
        if browser and self._bridge is not None:
            await _answers(f"{scene.config.server.local_url}/health/ready", self._bridge)
            webbrowser.open(f"{scene.config.server.local_url}/console")

    async def _changed(self, paths: list[str]) -> None:
        say(f"changed: {', '.join(paths)}")
        try:
            scene = self._scene
            if scene is None or scene.text != _text_of(self._file):
                scene = await _Scene.of(self._file, scene)
        except (ConfigError, OSError) as error:
            self._keep([str(problem) for problem in error.problems] if isinstance(error, ConfigError) else [str(error)])
            return
        await self._renew(scene)

    async def _renew(self, scene: _Scene) -> None:
        """Start the current code in this scene, if it can be loaded."""
        self._scene = scene
        if problems := await self._problems(scene):
            self._keep(problems)
            return
        await self._end()
        while scene.lines:
            say(scene.lines.pop(0))
        say(f"console: {scene.config.server.local_url}/console")
        sys.stdout.flush()
        ours, theirs = os.pipe()
        self._bridge = await self._start(scene, "run", "--open-console", "--stop-with", str(ours), pass_fds=(ours,))
        os.close(ours)
        self._pipe = theirs
        self._watching = asyncio.create_task(self._watch(self._bridge))

    def _keep(self, problems: list[str]) -> None:
        for problem in problems:
            complain(problem)
        is_running = self._bridge is not None and self._bridge.returncode is None
        say("the old code continues" if is_running else "nothing runs until this is fixed")
        sys.stdout.flush()

    async def _problems(self, scene: _Scene) -> list[str]:
        """Why the current code cannot run. A process checks it, because code cannot be unloaded."""
        check = await self._start(scene, "check", stdout=asyncio.subprocess.PIPE)
        out, _ = await check.communicate()
        return out.decode(errors="replace").splitlines() if check.returncode else []

    async def _start(self, scene: _Scene, command: str, *options: str, **more: Any) -> Process:  # noqa: ANN401 - as asyncio has it
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bridge", command, *options, "-c", str(self._file)),
            env=os.environ | scene.environment,
            start_new_session=True,  # Ctrl-C reaches this process alone, which then stops the other
            **more,
        )

    async def _watch(self, bridge: Process) -> None:
        code = await bridge.wait()
        if bridge is self._bridge:
            say(f"the bridge ended with exit code {code}; the next change starts it again")
            sys.stdout.flush()

    async def _end(self) -> None:
        """Stop the bridge by SIGTERM, then by SIGKILL. The next start repeats unfinished work."""
        bridge, self._bridge = self._bridge, None
        if bridge is None:
            return
        for _ in range(2):
            if bridge.returncode is not None:
                break
            bridge.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(bridge.wait(), _PATIENCE)
            except TimeoutError:
                continue
        if bridge.returncode is None:
            bridge.kill()
            await bridge.wait()
        if self._watching is not None:
            await self._watching
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


async def _answers(url: str, bridge: Process) -> None:
    """Wait until the bridge answers 200, or has ended."""
    async with aiohttp.ClientSession() as session:
        while bridge.returncode is None:
            with suppress(aiohttp.ClientError):
                async with session.get(url) as answer:
                    if answer.status == HTTPStatus.OK:
                        return
            await asyncio.sleep(_SOON)


def _text_of(file: Path) -> bytes:
    return file.read_bytes()


def _invent_secrets(value: object) -> None:
    """Give a random value to every secret that the environment lacks."""
    match value:
        case Mapping():
            for member in value.values():
                _invent_secrets(member)
        case list():
            for member in value:
                _invent_secrets(member)
        case str() if value.startswith("env:") and (name := value.removeprefix("env:")) and name not in os.environ:
            os.environ[name] = secrets.token_hex(32)
