"""The way out: the port through which bytes leave for a provider, and the client of aiohttp behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import aiohttp
from yarl import URL

from bridge.engine.delivery.answer_bytes import ANSWER_LIMIT
from bridge.engine.delivery.dialling import verifying
from bridge.errors import NotSent, OutcomeUnknown, Rejected
from bridge.providers.port import SECRET_HEADERS, Response

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from types import SimpleNamespace

    from bridge.errors import SendError
    from bridge.providers.port import Request

_CONNECT_SECONDS: Final = 5.0
_KEEPALIVE_SECONDS: Final = 30

Leaving: TypeAlias = Callable[[], Awaitable[None]]
"""Awaited once the connection is there, right before a request's bytes leave; when it raises, none does."""


@dataclass(slots=True)
class _Departure:
    """One request: `left` from the moment when its bytes may be on the wire."""

    leaving: Leaving | None
    left: bool = False


async def _leave(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    departure: _Departure = context.trace_request_ctx
    if departure.leaving is not None:
        await departure.leaving()
    departure.left = True


def open_session(connector: aiohttp.BaseConnector | None = None) -> aiohttp.ClientSession:
    """One session for all accounts: no cookies, no redirects, no proxy of the environment.

    It bounds no connections: each account's Client bounds its own, so that none waits for another's. By itself its
    `connector` connects to any address.
    """
    departures = aiohttp.TraceConfig()
    departures.on_request_headers_sent.append(_leave)  # aiohttp calls it before it writes the first byte
    return aiohttp.ClientSession(
        connector=connector or aiohttp.TCPConnector(limit=0, ssl=verifying(), keepalive_timeout=_KEEPALIVE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "threadbridge"},
        auto_decompress=True,
        trust_env=False,
        trace_configs=[departures],
    )


class Transport(Protocol):
    """Carries requests: over HTTP, or as a simulation does."""

    async def carry(
        self, base_url: str, request: Request, seconds: float, *, leaving: Leaving | None = None
    ) -> Response:
        """One request and its answer, within `seconds`. Raises a SendError, or what `leaving` raises."""
        ...

    async def close(self) -> None:
        """Carry nothing more."""
        ...


class Http:
    """Carries requests over one session of aiohttp, which `open_session` made."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Own the session, and close it in the end."""
        self._session = session

    async def carry(
        self, base_url: str, request: Request, seconds: float, *, leaving: Leaving | None = None
    ) -> Response:
        """One HTTP request. NotSent as long as none of its bytes has left, then OutcomeUnknown."""
        try:
            url = URL(base_url + request.path, encoded=True)
            port = url.port
        except ValueError:
            port = None
        if port is None:
            raise Rejected("the address is no URL", loggable=True)
        if request.query:
            url = url.update_query(request.query)
        headers = dict(request.headers)
        if request.body is not None:
            headers.setdefault("Content-Type", "application/json")
        departure = _Departure(leaving)
        try:
            async with self._session.request(
                request.method,
                url,
                data=request.body,
                headers=headers,
                allow_redirects=False,
                timeout=_client_timeout(seconds),
                trace_request_ctx=departure,
            ) as answer:
                body = await _read(answer)
                return Response(status=answer.status, headers=_lower(answer.headers), body=body)
        except aiohttp.InvalidURL:
            raise Rejected("the address is no URL", loggable=True) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise (_unanswered if departure.left else _unconnected)(error) from None

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()


class Guarded:
    """Carries requests to some origins over a transport of their own, and all others as usual."""

    def __init__(self, usual: Transport, public: Transport, origins: Collection[str]) -> None:
        """Own both transports, and close them in the end."""
        self._usual = usual
        self._public = public
        self._origins = frozenset(origins)

    async def carry(
        self, base_url: str, request: Request, seconds: float, *, leaving: Leaving | None = None
    ) -> Response:
        """See Transport."""
        transport = self._public if base_url in self._origins else self._usual
        return await transport.carry(base_url, request, seconds, leaving=leaving)

    async def close(self) -> None:
        """Close both."""
        await self._usual.close()
        await self._public.close()


def _unconnected(error: Exception) -> SendError:
    """What it means that no connection came about: nothing was sent."""
    if isinstance(error, aiohttp.ClientSSLError):
        reason = f"no secure connection: {type(error).__name__}"
    elif isinstance(error, aiohttp.ClientConnectorError):
        reason = f"no connection: {error.os_error.strerror or type(error.os_error).__name__}"
    elif isinstance(error, TimeoutError):
        reason = "no connection in time"
    else:
        reason = f"no connection: {type(error).__name__}"
    return NotSent(reason, away=True, loggable=True)


def _unanswered(error: Exception) -> SendError:
    """What it means that no whole answer came to a request whose bytes may be out."""
    if isinstance(error, TimeoutError):
        return OutcomeUnknown("no answer in time", loggable=True)
    return OutcomeUnknown(f"the connection broke: {type(error).__name__}", loggable=True)


@cache
def _client_timeout(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds, sock_connect=min(_CONNECT_SECONDS, seconds))


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > ANSWER_LIMIT:
            answer.close()
            raise OutcomeUnknown("the answer is longer than 1 MiB", loggable=True)
    return b"".join(parts)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() not in SECRET_HEADERS}
