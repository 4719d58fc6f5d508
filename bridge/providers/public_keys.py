"""The public keys of the authentication schemes.

key_formats imports this with the first such key: cryptography takes 8 MB, and most accounts know callers by secrets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

_ES256_BYTES: Final = 64


class Ed25519Key:
    """A key of Ed25519."""

    def __init__(self, key: bytes) -> None:
        """Take the key's own bytes. Raises ValueError."""
        self._key = Ed25519PublicKey.from_public_bytes(key)

    def verifies(self, signature: bytes, content: bytes) -> bool:
        """See schemes.PublicKey."""
        try:
            self._key.verify(signature, content)
        except InvalidSignature:
            return False
        return True


class P256Key:
    """A key of ES256, whose signatures are two numbers, as JWS has them."""

    def __init__(self, key: PublicKeyTypes) -> None:
        """Raises ValueError for a key of another kind."""
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise ValueError("not a key of P-256")  # noqa: TRY004 - the text that it was read from is wrong
        self._key = key

    @classmethod
    def of_pem(cls, text: str) -> P256Key:
        """Read PEM. Raises ValueError."""
        try:
            return cls(load_pem_public_key(text.encode()))
        except UnsupportedAlgorithm as error:
            raise ValueError(str(error)) from None

    @classmethod
    def of_numbers(cls, x: int, y: int) -> P256Key:
        """The point of a JWK. Raises ValueError: it is not on the curve."""
        return cls(EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key())

    def verifies(self, signature: bytes, content: bytes) -> bool:
        """See schemes.PublicKey."""
        if len(signature) != _ES256_BYTES:
            return False
        half = _ES256_BYTES // 2
        der = encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
        try:
            self._key.verify(der, content, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True
