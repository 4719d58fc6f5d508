"""ES256 tokens at the door: exact algorithm, exact signature, issuer and time."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.signed_posts import P256, PEM, STAMP, b64url, built, verify


def jwt(key: ec.EllipticCurvePrivateKey = P256, header: Any = None, **changes: Any) -> str:
    claims = {"iss": "relationlabs.ai", "sub": "abcde-cai", "iat": STAMP - 10, "exp": STAMP + 604_800, **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    content = f"{b64url(orjson.dumps(header or {'alg': 'ES256'}))}.{b64url(orjson.dumps(claims))}"
    r, s = decode_dss_signature(key.sign(content.encode(), ec.ECDSA(SHA256())))
    return f"{content}.{b64url(r.to_bytes(32) + s.to_bytes(32))}"


def posts(token: str, **inbound: Any) -> int:
    verifier = built(**{"auth": "es256", "public_key": PEM, **inbound})
    return verify(verifier, {"Authorization": f"Bearer {token}"})


def test_a_token_signed_by_any_configured_key_is_accepted_and_by_another_is_not() -> None:
    numbers = P256.public_key().public_numbers()
    x, y = (b64url(each.to_bytes(32)) for each in (numbers.x, numbers.y))
    jwk = orjson.dumps({"kty": "EC", "crv": "P-256", "x": x, "y": y}).decode()
    stranger = ec.derive_private_key(104_729, ec.SECP256R1())
    other = stranger.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for keys in (PEM, jwk, [other, jwk]):
        assert posts(jwt(), public_key=keys) == 200
    assert posts(jwt(stranger)) == 401


def test_the_public_key_may_come_from_a_file(tmp_path: Any) -> None:
    (tmp_path / "key.pem").write_text(PEM)
    assert posts(jwt(), public_key=f"file:{tmp_path / 'key.pem'}") == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"exp": STAMP - 59}, 200),
        ({"exp": STAMP - 60}, 401),
        ({"iat": STAMP + 60}, 200),
        ({"iat": STAMP + 61}, 401),
        ({"nbf": STAMP + 61}, 401),
        ({"exp": None}, 401),
        ({"iat": None}, 401),
        ({"exp": str(STAMP + 9)}, 401),
        ({"exp": True}, 401),
        ({"iat": True}, 401),
        ({"exp": [1]}, 401),
        ({"exp": 1e300}, 200),
        ({"iss": "relationlabs.ai.evil"}, 401),
        ({"iss": None}, 401),
        ({"iss": ["relationlabs.ai"]}, 401),
    ],
)
def test_the_claims_of_a_token_are_held_to_issuer_and_time(changes: dict[str, Any], status: int) -> None:
    assert posts(jwt(**changes)) == status


def test_issuer_and_subjects_are_configurable() -> None:
    assert posts(jwt(iss="relay"), issuer="relay") == 200
    assert posts(jwt(), subjects=["abcde-cai"]) == 200
    assert posts(jwt(), subjects=["xyz"]) == 401
    assert posts(jwt(sub=None), subjects=["abcde-cai"]) == 401
    assert posts(jwt(sub=["abcde-cai"]), subjects=["abcde-cai"]) == 401


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "es256"},
        {"alg": ["ES256"]},
        {"x": 1},
        ["ES256"],
        5,
        {"alg": "ES256", "crit": []},
    ],
)
def test_any_other_algorithm_is_refused_even_when_rightly_signed(header: Any) -> None:
    assert posts(jwt(header=header)) == 401


def test_a_token_that_is_no_compact_jws_is_401() -> None:
    token = jwt()
    content, _, signature = token.rpartition(".")
    raw = urlsafe_b64decode(signature + "==")
    hmac_with_public_key = b64url(hmac.new(PEM.encode(), content.encode(), "sha256").digest())
    der = b64url(P256.sign(content.encode(), ec.ECDSA(SHA256())))
    for wrong in [
        "",
        ".",
        "..",
        "...",
        content,
        f"{content}.",
        f"{token}.x",
        f"{token}=",
        f"{content}.{hmac_with_public_key}",
        f"{content}.{der}",
        f"{content}.{b64url(bytes(64))}",
        f"{content}.{b64url(bytes([255]) * 64)}",
        f"{content}.{signature}A",
        f"{content}.{b64url(raw[:32] + bytes(1) + raw[32:])}",
        f"é.{signature}.{signature}",
        f"{b64url(b'{')}.{token.partition('.')[2]}",
        f"a.{token.partition('.')[2]}",
        "\ud800",
        "x" * 100_000,
        jwt(padding="x" * 9_000),
    ]:
        assert posts(wrong) == 401, wrong
