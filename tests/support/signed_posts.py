"""What the tests of inbound authentication share: secrets, and a POST to a verifier."""

from __future__ import annotations

import hmac
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from multidict import CIMultiDict, CIMultiDictProxy
from pydantic import SecretStr

from bridge.errors import WebhookError
from bridge.providers.schemes import Signed, Verifier
from bridge.providers.signatures import INBOUND, verifier_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STAMP: Final = 1_760_086_800
NOW: Final = STAMP * 1_000_000
BODY: Final = '{"event":"message","text":"café"}'.encode()
OLD, NEW, OTHER = (SecretStr(f"{name}-secret-of-24-bytes-or-more") for name in ("old", "new", "other"))
RAW_KEY: Final = bytes(range(32))
WHSEC: Final = "whsec_" + b64encode(RAW_KEY).decode()
ED25519: Final = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WHPK: Final = "whpk_" + b64encode(ED25519.public_key().public_bytes_raw()).decode()
P256: Final = ec.derive_private_key(7_919, ec.SECP256R1())
PEM: Final = P256.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def built(**inbound: Any) -> Verifier:
    return verifier_for(INBOUND.validate_python(inbound))


def verify(
    verifier: Verifier,
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    body: bytes = BODY,
    path: str | None = None,
) -> int:
    """200, or the status of the refusal; the same for both forms headers can come in."""
    pairs: list[tuple[str, str]] = list(headers.items() if hasattr(headers, "items") else headers)
    status, again = (
        _status(verifier, Signed(headers=form, body=body, path_secret=path, now=NOW))
        for form in (pairs, CIMultiDictProxy(CIMultiDict(pairs)))
    )
    assert status == again
    return status


def _status(verifier: Verifier, request: Signed) -> int:
    try:
        verifier.verify(request)
    except WebhookError as error:
        return error.status
    return 200


def mac(key: SecretStr | bytes | str, body: bytes = BODY, algorithm: str = "sha256") -> str:
    raw = key.get_secret_value() if isinstance(key, SecretStr) else key
    return b64encode(hmac.new(raw if isinstance(raw, bytes) else raw.encode(), body, algorithm).digest()).decode()


def b64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
