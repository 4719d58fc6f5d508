"""A bridge as a real process on a real disk, between two emulated gateways, ready to be killed in every way."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from bridge.clock import SystemClock
from bridge.emulation.faults import Faults
from bridge.emulation.server import EmulatorServer
from bridge.providers.konnek.emulator import Emulator as Konnek
from bridge.providers.relationlabs.emulator import Emulator as RelationLabs
from tests.faults.forks import Fork
from tests.support.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

BEARER: Final = "b" * 32
PASSWORD: Final = "inbound-password-0123456789"
SECRETS: Final[Mapping[str, str]] = {
    "SHOP_USERNAME": "konnek-demo-user",
    "SHOP_PASSWORD": "konnek-demo-password",
    "SHOP_IN_USERNAME": "inbound-user",
    "SHOP_IN_PASSWORD": PASSWORD,
    "RELAY_KEY": "emulated-api-key",
    "RELAY_TOKEN": "emulated-unified-auth-token",
    "RELAY_BEARER": BEARER,
}
SHOP_HEADERS: Final = {"Auth-username": "inbound-user", "Auth-password": PASSWORD}
RELAY_HEADERS: Final = {"Authorization": f"Bearer {BEARER}"}
CHANNELS: Final[Mapping[str, str]] = {"shop": "whatsapp", "relay": "group"}
"""The channel that contacts of each account write in."""
CONFIGURATION: Final = """
[server]
port = {port}
[guard]
turns_per_minute = 1_000
flood_per_minute = 1_000
[storage]
url = "sqlite:///bridge.db"
[handlers]
load = ["{handlers}"]
{handlers_more}
[accounts.shop]
provider = "konnek"
base_url = "{shop}"
client_id = "demo-client"
channels = ["whatsapp", "telegram"]
username = "env:SHOP_USERNAME"
password = "env:SHOP_PASSWORD"
[accounts.shop.inbound]
auth = "headers"
username = "env:SHOP_IN_USERNAME"
password = "env:SHOP_IN_PASSWORD"
[accounts.relay]
provider = "relationlabs"
base_url = "{relay}"
api_key = "env:RELAY_KEY"
token = "env:RELAY_TOKEN"
relation_id = "bridg-eaaaa-aaaaj-qbota-cai"
[accounts.relay.inbound]
auth = "bearer"
secret = "env:RELAY_BEARER"
"""
"""A contact says more in a minute than any person does: by its own bounds the guard would take that for a loop."""
_POLL: Final = 0.01


async def until(what: str, holds: Callable[[], bool], seconds: float = 30.0) -> float:
    """The seconds it took until `holds()`; what is waited for happens in another process, so it is looked for."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(_POLL)
    return time.monotonic() - began


class Home:
    """One bridge's folder: configuration, bot, store and log; and the processes that live in it, one after another."""

    def __init__(self, folder: Path, *, shop: str, relay: str, handlers: str = "bot", handlers_more: str = "") -> None:
        """Write what `threadbridge run` needs. `shop` and `relay` are the gateways' base URLs."""
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.store = folder / "bridge.db"
        self.handled = folder / "handled.txt"
        self.environment: dict[str, str] = {}
        self.processes: list[Fork] = []
        self._tracers: list[subprocess.Popen[bytes]] = []
        shutil.copy(Path(__file__).with_name("bot.py"), folder)
        text = CONFIGURATION.format(
            port=self.port, shop=shop, relay=relay, handlers=handlers, handlers_more=handlers_more
        )
        (folder / "threadbridge.toml").write_text(text, "utf-8")

    @property
    def log(self) -> str:
        """Everything all processes have written to stderr."""
        file = self.folder / "log.txt"
        return file.read_text("utf-8") if file.exists() else ""

    @staticmethod
    def inherited() -> dict[str, str]:
        """The environment, without what would change the configuration."""
        return {name: value for name, value in os.environ.items() if not name.startswith("THREADBRIDGE_")}

    def start(self, *tracer: str, options: Sequence[str] = ()) -> Fork:
        """`threadbridge run` with options, perhaps under a command that traces its process. It is not ready yet."""
        command = ("run", *options, "-c", "threadbridge.toml")
        environment = {**self.inherited(), **SECRETS, **self.environment}
        log = self.folder / "log.txt"
        process = Fork(command, self.folder, environment, log, waits=bool(tracer))
        self.processes.append(process)
        if tracer:
            with log.open("ab") as stderr:
                tracing = [*tracer, "-p", str(process.pid)]
                self._tracers.append(subprocess.Popen(tracing, stdout=subprocess.DEVNULL, stderr=stderr))
        return process

    async def ready(self, process: Fork, seconds: float = 30.0) -> float:
        """Wait for /health/ready; the seconds it took. The process must not end before."""

        def answers() -> bool:
            assert process.poll() is None, f"it ended with {process.returncode}:\n{self.log[-3000:]}"
            return self.is_ready()

        return await until("/health/ready", answers, seconds)

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return connection.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    @asynccontextmanager
    async def running(self, *tracer: str) -> AsyncIterator[Fork]:
        """A bridge that is ready; killed at the end, unless it has ended."""
        process = self.start(*tracer)
        try:
            await self.ready(process)
            yield process
        finally:
            self.kill()

    @asynccontextmanager
    async def supervised(self) -> AsyncIterator[None]:
        """What systemd does: a bridge that ends is started again."""

        async def supervise() -> None:
            while True:
                process = self.start()
                await asyncio.to_thread(process.wait)

        task = asyncio.create_task(supervise())
        try:
            yield
        finally:
            task.cancel()
            self.kill()
            await asyncio.wait({task})

    def kill(self) -> None:
        """kill -9 to whatever still runs here."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        while self._tracers:
            self._tracers.pop().wait()

    async def stopped(self, process: Fork, number: int = signal.SIGTERM, seconds: float = 20) -> int:
        """Send a signal; the exit code."""
        process.send_signal(number)
        return await self.ended(process, seconds)

    async def ended(self, process: Fork, seconds: float = 20) -> int:
        """The exit code of a process that ends by itself."""
        await until("the end of the process", lambda: process.poll() is not None, seconds)
        assert process.returncode is not None
        return process.returncode

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The store, read-only, whether or not a bridge runs."""
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=5)) as db:
            yield db

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with self.reading() as db:
            return db.execute(query, values).fetchall()

    def open_rows(self) -> int:
        """Events and messages that are in no final state."""
        open_events = "SELECT count(*) FROM inbox WHERE status = 'open'"
        open_messages = "SELECT count(*) FROM outbox WHERE status = 'open'"
        return sum(int(str(number)) for (number,) in self.rows(f"{open_events} UNION ALL {open_messages}"))

    async def settled(self, seconds: float = 60.0) -> float:
        """Wait until nothing is open any more (I7); the seconds it took."""
        return await until("an end of every event and message", lambda: self.open_rows() == 0, seconds)

    def handled_texts(self) -> list[str]:
        """The texts handed to handlers, in order, repetitions included."""
        return self.handled.read_text("utf-8").splitlines() if self.handled.exists() else []


class Gateways:
    """A Konnek that honours our keys, or does not, and a RelationLabs that does not; hosted in this very process."""

    def __init__(self, *, delay_ms: float = 0.0, honours_keys: bool = True, faults: Faults | None = None) -> None:
        """`delay_ms`: how long each answer takes, so that a kill finds requests on the wire; or other `faults`."""
        now, faults = SystemClock().now, faults or Faults(delay_ms=delay_ms)
        self.konnek = Konnek(now, Random(1), honours_keys=honours_keys)
        self.relationlabs = RelationLabs(now, Random(2))
        self.shop = EmulatorServer(self.konnek, faults=faults)
        self.relay = EmulatorServer(self.relationlabs, faults=faults)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Gateways]:
        """Serve on free ports."""
        async with self.shop, self.relay:
            yield self

    def home(self, folder: Path, *, handlers_more: str = "") -> Home:
        """A bridge between these gateways."""
        return Home(folder, shop=self.shop.url, relay=self.relay.url, handlers_more=handlers_more)


def can_trace() -> bool:
    """Whether strace is here and may trace."""
    strace = shutil.which("strace")
    if strace is None:
        return False
    return subprocess.run([strace, "-f", "-o", os.devnull, "true"], check=False, capture_output=True).returncode == 0


def traced(inject: str, *files: Path) -> Sequence[str]:
    """strace as a tracer: `inject` as its manual says, only where `files` are concerned."""
    calls = inject.partition(":")[0]
    only = [part for file in files for part in ("-P", str(file))]
    return ("strace", "-f", "-qq", "-o", os.devnull, *only, "-e", f"trace={calls}", "-e", f"inject={inject}")
