"""The one door through which media come in. It connects to addresses that it has checked, and to no other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import aiohttp

from bridge.engine.delivery.dialling import verifying
from bridge.engine.delivery.public import NotPublic, public_connector, public_socket, system
from bridge.engine.media.guard import FEW, MANY, FetchFailed, Link, checked, redirected

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Mapping

    from bridge.engine.delivery.public import LookUp
    from bridge.engine.media.contents import Draft

_OK: Final = 200
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_BUSY: Final = frozenset({408, 425, 429})
_SERVER_ERROR: Final = 500
_HOPS: Final = 3
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, sock_connect=5, sock_read=10)
_FORBIDDEN: Final = "the link leads to no public address"


@dataclass(frozen=True, slots=True)
class Gateway:
    """An account's gateway: where it is, and what authenticates us there. `headers` raises a SendError."""

    base_url: str
    headers: Callable[[], Awaitable[Mapping[str, str]]]


class Door(Protocol):
    """Fetches media."""

    async def fetch(self, url: str, gateway: Gateway, draft: Draft, limit: int) -> None:
        """Write what a link gives into a draft, at most `limit` bytes. Raises FetchFailed, OSError, a SendError."""
        ...

    async def close(self) -> None:
        """Fetch nothing more."""
        ...


class GuardedDoor:
    """Implements Door over aiohttp: two sessions, one for gateways, one that reaches public addresses only."""

    def __init__(self, look_up: LookUp = system, new_socket: Callable[[Any], socket.socket] = public_socket) -> None:
        """Nothing is open yet. Tests look names up, and make sockets, in their own way."""
        self._look_up = look_up
        self._new_socket = new_socket
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def fetch(self, url: str, gateway: Gateway, draft: Draft, limit: int) -> None:
        """Write what a link gives into a draft, at most `limit` bytes. Raises FetchFailed, OSError, a SendError."""
        link = checked(url, gateway.base_url)
        for _ in range(_HOPS + 1):
            try:
                location = await self._follow(link, gateway, draft, limit)
            except (aiohttp.ClientError, TimeoutError) as error:
                raise _failed(error) from None
            if location is None:
                return
            link = redirected(link, location, gateway.base_url)
        raise FetchFailed("the link redirects too often")

    async def close(self) -> None:
        """Close the sessions."""
        for session in self._sessions.values():
            await session.close()

    async def _follow(self, link: Link, gateway: Gateway, draft: Draft, limit: int) -> str | None:
        """Fetch a link into the draft; or where it redirects to."""
        headers = {"Accept-Encoding": "identity"}
        if link.is_own:
            headers |= await gateway.headers()
        session = await self._session(is_own=link.is_own)
        async with session.get(link.url, headers=headers, allow_redirects=False, timeout=_TIMEOUT) as answer:
            if answer.status in _REDIRECTS and (location := answer.headers.get("Location")):
                return location
            _check(answer, limit)
            async for chunk in answer.content.iter_any():
                if draft.size + len(chunk) > limit:
                    raise _too_large(limit)
                await draft.write(chunk)
        if not draft.size:
            raise FetchFailed("the link gives nothing", FEW)
        return None

    async def _session(self, *, is_own: bool) -> aiohttp.ClientSession:
        if is_own not in self._sessions:
            context = await asyncio.to_thread(verifying)  # it reads the system's certificates
        if is_own not in self._sessions:  # nobody else has opened it meanwhile
            if is_own:
                connector = aiohttp.TCPConnector(ssl=context)
            else:
                connector = public_connector(context, self._look_up, self._new_socket, force_close=True)
            self._sessions[is_own] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "threadbridge"},
                auto_decompress=False,
                trust_env=False,
            )
        return self._sessions[is_own]


def _check(answer: aiohttp.ClientResponse, limit: int) -> None:
    """Whether an answer may be read. Raises FetchFailed."""
    status = answer.status
    if status in _BUSY or status >= _SERVER_ERROR:
        after = answer.headers.get("Retry-After", "")
        raise FetchFailed(
            f"the link gives HTTP {status}", MANY, retry_after=float(after) if after.isdecimal() else None
        )
    if status != _OK:
        raise FetchFailed(f"the link gives HTTP {status}", FEW)
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchFailed("the link gives an encoding that was not asked for")
    if (answer.content_length or 0) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> FetchFailed:
    return FetchFailed(f"the link gives more than the {limit} bytes that [media] max allows")


def _failed(error: Exception) -> FetchFailed:
    """What it means that no whole answer came."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, NotPublic):
        return FetchFailed(_FORBIDDEN)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return FetchFailed("the link's host has no address", MANY)
    if isinstance(error, aiohttp.ClientSSLError):
        return FetchFailed("no secure connection to the link's host", FEW)
    if isinstance(error, TimeoutError):
        return FetchFailed("the link gives no whole answer in time", MANY)
    return FetchFailed(f"no whole answer from the link: {type(error).__name__}", MANY)
