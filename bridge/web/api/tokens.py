"""Who asks: tokens compared in constant time, and how often each of them may ask."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING

from aiohttp import hdrs

from bridge.providers.schemes import as_bytes, digests_of
from bridge.units import SECOND
from bridge.web.api.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from bridge.clock import Clock
    from bridge.config.api import Api, Token
    from bridge.units import PerPeriod


class Tokens:
    """The tokens of [api]."""

    def __init__(self, api: Api, clock: Clock) -> None:
        """Nothing has been asked so far."""
        secrets = [token.secret.get_secret_value() for token in api.tokens]
        self._tokens = [*zip(api.tokens, digests_of(secrets), strict=True)]
        self._rates = {token.name: _Bucket(api.rate, clock) for token in api.tokens}

    def admit(self, request: web.Request) -> Token:
        """The token of a request, which counts. Raises Refusal: 401 without one of ours, 429 too often."""
        given = _bearer(request.headers.getall(hdrs.AUTHORIZATION, ()))
        digest = sha256(as_bytes(given)).digest()
        found: Token | None = None
        for token, known in self._tokens:
            if hmac.compare_digest(known, digest):
                found = token
        if found is None:
            headers = {"WWW-Authenticate": "Bearer"}
            raise Refusal(401, "want the header Authorization: Bearer TOKEN, with a token of [api]", headers=headers)
        if (wait := self._rates[found.name].take()) > 0:
            raise Refusal(
                429, f"the token {found.name} asks too often", headers={"Retry-After": str(-(-wait // SECOND))}
            )
        return found


class _Bucket:
    """A token bucket, as the one number that says when it is full again."""

    def __init__(self, rate: PerPeriod, clock: Clock) -> None:
        self._clock = clock
        self._each = rate.seconds * SECOND / rate.count
        self._period = round(rate.seconds * SECOND)
        self._full_at = 0.0

    def take(self) -> int:
        """Take one; else how long until there is one (microseconds)."""
        now = self._clock.now()
        full_at = max(self._full_at, now) + self._each
        if self._full_at - now > self._period:  # the clock was set back
            full_at = now + self._each
        if full_at - now > self._period:
            return round(full_at - now - self._period)
        self._full_at = full_at
        return 0


def _bearer(headers: Sequence[str]) -> str:
    """The credentials of the one header, else ""."""
    scheme, _, credentials = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    return credentials.strip(" ") if scheme.lower() == "bearer" else ""
