"""The keys of the authentication schemes, as they are written in secrets: base64, PEM and JWK."""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64decode
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from bridge.providers.public_keys import Ed25519Key, P256Key

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")


def key_bytes(text: str) -> bytes:
    """A key written in base64, with or without its padding.

    Raises:
        ValueError: it is not, or it is empty.
    """
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise ValueError("not base64") from None
    if not key:
        raise ValueError("an empty key")
    return key


def base64url(text: str) -> bytes:
    """Base64 for URLs, as JWKs and tokens have it. Raises ValueError: it is not, or it is padded."""
    if not _BASE64URL.fullmatch(text):
        raise ValueError("not base64url without padding")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def standard_key(text: str) -> bytes | Ed25519Key:
    """`whsec_` and base64 (or base64 alone): the bytes that sign; `whpk_` and base64: an Ed25519 public key.

    Raises:
        ValueError: it is neither.
    """
    if text.startswith("whsk_"):
        raise ValueError("a private key has no business here; give its public key (whpk_)")
    if text.startswith("whpk_"):
        from bridge.providers.public_keys import Ed25519Key  # noqa: PLC0415 - as public_keys says

        return Ed25519Key(key_bytes(text.removeprefix("whpk_")))
    return key_bytes(text.removeprefix("whsec_"))


def es256_key(text: str) -> P256Key:
    """A P-256 public key, as PEM or JWK text.

    Raises:
        ValueError: it is not.
    """
    from bridge.providers.public_keys import P256Key  # noqa: PLC0415 - the same

    is_jwk = text.lstrip().startswith("{")
    try:
        return P256Key.of_numbers(*_point(orjson.loads(text))) if is_jwk else P256Key.of_pem(text)
    except (ValueError, TypeError, KeyError):
        raise ValueError("not a P-256 public key as PEM or JWK") from None


def _point(jwk: dict[str, Any]) -> tuple[int, int]:
    if (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
        raise ValueError("a key of another kind")
    x, y = (int.from_bytes(base64url(jwk[name])) for name in ("x", "y"))
    return x, y
