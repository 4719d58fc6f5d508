"""What Telegram and Slack post to a bot, and how they answer its replies."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from functools import partial
from typing import Final

from bridge.bench.closed_loop import Dialect
from bridge.bench.webhooks import THREADS, request
from tests.bench.peers.serving import PATH, SECRET

_TEXT: Final = "Halo, saya mau tanya stok no-{number:08}"
_USER: Final = {"id": 4242424, "is_bot": True, "first_name": "Bench", "username": "bench_bot"}
_CHAT: Final = {"id": 1, "type": "private"}


def telegram() -> Dialect:
    """One answer for all methods: of getMe it is the bot, and of sendMessage the message."""
    result = {**_USER, "message_id": 1, "date": 1_700_000_000, "chat": _CHAT, "text": "sent", "from": _USER}
    return Dialect(webhook=_update, answer=json.dumps({"ok": True, "result": result}).encode())


def slack() -> Dialect:
    """One answer for all methods: of auth.test it is the bot, and of chat.postMessage the message."""
    result = {"ok": True, "url": "https://bench.slack.com/", "team_id": "T1", "user_id": "U0", "bot_id": "B0"}
    answer = {**result, "channel": "D1", "ts": "1.1", "message": {"text": "sent"}}
    return Dialect(
        webhook=partial(_event, os.urandom(4).hex()), answer=json.dumps(answer).encode(), about=b"/api/auth.test"
    )


def _update(number: int) -> bytes:
    contact = number % THREADS + 1
    person = {"id": contact, "is_bot": False, "first_name": "Bayu", "last_name": "Prakoso"}
    message = {
        "message_id": number,
        "from": person,
        "chat": {"id": contact, "type": "private", "first_name": "Bayu"},
        "date": int(time.time()),
        "text": _TEXT.format(number=number),
    }
    body = json.dumps({"update_id": number, "message": message}).encode()
    return request(PATH, body, {"X-Telegram-Bot-Api-Secret-Token": SECRET})


def _event(run: str, number: int) -> bytes:
    contact = number % THREADS
    stamp = f"{time.time():.0f}.{number:06}"
    event = {
        "type": "message",
        "user": f"U{contact:04}A",
        "text": _TEXT.format(number=number),
        "ts": stamp,
        "channel": f"D{contact:04}",
        "channel_type": "im",
        "event_ts": stamp,
    }
    envelope = {
        "token": "bench",
        "team_id": "T1",
        "api_app_id": "A1",
        "type": "event_callback",
        "event_id": f"Ev{run}{number:08}",
        "event_time": int(time.time()),
        "authorizations": [{"team_id": "T1", "user_id": "U0", "is_bot": True}],
        "event": event,
    }
    body = json.dumps(envelope).encode()
    moment = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), b"v0:" + moment.encode() + b":" + body, hashlib.sha256).hexdigest()
    return request(PATH, body, {"X-Slack-Request-Timestamp": moment, "X-Slack-Signature": f"v0={signature}"})
