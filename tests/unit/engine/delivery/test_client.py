"""The door out: what each thing that can go wrong on the wire comes to, and that no secret goes astray."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NoReturn, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.clock import SystemClock
from bridge.engine.delivery.answer_bytes import ANSWER_LIMIT
from bridge.engine.delivery.client import Attempt, Client, Withheld
from bridge.errors import ClaimLost, NotSent, OutcomeUnknown, Rejected, SendError, Unavailable
from bridge.providers.port import AccountSettings, Credential, Outbound, Request, Response, Sent
from bridge.units import PerPeriod
from tests.support.manual_clock import ManualClock
from tests.support.plain_gateway import OK, SENT, Plain, client_of, gateway, response, tried
from tests.support.whole_bridges import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.engine.delivery.transport import Transport
    from bridge.providers.port import Provider, Sending


ANSWERS: Final[dict[str, tuple[bytes, type[SendError] | None]]] = {
    "a good one": (OK, None),
    "no text in UTF-8": (response(b"\xff\xfe\x00"), None),
    "lone surrogates": (response(b"\xed\xa0\x80"), None),
    "as much as is read": (response(b"a" * ANSWER_LIMIT), None),
    "gzip": (response(gzip.compress(b"ok"), "Content-Encoding: gzip"), None),
    "more than is read": (response(b"a" * (ANSWER_LIMIT + 1)), OutcomeUnknown),
    "a gzip bomb": (response(gzip.compress(bytes(10_000_000)), "Content-Encoding: gzip"), OutcomeUnknown),
    "gzip that is none": (response(b"not gzip", "Content-Encoding: gzip"), OutcomeUnknown),
    "cut in the middle": (b"HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 9\r\n\r\nok", OutcomeUnknown),
    "cut in a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", OutcomeUnknown),
    "no HTTP": (b"220 mail.example ESMTP\r\n\r\n", OutcomeUnknown),
    "10 000 headers": (response(b"", *(f"X-{n}: a" for n in range(10_000))), OutcomeUnknown),
    "a header of 64 KiB": (response(b"", "X-A: " + "b" * 65_536), OutcomeUnknown),
    **{
        f"a redirect, {status}": (response(b"", "Location: OTHER", status=f"{status} Moved"), Rejected)
        for status in (300, 301, 302, 303, 304, 307, 308)
    },
}


@pytest.mark.parametrize(("answer", "outcome"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_an_answer_and_what_it_comes_to(
    answer: bytes, outcome: type[SendError] | None, transport: Transport
) -> None:
    """F44, F53, F54."""
    async with gateway(OK) as other, gateway(answer.replace(b"OTHER", f"{other.url}/x".encode())) as provider:
        found, _ = await tried(Plain(provider.url), transport)
    assert type(found) is (outcome or Sent)
    assert len(provider.requests) == 1
    assert other.requests == []


@pytest.mark.parametrize("reset", ["before", "after"])
async def test_a_connection_that_breaks_once_it_stood_is_unknown(reset: str, transport: Transport) -> None:
    async with gateway(OK, reset=reset) as provider:
        found, kept = await tried(Plain(provider.url), transport)
    assert isinstance(found, OutcomeUnknown)
    assert b"the connection broke" in kept


@pytest.mark.slow
async def test_silence_is_unknown(transport: Transport) -> None:
    """F47: it was written, and may have been acted upon."""
    async with gateway(b"") as provider:
        found, kept = await tried(Plain(provider.url), transport, seconds=0.5)
    assert isinstance(found, OutcomeUnknown)
    assert b"no answer in time" in kept


@pytest.mark.slow
async def test_an_endless_answer_ends(transport: Transport) -> None:
    async with gateway(b"HTTP/1.1 200 OK\r\nX-A: ontent-Length\r\n\r\n" + b"a" * 1000) as provider:
        found, _ = await tried(Plain(provider.url), transport, seconds=0.5)
    assert isinstance(found, OutcomeUnknown)


async def test_nobody_there_is_not_sent(transport: Transport) -> None:
    found, kept = await tried(Plain(NOWHERE), transport)
    assert isinstance(found, NotSent)
    assert b"no connection" in kept


async def test_a_name_nobody_knows_is_not_sent(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """F51."""

    def unknown(host: str, *args: object, **kwargs: object) -> NoReturn:
        del args, kwargs
        raise socket.gaierror(socket.EAI_NONAME, f"{host}: no such name")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found, _ = await tried(Plain("https://gateway.example"), transport)
    assert isinstance(found, NotSent)


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    no_password = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_a_certificate_nobody_vouches_for_is_not_sent_and_sees_no_secret(
    tmp_path: Path, transport: Transport
) -> None:
    """F52."""
    async with gateway(OK, tls=self_signed(tmp_path)) as provider:
        found, kept = await tried(Plain(provider.url), transport)
    assert isinstance(found, NotSent)
    assert b"connection" in kept
    assert provider.requests == []


async def test_no_tls_where_it_is_wanted_is_not_sent(transport: Transport) -> None:
    async with gateway(OK) as provider:
        found, _ = await tried(Plain(provider.url.replace("http", "https")), transport, seconds=0.2)
    assert isinstance(found, NotSent)
    assert provider.requests == []


async def test_no_cookie_and_no_proxy_is_ever_used(monkeypatch: pytest.MonkeyPatch, transport: Transport) -> None:
    monkeypatch.setenv("HTTP_PROXY", NOWHERE)
    monkeypatch.setenv("http_proxy", NOWHERE)
    async with gateway(response(b"ok", "Set-Cookie: a=b; Path=/")) as provider:
        client = client_of(Plain(provider.url), transport)
        for _ in range(2):
            await client.send(SENT, Attempt())
    assert len(provider.requests) == 2
    assert b"cookie" not in b"".join(provider.requests).lower()


async def test_what_is_kept_of_a_refusal_is_short_and_printable(transport: Transport) -> None:
    async with gateway(response(b"\xff" + b"a" * 10_000, status="400 Bad")) as provider:
        _, kept = await tried(Plain(provider.url), transport)
    assert len(kept) < 1_500


def tokens(*, good: str) -> Callable[[bytes], bytes]:
    """Gives out t1, t2, ...; takes only `good`."""
    given: list[str] = []

    def answer(request: bytes) -> bytes:
        if request.startswith(b"POST /auth"):
            given.append(f"t{len(given) + 1}")
            return response(given[-1].encode())
        if f"Bearer {good}\r\n".encode() in request:
            return response(b"ok")
        return response(b"", status="401 Unauthorized")

    return answer


async def test_a_hundred_sends_wait_for_one_token(transport: Transport) -> None:
    """F49."""
    async with gateway(tokens(good="t1")) as provider:
        client = client_of(Plain(provider.url, token=True), transport)
        sent = await asyncio.gather(*(client.send(SENT, Attempt()) for _ in range(100)))
    assert [each.message_id for each in sent] == ["ok"] * 100
    assert sum(request.startswith(b"POST /auth") for request in provider.requests) == 1


async def test_a_token_that_is_refused_is_renewed_once_for_all_and_the_same_request_repeated(
    transport: Transport,
) -> None:
    async with gateway(tokens(good="t2")) as provider:
        client = client_of(Plain(provider.url, token=True), transport)
        await asyncio.gather(*(client.send(SENT, Attempt()) for _ in range(100)))
    sends = [request for request in provider.requests if request.startswith(b"POST /send")]
    assert len(provider.requests) - len(sends) == 2
    assert len({request.replace(b"Bearer t1", b"Bearer t2") for request in sends}) == 1


async def test_a_token_that_is_refused_again_is_the_messages_outcome(transport: Transport) -> None:
    async with gateway(tokens(good="none")) as provider:
        found, _ = await tried(Plain(provider.url, token=True), transport)
    assert isinstance(found, NotSent)
    assert found.unauthorised
    assert len(provider.requests) == 4


async def test_no_token_at_all_pauses_the_account(transport: Transport) -> None:
    async with gateway(response(b"", status="403 Forbidden")) as provider:
        found, _ = await tried(Plain(provider.url, token=True), transport)
    assert isinstance(found, NotSent)
    assert (found.pause, found.reason) == (True, "no credential: no token for us")


async def test_a_token_is_renewed_when_its_time_has_come(transport: Transport) -> None:
    async with gateway(response(b"ok")) as provider:
        client = client_of(Plain(provider.url, token=True, renew_at=0), transport)
        for _ in range(2):
            await client.send(SENT, Attempt())
    assert [request.split(b" ")[1] for request in provider.requests] == [b"/auth", b"/send"] * 2


@pytest.mark.parametrize(("asked", "outcome"), [(True, OutcomeUnknown), (False, NotSent)])
async def test_a_mistake_in_a_providers_own_code_is_an_outcome(
    transport: Transport, *, asked: bool, outcome: type[SendError]
) -> None:
    """Or the message would leave every few seconds, and nobody would count."""

    class Mistaken(Plain):
        def send(self, outbound: Outbound, credential: Credential | None) -> Sending:
            del credential
            if asked:
                yield Request(method="POST", path="/send", body=b"x")
            raise KeyError(f"of {outbound.message}")

    async with gateway(OK) as there:
        found, _ = await tried(Mistaken(there.url), transport)
    assert type(found) is outcome
    assert "KeyError at test_client.py" in found.reason
    assert "Text" not in found.reason


async def test_a_handshake_without_an_answer_is_not_sent_whatever_the_timer(transport: Transport) -> None:
    """The account's time is over before the connection's: no byte of the request has left all the same."""
    over = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    found, _ = await tried(Plain(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"), transport, seconds=0.2)
    over.set()
    server.close()
    assert isinstance(found, NotSent)
    assert found.away


async def test_an_account_waits_for_its_own_connections_and_for_no_others(transport: Transport) -> None:
    """A gateway that hangs holds its account's one connection; what waits behind it is not sent, and never unknown."""
    async with gateway(b"") as hanging, gateway(response(b"ok")) as good:
        settings = AccountSettings(provider="plain", timeout=30)
        slow, quick = (
            Client(cast("Provider", Plain(each.url)), settings, transport, SystemClock(), connections=1)
            for each in (hanging, good)
        )
        left: list[int] = []

        async def leave(number: int) -> None:
            left.append(number)

        tasks = [asyncio.ensure_future(slow.send(SENT, Attempt(leave=partial(leave, number)))) for number in range(2)]
        await asyncio.wait_for(hanging.asked.wait(), 30)
        assert (await quick.send(SENT, Attempt())).message_id == "ok"
        assert left == [0]
        assert len(hanging.requests) == 1
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("why", [Withheld(), Unavailable("the database is away"), ClaimLost("somebody else has it")])
async def test_what_is_withheld_when_the_connection_is_there_does_not_leave(
    transport: Transport, why: Exception
) -> None:
    async def withhold() -> None:
        raise why

    async with gateway(response(b"ok")) as provider:
        client, attempt = client_of(Plain(provider.url), transport), Attempt(leave=withhold)
        with pytest.raises(type(why)):
            await client.send(SENT, attempt)
        assert (provider.requests, attempt.requests) == ([], [])
        assert (await client.send(SENT, Attempt())).message_id == "ok"


async def test_all_that_wait_for_a_credential_share_its_refusal(transport: Transport) -> None:
    async with gateway(response(b"no", status="401 Unauthorized")) as provider:
        client = client_of(Plain(provider.url, token=True), transport)
        results = await asyncio.gather(*(client.send(SENT, Attempt()) for _ in range(40)), return_exceptions=True)
        assert all(isinstance(error, NotSent) and error.pause for error in results)
        assert len(provider.requests) == 1


async def test_what_an_attempt_took_is_the_time_of_its_requests_without_what_they_waited_for() -> None:
    clock = ManualClock()

    class Slow:
        """A transport whose every answer takes a second and a half."""

        async def carry(self, *_: object, **__: object) -> Response:
            clock.advance(1.5)
            return Response(status=200, body=b"ok")

        async def close(self) -> None: ...

    settings = AccountSettings(provider="plain", rate=PerPeriod(1, 60.0))
    client = Client(cast("Provider", Plain(NOWHERE, token=True)), settings, Slow(), clock)
    for _ in range(2):
        attempt = Attempt()
        sending = asyncio.create_task(client.send(SENT, attempt))
        while not sending.done():
            for _ in range(20):
                await asyncio.sleep(0)
            clock.advance(60)
        assert attempt.micros == 1_500_000
        assert [request["ms"] for request in attempt.requests] == [1500]
