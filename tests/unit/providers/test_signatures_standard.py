"""Standard Webhooks at the door: what its own library signs is let in, and nothing malformed."""

from __future__ import annotations

import hmac
from base64 import b64encode
from datetime import UTC, datetime
from importlib import import_module
from typing import Final

import pytest
from pydantic import SecretStr

from tests.support.signed_posts import BODY, ED25519, RAW_KEY, STAMP, WHPK, WHSEC, built, verify


def standard(**changes: str) -> dict[str, str]:
    """The headers of a right v1 request, with some replaced."""
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(STAMP), **changes}
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + BODY
    signed = b64encode(hmac.new(RAW_KEY, content, "sha256").digest()).decode()
    return {"webhook-signature": f"v1,{signed}", **headers}


V1: Final = standard()["webhook-signature"]
V1A: Final = "v1a," + b64encode(ED25519.sign(f"msg_1.{STAMP}.".encode() + BODY)).decode()


@pytest.mark.parametrize("library", ["standardwebhooks", "svix.webhooks"])
@pytest.mark.parametrize("secret", [WHSEC, WHSEC.removeprefix("whsec_")])
@pytest.mark.slow
def test_what_the_reference_libraries_sign_verifies(library: str, secret: str) -> None:
    signer = import_module(library).Webhook  # here, since svix takes a second to import
    signature = signer(secret).sign("msg_2", datetime.fromtimestamp(STAMP, UTC), BODY.decode())
    headers = {"webhook-id": "msg_2", "webhook-timestamp": str(STAMP), "webhook-signature": signature}
    verifier = built(auth="standard-webhooks", secrets=[SecretStr(secret)])
    assert verify(verifier, headers) == 200
    assert verify(verifier, headers, BODY + b" ") == 401
    assert verify(verifier, {**headers, "webhook-id": "msg_3"}) == 401
    assert verify(verifier, {**headers, "webhook-timestamp": str(STAMP + 1)}) == 401


def test_an_ed25519_signature_verifies_with_the_public_key() -> None:
    headers = standard(**{"webhook-signature": V1A})
    assert verify(built(auth="standard-webhooks", secrets=SecretStr(WHPK)), headers) == 200
    assert verify(built(auth="standard-webhooks", secrets=[SecretStr(WHSEC), SecretStr(WHPK)]), headers) == 200
    assert verify(built(auth="standard-webhooks", secrets=SecretStr(WHPK)), headers, b"{}") == 401


@pytest.mark.parametrize(("seconds", "status"), [(-299, 200), (-300, 200), (-301, 401), (300, 200), (301, 401)])
def test_a_request_is_good_for_five_minutes_either_way(seconds: int, status: int) -> None:
    headers = standard(**{"webhook-timestamp": str(STAMP + seconds)})
    assert verify(built(auth="standard-webhooks", secrets=SecretStr(WHSEC)), headers) == status


def test_the_tolerance_is_configurable() -> None:
    late = standard(**{"webhook-timestamp": str(STAMP - 301)})
    assert verify(built(auth="standard-webhooks", secrets=SecretStr(WHSEC), tolerance="10min"), late) == 200


@pytest.mark.parametrize(
    "timestamp",
    [
        "",
        f"{STAMP}.9",
        f"+{STAMP}",
        f" {STAMP}",
        f"{STAMP} ",
        "1_760_086_800",
        f"0{STAMP}",
        f"-{STAMP}",
        "".join(chr(0x0660 + int(digit)) for digit in str(STAMP)),
        "1e9",
        "1.7600868e9",
        "nan",
        "inf",
        "1" * 400,
        f"{STAMP}\n",
        str(STAMP * 1000),
        hex(STAMP),
    ],
)
def test_a_timestamp_not_written_as_ten_digits_is_401_however_well_signed(timestamp: str) -> None:
    assert verify(
        built(auth="standard-webhooks", secrets=SecretStr(WHSEC)), standard(**{"webhook-timestamp": timestamp})
    ) == (401)


@pytest.mark.parametrize("message_id", ["", "a.b", "msg 1", "msg_1\n", "x" * 4096, "é", "msg\x7f", "."])
def test_an_id_that_could_blur_what_was_signed_is_401_however_well_signed(message_id: str) -> None:
    assert (
        verify(built(auth="standard-webhooks", secrets=SecretStr(WHSEC)), standard(**{"webhook-id": message_id})) == 401
    )


@pytest.mark.parametrize(
    "signature",
    [
        "",
        ",",
        "v1",
        "v1,",
        "v1,a,b",
        f"{V1},",
        f"{V1},b",
        V1[3:],
        V1.upper(),
        V1[:-1],
        f"{V1}=",
        f"{V1[:20]}!{V1[20:]}",
        f"v2,{V1[3:]}",
        f"v1a,{V1[3:]}",
        f"v1,{V1A[4:]}",
        f"v1{V1}",
        f"\t{V1}",
        "v1a,",
        "v1a,é",
        "v1a,\ud800",
        V1A[:-1],
        f"{V1A[:20]}!{V1A[20:]}",
        "v1," + "é" * 44,
        "v1,\ud800",
        " ".join(["v1,junk"] * 20_000),
        " ".join(["v1,junk"] * 8 + [V1]),
        "v1," + "A" * 1_000_000,
    ],
)
def test_a_malformed_signature_list_is_401(signature: str) -> None:
    verifier = built(auth="standard-webhooks", secrets=[SecretStr(WHSEC), SecretStr(WHPK)])
    assert verify(verifier, standard(**{"webhook-signature": signature})) == 401


def test_v1a_without_a_public_key_and_v1_without_a_secret_are_401() -> None:
    assert (
        verify(built(auth="standard-webhooks", secrets=SecretStr(WHSEC)), standard(**{"webhook-signature": V1A})) == 401
    )
    assert verify(built(auth="standard-webhooks", secrets=SecretStr(WHPK)), standard()) == 401


def test_one_right_signature_among_eight_is_enough() -> None:
    verifier = built(
        auth="standard-webhooks", secrets=[SecretStr("whsec_" + b64encode(b"old").decode()), SecretStr(WHSEC)]
    )
    assert verify(verifier, standard(**{"webhook-signature": " ".join(["v1,junk"] * 7 + [V1])})) == 200


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_of_the_three_headers_is_wanted_exactly_once(name: str) -> None:
    verifier = built(auth="standard-webhooks", secrets=SecretStr(WHSEC))
    headers = standard()
    assert verify(verifier, {key: value for key, value in headers.items() if key != name}) == 401
    assert verify(verifier, [*headers.items(), (name, headers[name])]) == 401
