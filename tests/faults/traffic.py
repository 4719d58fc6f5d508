"""The other end of the webhooks: contacts who write, and a record of everything that was answered 200."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import orjson

from bridge.engine.ingest import event_key
from tests.faults.harness import CHANNELS, RELAY_HEADERS, SHOP_HEADERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from bridge.providers.port import Hook
    from tests.faults.harness import Gateways, Home

_CUT_OFF = 0
"""Stands for a status where there was no answer."""
_OK = 200
_DEBT = 0.1
"""Seconds that a punctual flow makes good at once: after a longer stop it comes in no burst."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a contact, as one webhook."""

    account: str
    contact: str
    text: str
    key: str
    hook: Hook


class Traffic:
    """Posts webhooks; `acked` are those that were answered 200, `statuses` all answers there were."""

    def __init__(self, home: Home, gateways: Gateways, session: aiohttp.ClientSession) -> None:
        """Nothing is said yet."""
        self._home = home
        self._gateways = gateways
        self._session = session
        self.said: dict[tuple[str, str], Said] = {}
        self.acked: set[tuple[str, str]] = set()
        self.statuses: dict[int, int] = {}
        self.cut_off: list[str] = []
        """Why there was no answer."""
        self.seconds: list[float] = []
        """How long each answer took."""

    def compose(self, account: str, contact: str, text: str) -> Said:
        """A message that is not posted yet."""
        if account == "shop":
            hook = self._gateways.konnek.says(CHANNELS[account], contact, text)
            place, told = contact, orjson.loads(hook.body)["message"]
        else:
            hook = self._gateways.relationlabs.says(CHANNELS[account], contact, text)
            told = orjson.loads(hook.body)["im-message"]
            place = told.get("channelUuid") or told["from"]
        key = event_key(CHANNELS[account], place, told["id"])
        said = self.said[account, key] = Said(account, contact, text, key, hook)
        return said

    async def post(self, said: Said) -> int:
        """Its status, or 0 when the connection was refused, cut, or silent for 15 s."""
        status = await self.post_hook(said.account, said.hook)
        if status == _OK:
            self.acked.add((said.account, said.key))
        return status

    async def post_hook(self, account: str, hook: Hook) -> int:
        """Any webhook's status, as above."""
        headers = {**hook.headers, **(SHOP_HEADERS if account == "shop" else RELAY_HEADERS)}
        url = f"{self._home.url}/webhooks/{account}/{hook.channel or ''}".rstrip("/")
        began = asyncio.get_running_loop().time()
        try:
            async with self._session.post(url, data=hook.body, headers=headers) as answer:
                await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            status = _CUT_OFF
            self.cut_off.append(f"{error!r} after {asyncio.get_running_loop().time() - began:.3f} s")
        self.seconds.append(asyncio.get_running_loop().time() - began)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        return status

    async def say(self, account: str, contact: str, text: str) -> int:
        """Compose and post."""
        return await self.post(self.compose(account, contact, text))

    async def insist(self, said: Said, tries: int = 1000, pause: float = 0.3) -> None:
        """Post until it is answered 200, like a sender that gives nobody up."""
        for _ in range(tries):
            if await self.post(said) == _OK:
                return
            await asyncio.sleep(pause)
        raise AssertionError(f"{said.text!r} was never taken: {self.statuses}")

    @property
    def slowest(self) -> float:
        """Seconds that the slowest answer took."""
        return max(self.seconds, default=0.0)

    @asynccontextmanager
    async def flowing(
        self, rate: float, lines: Iterable[tuple[str, str, str]], *, insist: bool, punctual: bool = False
    ) -> AsyncIterator[None]:
        """Open loop: a message every 1 / `rate` s, whatever becomes of the earlier ones; at the end all are answered.

        `insist` repeats those that were not answered 200. `punctual` counts the time that it takes to say one in.
        """
        posts: set[asyncio.Task[object]] = set()
        going = True

        async def pace() -> None:
            source = iter(lines)
            loop = asyncio.get_running_loop()
            due = loop.time()
            while going:
                said = self.compose(*next(source))
                posts.add(asyncio.create_task(self._carry(said, insist=insist)))
                due = max(due + 1 / rate, loop.time() - _DEBT) if punctual else loop.time() + 1 / rate
                await asyncio.sleep(due - loop.time())

        pacing = asyncio.create_task(pace())
        try:
            yield
            going = False
            await pacing
            await asyncio.gather(*posts)
        finally:
            pacing.cancel()
            for post in posts:
                post.cancel()
            await asyncio.gather(pacing, *posts, return_exceptions=True)

    async def _carry(self, said: Said, *, insist: bool) -> None:
        await (self.insist(said) if insist else self.post(said))


@asynccontextmanager
async def traffic(home: Home, gateways: Gateways) -> AsyncIterator[Traffic]:
    """Contacts of both accounts of a bridge."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=10)  # less than ours: nobody writes as we close
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield Traffic(home, gateways, session)


def chatter(contacts: int, pick: Callable[[], float]) -> Iterable[tuple[str, str, str]]:
    """Endless talk of `contacts` contacts at each account; every fourth message asks for two answers."""
    number = 0
    while True:
        account = ("shop", "relay")[number % 2]
        contact = f"c{int(pick() * contacts)}"
        yield account, contact, f"{'pair' if number % 4 == 1 else 'say'} {account} {contact} {number}"
        number += 1
