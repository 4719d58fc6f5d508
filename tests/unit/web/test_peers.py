"""Who a request counts for, and that one peer cannot take the door from the others."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache, partial
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from structlog.testing import capture_logs

from bridge.app.bridge import Outside
from bridge.errors import WebhookError
from bridge.units import is_loopback
from bridge.web.peers import Bodies, Peers, Shares
from tests.support.whole_bridges import SHOP_HOOK, body, configuration, http, konnek_text, read_answers, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
    from pathlib import Path

    from aiohttp import web

    from tests.support.whole_bridges import Served

    _Readers = list[asyncio.StreamReader]

TRUSTED: Final = tuple(map(ip_network, ("10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.3")))
"""Two networks of proxies, and one proxy on this machine."""
LAST: Final = "198.51.100.7"
GOOD: Final = body(konnek_text())
ONE: Final = "127.0.0.1"
OTHER: Final = "127.0.0.2"
PROXY: Final = "127.0.0.3"
"""On Linux the whole of 127.0.0.0/8 is this machine, so a test can come from several addresses."""
SLOW: Final = 600.0
"""Seconds that bodies and idle connections have here: on no machine do they run out."""


any_request: Final = cache(partial(make_mocked_request, "POST", "/"))
"""Made once: its mocks take 20 ms."""


def asked(remote: str, *headers: tuple[str, str]) -> web.Request:
    return any_request().clone(headers=CIMultiDict(headers), remote=remote)


def hops(*words: str) -> tuple[str, str]:
    return "X-Forwarded-For", ", ".join(words)


ASKING: Final[Mapping[str, tuple[str, Sequence[tuple[str, str]], str | None]]] = {
    "nobody between": ("192.0.2.1", (), "192.0.2.1"),
    "this machine": ("127.0.0.1", (), None),
    "this machine, in IPv6": ("::1", (), None),
    "this machine, in both": ("::ffff:127.0.0.1", (), None),
    "a unix socket": ("", (), None),
    "W76 a stranger claims another's address": ("192.0.2.1", [hops("198.51.100.7")], "192.0.2.1"),
    "a stranger claims to be near": ("192.0.2.1", [hops("127.0.0.1")], "192.0.2.1"),
    "a proxy for somebody": ("10.0.0.1", [hops("198.51.100.7")], LAST),
    "a proxy on this machine": ("127.0.0.3", [hops("198.51.100.7")], LAST),
    "this machine, not as a proxy": ("127.0.0.1", [hops("198.51.100.7")], None),
    "a proxy for itself": ("10.0.0.1", (), None),
    "two proxies": ("10.0.0.1", [hops("198.51.100.7", "10.9.9.9")], LAST),
    "only the last one that is no proxy": ("10.0.0.1", [hops("203.0.113.5", "198.51.100.7", "10.9.9.9")], LAST),
    "in two lines": ("10.0.0.1", [hops("203.0.113.5"), hops("198.51.100.7", "10.9.9.9")], LAST),
    "what is no address ends it": ("10.0.0.1", [hops("198.51.100.7", "unknown")], None),
    "nothing ends it": ("10.0.0.1", [hops("198.51.100.7", "")], None),
    "an address with a port": ("10.0.0.1", [hops("198.51.100.7:4711")], LAST),
    "IPv6 counts by its network": ("2001:db8:1:2:3:4:5:6", (), "2001:db8:1:2::/64"),
    "IPv6 with a zone": ("fe80::1%eth0", (), "fe80::/64"),
    "IPv6 with a port": ("10.0.0.1", [hops("[2001:db8:1:2::9]:443")], "2001:db8:1:2::/64"),
    "IPv4 in IPv6": ("::ffff:192.0.2.1", (), "192.0.2.1"),
    "a proxy in IPv6": ("2001:db8:ffff::1", [hops("192.0.2.1")], "192.0.2.1"),
    "a proxy, IPv4 in IPv6": ("::ffff:10.0.0.1", [hops("192.0.2.1")], "192.0.2.1"),
    "Forwarded": ("10.0.0.1", [("Forwarded", "for=198.51.100.7;proto=https")], LAST),
    "Forwarded, several": ("10.0.0.1", [("Forwarded", "for=203.0.113.5, For=198.51.100.7, by=x;for=10.2.3.4")], LAST),
    "Forwarded, quoted": ("10.0.0.1", [("Forwarded", 'proto=http; for="[2001:db8:1:2::9]:443"')], "2001:db8:1:2::/64"),
    "Forwarded by a name": ("10.0.0.1", [("Forwarded", "for=_hidden")], None),
    "Forwarded without a name": ("10.0.0.1", [("Forwarded", "for=198.51.100.7, proto=http")], None),
    "both: the usual one": ("10.0.0.1", [("Forwarded", "for=203.0.113.5"), hops("198.51.100.7")], LAST),
}


@pytest.mark.parametrize(("remote", "headers", "peer"), ASKING.values(), ids=ASKING.keys())
def test_a_request_counts_for_whom_trusted_proxies_name(
    remote: str, headers: Sequence[tuple[str, str]], peer: str | None
) -> None:
    assert Peers(TRUSTED).asking(asked(remote, *headers)) == peer


@pytest.mark.parametrize(
    ("remote", "peer"), [("192.0.2.1", "192.0.2.1"), ("10.0.0.1", None), ("127.0.0.1", None), (None, None)]
)
def test_a_connection_counts_for_its_other_end(remote: str | None, peer: str | None) -> None:
    assert Peers(TRUSTED).connected(remote) == peer


@pytest.mark.slow
@given(claimed=st.lists(st.one_of(st.ip_addresses().map(str), st.text(max_size=9)), max_size=4))
def test_whatever_a_client_claims_its_proxy_saw_who_it_is(claimed: list[str]) -> None:
    line = ",".join([*claimed, "198.51.100.7"]).encode("ascii", "replace").decode()
    for name in ("X-Forwarded-For", "Forwarded"):
        said = line if name == "X-Forwarded-For" else f"{','.join(claimed)}, for=198.51.100.7"
        assert Peers(TRUSTED).asking(asked("10.0.0.1", (name, said))) == "198.51.100.7"


def test_a_share_is_told_of_once_until_nothing_is_held() -> None:
    shares = Shares("things", 2)
    with capture_logs() as lines:
        assert [shares.take("a") for _ in range(4)] == [True, True, False, False]
        assert shares.take("b")
        shares.give_back("a")
        assert [shares.take("a"), shares.take("a")] == [True, False]
        for _ in range(2):
            shares.give_back("a")
        assert [shares.take("a") for _ in range(3)] == [True, True, False]
    assert [(line["peer"], line["reason"]) for line in lines] == [("a", "more than 2 things")] * 2


def strangers(_: str) -> bool:
    """For what is to be limited although it comes from this machine."""
    return False


@asynccontextmanager
async def door(folder: Path, *, near: bool = False, **sections: Any) -> AsyncIterator[Served]:
    """A served bridge to which its own machine is a stranger unless `near`."""
    outside = Outside(is_near=is_loopback if near else strangers)
    async with served(configuration(folder, **sections), outside=outside, keepalive=SLOW) as found:
        yield found


@pytest.fixture(autouse=True)
def _a_slow_machine_may_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.web.limits.BODY_SECONDS", SLOW)


@asynccontextmanager
async def dripping(at: Served, count: int, *headers: str, source: str = ONE) -> AsyncIterator[_Readers]:
    """So many requests whose bodies never end."""
    async with AsyncExitStack() as stack:
        readers: _Readers = []
        for _ in range(count):
            reader, writer = await at.connect(source)
            stack.callback(writer.close)
            writer.write(http(GOOD, SHOP_HOOK, *headers)[:-5])
            readers.append(reader)
        yield readers


async def given_way(readers: _Readers, count: int) -> _Readers:
    """Wait until so many gave way; those that still wait."""
    tasks = {asyncio.create_task(answers(reader)): reader for reader in readers}
    try:
        while sum(task.done() for task in tasks) < count:
            waiting = [task for task in tasks if not task.done()]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in tasks if task.done()] == [[GAVE_WAY]] * count
        return [reader for task, reader in tasks.items() if not task.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def waiting(readers: _Readers) -> int:
    """How many of them have no answer yet, and get none presently."""
    tasks = [asyncio.create_task(reader.readexactly(1)) for reader in readers]
    _, pending = await asyncio.wait(tasks, timeout=0.05)
    for task in pending:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return len(pending)


async def answers(reader: asyncio.StreamReader) -> list[tuple[int, bytes]]:
    async with asyncio.timeout(30):
        return [(answer.status, answer.body) for answer in read_answers(await reader.readuntil(b"}"))]


CROWDED: Final = (503, b'{"error":"too many connections"}')
GAVE_WAY: Final = (503, b'{"error":"too many bodies under way"}')


def on_asyncio(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def on_uvloop(main: Coroutine[Any, Any, None]) -> None:
    """The loop of `threadbridge run`, where there is one: its transports are its own."""
    pytest.importorskip("uvloop").run(main)


@pytest.mark.parametrize("run", [on_asyncio, on_uvloop])
def test_a_connection_too_many_is_refused_and_another_peer_is_not(
    tmp_path: Path, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    run(one_too_many(tmp_path))


async def one_too_many(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack, door(tmp_path, limits={"connections_per_peer": 3}) as at:
        held = [(await at.connect())[1] for _ in range(3)]
        for writer in held:
            stack.callback(writer.close)
        with capture_logs() as lines:
            for _ in range(2):
                reader, writer = await at.connect()
                assert await answers(reader) == [CROWDED]
                writer.close()
        assert [(line["event"], line["peer"], line["reason"]) for line in lines] == [
            ("peer_limited", ONE, "more than 3 connections")
        ]
        (other,) = await at.send(http(GOOD), source=OTHER)
        assert other.status == 200


async def test_a_connection_that_ends_makes_room(tmp_path: Path) -> None:
    async with door(tmp_path, limits={"connections_per_peer": 1}) as at:
        for number in range(5):
            reader, writer = await at.connect()
            writer.write(http(body(konnek_text(f"m-{number}"))))
            assert [status for status, _ in await answers(reader)] == [200]
            writer.close()


async def test_this_machine_and_trusted_proxies_have_as_many_connections_as_they_like(tmp_path: Path) -> None:
    limits = {"connections_per_peer": 1}
    for near, proxies in ((True, []), (False, [ONE])):
        async with (
            AsyncExitStack() as stack,
            door(tmp_path, near=near, limits=limits, server={"trusted_proxies": proxies}) as at,
        ):
            for _ in range(5):
                stack.callback((await at.connect())[1].close)
            (answer,) = await at.send(http(GOOD))
            assert answer.status == 200


@pytest.mark.slow
async def test_a_peer_that_drips_keeps_the_door_from_nobody(tmp_path: Path) -> None:
    """The bodies that wait longest give way: to those of the same peer, and to nobody else's."""
    async with door(tmp_path, limits={"bodies_per_peer": 4}) as at, dripping(at, 6) as drips:
        rest = await given_way(drips, 2)
        async with dripping(at, 1, source=OTHER) as others:
            (answer,) = await at.send(http(GOOD))
            assert answer.status == 200
            assert await waiting([*rest, *others]) == 5


@pytest.mark.slow
async def test_behind_a_trusted_proxy_each_client_has_its_share(tmp_path: Path) -> None:
    """The proxy has one address and is not limited; those that it names are."""
    config = {"server": {"trusted_proxies": [PROXY]}, "limits": {"bodies_per_peer": 1}}
    async with door(tmp_path, near=True, **config) as at:
        first = dripping(at, 2, "X-Forwarded-For: 198.51.100.7", source=PROXY)
        second = dripping(at, 1, "X-Forwarded-For: 198.51.100.7, 198.51.100.8", source=PROXY)
        liar = dripping(at, 1, "X-Forwarded-For: 198.51.100.7", source=OTHER)
        async with first as drips, second as others, liar as lies:
            rest = await given_way(drips, 1)
            (answer,) = await at.send(http(GOOD), source=PROXY)
            assert answer.status == 200
            assert await waiting([*rest, *others, *lies]) == 3


@pytest.mark.slow
async def test_three_hundred_dripping_bodies_of_this_machine_leave_the_door_open(tmp_path: Path) -> None:
    """Whoever they are: what is here is taken, and what is late waits no longer than there is room."""
    async with door(tmp_path, near=True) as at, dripping(at, 300) as drips:
        rest = await given_way(drips, 44)
        for number in range(3):
            (answer,) = await at.send(http(body(konnek_text(f"m-{number}"))))
            assert answer.status == 200
        reader, writer = await at.connect()
        head, _, content = http(GOOD).partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        assert len(await given_way(rest, 1)) == 255
        writer.write(content)
        assert await answers(reader) == [(200, b'{"ok": true}')]
        writer.close()


async def test_each_place_is_given_back_exactly_once() -> None:
    """Whether its holder leaves by itself or gives way."""
    bodies = Bodies(Peers(()), per_peer=2, most=3)
    request = asked("192.0.2.1")

    async def hold(ends: asyncio.Event) -> None:
        async with bodies.place(request):
            await ends.wait()

    for _ in range(3):
        ends = [asyncio.Event() for _ in range(4)]
        tasks = [asyncio.create_task(hold(each)) for each in ends]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for each in ends:
            each.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(each, WebhookError) for each in found] == [True, True, False, False]
