"""What an emulator's webhooks carry passes the very door it was made for, and no other."""

from __future__ import annotations

from base64 import b64encode
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from bridge.emulation.signing import signer_for
from bridge.errors import WebhookError
from bridge.providers.schemes import Signed
from bridge.providers.signatures import INBOUND, verifier_for

NOW = 1_760_000_000_000_000
SECRET = SecretStr("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0")
OTHER = SecretStr("b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3Ro")

DOORS: list[dict[str, Any]] = [
    {"auth": "headers", "username": SECRET, "password": [SECRET, OTHER]},
    {"auth": "headers", "name": "X-Key", "value": SECRET},
    {"auth": "bearer", "secret": [SECRET, OTHER]},
    {"auth": "hmac", "keys": [SECRET, OTHER]},
    {"auth": "hmac", "keys": SECRET, "encoding": "hex", "prefix": "sha1=", "algorithm": "sha1", "header": "X-Sig"},
    {"auth": "hmac", "keys": SECRET, "key_encoding": "base64", "algorithm": "sha512"},
    {"auth": "standard-webhooks", "secrets": [SecretStr(f"whsec_{SECRET.get_secret_value()}")]},
    {"auth": "none"},
]


def verified(inbound: Any, headers: dict[str, str], body: bytes) -> bool:
    try:
        verifier_for(inbound).verify(Signed(headers=list(headers.items()), body=body, now=NOW))
    except WebhookError:
        return False
    return True


@pytest.mark.parametrize("values", DOORS, ids=lambda values: "-".join([values["auth"], *sorted(values)[1:3]]))
def test_what_is_signed_for_a_door_passes_it(values: dict[str, Any]) -> None:
    inbound = INBOUND.validate_python(values)
    sign = signer_for(inbound, lambda: NOW, Random(1))
    first, second = dict(sign(b'{"a": 1}')), dict(sign(b'{"a": 2}'))
    assert verified(inbound, first, b'{"a": 1}')
    assert verified(inbound, second, b'{"a": 2}')
    if values["auth"] in {"hmac", "standard-webhooks"}:
        assert not verified(inbound, first, b'{"a": 2}')


def test_a_path_secret_needs_no_header() -> None:
    inbound = INBOUND.validate_python({"auth": "path", "secret": SECRET})
    assert signer_for(inbound, lambda: NOW, Random(1))(b"{}") == {}


def test_what_only_a_private_key_can_make_is_refused_with_its_reason() -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).public_key()
    es256 = pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ValueError, match="private key"):
        signer_for(INBOUND.validate_python({"auth": "es256", "public_key": es256}), lambda: NOW, Random(1))


def test_a_standard_webhooks_door_with_public_keys_alone_cannot_be_signed_for() -> None:

    raw = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    public = SecretStr(f"whpk_{b64encode(raw).decode()}")
    inbound = INBOUND.validate_python({"auth": "standard-webhooks", "secrets": [public]})
    with pytest.raises(ValueError, match="whsec_"):
        signer_for(inbound, lambda: NOW, Random(1))
