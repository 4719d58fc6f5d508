"""The process: which signals end it, and with what it ends."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from bridge.app.bridge import Bridge, Outside
from bridge.app.serve import Listening, serve
from bridge.cli.control import Control
from bridge.config.load import as_config
from bridge.errors import Broken
from bridge.workers.address import bound
from tests.support.free_ports import free_port
from tests.support.whole_bridges import configuration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from bridge.config.load import Config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return as_config(configuration(tmp_path, server={"port": free_port()}))


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The signals' handlers are those of before, and a suite under nohup hears SIGHUP too."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.slow
async def test_a_signal_drains(config: Config, number: signal.Signals) -> None:
    """SIGHUP is what a closed terminal sends."""
    await serve(config, ready=lambda: os.kill(os.getpid(), number))


async def test_a_service_manager_opens_the_port_and_hears_of_start_and_stop(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        sockets = bound("127.0.0.1", config.server.port)
        heard: list[bytes] = []

        def ready() -> None:
            heard.append(manager.recv(100))
            with socket.create_connection(("127.0.0.1", config.server.port), timeout=5):
                os.kill(os.getpid(), signal.SIGTERM)

        await serve(config, ready=ready, listening=Listening(sockets=sockets))
        assert [*heard, manager.recv(100)] == [b"READY=1", b"STOPPING=1"]


async def test_nohup_is_respected(config: Config) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def ready() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGTERM)

    await serve(config, ready=ready)


async def test_what_fails_at_the_end_does_not_hide_that_the_store_is_broken(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that turned read-only, where the end has files to remove."""
    bridges: list[Bridge] = []

    class Watched(Bridge):
        def __init__(self, config: Config, outside: Outside | None) -> None:
            super().__init__(config, outside=outside)
            bridges.append(self)

    @asynccontextmanager
    async def controlled(_: Bridge) -> AsyncIterator[None]:
        yield
        raise OSError(errno.EROFS, "Read-only file system", "threadbridge.db.sock")

    module = import_module("bridge.app.serve")
    monkeypatch.setattr(module, "bridge_of", Watched)
    monkeypatch.setattr("bridge.app.http.controlled", controlled)
    with pytest.raises(Broken, match="disk I/O error"):
        await serve(config, ready=lambda: bridges[0].broken(Broken("disk I/O error")))


async def test_the_control_socket_tells_how_the_process_is(config: Config) -> None:
    told: list[dict[str, object]] = []
    file = config.storage.file
    assert file is not None

    def look() -> None:
        told.append(Control(file).status())
        os.kill(os.getpid(), signal.SIGTERM)

    looking = threading.Thread(target=look)
    await serve(config, ready=looking.start)
    looking.join()
    assert told == [{"pid": os.getpid(), "ready": True, "accounts": {}, "handlers": {}}]
