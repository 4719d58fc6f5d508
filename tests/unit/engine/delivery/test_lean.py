"""The lean client beyond what each client holds: how long connections stay, and how names are looked up."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final

import pytest

from bridge.engine.delivery import lean
from bridge.engine.delivery.lean import Lean
from bridge.errors import NotSent, OutcomeUnknown, Rejected
from bridge.providers.port import Request
from tests.support.plain_gateway import OK, Gateway, gateway, response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

POST: Final = Request(method="POST", path="/send", body=b"{}")


@pytest.fixture
async def client() -> AsyncIterator[Lean]:
    opened = Lean()
    yield opened
    await opened.close()


async def ended(provider: Gateway, number: int = 0) -> None:
    """Return when the client has closed that connection."""
    await asyncio.wait_for(provider.connections[number].wait_closed(), 5)


async def test_an_answer_to_nothing_closes_its_connection(client: Lean) -> None:
    async with gateway(OK) as provider:
        await client.carry(provider.url, POST, 5)
        provider.connections[0].write(response(b"smuggled"))
        await ended(provider)
        assert (await client.carry(provider.url, POST, 5)).body == b"ok"
    assert len(provider.connections) == 2


@pytest.mark.parametrize("late", [b"", response(b"smuggled")], ids=["its end", "an answer"])
async def test_what_waits_in_a_socket_is_seen_before_anything_leaves(
    late: bytes, client: Lean, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop has had no turn in which to tell."""
    monkeypatch.setattr(lean, "_FRESH_SECONDS", 0)
    async with gateway(OK) as provider:
        await client.carry(provider.url, POST, 5)
        wire = provider.connections[0].get_extra_info("socket")
        with socket.socket(fileno=wire.fileno()) as peer:
            peer.sendall(late)
            if not late:
                peer.shutdown(socket.SHUT_WR)
            peer.detach()
        assert (await client.carry(provider.url, POST, 5)).body == b"ok"
    assert len(provider.connections) == len(provider.requests) == 2


async def test_bytes_behind_an_answer_end_its_connection(client: Lean) -> None:
    async with gateway(response(b"first") + b"\0") as provider:
        for _ in range(2):
            assert (await client.carry(provider.url, POST, 5)).body == b"first"
    assert len(provider.connections) == 2


async def test_a_connection_that_ended_while_leaving_was_awaited_is_not_sent(client: Lean) -> None:
    async def leaving() -> None:
        await asyncio.wait_for(provider.connected.wait(), 5)
        provider.connections[0].close()
        for _ in range(10):
            await asyncio.sleep(0)

    async with gateway(OK) as provider:
        with pytest.raises(NotSent) as raised:
            await client.carry(provider.url, POST, 5, leaving=leaving)
    assert (raised.value.away, raised.value.loggable, provider.requests) == (True, True, [])


async def test_an_error_of_the_system_in_leaving_is_not_taken_for_the_connections(client: Lean) -> None:
    async def leaving() -> None:
        raise OSError("the disk is full")

    async with gateway(OK) as provider:
        with pytest.raises(OSError, match="the disk is full"):
            await client.carry(provider.url, POST, 5, leaving=leaving)
        assert (await client.carry(provider.url, POST, 5)).body == b"ok"
    assert len(provider.connections) == 1


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    client = Lean(keepalive=0.01)
    async with gateway(OK) as provider:
        await client.carry(provider.url, POST, 5)
        await ended(provider)
        await client.carry(provider.url, POST, 5)
        await ended(provider, 1)
    await client.close()


async def test_of_many_idle_connections_some_are_closed(client: Lean, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean, "_IDLE", 2)
    async with gateway(OK) as provider:
        await asyncio.gather(*(client.carry(provider.url, POST, 5) for _ in range(5)))
        await asyncio.wait([asyncio.ensure_future(ended(provider, n)) for n in range(5)], return_when="FIRST_COMPLETED")
        await asyncio.gather(*(client.carry(provider.url, POST, 5) for _ in range(2)))
    assert len(provider.connections) == 5


async def test_closing_ends_what_is_idle_and_what_is_under_way() -> None:
    client = Lean()
    async with gateway(lambda request: OK if b"/quick" in request else b"") as provider:
        await client.carry(provider.url, Request(method="POST", path="/quick"), 5)
        provider.asked.clear()
        carrying = [asyncio.ensure_future(client.carry(provider.url, POST, 30)) for _ in range(2)]
        while len(provider.requests) < 3:
            await provider.asked.wait()
            provider.asked.clear()
        await client.close()
        assert [type(error) for error in await asyncio.gather(*carrying, return_exceptions=True)] == [
            OutcomeUnknown
        ] * 2
        with pytest.raises(NotSent):
            await client.carry(provider.url, POST, 5)
        await client.close()


def is_numeric(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether getaddrinfo was asked about an address, which needs no look-up."""
    return bool(kwargs.get("flags", args[-1]) & socket.AI_NUMERICHOST)


async def test_all_that_wait_for_a_name_share_one_look_up(client: Lean, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    look_up = socket.getaddrinfo

    def counted(host: str, *args: Any, **kwargs: Any) -> Any:
        if not is_numeric(args, kwargs):
            asked.append(host)
            host = "127.0.0.1"
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", counted)
    async with gateway(OK) as provider:
        url = provider.url.replace("127.0.0.1", "gateway.example")
        await asyncio.gather(*(client.carry(url, POST, 5) for _ in range(8)))
        await client.carry(url, POST, 5)
    assert asked == ["gateway.example"]


async def test_a_name_that_was_not_found_is_looked_up_again(client: Lean, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([False, True])
    look_up = socket.getaddrinfo

    def found_later(host: str, *args: Any, **kwargs: Any) -> Any:
        if is_numeric(args, kwargs):
            return look_up(host, *args, **kwargs)
        if not next(answers):
            raise socket.gaierror(socket.EAI_AGAIN, "later")
        return look_up("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", found_later)
    async with gateway(OK) as provider:
        url = provider.url.replace("127.0.0.1", "gateway.example")
        with pytest.raises(NotSent, match="no connection: later"):
            await client.carry(url, POST, 5)
        assert (await client.carry(url, POST, 5)).body == b"ok"


@pytest.mark.parametrize(
    "request_",
    [
        Request(method="POST", path="/", headers={"a": "b\r\nc: d"}),
        Request(method="POST", path="/", headers={"a b": "c"}),
        Request(method="POST", path="/", headers={"": "c"}),
        Request(method="POST", path="/", headers={"a": "\udc80"}),
        Request(method="POST", path="/", headers={"Transfer-Encoding": "chunked"}),
        Request(method="POST", path="/", headers={"content-length": "1"}),
        Request(method="A B", path="/"),
        Request(method="POST", path="/a b"),
        Request(method="POST", path="/\u00fc"),
        Request(method="POST", path="/a\r\nb"),
        Request(method="POST", path=".other.example/"),
        Request(method="POST", path="@other.example/"),
        Request(method="POST", path=":1/"),
    ],
    ids=range(13),
)
async def test_a_request_that_could_be_read_as_another_is_rejected(request_: Request, client: Lean) -> None:
    async with gateway(OK) as provider:
        with pytest.raises(Rejected) as raised:
            await client.carry(provider.url, request_, 5)
    assert (raised.value.loggable, provider.connections) == (True, [])
