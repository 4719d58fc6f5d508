"""Inbound authentication by shared secrets and by HMAC: what is let in, and nothing else is."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from typing import Any, Final

import orjson
import pytest
from pydantic import SecretStr

from bridge.errors import WebhookError
from bridge.providers.schemes import DUMMY, Signed
from tests.support.signed_posts import BODY, NEW, NOW, OLD, OTHER, PEM, STAMP, WHSEC, built, mac, verify


@pytest.mark.parametrize(
    ("inbound", "right"),
    [
        ({"auth": "bearer", "secret": NEW}, {"Authorization": "Bearer {}"}),
        ({"auth": "headers", "name": "X-Bridge-Token", "value": NEW}, {"x-bridge-token": "{}"}),
        ({"auth": "headers", "username": NEW, "password": NEW}, {"Auth-username": "{}", "Auth-password": "{}"}),
    ],
)
def test_a_secret_header_lets_in_its_value_and_nothing_near_it(inbound: dict[str, Any], right: dict[str, str]) -> None:
    verifier = built(**inbound)

    def answer(value: str) -> int:
        return verify(verifier, {name: form.format(value) for name, form in right.items()})

    secret = NEW.get_secret_value()
    assert answer(secret) == 200
    wrong = ("", secret[:-1], secret + "x", secret.upper(), OTHER.get_secret_value(), "é" * 9, "\ud800", "\udcff\0")
    assert [answer(value) for value in wrong] == [401] * len(wrong)
    assert verify(verifier) == 401
    assert not verifier.needs_path_secret


@pytest.mark.parametrize("missing", ["Auth-username", "Auth-password"])
def test_one_right_half_of_a_header_pair_is_not_enough(missing: str) -> None:
    verifier = built(auth="headers", username=OLD, password=NEW)
    right = {"Auth-username": OLD.get_secret_value(), "Auth-password": NEW.get_secret_value()}
    assert verify(verifier, right) == 200
    assert verify(verifier, {**right, missing: "wrong"}) == 401
    assert verify(verifier, {name: value for name, value in right.items() if name != missing}) == 401


@pytest.mark.parametrize("value", ["Basic {}", "{}", "Bearer{}", "Bearer", "bearer\t{}", "Token Bearer {}"])
def test_only_the_bearer_scheme_carries_a_bearer_secret(value: str) -> None:
    verifier = built(auth="bearer", secret=NEW)
    assert verify(verifier, {"authorization": value.format(NEW.get_secret_value())}) == 401
    assert verify(verifier, {"authorization": f"bearer  {NEW.get_secret_value()}"}) == 200


def test_the_path_secret_is_compared_and_a_wrong_one_is_not_found() -> None:
    verifier = built(auth="path", secret=NEW)
    assert verifier.needs_path_secret
    assert verify(verifier, path=NEW.get_secret_value()) == 200
    for wrong in (None, "", NEW.get_secret_value()[:-1], "\ud800", "é"):
        assert verify(verifier, path=wrong) == 404


def test_an_unknown_account_is_refused_just_as_a_wrong_path_secret() -> None:
    refusals = []
    for verifier in (DUMMY, built(auth="path", secret=NEW)):
        with pytest.raises(WebhookError) as refused:
            verifier.verify(Signed(headers=(), body=BODY, path_secret="guess", now=NOW))
        refusals.append((refused.value.status, refused.value.reason))
    assert refusals[0] == refusals[1] == (404, "not found")


@pytest.mark.parametrize(
    ("inbound", "headers"),
    [
        ({"auth": "hmac", "keys": NEW}, {}),
        ({"auth": "hmac", "keys": NEW}, {"X-Webhook-Signature": mac(NEW)[:-1]}),
        ({"auth": "hmac", "keys": NEW, "encoding": "hex"}, {"X-Webhook-Signature": mac(NEW)}),
        ({"auth": "hmac", "keys": NEW, "prefix": "sha256="}, {"X-Webhook-Signature": mac(NEW)}),
        ({"auth": "standard-webhooks", "secrets": SecretStr(WHSEC)}, {}),
        (
            {"auth": "standard-webhooks", "secrets": SecretStr(WHSEC)},
            {"webhook-id": "m", "webhook-timestamp": str(STAMP - 400), "webhook-signature": "v1,x"},
        ),
    ],
)
def test_a_signature_that_can_be_none_is_refused_without_the_body(
    inbound: dict[str, Any], headers: dict[str, str]
) -> None:
    verifier = built(**inbound)
    assert verifier.needs_body
    with pytest.raises(WebhookError) as refused:
        verifier.verify_head(Signed(headers=[*headers.items()], body=b"", now=NOW))
    assert refused.value.status == 401


@pytest.mark.parametrize(
    "inbound",
    [
        {"auth": "headers", "username": OLD, "password": NEW},
        {"auth": "bearer", "secret": NEW},
        {"auth": "path", "secret": NEW},
        {"auth": "es256", "public_key": PEM},
    ],
)
def test_a_secret_in_the_head_is_refused_without_the_body(inbound: dict[str, Any]) -> None:
    verifier = built(**inbound)
    assert not verifier.needs_body
    assert verifier.needs_time == (inbound["auth"] == "es256")
    with pytest.raises(WebhookError):
        verifier.verify_head(Signed(headers=[("Authorization", "Bearer x")], body=b"", path_secret="x", now=NOW))


@pytest.mark.parametrize(
    "inbound",
    [
        {"auth": "bearer", "secret": [NEW, OLD]},
        {"auth": "headers", "name": "Authorization", "value": [SecretStr(f"Bearer {NEW.get_secret_value()}")]},
        {"auth": "hmac", "keys": [NEW, OLD]},
    ],
)
def test_a_header_sent_twice_is_refused_even_if_both_are_right(inbound: dict[str, Any]) -> None:
    verifier = built(**inbound)
    name, value = "Authorization", f"Bearer {NEW.get_secret_value()}"
    if inbound["auth"] == "hmac":
        name, value = "X-Webhook-Signature", mac(NEW)
    assert verify(verifier, [(name, value)]) == 200
    assert verify(verifier, [(name, value), (name.lower(), value)]) == 401


@pytest.mark.parametrize("accepted", [[OLD, NEW], [NEW, OLD]])
def test_both_secrets_of_a_rotation_are_accepted_and_a_revoked_one_is_not(accepted: list[SecretStr]) -> None:
    for secret, after in ((OLD, 401), (NEW, 200), (OTHER, 401)):
        during = 401 if secret is OTHER else 200
        text = secret.get_secret_value()
        bearer = {"Authorization": f"Bearer {text}"}
        assert verify(built(auth="bearer", secret=accepted), bearer) == during
        assert verify(built(auth="bearer", secret=[NEW]), bearer) == after
        assert verify(built(auth="path", secret=accepted), path=text) == (during if during == 200 else 404)
        assert verify(built(auth="headers", name="x", value=accepted), {"X": text}) == during
        assert verify(built(auth="hmac", keys=accepted), {"X-Webhook-Signature": mac(secret)}) == during
        assert verify(built(auth="hmac", keys=[NEW]), {"X-Webhook-Signature": mac(secret)}) == after


def test_no_authentication_lets_anything_in() -> None:
    assert verify(built(auth="none")) == 200


@pytest.mark.parametrize("right", [OLD, NEW, OTHER])
def test_every_secret_is_compared_as_bytes_of_one_length_whichever_is_right(
    right: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def recorded(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return compare(one, other)

    monkeypatch.setattr("bridge.providers.schemes.hmac.compare_digest", recorded)
    text = right.get_secret_value()
    for inbound, headers in (
        ({"auth": "bearer", "secret": [OLD, NEW, OTHER]}, {"Authorization": f"Bearer {text}"}),
        ({"auth": "path", "secret": [OLD, NEW, OTHER]}, {}),
        ({"auth": "headers", "name": "x", "value": [OLD, NEW, OTHER]}, {"X": text}),
        ({"auth": "hmac", "keys": [OLD, NEW, OTHER]}, {"X-Webhook-Signature": mac(right)}),
    ):
        compared.clear()
        assert verify(built(**inbound), headers, path=text) == 200
        assert len(compared) == 6, "three secrets, two forms of headers"
        assert all(isinstance(each, bytes) for pair in compared for each in pair)
        assert len({len(each) for pair in compared for each in pair}) == 1


@pytest.mark.parametrize(
    ("key", "body", "value"),
    [
        ("secret", '{"event":"message","data":"test"}', "UtAE5LaeNjrL33PUEQfh69YKw7UhrrkOL9tQN0+xIrI="),
        ("secret-key", '{"some":"payload"}', "Bq1g+eoWPzyDxcVsyqSfJaTHxwAIVJPuJ/kAf+Ef0QA="),
        (
            "wh-key-0001=",
            (
                '{"event_type":"message.received","event_id":"e-1","message":{"messageId":7,"traffic":"incoming",'
                '"message":{"type":"text","text":"café"}}}'
            ),
            "5ALEOZJLhTzCi4gLP/xxYl5JV46rNmI2d9iIkXMM+es=",
        ),
    ],
)
def test_the_vectors_known_from_aelyst_verify(key: str, body: str, value: str) -> None:
    verifier = built(auth="hmac", keys=[SecretStr("another"), SecretStr(key)])
    assert verify(verifier, {"X-Webhook-Signature": value}, body.encode()) == 200
    assert verify(verifier, {"X-Webhook-Signature": value}, body.encode() + b" ") == 401


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["base64", "hex"])
def test_algorithm_encoding_prefix_and_header_are_configurable(algorithm: str, encoding: str) -> None:
    digest = hmac.new(b"k", BODY, algorithm).digest()
    text = digest.hex() if encoding == "hex" else b64encode(digest).decode()
    verifier = built(
        auth="hmac",
        keys=SecretStr("k"),
        header="X-Hub-Signature",
        algorithm=algorithm,
        encoding=encoding,
        prefix=f"{algorithm}=",
    )
    assert verify(verifier, {"X-Hub-Signature": f"{algorithm}={text}"}) == 200
    wrong = [text, f"md5={text}", f"{algorithm}={text}=", f"{algorithm.upper()}={text}", f"{algorithm}= {text}"]
    assert [verify(verifier, {"X-Hub-Signature": value}) for value in wrong] == [401] * 5


def test_a_key_in_base64_signs_with_what_it_decodes_to_padded_or_not() -> None:
    for text in (b64encode(b"key").decode(), b64encode(b"keys").decode().rstrip("=")):
        verifier = built(auth="hmac", keys=SecretStr(text), key_encoding="base64")
        key = b"keys" if text.startswith("a2V5c") else b"key"
        assert verify(verifier, {"X-Webhook-Signature": mac(key)}) == 200
        assert verify(verifier, {"X-Webhook-Signature": mac(text)}) == 401


RIGHT: Final = mac(NEW)
HEX: Final = hmac.new(NEW.get_secret_value().encode(), BODY, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "=",
        RIGHT[:-1],
        RIGHT + "=",
        RIGHT[:20] + "\n" + RIGHT[20:],
        RIGHT[:20] + "!" + RIGHT[20:],
        " " + RIGHT,
        RIGHT.lower(),
        HEX,
        HEX.upper(),
        f"sha256={RIGHT}",
        f"sha1={RIGHT}",
        f"v1,{RIGHT}",
        f"{RIGHT},{RIGHT}",
        f"{RIGHT} {RIGHT}",
        mac(OTHER),
        mac(NEW, b"other"),
        mac(NEW, orjson.dumps({"text": "café", "event": "message"})),
        mac(NEW, algorithm="sha1"),
        "é" * 44,
        "\ud800" * 44,
        "x" * 1_000_000,
    ],
)
def test_a_malformed_or_foreign_hmac_is_401(value: str) -> None:
    assert verify(built(auth="hmac", keys=[NEW]), {"X-Webhook-Signature": value}) == 401
