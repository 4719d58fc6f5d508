"""Who may log in: passwords compared in constant time, and tries that become slower."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from bridge.units import SECOND
from bridge.web.api.problems import Refusal

if TYPE_CHECKING:
    from pydantic import SecretStr

    from bridge.clock import Clock
    from bridge.config.console import Console
    from bridge.store.port import Store

Role: TypeAlias = Literal["viewer", "operator"]
"""A viewer looks, and an operator changes things as well."""
FREE_TRIES: Final = 5
"""Wrong passwords of one address without a wait; each one more doubles it."""
LONGEST_WAIT: Final = 15 * 60 * SECOND
_PEERS: Final = 1024
"""Addresses that are remembered."""
_LONGEST: Final = 1024
"""Bytes of a password that count."""
_COST: Final = 2**15
_SALT: Final = "console salt"


class Passwords:
    """The passwords of [console], as scrypt's digests. A mark stands for one: it changes with the password."""

    def __init__(self, settings: Console) -> None:
        """The digests are made when they are first needed."""
        self._settings = settings
        self._salt = b""
        self._digests: list[tuple[Role, bytes]] = []
        self._lock = asyncio.Lock()
        """One digest at a time: each takes 32 MiB and a tenth of a second."""

    async def mark_of(self, store: Store, password: str) -> str | None:
        """The mark of a password; None: it is wrong. A wrong one takes as long as a right one."""
        async with self._lock:
            await self._begin(store)
            digest = await asyncio.to_thread(self._digest, password.encode("utf-8", "surrogatepass")[:_LONGEST])
        found: str | None = None
        for _, known in self._digests:
            if hmac.compare_digest(known, digest):
                found = _mark(known)
        return found

    async def role_of(self, store: Store, mark: str) -> Role | None:
        """The role of who knows the password of a mark; None: there is no such password any more."""
        async with self._lock:
            await self._begin(store)
        return next((role for role, known in self._digests if hmac.compare_digest(_mark(known), mark)), None)

    async def _begin(self, store: Store) -> None:
        """Digest our own, with the salt that every process of the store has."""
        if self._digests:
            return
        self._salt = bytes.fromhex(await store.keep_secret("", _SALT, secrets.token_hex(16)))
        own: list[tuple[Role, SecretStr | None]] = [
            ("operator", self._settings.password),
            ("viewer", self._settings.viewer_password),
        ]
        self._digests = [
            (role, await asyncio.to_thread(self._digest, secret.get_secret_value().encode()[:_LONGEST]))
            for role, secret in own
            if secret is not None
        ]

    def _digest(self, password: bytes) -> bytes:
        return Scrypt(salt=self._salt, length=32, n=_COST, r=8, p=1).derive(password)


def _mark(digest: bytes) -> str:
    return sha256(b"mark" + digest).hexdigest()


class Tries:
    """How long an address waits that tried wrong passwords."""

    def __init__(self, clock: Clock) -> None:
        """Nobody has tried."""
        self._clock = clock
        self._failed: OrderedDict[str, tuple[int, int]] = OrderedDict()
        """By address, how often in a row, and until when it waits."""

    def check(self, peer: str) -> None:
        """Raises Refusal, 429, for an address that has to wait."""
        _, until = self._failed.get(peer, (0, 0))
        if (wait := until - self._clock.now()) > 0:
            seconds = -(-min(wait, LONGEST_WAIT) // SECOND)
            raise Refusal(429, "too many wrong passwords: wait", headers={"Retry-After": str(seconds)})

    def failed(self, peer: str) -> None:
        """A wrong password."""
        count = self._failed.pop(peer, (0, 0))[0] + 1
        wait = min(SECOND << min(count - FREE_TRIES, 20), LONGEST_WAIT) if count >= FREE_TRIES else 0
        self._failed[peer] = (count, self._clock.now() + wait)
        if len(self._failed) > _PEERS:
            self._failed.popitem(last=False)

    def succeeded(self, peer: str) -> None:
        """The right one: the next wrong one is the first again."""
        self._failed.pop(peer, None)
