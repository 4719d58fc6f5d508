"""From outside, with nothing but the commands and curl: the gateways log exactly what their documents demand."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tests.faults.harness import SECRETS, Home, until
from tests.support.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
PICTURE = "https://files.example/cat.jpg"
OWN = "bridg-eaaaa-aaaaj-qbota-cai"
BUTTONS = [{"key": "yes", "title": "Yes"}, {"key": "no", "title": "No"}]
SECTIONS = [
    {
        "title": "Pizza",
        "description": "",
        "actions": [
            {"key": "s", "title": "Small", "description": "20 cm"},
            {"key": "l", "title": "Large", "description": ""},
        ],
    }
]
KONNEK_SAYS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("says", {"text": "hello"}, {"type": "text", "body": {"text": "you said: hello"}}),
    (
        "says",
        {"text": "buttons"},
        {
            "type": "button",
            "body": {"text": "Refund?", "button": BUTTONS},
            "header": {"type": "text", "text": "Order 7"},
            "footer": {"title": "", "text": "The shop"},
        },
    ),
    ("presses", {"key": "yes", "title": "Yes"}, {"type": "text", "body": {"text": "pressed yes (Yes)"}}),
    (
        "says",
        {"text": "list"},
        {"type": "list", "body": {"text": "Which size?", "list": {"title": "Sizes", "sections": SECTIONS}}},
    ),
    ("presses", {"key": "l", "title": "Large"}, {"type": "text", "body": {"text": "pressed l (Large)"}}),
    (
        "sends",
        {"kind": "image", "url": PICTURE, "caption": "look"},
        {"type": "image", "body": {"text": "back: look", "media": {"url": PICTURE, "name": "back.jpg"}}},
    ),
    (
        "locates",
        {"latitude": -6.2, "longitude": 106.8},
        {"type": "location", "body": {"location": {"latitude": -6.2, "longitude": 106.8}}},
    ),
]
"""What is done at Konnek, with what, and the body of the request that must follow (beside id, times, recipient)."""

RELATIONLABS_SAYS: list[tuple[str, dict[str, Any], str]] = [
    ("says", {"text": "hello"}, "you said: hello"),
    ("says", {"text": "buttons"}, "Order 7\n\nRefund?\n\n1. Yes\n2. No\n\nThe shop"),
    ("says", {"text": "2"}, "pressed no (No)"),
    ("says", {"text": "list"}, "Which size?\n\nSizes\n\nPizza\n1. Small — 20 cm\n2. Large"),
    ("says", {"text": "large"}, "pressed l (Large)"),
    ("sends", {"kind": "image", "url": PICTURE}, f"back: \nback.jpg\n{PICTURE}"),
    ("locates", {"latitude": -6.2, "longitude": 106.8}, "you said: -6.2, 106.8"),
]
"""The same at RelationLabs, where all is said in words: the content of the TEXT that must follow."""


def curl(url: str, told: dict[str, Any]) -> dict[str, Any]:
    command = ["curl", "--silent", "--show-error", "--max-time", "10", "--data", json.dumps(told), url]
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return answer


@contextmanager
def emulated(home: Home, provider: str, port: int) -> Iterator[Path]:
    """`threadbridge emulate` for the account of `provider`; its log."""
    log = home.folder / f"{provider}.jsonl"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "bridge",
            "emulate",
            provider,
            f"--port={port}",
            "-c",
            "threadbridge.toml",
            f"--log={log}",
        ],
        cwd=home.folder,
        env={**home.inherited(), **SECRETS},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert b"is emulated" in process.stdout.readline()
        yield log
    finally:
        process.terminate()
        process.communicate(timeout=20)


def requests(log: Path) -> list[dict[str, Any]]:
    """What the gateway was sent, in order."""
    return [entry for entry in map(json.loads, log.read_text("utf-8").splitlines()) if "method" in entry]


def answered(log: Path, times: int) -> Callable[[], bool]:
    return lambda: len(requests(log)) >= times


async def conversed(log: Path, url: str, contact: dict[str, str], doings: list[tuple[str, dict[str, Any]]]) -> None:
    """Do one thing after another, each when the last was answered; every webhook is taken."""
    for number, (doing, told) in enumerate(doings, 1):
        answer = curl(f"{url}/_emulator/{doing}", {**contact, **told})
        assert answer["status"] == 200, answer
        await until(f"the answer to {told}", answered(log, number), 10)


async def test_both_gateways_log_exactly_what_their_documents_demand(
    tmp_path: Path, report: Callable[[str], None]
) -> None:
    shop, relay = free_port(), free_port()
    shop_url, relay_url = f"http://127.0.0.1:{shop}", f"http://127.0.0.1:{relay}"
    home = Home(tmp_path, shop=shop_url, relay=relay_url, handlers="outside_bot")
    shutil.copy(Path(__file__).with_name("outside_bot.py"), tmp_path)
    with emulated(home, "konnek", shop) as konnek, emulated(home, "relationlabs", relay) as relationlabs:
        async with home.running() as process:
            ann = {"channel": "whatsapp", "contact": "6281234500099"}
            await conversed(konnek, shop_url, ann, [(doing, told) for doing, told, _ in KONNEK_SAYS])
            bob = {"channel": "group", "contact": "bob"}
            await conversed(relationlabs, relay_url, bob, [(doing, told) for doing, told, _ in RELATIONLABS_SAYS])
            await home.settled()
            key = requests(konnek)[0]["body"]["id"]
            for value in ("read", "delivered"):  # the later one is older news
                assert curl(f"{shop_url}/_emulator/status", {"key": key, "value": value})["status"] == 200
            assert home.rows("SELECT delivery FROM outbox WHERE key = ?", key) == [("read",)]
            assert await home.stopped(process) == 0
        for request, (_, _, body) in zip(requests(konnek), KONNEK_SAYS, strict=True):
            check_konnek(request, body)
        uuids = {
            check_relationlabs(request, content)
            for request, (_, _, content) in zip(requests(relationlabs), RELATIONLABS_SAYS, strict=True)
        }
        assert len(uuids) == len(RELATIONLABS_SAYS)
    report(f"{len(KONNEK_SAYS)} requests to Konnek and {len(RELATIONLABS_SAYS)} to RelationLabs, each as documented")


def check_konnek(request: dict[str, Any], expected: dict[str, Any]) -> None:
    assert (request["method"], request["path"], request["query"]) == ("POST", "/whatsapp/send/demo-client", {})
    assert {"Auth-username", "Auth-password"} <= request["headers"].keys()
    assert request["headers"]["Content-Type"] == "application/json"
    body = dict(request["body"])
    assert UUID(body.pop("id")).version == 5
    assert type(body.pop("times")) is int
    stamp = body.pop("timestamp")
    assert stamp == body.pop("timestampt")
    assert datetime.fromisoformat(stamp).tzinfo is not None
    assert body == {"recipient": "6281234500099", **expected}
    assert request["answer"]["body"]["meta"]["status"] is True


def check_relationlabs(request: dict[str, Any], content: str) -> str:
    """The sendUuid."""
    assert (request["method"], request["path"], request["query"]) == ("POST", "/api/v1/message/send", {})
    assert {"ApiKey", "Authorization"} <= request["headers"].keys()
    assert request["headers"]["Content-Type"] == "application/json"
    body = dict(request["body"])
    send_uuid: str = body.pop("sendUuid")
    channel = body["channelUuid"]
    assert re.fullmatch(rf"{OWN}-{channel}-\d{{13}}-\S+", send_uuid)
    assert body == {"type": "TEXT", "content": content, "channelUuid": channel, "toRelationId": None}
    assert request["answer"]["body"]["code"] == "0"
    return send_uuid
