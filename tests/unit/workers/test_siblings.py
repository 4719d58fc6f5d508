"""Workers tell each other what they count, of the same user alone, and one that hangs is left out."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import pytest

from bridge.workers import siblings
from bridge.workers.siblings import telling, told
from bridge.workers.words import STATUS, meeting_place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ADDRESS: Final = f"siblings-of-{os.getpid()}"


@pytest.fixture(autouse=True)
def _places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(siblings, "_place", lambda pid: f"\0siblings of {os.getpid()}: {pid}")
    monkeypatch.setattr(siblings, "_SECONDS", 0.5)


@asynccontextmanager
async def listening(place: str, answer: bytes | None, heard: list[bytes] | None = None) -> AsyncIterator[None]:
    """Somebody who answers, or does not (None)."""

    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if heard is not None:
            heard.append(await reader.read(64))
        if answer is not None:
            writer.write(answer)
            writer.close()

    made = socket.socket(socket.AF_UNIX)
    made.bind(place)
    server = await asyncio.start_unix_server(serve, sock=made)
    try:
        yield
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def family(*pids: int) -> AsyncIterator[list[bytes]]:
    """A parent that keeps these."""
    heard: list[bytes] = []
    status = {"pid": 1, "workers": [{"worker": at, "pid": pid} for at, pid in enumerate(pids, 1)]}
    async with listening(meeting_place(ADDRESS), json.dumps(status).encode() + b"\n", heard):
        yield heard


async def test_a_worker_hears_from_each_other_one_and_not_from_itself() -> None:
    async with AsyncExitStack() as stack:
        heard = await stack.enter_async_context(family(os.getpid(), 11, 12))
        for pid in (11, 12):
            await stack.enter_async_context(listening(siblings._place(pid), b"figures %d" % pid * 10_000))
        assert await told(ADDRESS) == [f"figures {pid}" * 10_000 for pid in (11, 12)]
        assert heard == [STATUS]


async def test_one_that_hangs_or_is_gone_is_left_out() -> None:
    async with (
        family(11, 12, 13),
        listening(siblings._place(11), None),
        listening(siblings._place(12), b"figures"),
    ):
        assert await told(ADDRESS) == ["figures"]


async def test_without_a_parent_nobody_is_asked() -> None:
    assert await told("127.0.0.1:1") == []


async def test_a_worker_tells_its_own_user_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def figures() -> str:
        return "figures"

    async with telling(figures):
        assert await siblings._asked(siblings._place(os.getpid())) == b"figures"
        monkeypatch.setattr(siblings, "user_of", lambda _: os.geteuid() + 1)
        assert await siblings._asked(siblings._place(os.getpid())) == b""
    with pytest.raises(OSError, match="refused"):
        await siblings._asked(siblings._place(os.getpid()))
