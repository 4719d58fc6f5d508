"""The inbound authentication schemes, as pure functions of a request and the time.

Whatever a scheme compares, it compares as bytes of one length, in constant time, with every secret it knows: neither
the time taken nor the answer tells how near a guess was, nor which of the secrets of a rotation is in use.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, Protocol, TypeAlias

import orjson

from bridge.errors import WebhookError
from bridge.frozen import dataclass
from bridge.providers.key_formats import base64url
from bridge.units import SECOND

NOT_FOUND: Final = "not found"
"""The reason of every 404 at the door, so that an unknown account and a wrong path secret look the same."""

_TIMESTAMP: Final = re.compile(r"[1-9][0-9]{9}")
_MESSAGE_ID: Final = re.compile(
    r"[!-\-/-~]{1,256}"
)  # visible ASCII, but no full stop: it ends the id in what is signed
_MAX_SIGNATURES: Final = 8
_MAX_TOKEN: Final = 8192
_DIGEST_BYTES: Final = {"sha1": 20, "sha256": 32, "sha512": 64}
_LEEWAY: Final = 60


class _GetAll(Protocol):
    """A case-insensitive multidict, as aiohttp's request.headers."""

    def getall(self, key: str, default: Any, /) -> Sequence[str]:  # noqa: ANN401 - whatever is to be returned instead
        ...


Headers: TypeAlias = _GetAll | Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What is checked: headers, raw body, the route's {secret}, and the time in microseconds since 1970."""

    headers: Headers
    body: bytes
    path_secret: str | None = None
    now: int


class Verifier(Protocol):
    """One account's inbound authentication."""

    @property
    def needs_path_secret(self) -> bool:
        """Whether the account's route holds its {secret}."""
        ...

    @property
    def needs_body(self) -> bool:
        """Whether the body is signed, so that its head alone proves nothing."""
        ...

    @property
    def needs_time(self) -> bool:
        """Whether the time counts, so that the same head proves nothing later."""
        ...

    def verify_head(self, request: Signed) -> None:
        """Return if the request is authentic, as far as that shows without its body, which is not looked at.

        Raises:
            WebhookError: 401 when it is not; 404 when the path's secret is wrong. Nothing else is ever raised.
        """
        ...

    def verify_body(self, request: Signed) -> None:
        """Return if the body is authentic too; to be called after `verify_head`. Raises WebhookError 401."""
        ...

    def verify(self, request: Signed) -> None:
        """Both in one: return if the request is authentic. Raises WebhookError."""
        ...


class PublicKey(Protocol):
    """What signatures are verified with."""

    def verifies(self, signature: bytes, content: bytes) -> bool:
        """Whether the signature, which may be any bytes, is the key's own of the content."""
        ...


class _Scheme:
    """A scheme that needs neither the body nor the time, unless it says otherwise."""

    __slots__ = ()
    needs_path_secret: ClassVar[bool] = False
    needs_body: ClassVar[bool] = False
    needs_time: ClassVar[bool] = False

    def verify_head(self, request: Signed) -> None:
        """See Verifier."""
        raise NotImplementedError

    def verify_body(self, request: Signed) -> None:
        """See Verifier. The head has said it all."""

    def verify(self, request: Signed) -> None:
        """See Verifier."""
        self.verify_head(request)
        self.verify_body(request)


@dataclass(frozen=True, slots=True)
class HeaderPairs(_Scheme):
    """Headers, each with one of its accepted values."""

    wanted: tuple[tuple[str, tuple[bytes, ...]], ...]

    def verify_head(self, request: Signed) -> None:
        """See Verifier."""
        fine = True
        for name, digests in self.wanted:
            fine &= _is_one_of(_only(request, name), digests)
        if not fine:
            raise _unauthorised("wrong credentials")


@dataclass(frozen=True, slots=True)
class Bearer(_Scheme):
    """Authorization: Bearer SECRET."""

    digests: tuple[bytes, ...]

    def verify_head(self, request: Signed) -> None:
        """See Verifier."""
        if not _is_one_of(_bearer(request), self.digests):
            raise _unauthorised("wrong credentials")


@dataclass(frozen=True, slots=True)
class PathSecret(_Scheme):
    """The route holds the secret."""

    needs_path_secret: ClassVar[bool] = True
    digests: tuple[bytes, ...]

    def verify_head(self, request: Signed) -> None:
        """See Verifier."""
        if not _is_one_of(request.path_secret or "", self.digests):
            raise WebhookError(404, NOT_FOUND, logged="wrong path secret")


DUMMY: Final[Verifier] = PathSecret((bytes(32),))
"""Refuses every request with 404, after the work of a path secret: for an unknown account."""


@dataclass(frozen=True, slots=True)
class BodyHmac(_Scheme):
    """A header with the HMAC of the raw body, text for text as we would write it."""

    needs_body: ClassVar[bool] = True
    keys: tuple[bytes, ...]
    header: str
    algorithm: str
    encode: Callable[[bytes], bytes]
    prefix: bytes

    def verify_head(self, request: Signed) -> None:
        """See Verifier. A signature that can be none costs no reading of the body."""
        if len(as_bytes(_only(request, self.header))) != len(self.prefix) + len(self.encode(bytes(self._size))):
            raise _unauthorised("wrong signature")

    @property
    def _size(self) -> int:
        return _DIGEST_BYTES[self.algorithm]

    def verify_body(self, request: Signed) -> None:
        """See Verifier."""
        # The text is compared, not what it decodes to: so there is one spelling, and no base64 to be lenient about.
        given = as_bytes(_only(request, self.header))
        fine = False
        for key in self.keys:
            wanted = self.prefix + self.encode(hmac.digest(key, request.body, self.algorithm))
            fine |= hmac.compare_digest(wanted, given)
        if not fine:
            raise _unauthorised("wrong signature")


@dataclass(frozen=True, slots=True)
class StandardWebhooks(_Scheme):
    """An id, a time and the body, signed together; `tolerance` is in microseconds."""

    needs_body: ClassVar[bool] = True
    needs_time: ClassVar[bool] = True
    secrets: tuple[bytes, ...]
    public_keys: tuple[PublicKey, ...]
    tolerance: int

    def verify_head(self, request: Signed) -> None:
        """See Verifier."""
        message_id, timestamp, signatures = self._read(request)
        if not _MESSAGE_ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
            raise _unauthorised("webhook-id or webhook-timestamp is malformed")
        if len(signatures) > _MAX_SIGNATURES:
            raise _unauthorised("too many signatures")
        if abs(request.now - int(timestamp) * SECOND) > self.tolerance:
            raise _unauthorised("webhook-timestamp is too far from now")

    def verify_body(self, request: Signed) -> None:
        """See Verifier."""
        message_id, timestamp, signatures = self._read(request)
        content = b"%b.%b.%b" % (message_id.encode(), timestamp.encode(), request.body)
        wanted = [b64encode(hmac.digest(key, content, "sha256")) for key in self.secrets]
        fine = False
        for each in signatures:
            version, _, signature = each.partition(",")
            if version == "v1":
                given = as_bytes(signature)
                for mac in wanted:
                    fine |= hmac.compare_digest(mac, given)
            elif version == "v1a":
                for key in self.public_keys:
                    fine |= _fits(key, signature, content)
        if not fine:
            raise _unauthorised("wrong signature")

    def _read(self, request: Signed) -> tuple[str, str, list[str]]:
        message_id, timestamp = _only(request, "webhook-id"), _only(request, "webhook-timestamp")
        return message_id, timestamp, _only(request, "webhook-signature").split(" ", _MAX_SIGNATURES)


@dataclass(frozen=True, slots=True)
class Es256(_Scheme):
    """Authorization: Bearer JWT. Times in claims are in seconds since 1970."""

    needs_time: ClassVar[bool] = True
    keys: tuple[PublicKey, ...]
    issuer: str
    subjects: tuple[str, ...] | None

    def verify_head(self, request: Signed) -> None:
        """See Verifier."""
        token = _bearer(request)
        parts = token.split(".") if len(token) <= _MAX_TOKEN else []
        try:
            header, payload, signature = map(base64url, parts)
            described, claims = orjson.loads(header), orjson.loads(payload)
        except ValueError:
            raise _unauthorised("not an ES256 token") from None
        if not isinstance(described, dict) or described.get("alg") != "ES256" or "crit" in described:
            raise _unauthorised("not an ES256 token")
        if not self._signed(f"{parts[0]}.{parts[1]}".encode(), signature):
            raise _unauthorised("wrong signature")
        if not self._current(claims, request.now):
            raise _unauthorised("the token is not valid here or now")

    def _signed(self, content: bytes, signature: bytes) -> bool:
        fine = False
        for key in self.keys:
            fine |= key.verifies(signature, content)
        return fine

    def _current(self, claims: Any, now: int) -> bool:  # noqa: ANN401 - any JSON
        if not isinstance(claims, dict) or claims.get("iss") != self.issuer:
            return False
        if self.subjects is not None and claims.get("sub") not in self.subjects:
            return False
        times = [claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)]
        if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in times):
            return False
        expires, issued, begins = times
        seconds = now / SECOND
        return bool(seconds < expires + _LEEWAY and max(issued, begins) <= seconds + _LEEWAY)


@dataclass(frozen=True, slots=True)
class Open(_Scheme):
    """Anybody."""

    def verify_head(self, request: Signed) -> None:
        """Accept it."""


def _unauthorised(reason: str) -> WebhookError:
    return WebhookError(401, reason)


def _only(request: Signed, name: str) -> str:
    """The one value of a header (`name` in lower case); a header sent twice is refused, whichever one is right."""
    headers = request.headers
    if hasattr(headers, "getall"):
        values = headers.getall(name, ())
    else:
        values = [value for key, value in headers if key.lower() == name]
    if len(values) != 1:
        raise _unauthorised(f"{name} is {'sent twice' if values else 'missing'}")
    return values[0]


def _bearer(request: Signed) -> str:
    scheme, _, token = _only(request, "authorization").partition(" ")
    if scheme.lower() != "bearer":
        raise _unauthorised("not a bearer token")
    return token.strip(" ")


def as_bytes(text: str) -> bytes:
    """Any text as bytes, different texts as different bytes: servers hand on what is not UTF-8 as lone surrogates."""
    return text.encode("utf-8", "surrogatepass")


def digests_of(secrets: Sequence[str]) -> tuple[bytes, ...]:
    """What is kept of secrets that are only compared."""
    return tuple(hashlib.sha256(as_bytes(secret)).digest() for secret in secrets)


def _is_one_of(given: str, digests: tuple[bytes, ...]) -> bool:
    digest = hashlib.sha256(as_bytes(given)).digest()
    fine = False
    for each in digests:
        fine |= hmac.compare_digest(each, digest)
    return fine


def _fits(key: PublicKey, signature: str, content: bytes) -> bool:
    """Whether a key verifies a signature in base64."""
    try:
        decoded = b64decode(signature, validate=True)
    except ValueError:
        return False
    return key.verifies(decoded, content)


def as_hex(mac: bytes) -> bytes:
    """Lower-case hexadecimal."""
    return mac.hex().encode()
