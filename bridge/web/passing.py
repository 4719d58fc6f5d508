"""A server that ends gives its connections away, so a request that arrives meanwhile waits in its socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from aiohttp import web

    from bridge.web.server import Connection

PASS_SECONDS: Final = 2.0
"""For requests under way to be answered: who connects meanwhile waits."""
_LOOK: Final = 0.002
_STEPS: Final = 5
"""Rounds of the loop, and more than it takes to make a connection of a socket, however long one takes."""


async def pass_on(runner: web.AppRunner, give: Callable[[int], bool], seconds: float = PASS_SECONDS) -> int:
    """Accept nothing more, and give each connection away as soon as no request is on it; how many were given.

    What is left after `seconds`, like a body that does not end, is refused.
    """
    server = runner.server
    assert server is not None
    for site in runner.sites:
        await site.stop()
    await runner.shutdown()  # streams end: their pages connect again
    loop = asyncio.get_running_loop()
    until, given = loop.time() + seconds, 0
    for _ in range(_STEPS):  # what is accepted already becomes a connection meanwhile
        await asyncio.sleep(0)
    while connections := cast("list[Connection]", server.connections):
        given += sum(connection.give_away(give) for connection in connections)
        if loop.time() >= until:
            break
        await asyncio.sleep(_LOOK)
    for connection in connections:
        connection.refuse()
    return given


async def adopt(runner: web.AppRunner, connections: Iterable[socket.socket]) -> None:
    """Go on with connections that another server gave away."""
    factory = cast("Callable[[], asyncio.Protocol]", runner.server)
    connect = asyncio.get_running_loop().connect_accepted_socket
    outcomes = await asyncio.gather(
        *(connect(factory, connection) for connection in connections), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, OSError):  # of those the peer is gone
            raise outcome
