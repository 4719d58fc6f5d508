"""The door out: the only place where something is sent to a provider. One Client an account, one session for all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import aiohttp
import orjson
from yarl import URL

from bridge.clock import SECOND
from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError
from bridge.providers.port import SECRET_HEADERS, Credential, Response, Sent

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from bridge.clock import Clock
    from bridge.providers.port import AccountSettings, Outbound, Provider, Request

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


class Limiter:
    """So many requests in a period, evenly spread after a burst of the whole; and pauses that the provider asks for."""

    def __init__(self, settings: AccountSettings, clock: Clock) -> None:
        """No rate: no limit, but for the pauses."""
        self._clock = clock
        rate = settings.rate
        self._interval = round(rate.seconds * SECOND / rate.count) if rate else 0
        self._burst = round(rate.seconds * SECOND) - self._interval if rate else 0
        self._next = 0
        self._not_before = 0

    async def wait(self) -> None:
        """Return when the next request may leave."""
        while True:
            now = self._clock.now()
            at = self._not_before
            if self._interval:
                at = max(at, self._next - self._burst)
            if at <= now:
                break
            await self._clock.sleep((at - now) / SECOND)
        if self._interval:
            self._next = max(self._next, now) + self._interval

    def pause(self, seconds: float) -> None:
        """Let nothing leave for a while."""
        self._not_before = max(self._not_before, self._clock.now() + round(seconds * SECOND))


@dataclass(slots=True)
class Exchange:
    """What is kept of one try: no header, no credential, no body that was accepted."""

    requests: list[dict[str, object]] = field(default_factory=list)

    def encode(self) -> bytes:
        """As JSON."""
        return orjson.dumps(self.requests)


class Client:
    """Carries one account's exchanges: obtains its credential once for all that wait for it, keeps its rate."""

    def __init__(
        self, provider: Provider, settings: AccountSettings, session: aiohttp.ClientSession, clock: Clock
    ) -> None:
        """Nothing is sent yet."""
        self._provider = provider
        self._session = session
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=settings.timeout, sock_connect=min(_CONNECT, settings.timeout))
        self._credential: Credential | None = None
        self._obtaining = asyncio.Lock()
        self.limiter = Limiter(settings, clock)

    async def send(self, outbound: Outbound, exchange: Exchange) -> Sent:
        """Send one message; what happened on the wire is noted in `exchange`.

        A credential that is refused is obtained anew, once, and the very same request repeated.

        Raises:
            SendError: Rejected, NotSent or OutcomeUnknown.
        """
        credential = await self._obtain(refused=None)
        try:
            return await self._run(self._provider.send(outbound, credential), exchange)
        except NotSent as error:
            if not error.unauthorised or credential is None:
                raise
        return await self._run(self._provider.send(outbound, await self._obtain(refused=credential)), exchange)

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
                raise NotSent(f"no credential: {error.reason}", code=error.code, pause=True) from None
            except OutcomeUnknown as error:
                raise NotSent(f"no credential: {error.reason}", code=error.code) from None
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
        finally:
            flow.close()

    async def _exchange(self, request: Request, exchange: Exchange) -> Response:
        await self.limiter.wait()
        note: dict[str, object] = {"method": request.method, "path": request.path}
        exchange.requests.append(note)
        began = self._clock.now()
        try:
            response = await self._request(request)
        except SendError as error:
            note["error"] = error.reason
            raise
        finally:
            note["ms"] = (self._clock.now() - began) // 1000
        note["status"] = response.status
        if response.status not in _OK:
            note["answer"] = response.body[:_KEPT].decode("utf-8", "replace")
        if response.status in _REDIRECTS:
            raise Rejected("the provider answers with a redirect, which is never followed", code=str(response.status))
        return response

    async def _request(self, request: Request) -> Response:
        """One HTTP request. What is proven not to have reached the provider is NotSent, all else OutcomeUnknown."""
        url = URL(self._provider.base_url + request.path, encoded=True)
        if request.query:
            url = url.update_query(request.query)
        headers = dict(request.headers)
        if request.body is not None:
            headers.setdefault("Content-Type", "application/json")
        try:
            async with self._session.request(
                request.method, url, data=request.body, headers=headers, allow_redirects=False, timeout=self._timeout
            ) as answer:
                body = await _read(answer)
                return Response(status=answer.status, headers=_lower(answer.headers), body=body)
        except aiohttp.ClientConnectorError as error:
            raise NotSent(f"no connection: {error.os_error.strerror or type(error.os_error).__name__}") from None
        except aiohttp.ClientSSLError as error:
            raise NotSent(f"no secure connection: {type(error).__name__}") from None
        except aiohttp.ConnectionTimeoutError:
            raise NotSent("no connection in time") from None
        except aiohttp.InvalidURL:
            raise Rejected("the address is no URL") from None
        except TimeoutError:
            raise OutcomeUnknown("no answer in time") from None
        except aiohttp.ClientError as error:
            raise OutcomeUnknown(f"the connection broke: {type(error).__name__}") from None


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > ANSWER_LIMIT:
            answer.close()
            raise OutcomeUnknown("the answer is longer than 1 MiB")
    return b"".join(parts)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() not in SECRET_HEADERS}
