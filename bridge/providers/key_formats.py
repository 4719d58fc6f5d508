"""The keys of the authentication schemes, as they are written in secrets: base64, PEM and JWK."""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64decode
from typing import Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

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


def standard_key(text: str) -> bytes | Ed25519PublicKey:
    """`whsec_` and base64 (or base64 alone): the bytes that sign; `whpk_` and base64: an Ed25519 public key.

    Raises:
        ValueError: it is neither.
    """
    if text.startswith("whsk_"):
        raise ValueError("a private key has no business here; give its public key (whpk_)")
    if text.startswith("whpk_"):
        return Ed25519PublicKey.from_public_bytes(key_bytes(text.removeprefix("whpk_")))
    return key_bytes(text.removeprefix("whsec_"))


def es256_key(text: str) -> EllipticCurvePublicKey:
    """A P-256 public key, as PEM or JWK text.

    Raises:
        ValueError: it is not.
    """
    try:
        key = _jwk(orjson.loads(text)) if text.lstrip().startswith("{") else load_pem_public_key(text.encode())
    except (ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key
    raise ValueError("not a P-256 public key as PEM or JWK")


def _jwk(jwk: dict[str, Any]) -> EllipticCurvePublicKey | None:
    if (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
        return None
    x, y = (int.from_bytes(base64url(jwk[name])) for name in ("x", "y"))
    return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
