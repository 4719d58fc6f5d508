"""One account's exchanges with its provider: its credential, its rate, and a record of every attempt."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import orjson

from bridge.engine.delivery.rate_limit import Limiter
from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError
from bridge.log import kind_of
from bridge.providers.answers import REDIRECT, SUCCESS, retry_after
from bridge.providers.optional import LimitsPaths

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from bridge.clock import Clock
    from bridge.engine.delivery.transport import Transport
    from bridge.providers.port import AccountSettings, Credential, Outbound, Provider, Request, Response, Sent

T = TypeVar("T")

_SHOWN_BYTES: Final = 500
"""How much of an answer that is no success is kept with the attempt."""


@dataclass(slots=True)
class Attempt:
    """The record of one attempt: no header, no credential, no accepted body.

    `unwanted` is asked right before the first request leaves. It gives the reason not to send any more, or "".
    """

    requests: list[dict[str, object]] = field(default_factory=list)
    unwanted: Callable[[], str] = lambda: ""

    def encode(self) -> bytes:
        """As JSON."""
        return orjson.dumps(self.requests)


class Client:
    """Carries one account's exchanges: obtains its credential once for all that wait for it, and keeps its rate."""

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

    async def send(self, outbound: Outbound, attempt: Attempt) -> Sent:
        """Send one message, and note in `attempt` what happens on the wire.

        A refused credential is obtained anew, once; then the same request is repeated.

        Raises:
            SendError: Rejected, NotSent or OutcomeUnknown.
        """
        return await self.ask(lambda credential: self._provider.send(outbound, credential), attempt)

    async def ask(
        self, begin: Callable[[Credential | None], Generator[Request, Response, T]], attempt: Attempt | None = None
    ) -> T:
        """Carry out an exchange of the provider. `begin` makes it with the credential, and again if that is refused.

        Raises:
            SendError: Rejected, NotSent or OutcomeUnknown.
        """
        attempt = attempt or Attempt()
        credential = await self._obtain(refused=None)
        try:
            return await self._run(begin(credential), attempt)
        except NotSent as error:
            if not error.unauthorised or credential is None:
                self._heed(error, attempt)
                raise
        return await self._run(begin(await self._obtain(refused=credential)), attempt)

    def _heed(self, error: NotSent, attempt: Attempt) -> None:
        """Pause for a Retry-After in an HTTP 2xx answer, which the rate limit took for a success."""
        status = attempt.requests[-1].get("status") if attempt.requests else None
        if error.retry_after is not None and status in SUCCESS:
            self._limiter.pause(error.retry_after)

    async def _obtain(self, *, refused: Credential | None) -> Credential | None:
        """The current credential, or a new one if it is stale or was refused. One request serves all that wait."""
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
                self._credential = await self._run(exchange, Attempt())
            except Rejected as error:
                raise NotSent(
                    f"no credential: {error.reason}", code=error.code, pause=True, loggable=error.loggable
                ) from None
            except OutcomeUnknown as error:
                raise NotSent(f"no credential: {error.reason}", code=error.code, loggable=error.loggable) from None
            return self._credential

    def _is_stale(self, credential: Credential) -> bool:
        return credential.renew_at is not None and credential.renew_at <= self._clock.now()

    async def _run(self, flow: Generator[Request, Response, T], attempt: Attempt) -> T:
        """Drive a provider's exchange: requests go out, responses come in, errors are thrown into it."""
        try:
            request = next(flow)
            while True:
                try:
                    response = await self._exchange(request, attempt)
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
            raise (OutcomeUnknown if attempt.requests else NotSent)(reason, loggable=True) from error
        finally:
            flow.close()

    async def _exchange(self, request: Request, attempt: Attempt) -> Response:
        async with self._limiter.slot(request) as slot:
            if not attempt.requests and (reason := attempt.unwanted()):
                raise NotSent(reason)
            response = await self._noted(request, attempt)
            slot.learn(response, retry_after(response))
        if response.status in REDIRECT:
            reason = "the provider answers with a redirect, which is never followed"
            raise Rejected(reason, code=str(response.status), loggable=True)
        return response

    async def _noted(self, request: Request, attempt: Attempt) -> Response:
        note: dict[str, object] = {"method": request.method, "path": request.path}
        attempt.requests.append(note)
        began = self._clock.now()
        try:
            response = await self._transport.carry(self._provider.base_url, request, self._timeout)
        except SendError as error:
            note["error"] = error.reason
            raise
        finally:
            note["ms"] = (self._clock.now() - began) // 1000
        note["status"] = response.status
        if response.status not in SUCCESS:
            note["answer"] = response.body[:_SHOWN_BYTES].decode("utf-8", "replace")
        return response
