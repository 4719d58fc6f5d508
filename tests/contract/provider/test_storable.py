"""Half a surrogate pair or a NUL, anywhere in a webhook: it is stored, or kept as bytes in quarantine."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from bridge.engine.ingest import arrivals_asked_for, arrivals_of
from bridge.providers.optional import Polled
from bridge.providers.port import Inbound, Webhook
from bridge.store.lifecycle import InboxState
from bridge.store.opening import open_store
from bridge.strict_json import read_object
from bridge.testing.contract.provider.fuzz import bent, places
from bridge.testing.contract.store.desk import AT, arrival
from tests.contract.provider.roster import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from bridge.providers.port import Provider
    from bridge.store.records import Arrival

UNSTORABLE: Final = ("\ud800", "half \udfff", "\0", "a\0b")


def spoiled(content: Any) -> Iterator[Any]:
    """The webhook with each value replaced, alone and with another value gone, and a strange key at the top."""
    paths = [*places(content)]
    for text in UNSTORABLE:
        yield {**content, text: text}
    for text in UNSTORABLE[::3]:
        yield from (bent(content, path, text) for path in paths)
    for path in paths:
        for gone in paths[:: max(len(paths) // 2, 1)]:
            if gone[: len(path)] != path and path[: len(gone)] != gone:
                yield bent(bent(content, path, UNSTORABLE[0]), gone, None)


def read(provider: Provider, body: bytes, channel: str | None) -> Sequence[Arrival]:
    webhook = Webhook(channel=channel, body=body, json=read_object(body), received_at=AT)
    return arrivals_of(provider.name, provider, webhook, lambda _: True)


@pytest.mark.parametrize("name", PROVIDERS)
async def test_what_no_column_can_hold_is_quarantined_as_bytes(name: str) -> None:
    store = await open_store("sqlite://")
    provider = PROVIDERS[name].build()
    for case in PROVIDERS[name].received:
        arrivals: list[Arrival] = []
        for content in spoiled(case.webhook):
            body = json.dumps(content).encode()
            events = read(provider, body, case.channel)
            assert {event.raw for event in events} <= {body}
            arrivals += events
        assert len(await store.receive(arrivals)) == len(arrivals)
    await store.close()


class Posts:
    """A provider that reads its events from a list."""

    name = "posts"

    def __init__(self, *inbound: Inbound, reason: str = "") -> None:
        self._inbound = inbound
        self._reason = reason

    def parse(self, _webhook: Webhook) -> Sequence[Inbound]:
        if self._reason:
            raise ValueError(self._reason)
        return self._inbound


WEBHOOK: Final = Webhook(channel=None, body=b"{}", json={}, received_at=AT)


def said(**changes: Any) -> Inbound:
    event = arrival("m-1").event
    assert event is not None
    values: Mapping[str, Any] = {"key": "m-1", "channel": "whatsapp", "conversation_id": "ann", "event": event}
    return Inbound(**{**values, **changes})


@pytest.mark.parametrize("text", UNSTORABLE)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: {"key": text},
        lambda text: {"channel": text},
        lambda text: {"conversation_id": text},
        lambda text: {"address": {"reply_token": text}},
        lambda text: {"address": {text: "token"}},
        lambda _: {"address": {"reply_token": None}},
    ],
)
def test_every_column_of_an_event_passes_the_gate(spoil: Any, text: str) -> None:
    provider: Any = Posts(said(**spoil(text)))
    (quarantined,) = arrivals_of("shop", provider, WEBHOOK, lambda _: True)
    assert (quarantined.state, quarantined.raw) == (InboxState.QUARANTINED, b"{}")


async def test_a_reason_that_quotes_the_webhook_is_stored(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/reasons.db")
    event: Any = arrival("m-1").event
    raw = {"token": "\ud800", "number": 2**70}
    inbound = said(event=replace(event, raw=raw))
    polled = Polled(inbound=[inbound], unmappable=[(b"x", "what is \ud800 and \0?")])
    assert len(await store.receive(arrivals_asked_for("shop", "konnek", polled, lambda _: True, AT))) == 2
    assert {letter.reason for letter in await store.dead_letters()} == {"asked for: what is \\ud800 and \\0?"}
    await store.close()
