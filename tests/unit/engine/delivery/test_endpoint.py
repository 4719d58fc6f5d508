"""The other end of outgoing events: signatures that its receivers know, and what their answers come to."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from bridge.clock import SystemClock
from bridge.config.events import EventWebhook
from bridge.engine.delivery.blame import Blame, blame_of
from bridge.engine.delivery.client import Attempt, Client
from bridge.engine.delivery.endpoint import account_for, guarded
from bridge.engine.delivery.public import public_connector
from bridge.engine.delivery.transport import Guarded, Http, open_session
from bridge.errors import NotSent, OutcomeUnknown, SendError
from bridge.events import ThreadRef
from bridge.messages import Raw
from bridge.providers.port import Outbound, Sent
from bridge.store.following import Fact, Followers, payload_of, saying_of
from bridge.store.looks import HistoryEntry
from bridge.store.records import ThreadRow
from tests.support.manual_clock import ManualClock
from tests.support.plain_gateway import gateway, response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.clock import Clock
    from bridge.engine.delivery.transport import Transport

OLD, NEW = (f"whsec_{letter * 32}" for letter in "AB")
PAYLOAD = {"type": "message.received", "data": {"text": "Grüße, 東京 👋 é"}}
NO_CONTENT = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


def webhook(url: str, *secrets: str, **more: Any) -> EventWebhook:
    return EventWebhook.model_validate({"url": url, "secret": [*map(SecretStr, secrets or (NEW,))], **more})


async def posted(to: EventWebhook, transport: Transport, clock: Clock) -> Sent | SendError:
    account = account_for(to, clock)
    client = Client(account.provider, account.settings, transport, clock)
    ref = ThreadRef(account.name, "events", "whatsapp", "shop:ann")
    outbound = Outbound(key="evt_1", thread=ref, message=Raw(payload=PAYLOAD), created_at=0)
    exchange = Attempt()
    try:
        return await client.send(outbound, exchange)
    except SendError as error:
        return error
    finally:
        kept = exchange.encode().decode()
        assert not any(secret in kept for secret in (OLD, NEW, "t0ken-in-the-path"))


def parts(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines), body


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_each_receiver_knows_a_try_by_either_secret_while_they_change(transport: Transport) -> None:
    async with gateway(NO_CONTENT) as receiver:
        to = webhook(f"{receiver.url}/hook?t0ken-in-the-path", NEW, OLD)
        assert isinstance(await posted(to, transport, SystemClock()), Sent)
    ((headers, body),) = map(parts, receiver.requests)
    assert receiver.requests[0].startswith(b"POST /hook?t0ken-in-the-path HTTP/1.1\r\n")
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(body, headers) == PAYLOAD
    with pytest.raises(WebhookVerificationError):
        Webhook(f"whsec_{'C' * 32}").verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(body + b" ", headers)


async def test_the_id_and_the_body_stay_and_the_time_is_that_of_the_try(
    transport: Transport, clock: ManualClock
) -> None:
    async with gateway(NO_CONTENT) as receiver:
        for _ in range(2):
            await posted(webhook(f"{receiver.url}/hook"), transport, clock)
            clock.advance(70)
    first, second = map(parts, receiver.requests)
    assert first[1] == second[1] == orjson.dumps(PAYLOAD)
    assert first[0]["webhook-id"] == second[0]["webhook-id"] == "evt_1"
    assert int(second[0]["webhook-timestamp"]) - int(first[0]["webhook-timestamp"]) == 70
    assert first[0]["webhook-signature"] != second[0]["webhook-signature"]


@pytest.mark.parametrize(
    ("answer", "blame"),
    [
        (response(b"", status="500 Oh"), Blame.DOUBT),
        (response(b"", status="404 No"), Blame.DOUBT),
        (response(b"", status="410 Gone"), Blame.DOUBT),
        (response(b"", "Location: http://127.0.0.1:1/", status="307 There"), Blame.DOUBT),
        (response(b"", "Retry-After: 9", status="429 Slowly"), Blame.AWAY),
        (response(b"", "Retry-After: 9", status="503 Away"), Blame.AWAY),
        (b"220 mail.example\r\n\r\n", Blame.DOUBT),
    ],
    ids=["500", "404", "410", "redirect", "429", "503", "no HTTP"],
)
async def test_whatever_is_no_2xx_comes_again_and_one_event_that_is_refused_holds_no_other(
    answer: bytes, blame: Blame, transport: Transport, clock: ManualClock
) -> None:
    async with gateway(answer) as receiver:
        error = await posted(webhook(f"{receiver.url}/hook"), transport, clock)
    assert isinstance(error, NotSent | OutcomeUnknown)
    assert blame_of(error, path_limits=False, harmless=True) is blame
    assert len(receiver.requests) == 1


async def test_a_receiver_that_is_not_there_is_away(transport: Transport, clock: ManualClock) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = await posted(webhook(f"http://127.0.0.1:{unused.getsockname()[1]}/hook"), transport, clock)
    assert isinstance(error, NotSent)
    assert blame_of(error, path_limits=False, harmless=True) is Blame.AWAY


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["10.1.2.3"], ["93.184.216.34", "169.254.169.254"]])
async def test_a_name_that_leads_to_a_private_address_is_not_connected_to(
    addresses: Sequence[str], clock: ManualClock
) -> None:
    async def look_up(host: str, port: int, family: socket.AddressFamily) -> list[Any]:
        del host, family
        return [(socket.AF_INET, (address, port)) for address in addresses]

    to = webhook("https://crm.example/hook")
    public = Http(open_session(public_connector(ssl.create_default_context(), look_up)))
    transport = Guarded(Http(open_session()), public, guarded([to]))
    try:
        error = await posted(to, transport, clock)
    finally:
        await transport.close()
    assert isinstance(error, NotSent)
    assert error.reason == "no connection: it leads to no public address"


def test_only_names_are_looked_at_and_private_ones_may_be_allowed() -> None:
    hooks = [
        webhook("https://crm.example/hook"),
        webhook("https://crm.test:8443/hook", private=True),
        webhook("https://10.1.2.3/hook"),
        webhook("http://localhost:9/hook"),
    ]
    assert guarded(hooks) == {"https://crm.example"}


@pytest.mark.parametrize("content", [b"", b"\0digest", b"[1]", b"{", b"\xff"])
def test_a_content_that_is_none_any_more_stops_no_event(content: bytes) -> None:
    thread = ThreadRow(id=1, ref=ThreadRef("shop", "konnek", "whatsapp", "ann"))
    entry = HistoryEntry(
        position=1, id=1, direction="out", kind="text", state="sent", status="", content=content, key="k", at=0
    )
    payload = payload_of(Fact("message.sent", 1, 0, message=1), thread, Followers({}), entry, None)
    assert payload["data"]["message"]["content"] == {}


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.integers(0, 2**53))
def test_the_body_is_the_same_bytes_however_often_it_is_stored_and_read(text: str, at: int) -> None:
    thread = ThreadRow(id=1, ref=ThreadRef("shop", "konnek", "whatsapp", text))
    content = orjson.dumps({"kind": "text", "text": text, "number": at, "part": at / 7})
    entry = HistoryEntry(
        position=1, id=1, direction="out", kind="text", state="sent", status="", content=content, key="k", at=0
    )
    payload = payload_of(Fact("message.sent", 1, 0, message=1), thread, Followers({}), entry, None)
    stored = saying_of(":events:crm", 1, Fact("message.sent", 1, 0), payload).encoded
    assert orjson.dumps(orjson.loads(stored)["payload"]) == orjson.dumps(payload)
