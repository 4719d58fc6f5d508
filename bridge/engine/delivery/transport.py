"""The way out: the only place where bytes leave for a provider."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

import aiohttp
from yarl import URL

from bridge.errors import NotSent, OutcomeUnknown, Rejected
from bridge.providers.port import SECRET_HEADERS, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.providers.port import Request

ANSWER_LIMIT: Final = 1 << 20
"""Bytes of a provider's answer that are read; a longer one has an unknown outcome."""
_CONNECT_SECONDS: Final = 5.0
_KEEPALIVE_SECONDS: Final = 30


def open_session(connections: int = 128) -> aiohttp.ClientSession:
    """One session for all accounts: no cookies, no redirects, no proxy of the environment."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=_KEEPALIVE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "threadbridge"},
        auto_decompress=True,
        trust_env=False,
    )


class Transport(Protocol):
    """Carries requests: over HTTP, or as a simulation does."""

    async def carry(self, base_url: str, request: Request, seconds: float) -> Response:
        """One request and its answer, within `seconds`. Raises a SendError."""
        ...

    async def close(self) -> None:
        """Carry nothing more."""
        ...


class Http:
    """Carries requests over one session."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Own the session, and close it in the end."""
        self._session = session

    async def carry(self, base_url: str, request: Request, seconds: float) -> Response:
        """One HTTP request. NotSent when it provably did not reach the provider, else OutcomeUnknown."""
        url = URL(base_url + request.path, encoded=True)
        if request.query:
            url = url.update_query(request.query)
        headers = dict(request.headers)
        if request.body is not None:
            headers.setdefault("Content-Type", "application/json")
        try:
            async with self._session.request(
                request.method,
                url,
                data=request.body,
                headers=headers,
                allow_redirects=False,
                timeout=_client_timeout(seconds),
            ) as answer:
                body = await _read(answer)
                return Response(status=answer.status, headers=_lower(answer.headers), body=body)
        except aiohttp.ClientConnectorError as error:
            raise NotSent(
                f"no connection: {error.os_error.strerror or type(error.os_error).__name__}", loggable=True
            ) from None
        except aiohttp.ClientSSLError as error:
            raise NotSent(f"no secure connection: {type(error).__name__}", loggable=True) from None
        except aiohttp.ConnectionTimeoutError:
            raise NotSent("no connection in time", loggable=True) from None
        except aiohttp.InvalidURL:
            raise Rejected("the address is no URL", loggable=True) from None
        except TimeoutError:
            raise OutcomeUnknown("no answer in time", loggable=True) from None
        except aiohttp.ClientError as error:
            raise OutcomeUnknown(f"the connection broke: {type(error).__name__}", loggable=True) from None

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()


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
