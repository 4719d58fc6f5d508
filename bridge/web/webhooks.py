"""POST /webhooks/{account}[/{secret}][/{channel}]: verified on raw bytes, stored, and only then answered 200."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs

from bridge.engine.counters import Counters
from bridge.engine.ingest import arrivals_of, log_quarantine
from bridge.engine.patience import Limit, Patience
from bridge.engine.shares import Shares
from bridge.errors import Broken, StoreError, Unavailable, WebhookError
from bridge.log import log
from bridge.providers.port import Webhook
from bridge.providers.schemes import DUMMY, NOT_FOUND, Signed
from bridge.providers.signatures import verifier_for
from bridge.strict_json import read_object
from bridge.web.ack import Acks
from bridge.web.forgeries import Forgeries
from bridge.web.intake import Intake
from bridge.web.limits import bounded, check_head, check_line, is_gzip, plain_of, read_raw, whole_body
from bridge.web.refusals import busy, log_refusal, refusal, refusal_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web

    from bridge.clock import Clock
    from bridge.config.accounts import Account
    from bridge.engine.spans import Spans
    from bridge.providers.schemes import Verifier
    from bridge.store.port import Store
    from bridge.store.records import Receipt
    from bridge.web.peers import Bodies, Peers
    from bridge.web.short_way import Asked, Door, ShortRequest

COMMIT_SECONDS: Final = 2.5
"""A commit that takes longer is answered 503; the event may still be stored, and a repetition finds it."""
IN_FLIGHT: Final = 256
"""Webhooks that are all here and not yet answered; a flood on one account leaves room for the others' above it."""
_NOT_FOUND: Final = 404
_STORED: Final = 200
_TRACEPARENT: Final = "traceparent"


class _NotStored(WebhookError):
    """503, after a line of its own in the log."""


@dataclass(frozen=True, slots=True)
class _Door:
    account: Account
    verifier: Verifier


@dataclass(frozen=True, slots=True)
class _Way:
    """Where a path leads, found out before anybody proved who they are, and not told before that.

    Without a door it leads nowhere, and neither does it where `astray` says why.
    """

    name: str
    door: _Door | None
    verifier: Verifier
    secret: str | None
    channel: str | None
    astray: str

    @property
    def is_lasting(self) -> bool:
        """Whether a head that came in once comes in each time."""
        return not (self.door is None or self.astray or self.verifier.needs_body or self.verifier.needs_time)


class Webhooks:
    """The door of all accounts."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        store: Store,
        wants: Callable[[str], bool],
        clock: Clock,
        *,
        limit: int,
        bodies: Bodies,
        peers: Peers,
        fetches: bool = False,
        counters: Counters | None = None,
        spans: Spans | None = None,
    ) -> None:
        """`limit` is in bytes. Accounts without inbound settings have no door. `fetches`: see arrivals_of."""
        self._counters = counters or Counters()
        self._spans = spans
        self._store = store
        self._wants = wants
        self._fetches = fetches
        self._clock = clock
        self._limit = limit
        self._bodies = bodies
        self._peers = peers
        self._doors = {
            name: _Door(account, verifier_for(account.inbound))
            for name, account in accounts.items()
            if account.inbound is not None
        }
        self._in_flight = Shares(IN_FLIGHT, len(self._doors))
        self._forgeries = Forgeries(clock)
        self._patience = Patience(COMMIT_SECONDS)
        self._acks = Acks()
        self.intake = Intake(store)
        self.draining = False

    async def answer(self, request: web.Request, path: tuple[str, ...]) -> web.StreamResponse:
        """Take one webhook; `path` is what stands behind /webhooks/, wherever that is mounted."""
        way = self._way(path)
        try:
            await self._take(request, way)
        except WebhookError as error:
            self._refused(error, way.name, request)
            return refusal(error)
        self._counters.webhooks[way.name, _STORED] += 1
        return self._acks.answer(request, self._clock.now())

    def short_way(self, path: tuple[str, ...]) -> Door:
        """The same as bytes, for the short way to `path`."""
        way = self._way(path)

        async def answer(request: ShortRequest) -> bytes:
            is_known = request.head.is_let_in
            try:
                await self._take(request, way, is_known=is_known)
            except WebhookError as error:
                self._refused(error, way.name, request)
                return refusal_bytes(error.status, error.reason, error.retry_after)
            if not is_known and way.is_lasting and hdrs.CONTENT_ENCODING not in request.headers:
                request.let_in()
            self._counters.webhooks[way.name, _STORED] += 1
            return self._acks.bytes(self._clock.now())

        return answer

    async def _take(self, request: Asked, way: _Way, *, is_known: bool = False) -> None:
        """Take one webhook. A head that `is_known` was let in before, and came with its whole body now."""
        if self.draining:
            raise busy("shutting down")
        if is_known:
            body = bounded(request.content.read_nowait(), self._limit)
        else:
            self._check(request, way)
            body = whole_body(request, self._limit) if request.content.is_eof() else await self._read(request)
        name, door, in_flight = way.name, way.door, self._in_flight
        if not in_flight.enter(name):
            raise busy("too many requests at once")
        try:
            if not is_known:
                body = self._proved(request, way, body)
            assert door is not None
            await self.accept(door.account, body, way.channel, request)
        finally:
            in_flight.give(name)

    def _check(self, request: Asked, way: _Way) -> None:
        """Refuse by the head whatever can be."""
        check_head(request, self._limit)
        self._enter(request, way)
        if way.astray and not way.verifier.needs_body:
            raise WebhookError(404, NOT_FOUND, logged=way.astray)

    def _proved(self, request: Asked, way: _Way, body: bytes) -> bytes:
        """The plain body of a request that has proved who it is from."""
        body = self._verified(way, request, body) if way.verifier.needs_body else plain_of(request, body, self._limit)
        if way.astray:
            raise WebhookError(404, NOT_FOUND, logged=way.astray)
        return body

    async def accept(
        self, account: Account, body: bytes, channel: str | None, request: Asked | None = None
    ) -> list[Receipt]:
        """Store what an authenticated body brings; returns after the commit. `request` brought it, for the log.

        Raises:
            WebhookError: 400 when it is no JSON object; 503 when it is not stored.
        """
        webhook = Webhook(channel=channel, body=body, json=read_object(body), received_at=self._clock.now())
        arrivals = arrivals_of(account.name, account.provider, webhook, self._wants, fetches=self._fetches)
        if not arrivals:
            return []
        span = None
        if self._spans is not None:
            span = self._spans.webhook(arrivals, request.headers.get(_TRACEPARENT) if request is not None else None)
        receipts: list[Receipt] = []
        try:
            with Limit(self._patience):
                receipts = await self._store.receive(arrivals)
        except (StoreError, TimeoutError) as error:
            if isinstance(error, Unavailable | Broken | TimeoutError):
                self.intake.failed()
            log.error("webhook_not_stored", account=account.name, reason=str(error) or "the commit took too long")
            raise _NotStored(503, "not stored", retry_after=busy("").retry_after) from None
        finally:
            if span is not None:
                span.end(receipts)
        self.intake.took()
        if not self._counters.arrived(arrivals, receipts):
            log_quarantine(arrivals, receipts, None if request is None else partial(self._peers.named, request))
        return receipts

    def _refused(self, error: WebhookError, name: str, request: Asked) -> None:
        """Count a refusal, with a line about it; a name that is no account's is the peer's own word, and stays out."""
        known = name in self._doors
        self._counters.webhook(name, error.status, known=known)
        if isinstance(error, _NotStored):
            return
        reason = error.logged if known or error.status != _NOT_FOUND else "no account of this name with a secret"
        log_refusal(error.status, reason, self._peers.named(request), account=name if known else None)

    def _verified(self, way: _Way, request: Asked, body: bytes) -> bytes:
        """The plain body. The signature is one of the bytes as they came, or of what was compressed.

        Raises:
            WebhookError: 401; 400 or 413 when it cannot be inflated; 503 when forgeries have used up the inflations.
        """
        signed = Signed(headers=request.headers, body=body, now=self._clock.now())
        try:
            way.verifier.verify_body(signed)
        except WebhookError:
            if not is_gzip(request):
                raise
        else:
            return plain_of(request, body, self._limit)
        with self._forgeries.doubted(way.name):
            plain = plain_of(request, body, self._limit)
            way.verifier.verify_body(replace(signed, body=plain))
            return plain

    async def _read(self, request: Asked) -> bytes:
        """The body as it came; one that is still to come must not keep the door from those that are here."""
        async with self._bodies.place(request):
            return await read_raw(request, self._limit)

    def _way(self, path: tuple[str, ...]) -> _Way:
        name, *segments = path
        door = self._doors.get(name)
        verifier = DUMMY if door is None else door.verifier
        secret = segments.pop(0) if verifier.needs_path_secret and segments else None
        channel, astray = (None, "") if door is None else _channel_of(door, segments)
        return _Way(name, door, verifier, secret, channel, astray)

    def _enter(self, request: Asked, way: _Way) -> None:
        """Return once the head of a request has proved who it is from.

        Nothing of the body is read or inflated for a peer that proves nothing.

        Raises:
            WebhookError: 401, or 404 for everything that is not there, all alike.
        """
        signed = Signed(headers=request.headers, body=b"", path_secret=way.secret, now=self._clock.now())
        way.verifier.verify_head(signed)
        if way.door is None:
            raise WebhookError(404, NOT_FOUND)

    async def expect(self, request: web.Request, path: tuple[str, ...]) -> web.StreamResponse | None:
        """Expect: 100-continue is answered only when the body would be taken, and its peer has proved who it is."""
        try:
            check_line(request)
            check_head(request, self._limit)
            self._enter(request, self._way(path))
        except WebhookError as error:
            self._refused(error, path[0], request)
            return refusal(error)
        if request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return None


def _channel_of(door: _Door, segments: list[str]) -> tuple[str | None, str]:
    """The route's channel: one of the account's, and to be left out only where there is no doubt; or why it is none."""
    channels = door.account.provider.channels
    reason = ""
    if len(segments) > 1:
        reason = "the URL has too many parts"
    elif channels is None and segments:
        reason = "the URL has a channel, and the provider has none"
    elif channels is not None and segments and segments[0] not in channels:
        reason = "the URL's channel is none of the account's"
    elif channels is not None and not segments and len(channels) > 1:
        reason = "the URL names no channel"
    if reason or not channels:
        return None, reason
    return segments[0] if segments else channels[0], ""
