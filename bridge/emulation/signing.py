"""The other side of inbound authentication: what a webhook has to carry to pass an account's own door."""

from __future__ import annotations

import hmac
from base64 import b64encode
from typing import TYPE_CHECKING, Final

from bridge.providers.key_formats import key_bytes, standard_key
from bridge.providers.schemes import as_bytes, as_hex
from bridge.providers.signatures import BearerAuth, Es256Auth, HeadersAuth, HmacAuth, StandardWebhooksAuth
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from pydantic import SecretStr

    from bridge.providers.signatures import InboundSettings

_ENCODERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {"base64": b64encode, "hex": as_hex}


def signer_for(inbound: InboundSettings, now: Callable[[], int], rng: Random) -> Callable[[bytes], Mapping[str, str]]:
    """The function that makes a webhook's headers from its body, with the first of several secrets.

    `now` gives microseconds; `rng` makes the ids that standard-webhooks wants. A path secret is part of the URL, and
    needs no header.

    Raises:
        ValueError: the account knows only public keys, and what they check cannot be made from them.
    """
    match inbound:
        case HeadersAuth(name=str(name), value=(value, *_)):
            return _always({name: _open(value)})
        case HeadersAuth(username=(username, *_), password=(password, *_)):
            return _always({"Auth-username": _open(username), "Auth-password": _open(password)})
        case BearerAuth(secret=(secret, *_)):
            return _always({"Authorization": f"Bearer {_open(secret)}"})
        case HmacAuth():
            return _hmac(inbound)
        case StandardWebhooksAuth(secrets=secrets):
            return _standard([_open(each) for each in secrets], now, rng)
        case Es256Auth():
            raise ValueError("an es256 token is made with a private key, which the account does not have")
        case _:
            return _always({})


def _open(secret: SecretStr) -> str:
    return secret.get_secret_value()


def _always(headers: Mapping[str, str]) -> Callable[[bytes], Mapping[str, str]]:
    return lambda _: headers


def _hmac(inbound: HmacAuth) -> Callable[[bytes], Mapping[str, str]]:
    text = _open(inbound.keys[0])
    key = key_bytes(text) if inbound.key_encoding == "base64" else as_bytes(text)
    encode = _ENCODERS[inbound.encoding]

    def sign(body: bytes) -> Mapping[str, str]:
        return {inbound.header: inbound.prefix + encode(hmac.digest(key, body, inbound.algorithm)).decode()}

    return sign


def _standard(secrets: list[str], now: Callable[[], int], rng: Random) -> Callable[[bytes], Mapping[str, str]]:
    keys = [key for each in secrets if isinstance(key := standard_key(each), bytes)]
    if not keys:
        raise ValueError("whpk_ keys only check what a whsec_ secret would sign, and the account has none")

    def sign(body: bytes) -> Mapping[str, str]:
        message_id, timestamp = f"msg_{rng.getrandbits(96):024x}", str(now() // SECOND)
        content = b"%b.%b.%b" % (message_id.encode(), timestamp.encode(), body)
        signature = b64encode(hmac.digest(keys[0], content, "sha256")).decode()
        return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}

    return sign


__all__ = ["signer_for"]
