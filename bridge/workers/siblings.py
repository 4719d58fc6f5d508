"""How one worker asks the others behind the same socket for a text: each listens under a name that its pid tells.

As with words.meeting_place, such a name is in no folder, and Linux alone has them.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from bridge.workers.asking import user_of
from bridge.workers.words import STATUS, meeting_place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

_SECONDS: Final = 2.0
"""For the answer of one worker: one that hangs must not hold up the others' figures."""


def _place(pid: int) -> str:
    return f"\0threadbridge worker {pid}"


@asynccontextmanager
async def telling(tell: Callable[[], Awaitable[str]]) -> AsyncIterator[None]:
    """Answer the other workers, of the same user, with what `tell` gives."""
    if sys.platform != "linux":
        yield
        return

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            try:
                if user_of(writer.get_extra_info("socket")) in {0, os.geteuid()}:
                    writer.write((await tell()).encode())
                    await writer.drain()
            finally:
                writer.close()
                await writer.wait_closed()

    listening = socket.socket(socket.AF_UNIX)  # made here: not every loop takes such a name
    listening.bind(_place(os.getpid()))
    server = await asyncio.start_unix_server(answer, sock=listening)
    try:
        yield
    finally:
        server.close()


async def told(address: str) -> list[str]:
    """What the other workers tell that the parent behind an address keeps; nothing of one that does not answer."""
    try:
        status = json.loads(await _asked(meeting_place(address), STATUS))
        pids = {worker["pid"] for worker in status["workers"]} - {os.getpid()}
    except (OSError, TimeoutError, ValueError, KeyError):
        return []
    answers = await asyncio.gather(*(_asked(_place(pid)) for pid in sorted(pids)), return_exceptions=True)
    return [answer.decode() for answer in answers if isinstance(answer, bytes)]


async def _asked(place: str, question: bytes = b"") -> bytes:
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    try:
        connection.connect(place)  # at once, or not at all
    except OSError:
        connection.close()
        raise
    async with asyncio.timeout(_SECONDS):
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        try:
            if question:
                writer.write(question)
            return await reader.read()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
