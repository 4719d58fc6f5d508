"""Konnek's webhook for a text, whose reply repeats its number, and the gateway's answer to the reply."""

from __future__ import annotations

import hashlib
import json
import os
from functools import partial
from typing import TYPE_CHECKING, Final

from bridge.bench.closed_loop import Dialect

if TYPE_CHECKING:
    from collections.abc import Mapping

THREADS: Final = 1000
PATH: Final = "/webhooks/shop/whatsapp"
SECRET: Final = "bench-secret-bench-secret"  # noqa: S105 - of a server that lives for a minute on this machine
_HEADERS: Final = {"Auth-username": SECRET, "Auth-password": SECRET}
_ANSWER: Final = (
    b'{"meta":{"status":true,"code":200,"message":"OK","errors":null},"data":{"message_id":"m","status":0,"tid":"t"}}'
)


def konnek() -> Dialect:
    """A new webhook each time, from one of a thousand contacts; no other run has its ids."""
    return Dialect(webhook=partial(_webhook, os.urandom(6).hex()), answer=_ANSWER)


def _webhook(run: str, number: int) -> bytes:
    body = {
        "from": {"avatar": "", "description": "", "name": "Bayu Prakoso", "username": f"62812{number % THREADS:09}"},
        "message": {
            "id": hashlib.blake2b(f"{run}-{number}".encode(), digest_size=16).hexdigest(),
            "type": "text",
            "text": f"Halo, saya mau tanya stok no-{number:08}",
            "media": None,
            "location": None,
            "postback": None,
            "interactive": None,
        },
    }
    return request(PATH, json.dumps(body).encode(), _HEADERS)


def request(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A whole POST request."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
