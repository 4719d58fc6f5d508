"""The door out: the only place where something is sent to a provider. One Client an account, one session for all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import aiohttp
import orjson
from yarl import URL

from bridge.engine.delivery.rate_limit import Limiter
from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError
from bridge.log import kind_of
from bridge.providers.answers import retry_after
from bridge.providers.optional import LimitsPaths
from bridge.providers.port import SECRET_HEADERS, Credential, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from bridge.clock import Clock
    from bridge.providers.port import AccountSettings, Outbound, Provider, Request, Sent

T = TypeVar("T")

ANSWER_LIMIT: Final = 1 << 20
"""Bytes of a provider's answer that are read; a longer one is an answer we do not understand."""
_CONNECT: Final = 5.0
_REDIRECTS: Final = range(300, 400)
_OK: Final = range(200, 300)
_KEPT: Final = 500


def open_session(connections: int = 128) -> aiohttp.ClientSession:
    """The one session: no cookies, no redirects, no proxy of the environment."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=30),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "threadbridge"},
        auto_decompress=True,
        trust_env=False,
    )


class Transport(Protocol):
    """What carries requests: HTTP, or in a simulation whatever stands for it."""

    async def carry(self, base_url: str, request: Request, timeout: float) -> Response:  # noqa: ASYNC109 - the transport's to keep
        """One request and its answer, within `timeout` seconds. Raises a SendError."""
        ...

    async def close(self) -> None:
        """Nothing more will be carried."""
        ...


class Http:
    """Carries requests over one session."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """The session is this one's to close."""
        self._session = session

    async def carry(self, base_url: str, request: Request, timeout: float) -> Response:  # noqa: ASYNC109 - see Transport
        """One HTTP request. What is proven not to have reached the provider is NotSent, all else OutcomeUnknown."""
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
                timeout=_client_timeout(timeout),
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
    return aiohttp.ClientTimeout(total=seconds, sock_connect=min(_CONNECT, seconds))


@dataclass(slots=True)
class Exchange:
    """What is kept of one try: no header, no credential, no body that was accepted.

    `unwanted` tells, when its turn has come at last, why it is not to be made any more; "": it is.
    """

    requests: list[dict[str, object]] = field(default_factory=list)
    unwanted: Callable[[], str] = lambda: ""

    def encode(self) -> bytes:
        """As JSON."""
        return orjson.dumps(self.requests)


class Client:
    """Carries one account's exchanges: obtains its credential once for all that wait for it, keeps its rate."""

    def __init__(self, provider: Provider, settings: AccountSettings, transport: Transport, clock: Clock) -> None:
        """Nothing is sent yet."""
        self._provider = provider
        self._transport = transport
        self._clock = clock
        self._timeout = settings.timeout
        self._credential: Credential | None = None
        self._obtaining = asyncio.Lock()
        paths = provider.path_rate if isinstance(provider, LimitsPaths) else None
        self._limiter = Limiter(settings.rate, paths, clock)

    async def send(self, outbound: Outbound, exchange: Exchange) -> Sent:
        """Send one message; what happened on the wire is noted in `exchange`.

        A credential that is refused is obtained anew, once, and the very same request repeated.

        Raises:
            SendError: Rejected, NotSent or OutcomeUnknown.
        """
        return await self.ask(lambda credential: self._provider.send(outbound, credential), exchange)

    async def ask(
        self, begin: Callable[[Credential | None], Generator[Request, Response, T]], exchange: Exchange | None = None
    ) -> T:
        """Carry out any exchange of the provider: `begin` makes it with the credential, anew if that was refused.

        Raises:
            SendError: Rejected, NotSent or OutcomeUnknown.
        """
        exchange = exchange or Exchange()
        credential = await self._obtain(refused=None)
        try:
            return await self._run(begin(credential), exchange)
        except NotSent as error:
            if not error.unauthorised or credential is None:
                self._heed(error, exchange)
                raise
        return await self._run(begin(await self._obtain(refused=credential)), exchange)

    def _heed(self, error: NotSent, exchange: Exchange) -> None:
        """A wish to be left alone that came with an answer of HTTP 2xx: the limiter took it for a success."""
        status = exchange.requests[-1].get("status") if exchange.requests else None
        if error.retry_after is not None and status in _OK:
            self._limiter.pause(error.retry_after)

    async def _obtain(self, *, refused: Credential | None) -> Credential | None:
        """The credential to use: the one we have, unless it is to be renewed or was refused. One request for all."""
        current = self._credential
        if current is not None and current is not refused and not self._is_stale(current):
            return current
        async with self._obtaining:
            current = self._credential
            if current is not None and current is not refused and not self._is_stale(current):
                return current
            exchange = self._provider.authenticate(self._clock.now())
            if exchange is None:
                return None
            try:
                self._credential = await self._run(exchange, Exchange())
            except Rejected as error:
                raise NotSent(
                    f"no credential: {error.reason}", code=error.code, pause=True, loggable=error.loggable
                ) from None
            except OutcomeUnknown as error:
                raise NotSent(f"no credential: {error.reason}", code=error.code, loggable=error.loggable) from None
            return self._credential

    def _is_stale(self, credential: Credential) -> bool:
        return credential.renew_at is not None and credential.renew_at <= self._clock.now()

    async def _run(self, flow: Generator[Request, Response, T], exchange: Exchange) -> T:
        """Drive a provider's exchange: its requests out, the responses in, whatever goes wrong thrown into it."""
        try:
            request = next(flow)
            while True:
                try:
                    response = await self._exchange(request, exchange)
                except SendError as error:
                    request = flow.throw(error)
                else:
                    request = flow.send(response)
        except StopIteration as stop:
            result: T = stop.value
            return result
        except SendError:
            raise
        except Exception as error:
            reason = f"the provider's own code failed: {kind_of(error)}"
            raise (OutcomeUnknown if exchange.requests else NotSent)(reason, loggable=True) from error
        finally:
            flow.close()

    async def _exchange(self, request: Request, exchange: Exchange) -> Response:
        async with self._limiter.place(request) as place:
            if not exchange.requests and (reason := exchange.unwanted()):
                raise NotSent(reason)
            response = await self._noted(request, exchange)
            place.learn(response, retry_after(response))
        if response.status in _REDIRECTS:
            reason = "the provider answers with a redirect, which is never followed"
            raise Rejected(reason, code=str(response.status), loggable=True)
        return response

    async def _noted(self, request: Request, exchange: Exchange) -> Response:
        note: dict[str, object] = {"method": request.method, "path": request.path}
        exchange.requests.append(note)
        began = self._clock.now()
        try:
            response = await self._transport.carry(self._provider.base_url, request, self._timeout)
        except SendError as error:
            note["error"] = error.reason
            raise
        finally:
            note["ms"] = (self._clock.now() - began) // 1000
        note["status"] = response.status
        if response.status not in _OK:
            note["answer"] = response.body[:_KEPT].decode("utf-8", "replace")
        return response


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
