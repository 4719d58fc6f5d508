"""One account's exchanges with its provider: its credential, its rate, and a record of every attempt."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from bridge.engine.delivery.credentials import Credentials
from bridge.engine.delivery.rate_limit import Limiter
from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError, StoreError
from bridge.frozen import dataclass
from bridge.log import kind_of
from bridge.providers.answers import REDIRECT, SUCCESS, retry_after
from bridge.providers.optional import LimitsPaths, ServesMedia
from bridge.providers.redaction import Redaction, secrets_of
from bridge.strict_json import json_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Mapping
    from fractions import Fraction

    from pydantic import BaseModel

    from bridge.clock import Clock
    from bridge.engine.delivery.credentials import Vault
    from bridge.engine.delivery.transport import Leaving, Transport
    from bridge.providers.port import AccountSettings, Credential, Outbound, Provider, Request, Response, Sent
    from bridge.store.shares import Use

T = TypeVar("T")

CONNECTIONS: Final = 64
"""Requests of one account that are under way at once."""
_SHOWN: Final = 500
"""The characters of an answer that is no success, kept with the attempt."""
_READ_BYTES: Final = 16 * 1024
"""Secrets are taken out before the answer is cut, so that no part of one stays."""


async def unwatched() -> None:
    """A request leaves whenever it can."""


@dataclass(slots=True)
class Attempt:
    """The record of one attempt: no header, no credential, no accepted body.

    `leave` is awaited after the last wait, right before the bytes of a request leave; it raises Withheld to stop that.
    """

    requests: list[dict[str, object]] = field(default_factory=list)
    leave: Leaving = unwatched
    left: bool = False
    """Whether bytes of a request may have left."""
    claimed: bool = False
    """Whether it is noted that the message is about to leave, for an account that wants it at most once."""
    micros: int = 0
    """How long its requests took, waits before them apart (microseconds)."""

    def encode(self) -> bytes:
        """As JSON."""
        return json_bytes(self.requests)


class Withheld(Exception):
    """The message must not leave as it was about to. No byte of it has."""


STOPPED: Final = (Withheld, StoreError)
"""What stops a request before it leaves: how its thread stands, or that nobody could tell."""


class Client:
    """Carries one account's exchanges, with its credential and at its rate.

    At most `connections` requests are under way; one that waits for its turn is not sent, however long that takes.
    """

    def __init__(
        self,
        provider: Provider,
        settings: AccountSettings,
        transport: Transport,
        clock: Clock,
        *,
        connections: int = CONNECTIONS,
        inbound: BaseModel | None = None,
        vault: Vault | None = None,
    ) -> None:
        """Nothing is sent yet. The secrets of `settings` and of `inbound` are kept out of what is stored.

        `vault` is where a credential is shared with other processes.
        """
        self._provider = provider
        self._settings = settings
        self._inbound = inbound
        self._transport = transport
        self._clock = clock
        self._base_url = provider.base_url
        self._timeout = settings.timeout
        self._credentials = Credentials(provider, clock, vault, self._hide)
        self._free = connections
        self._line: deque[asyncio.Future[None]] = deque()
        """Requests that wait for another one's connection."""

    @cached_property
    def _limiter(self) -> Limiter:
        """Made with the first request, as is the next one: many accounts rest for long."""
        paths = self._provider.path_rate if isinstance(self._provider, LimitsPaths) else None
        return Limiter(self._settings.rate, paths, self._clock)

    @cached_property
    def _redaction(self) -> Redaction:
        return Redaction(secrets_of(self._settings, self._inbound))

    def _hide(self, token: str) -> None:
        self._redaction.add(token)

    @property
    def renew_at(self) -> int | None:
        """When the account's token is obtained anew (microseconds); None where that is not known."""
        return self._credentials.renew_at

    def use(self) -> Use | None:
        """What this process can use of the account's rate; None: it has none."""
        return self._limiter.use()

    def room(self, share: Fraction) -> int | None:
        """How many more requests fit now into a share of the account's rate; None: it has none."""
        return self._limiter.room(share)

    def share(self, processes: int, slots: int | None) -> None:
        """Keep to `slots` of the rate, or to an equal part of it: so many processes send for the account."""
        self._limiter.share(processes, slots)

    def send(self, outbound: Outbound, attempt: Attempt) -> Coroutine[Any, Any, Sent]:
        """Send one message, and note in `attempt` what happens on the wire.

        A refused credential is obtained anew, once; then the same request is repeated.

        Raises:
            SendError: Rejected, NotSent or OutcomeUnknown.
        """
        if self._credentials.are_fixed:
            return self._run(self._provider.send(outbound, None), attempt)
        return self.ask(partial(self._provider.send, outbound), attempt)

    async def ask(
        self, begin: Callable[[Credential | None], Generator[Request, Response, T]], attempt: Attempt | None = None
    ) -> T:
        """Carry out an exchange of the provider. `begin` makes it with the credential, and again if that is refused.

        Raises:
            SendError: Rejected, NotSent or OutcomeUnknown.
        """
        attempt = attempt or Attempt()
        credential = None if self._credentials.are_fixed else await self._credential()
        try:
            return await self._run(begin(credential), attempt)
        except NotSent as error:
            if not error.unauthorised or credential is None:
                raise
        attempt.left = False  # what left was refused, and time passes until there is another credential
        return await self._run(begin(await self._credential(refused=credential)), attempt)

    async def media_headers(self) -> Mapping[str, str]:
        """What authenticates us for a medium at the gateway's own URL. Raises a SendError: there is no credential."""
        provider = self._provider
        if not isinstance(provider, ServesMedia):
            return {}
        credential = None if self._credentials.are_fixed else await self._credential()
        return provider.media_headers(credential)

    def _heed(self, error: NotSent, attempt: Attempt) -> None:
        """Pause for a Retry-After in an HTTP 2xx answer, which the rate limit took for a success."""
        status = attempt.requests[-1].get("status") if attempt.requests else None
        if error.retry_after is not None and status in SUCCESS:
            self._limiter.pause(error.retry_after)

    def _credential(self, *, refused: Credential | None = None) -> Coroutine[Any, Any, Credential | None]:
        """See Credentials.get."""
        return self._credentials.get(lambda exchange: self._run(exchange, Attempt()), refused=refused)

    async def _run(self, flow: Generator[Request, Response, T], attempt: Attempt) -> T:
        """Drive a provider's exchange: requests go out, responses come in, errors are thrown into it."""
        try:
            request = next(flow)
            while True:
                try:
                    is_open = self._limiter.is_open()
                    response = await (self._noted if is_open else self._limited)(request, attempt)
                    if response.status not in SUCCESS:
                        self._refused(request, response, attempt, learned=not is_open)
                except SendError as error:
                    request = flow.throw(error)
                else:
                    request = flow.send(response)
        except StopIteration as stop:
            result: T = stop.value
            return result
        except SendError as error:
            error.reason, error.code = self._redaction.text(error.reason), self._redaction.text(error.code)
            error.args = (error.reason,)
            if isinstance(error, NotSent):
                self._heed(error, attempt)
            raise
        except STOPPED:
            raise
        except Exception as error:
            reason = f"the provider's own code failed: {kind_of(error)}"
            raise (OutcomeUnknown if attempt.requests else NotSent)(reason, loggable=True) from error
        finally:
            flow.close()

    def _refused(self, request: Request, response: Response, attempt: Attempt, *, learned: bool) -> None:
        if not learned:
            self._limiter.slot(request).learn(response, retry_after(response))
        answer = response.body[:_READ_BYTES].decode("utf-8", "replace")
        attempt.requests[-1]["answer"] = self._redaction.text(answer)[:_SHOWN]
        if response.status in REDIRECT:
            reason = "the provider answers with a redirect, which is never followed"
            raise Rejected(reason, code=str(response.status), loggable=True)

    async def _limited(self, request: Request, attempt: Attempt) -> Response:
        """The exchange once the request has its turn."""
        async with self._limiter.slot(request) as slot:
            try:
                response = await self._noted(request, attempt)
            except STOPPED:
                slot.give_back()
                raise
            slot.learn(response, retry_after(response))
        return response

    async def _noted(self, request: Request, attempt: Attempt) -> Response:
        if self._free == 0:
            await self._place()
        note: dict[str, object] = {"method": request.method, "path": self._redaction.path(request.path)}
        attempt.requests.append(note)
        began = self._clock.now()
        self._free -= 1
        try:
            response = await self._transport.carry(self._base_url, request, self._timeout, leaving=attempt.leave)
        except STOPPED:
            attempt.requests.remove(note)
            raise
        except SendError as error:
            note["error"] = self._redaction.text(error.reason)
            raise
        finally:
            took = self._clock.now() - began
            note["ms"] = took // 1000
            attempt.micros += took
            self._give_place()
        note["status"] = response.status
        return response

    async def _place(self) -> None:
        """Wait for one of the `connections`; those that wait have their turns in order."""
        waiter = asyncio.get_running_loop().create_future()
        self._line.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._give_place()
            raise
        self._free += 1  # that of whom it was given by

    def _give_place(self) -> None:
        while self._line:
            waiter = self._line.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1
