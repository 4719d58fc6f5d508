"""Traces by OpenTelemetry: from a webhook over the turns of its events to each try of what they say.

A trace's id is that of the `traceparent` that came along, or made of the event's key: so a turn after a restart is
still in the trace of its webhook. Which trace a message belongs to is remembered in memory, for as long as it is not
too long ago; a message that is sent after a restart begins a trace of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from opentelemetry import context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bridge.store.records import Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span, Tracer

    from bridge.clock import Clock
    from bridge.engine.spans import TurnSpan, WebhookSpan
    from bridge.store.records import Arrival, InboxRow, OutboxRow, TurnCommit

T = TypeVar("T")

REMEMBERED: Final = 20_000
"""Events and messages, each, whose trace is known by memory."""
_FAILED: Final = frozenset({"retried", "dead", "rejected", "not sent", "unknown"})
_NANO: Final = 1000
_LAST: Final = 3.0
"""Seconds in which the last spans may reach the collector when the process ends."""
_NO_CONTEXT: Final = context.Context()
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Traces:
    """Implements bridge.engine.spans.Spans. No span holds a text, a name or an address of a contact."""

    def __init__(self, processor: SpanProcessor, clock: Clock) -> None:
        """Spans go to `processor`, on times of `clock`."""
        named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "threadbridge"}
        self._ids = _Ids()
        self._provider = TracerProvider(resource=Resource.create(named), id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer: Tracer = self._provider.get_tracer("threadbridge")
        self._clock = clock
        self._of_event: dict[tuple[str, str], SpanContext] = {}
        self._of_message: dict[str, SpanContext] = {}

    def webhook(self, arrivals: Sequence[Arrival], traceparent: str | None) -> WebhookSpan:
        """See Spans."""
        first = arrivals[0]
        parent = _PROPAGATOR.extract({"traceparent": traceparent}, _NO_CONTEXT) if traceparent else _NO_CONTEXT
        known = self._of_event.get((first.account, first.key))
        if known is not None:
            parent = _inside(known)
        elif not get_current_span(parent).get_span_context().is_valid:
            self._ids.next = _derived(first.account, first.key)
        span = self._begun("webhook", SpanKind.SERVER, parent)
        span.set_attribute("threadbridge.account", first.account)
        span.set_attribute("threadbridge.events", len(arrivals))
        for arrival in arrivals:
            if (arrival.account, arrival.key) not in self._of_event:  # else it is a repetition
                _remember(self._of_event, (arrival.account, arrival.key), span.get_span_context())
        return _Webhook(span, self._clock)

    def turn(self, row: InboxRow) -> TurnSpan:
        """See Spans."""
        known = self._of_event.get((row.ref.account, row.key))
        if known is None:
            trace_id, span_id = _derived(row.ref.account, row.key)
            known = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        span = self._begun("turn", SpanKind.CONSUMER, _inside(known))
        span.set_attribute("threadbridge.account", row.ref.account)
        span.set_attribute("threadbridge.channel", row.ref.channel)
        span.set_attribute("threadbridge.thread", row.thread_id)
        span.set_attribute("threadbridge.event", row.event.tag)
        span.set_attribute("threadbridge.attempt", row.attempt)
        context.attach(set_span_in_context(span))
        return _Turn(span, self._clock, self)

    def attempted(self, row: OutboxRow, outcome: str, began: int, ended: int) -> None:
        """See Spans."""
        known = self._of_message.get(row.key)
        if known is None:
            self._ids.next = _derived(row.ref.account, row.key)
        parent = _NO_CONTEXT if known is None else _inside(known)
        span = self._tracer.start_span("attempt", parent, SpanKind.CLIENT, start_time=began * _NANO)
        span.set_attribute("threadbridge.account", row.ref.account)
        span.set_attribute("threadbridge.channel", row.ref.channel)
        span.set_attribute("threadbridge.thread", row.thread_id)
        span.set_attribute("threadbridge.message", row.message.kind)
        span.set_attribute("threadbridge.attempt", row.attempt)
        _end(span, outcome, max(began, ended))

    def saying(self, span: SpanContext, commit: TurnCommit) -> None:
        """What a turn says, and sends to other conversations, is in its trace."""
        for saying in commit.sayings:
            _remember(self._of_message, saying.key, span)
        for arrival in commit.sends:
            _remember(self._of_event, (arrival.account, arrival.key), span)

    async def stop(self) -> None:
        """Let the last spans go, but not for long: a collector that is away holds up no end."""
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(gone.set)

        threading.Thread(target=shut_down, name="traces", daemon=True).start()
        with suppress(TimeoutError):
            await asyncio.wait_for(gone.wait(), _LAST)

    def _begun(self, name: str, kind: SpanKind, parent: Context) -> Span:
        return self._tracer.start_span(name, parent, kind, start_time=self._clock.now() * _NANO)


def traces_to(collector: str, clock: Clock) -> Traces:
    """Traces that go to a collector, by its base URL."""
    return Traces(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{collector}/v1/traces")), clock)


class _Webhook:
    """Implements WebhookSpan."""

    def __init__(self, span: Span, clock: Clock) -> None:
        self._span = span
        self._clock = clock

    def end(self, receipts: Sequence[Receipt]) -> None:
        repeated = sum(receipt is Receipt.REPEATED for receipt in receipts)
        self._span.set_attribute("threadbridge.repeated", repeated)
        if not receipts:
            self._span.set_status(StatusCode.ERROR)
        self._span.end(self._clock.now() * _NANO)


class _Turn:
    """Implements TurnSpan."""

    def __init__(self, span: Span, clock: Clock, traces: Traces) -> None:
        self._span = span
        self._clock = clock
        self._traces = traces

    def saying(self, commit: TurnCommit) -> None:
        self._traces.saying(self._span.get_span_context(), commit)

    def end(self, outcome: str) -> None:
        context.attach(_NO_CONTEXT)
        _end(self._span, outcome, self._clock.now())


class _Ids(IdGenerator):
    """Random ids, but for a span that is told which it has: then `next` is its trace and itself."""

    def __init__(self) -> None:
        self.next: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        """See OpenTelemetry, which asks for the span's own id after it."""
        return random.getrandbits(128) or 1 if self.next is None else self.next[0]

    def generate_span_id(self) -> int:
        """See OpenTelemetry."""
        own, self.next = self.next, None
        return random.getrandbits(64) or 1 if own is None else own[1]


def _derived(account: str, key: str) -> tuple[int, int]:
    """The ids of the trace and of the first span of an event or a message."""
    digest = hashlib.blake2b(f"{account}\0{key}".encode(), digest_size=24).digest()
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:]) or 1


def _inside(span: SpanContext) -> Context:
    return set_span_in_context(NonRecordingSpan(span), _NO_CONTEXT)


def _remember(known: dict[T, SpanContext], name: T, span: SpanContext) -> None:
    if len(known) >= REMEMBERED:
        del known[next(iter(known))]
    known[name] = span


def _end(span: Span, outcome: str, at: int) -> None:
    span.set_attribute("threadbridge.outcome", outcome)
    if outcome in _FAILED:
        span.set_status(StatusCode.ERROR)
    span.end(at * _NANO)
