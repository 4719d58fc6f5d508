"""Whatever is posted, a verifier returns or raises a WebhookError, and the error says nothing of it."""

from __future__ import annotations

from base64 import b64encode
from typing import Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from bridge.errors import WebhookError
from bridge.providers.schemes import DUMMY, Signed
from tests.support.signed_posts import NEW, NOW, OLD, PEM, STAMP, WHPK, WHSEC, b64url, built, mac, verify

ALG: Final = b64url(b'{"alg":"ES256"}')
VERIFIERS: Final = [
    built(auth="headers", username=OLD, password=NEW),
    built(auth="bearer", secret=[NEW]),
    built(auth="path", secret=[NEW]),
    built(auth="hmac", keys=[NEW, OLD]),
    built(auth="hmac", keys=[NEW], encoding="hex", prefix="sha256="),
    built(auth="es256", public_key=PEM),
    built(auth="standard-webhooks", secrets=[SecretStr(WHSEC), SecretStr(WHPK)]),
    DUMMY,
]
NAMES: Final = [
    "Authorization",
    "auth-username",
    "Auth-password",
    "X-Webhook-Signature",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
]
ANY_TEXT: Final = st.text(st.characters(), max_size=60)
VALUES: Final = st.one_of(
    ANY_TEXT,
    ANY_TEXT.map("Bearer {}".format),
    st.lists(st.binary(max_size=70).map(b64url), min_size=3, max_size=3).map(lambda parts: f"Bearer {'.'.join(parts)}"),
    st.tuples(
        st.recursive(st.none() | st.integers() | ANY_TEXT.filter(str.isascii), st.lists),
        st.binary(min_size=64, max_size=64),
    ).map(lambda each: f"Bearer {ALG}.{b64url(orjson.dumps(str(each[0])))}.{b64url(each[1])}"),
    st.lists(st.tuples(st.sampled_from(["v1", "v1a", ""]), st.binary(max_size=64) | ANY_TEXT), max_size=10).map(
        lambda each: " ".join(f"{v},{b64encode(s).decode() if isinstance(s, bytes) else s}" for v, s in each)
    ),
    st.just(str(STAMP)),
    st.just("msg_1"),
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    headers=st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=8),
    body=st.binary(max_size=200),
    path=st.none() | ANY_TEXT,
)
def test_no_request_makes_a_verifier_raise_anything_else(
    headers: list[tuple[str, str]], body: bytes, path: str | None
) -> None:
    for verifier in VERIFIERS:
        assert verify(verifier, headers, body, path) in (401, 404)


@settings(max_examples=60, deadline=None)
@given(key=st.binary(min_size=1, max_size=80), body=st.binary(max_size=300), flip=st.integers(min_value=0))
def test_any_body_verifies_and_one_changed_bit_of_it_does_not(key: bytes, body: bytes, flip: int) -> None:
    verifier = built(auth="hmac", keys=SecretStr(b64encode(key).decode()), key_encoding="base64")
    headers = {"X-Webhook-Signature": mac(key, body)}
    assert verify(verifier, headers, body) == 200
    changed = bytearray(body or b"\0")
    changed[flip % len(changed)] ^= 1 << flip % 8
    assert verify(verifier, headers, bytes(changed)) == 401


def test_a_refusal_says_nothing_of_what_was_sent() -> None:
    for verifier in VERIFIERS:
        with pytest.raises(WebhookError) as refused:
            verifier.verify(Signed(headers=[(name, "Bearer CANARY") for name in NAMES], body=b"CANARY", now=NOW))
        assert "CANARY" not in str(refused.value)
        assert refused.value.__cause__ is None
