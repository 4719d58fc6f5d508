"""What [accounts.NAME.inbound] may say: what cannot work is an error, what is weak a warning."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr, ValidationError

from bridge.providers.signatures import INBOUND, weakness
from tests.support.signed_posts import NEW, OLD, P256, PEM, WHSEC, b64url, built, verify


@pytest.mark.parametrize(
    "inbound",
    [
        {"auth": "bearer"},
        {"auth": "bearer", "secret": []},
        {"auth": "bearer", "secret": "written-out-in-the-file"},
        {"auth": "bearer", "secert": NEW},
        {"auth": "headers"},
        {"auth": "headers", "username": NEW},
        {"auth": "headers", "username": NEW, "password": NEW, "name": "x", "value": NEW},
        {"auth": "headers", "name": "bad name", "value": NEW},
        {"auth": "hmac", "keys": [NEW], "algorithm": "md5"},
        {"auth": "hmac", "keys": [SecretStr("not base64!")], "key_encoding": "base64"},
        {"auth": "standard-webhooks", "secrets": [SecretStr("whsec_")]},
        {"auth": "standard-webhooks", "secrets": [SecretStr("whsec_é")]},
        {"auth": "standard-webhooks", "secrets": [SecretStr("whpk_AAAA")]},
        {"auth": "standard-webhooks", "secrets": [SecretStr("whsk_AAAA")]},
        {"auth": "standard-webhooks", "secrets": [SecretStr(WHSEC)], "tolerance": 0},
        {"auth": "standard-webhooks", "secrets": [SecretStr(WHSEC)], "tolerance": "3650d"},
        {"auth": "es256", "public_key": "nonsense"},
        {"auth": "es256", "public_key": "{}"},
        {"auth": "es256", "public_key": "[1"},
        {"auth": "es256", "public_key": '{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}'},
        {"auth": "es256", "public_key": '{"kty":"EC","crv":"P-256","x":1}'},
        {"auth": "mtls"},
        {},
    ],
)
def test_a_scheme_that_cannot_work_is_a_configuration_error(inbound: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        INBOUND.validate_python(inbound)


@pytest.mark.parametrize(("kind", "curve"), [("RSA", "P-256"), ("EC", "secp256k1")])
def test_a_jwk_that_says_it_is_something_else_is_no_es256_key(kind: str, curve: str) -> None:
    numbers = P256.public_key().public_numbers()
    x, y = (b64url(each.to_bytes(32)) for each in (numbers.x, numbers.y))
    jwk = orjson.dumps({"kty": kind, "crv": curve, "x": x, "y": y}).decode()
    with pytest.raises(ValidationError, match="P-256"):
        INBOUND.validate_python({"auth": "es256", "public_key": jwk})


def test_a_p384_key_is_no_es256_key() -> None:
    key = ec.derive_private_key(7_919, ec.SECP384R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ValidationError, match="P-256"):
        INBOUND.validate_python({"auth": "es256", "public_key": pem})


def test_secrets_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_OLD", OLD.get_secret_value())
    monkeypatch.setenv("BOT_NEW", NEW.get_secret_value())
    verifier = built(auth="path", secret=["env:BOT_OLD", "env:BOT_NEW"])
    assert verify(verifier, path=OLD.get_secret_value()) == 200
    assert verify(verifier, path=NEW.get_secret_value()) == 200


@pytest.mark.parametrize(
    ("inbound", "reasons"),
    [
        ({"auth": "bearer", "secret": NEW}, []),
        ({"auth": "path", "secret": [NEW, SecretStr("a" * 23)]}, ["shorter than 24 bytes"]),
        ({"auth": "bearer", "secret": SecretStr("changeme")}, ["shorter than 24 bytes", "placeholder"]),
        ({"auth": "hmac", "keys": SecretStr("k")}, ["shorter than 12 bytes"]),
        ({"auth": "hmac", "keys": SecretStr("a" * 12), "key_encoding": "base64"}, ["shorter than 12 bytes"]),
        ({"auth": "hmac", "keys": SecretStr("a" * 16), "key_encoding": "base64"}, []),
        ({"auth": "standard-webhooks", "secrets": SecretStr("whsec_aaaa")}, ["shorter than 24 bytes"]),
        ({"auth": "headers", "username": SecretStr("u"), "password": SecretStr("p")}, ["shorter than 8 bytes"]),
        ({"auth": "standard-webhooks", "secrets": SecretStr(WHSEC), "tolerance": "2h"}, ["more than an hour"]),
        ({"auth": "bearer", "secret": SecretStr("n" * 30 + "\n")}, ["white space"]),
        ({"auth": "hmac", "keys": [SecretStr("short")]}, ["shorter than 12 bytes"]),
        ({"auth": "hmac", "keys": [SecretStr("not so short")]}, []),
        ({"auth": "hmac", "keys": [SecretStr("<signing key>")]}, ["placeholder"]),
        ({"auth": "headers", "username": SecretStr("bot"), "password": SecretStr("YOUR_PASSWORD")}, ["placeholder"]),
        ({"auth": "es256", "public_key": PEM}, []),
        ({"auth": "none"}, ["whoever"]),
    ],
)
def test_a_weak_secret_is_worth_a_warning_that_never_shows_it(inbound: dict[str, Any], reasons: list[str]) -> None:
    found = weakness(INBOUND.validate_python(inbound))
    assert len(found) == len(reasons)
    assert all(expected in reason for expected, (_, reason) in zip(reasons, found, strict=True))
    assert {key for key, _ in found} <= {"auth", *inbound}


def test_settings_never_show_a_secret() -> None:
    shown = repr(INBOUND.validate_python({"auth": "hmac", "keys": [NEW]}))
    assert NEW.get_secret_value() not in shown
