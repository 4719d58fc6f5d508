"""Who stands at the door: the address a request counts for, and how much of the door one address may hold."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final, TypeAlias

from aiohttp import hdrs

from bridge.log import log
from bridge.units import is_loopback
from bridge.web.refusals import busy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator
    from ipaddress import IPv4Network

    from multidict import CIMultiDictProxy

    from bridge.web.short_way import Asked

Address: TypeAlias = IPv4Address | IPv6Address

BODIES: Final = 256
"""Bodies that may be under way in all."""
_FORWARDED_FOR: Final = re.compile(r'(?:^|;)\s*for\s*=\s*("?)([^";\s]+)\1\s*(?=;|$)', re.IGNORECASE)
"""The `for` of one element of Forwarded (RFC 7239, 4)."""
_OF_PROXIES: Final = (
    hdrs.FORWARDED,
    hdrs.VIA,
    hdrs.X_FORWARDED_FOR,
    hdrs.X_FORWARDED_HOST,
    hdrs.X_FORWARDED_PROTO,
    "X-Real-IP",
)
_LONGEST_ADDRESS: Final = 64
_EVERYBODY: Final = "everybody"


class Peers:
    """Tells peers apart. Those that a trusted proxy speaks for count for themselves, and it counts for none of them."""

    def __init__(
        self, trusted: Collection[IPv4Network | IPv6Network], *, is_near: Callable[[str], bool] = is_loopback
    ) -> None:
        """`trusted` are the proxies whose word is taken; an address that `is_near` is never limited."""
        self._trusted = tuple(trusted)
        self._is_near = is_near

    def connected(self, remote: str | None) -> str | None:
        """The peer that a connection from `remote` counts for; None for a near address and a trusted proxy."""
        address = _address(remote or "")
        return None if address is None or self._is_exempt(address) else _share_of(address)

    def asking(self, request: Asked) -> str | None:
        """Whom a request counts for; None: for nobody.

        From the right, the addresses in X-Forwarded-For, or where there is none in Forwarded (RFC 7239), are those that
        trusted proxies saw; the first one that is no such proxy is the peer, and what stands left of it is hearsay.
        """
        address = self._address_of(request)
        return None if address is None or self._is_exempt(address) else _share_of(address)

    def named(self, request: Asked) -> str | None:
        """Who asks, for the log: near addresses too."""
        address = self._address_of(request)
        return None if address is None else str(address)

    def is_here(self, request: Asked) -> bool:
        """Whether somebody on this machine asks: by a loopback address, under a name of this machine, past no proxy.

        A proxy on this machine asks from here for others. It adds a header that says so, or hands on their Host.
        """
        address = _address(request.remote or "")
        hosts = request.headers.getall(hdrs.HOST, ())
        return (
            address is not None
            and address.is_loopback
            and not any(name in request.headers for name in _OF_PROXIES)
            and len(hosts) == 1
            and is_loopback(str(_address(hosts[0]) or hosts[0].partition(":")[0]))
        )

    def _address_of(self, request: Asked) -> Address | None:
        address = _address(request.remote or "")
        if address is not None and self._is_trusted(address):
            for word in _hops(request.headers):
                hop = _address(word)
                if hop is None:
                    break
                address = hop
                if not self._is_trusted(address):
                    break
        return address

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _is_exempt(self, address: Address) -> bool:
        return self._is_near(str(address)) or self._is_trusted(address)


def _address(word: str) -> Address | None:
    """An address as it stands in a socket's name or a header: perhaps with brackets, a port or a zone."""
    word = word.strip()[:_LONGEST_ADDRESS]
    if word.startswith("["):
        word = word[1:].partition("]")[0]
    elif word.count(":") == 1:
        word = word.partition(":")[0]
    try:
        found = ip_address(word.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _share_of(address: Address) -> str:
    """An IPv4 address is a peer; of IPv6 a peer has at least a /64."""
    return str(address) if isinstance(address, IPv4Address) else str(IPv6Network((address, 64), strict=False))


def _hops(headers: CIMultiDictProxy[str]) -> Iterator[str]:
    """The addresses that proxies say they were asked from, the nearest first."""
    if hdrs.X_FORWARDED_FOR in headers:
        for line in reversed(headers.getall(hdrs.X_FORWARDED_FOR)):
            yield from reversed(line.split(","))
    else:
        for line in reversed(headers.getall(hdrs.FORWARDED, ())):
            for element in reversed(line.split(",")):
                found = _FORWARDED_FOR.search(element)
                yield found[2] if found else ""


class Shares:
    """Counts what each peer holds of something there may be `most` of for one peer."""

    def __init__(self, what: str, most: int) -> None:
        """`what` is for the log, which tells once of a peer that wants more, until it holds nothing any more."""
        self._what = what
        self._most = most
        self._held: Counter[str] = Counter()
        self._told: set[str] = set()

    def take(self, peer: str | None) -> bool:
        """One more for `peer`; False when that is more than its share, and it then holds no more than before."""
        if peer is None:
            return True
        if self._held[peer] >= self._most:
            self.tell(peer)
            return False
        self._held[peer] += 1
        return True

    def give_back(self, peer: str | None) -> None:
        """One less."""
        if peer is None:
            return
        self._held[peer] -= 1
        if self._held[peer] <= 0:
            del self._held[peer]
            self._told.discard(peer)

    def tell(self, peer: str) -> None:
        """Let the log know of a peer that wants more than there is for it."""
        if peer not in self._told:
            self._told.add(peer)
            log.warning("peer_limited", peer=peer, reason=f"more than {self._most} {self._what}")


@dataclass(eq=False, slots=True)
class _UnderWay:
    peer: str | None
    until: asyncio.Timeout
    gave_way: bool = False


class Bodies:
    """The bodies that did not come together with their heads: so many of each peer, and so many in all.

    When there are too many, the one that has waited longest gives way: a body that comes at all comes soon, so it is
    the one that drips that loses, and no other waits for it.
    """

    def __init__(self, peers: Peers, *, per_peer: int, most: int = BODIES) -> None:
        """Nothing is under way."""
        self._peers = peers
        self._waiting: dict[_UnderWay, None] = {}
        self._shares = Shares("bodies under way", per_peer)
        self._all = Shares("bodies under way in all", most)

    @asynccontextmanager
    async def place(self, request: Asked) -> AsyncIterator[None]:
        """While the body of `request` is read.

        Raises:
            WebhookError: 503, it gave way to another.
        """
        own = _UnderWay(self._peers.asking(request), asyncio.timeout(None))
        while not self._shares.take(own.peer):
            self._give_way(next(each for each in self._waiting if each.peer == own.peer))
        while not self._all.take(_EVERYBODY):
            self._give_way(next(iter(self._waiting)))
        self._waiting[own] = None
        try:
            async with own.until:
                yield
        except TimeoutError:
            raise busy("too many bodies under way") from None
        finally:
            if not own.gave_way:
                self._leave(own)

    def _give_way(self, oldest: _UnderWay) -> None:
        oldest.gave_way = True
        oldest.until.reschedule(0)
        self._leave(oldest)

    def _leave(self, one: _UnderWay) -> None:
        del self._waiting[one]
        self._shares.give_back(one.peer)
        self._all.give_back(_EVERYBODY)
