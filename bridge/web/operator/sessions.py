"""Sessions of people who logged in: kept in the store, so that each worker knows them and a restart ends none.

The store holds a digest of a session's token, so that who reads the database has no session. There are so many places
for sessions as a byte has values; the token names its place, and the oldest session makes room when all are taken.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import orjson

from bridge.units import SECOND

if TYPE_CHECKING:
    from bridge.clock import Clock
    from bridge.store.port import Store
    from bridge.web.operator.access import Passwords, Role

IDLE: Final = 15 * 60 * SECOND
LONGEST: Final = 8 * 3600 * SECOND
_NOTED: Final = 60 * SECOND
"""A use is noted when the last note is older: else each page would be a write."""
_BYTES: Final = 32
_TRIES: Final = 16
"""Places that a new session tries, until one is free; else it takes the last of them."""
_PLACE: Final = "console session {:02x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is logged in. `token` is their cookie's, and `name` stands in the audit."""

    token: str = field(repr=False)
    role: Role
    accounts: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """As the audit has it."""
        return "console" if self.role == "operator" else "console viewer"

    @property
    def csrf(self) -> str:
        """What each form of this session holds, and no other page knows."""
        return hmac.new(self.token.encode(), b"csrf", sha256).hexdigest()


class Sessions:
    """The sessions of a bridge, in one of its stores."""

    def __init__(self, passwords: Passwords, clock: Clock) -> None:
        """A session ends with its password, and `clock` says when else."""
        self._passwords = passwords
        self._clock = clock

    async def begin(self, store: Store, mark: str) -> str:
        """A new session of who knows the password of a mark; its token, which nobody had."""
        now = self._clock.now()
        for _ in range(_TRIES):
            raw = secrets.token_bytes(_BYTES)
            if self._row(await store.secret("", _PLACE.format(raw[0]))) is None:
                break
        row = {"digest": sha256(raw).hexdigest(), "mark": mark, "since": now, "seen": now}
        await store.renew_secret("", _PLACE.format(raw[0]), orjson.dumps(row).decode())
        return urlsafe_b64encode(raw).decode().rstrip("=")

    async def find(self, store: Store, token: str, *, is_used: bool) -> Session | None:
        """The session of a token; None: it has ended, or never was. `is_used`: a person did something by it."""
        raw = _raw(token)
        row = None if raw is None else self._row(await store.secret("", _PLACE.format(raw[0])))
        if raw is None or row is None or not hmac.compare_digest(str(row["digest"]), sha256(raw).hexdigest()):
            return None
        role = await self._passwords.role_of(store, str(row["mark"]))
        if role is not None and is_used and self._clock.now() - int(row["seen"]) > _NOTED:
            row["seen"] = self._clock.now()
            await store.renew_secret("", _PLACE.format(raw[0]), orjson.dumps(row).decode())
        return None if role is None else Session(token=token, role=role)

    async def end(self, store: Store, session: Session) -> None:
        """No request has this session from now on."""
        if (raw := _raw(session.token)) is not None:
            await store.renew_secret("", _PLACE.format(raw[0]), "")

    def _row(self, value: str | None) -> dict[str, str | int] | None:
        """What is kept of a session, as long as it lasts."""
        if not value:
            return None
        row: dict[str, str | int] = orjson.loads(value)
        now, seen, since = self._clock.now(), int(row["seen"]), int(row["since"])
        return row if seen <= now + _NOTED and now - seen <= IDLE and now - since <= LONGEST else None


def _raw(token: str) -> bytes | None:
    """The bytes of a token; None for any other text."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=")
    except (ValueError, UnicodeEncodeError):
        return None
    return raw if len(raw) == _BYTES else None
