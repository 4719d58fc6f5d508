"""The door: what each request is answered, and that a refused one leaves nothing behind."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from bridge.app.http import create_app
from bridge.engine.patience import Patience
from bridge.engine.shares import Shares
from bridge.errors import Unavailable, WebhookError
from bridge.web.limits import inflate
from bridge.web.webhooks import IN_FLIGHT
from tests.support.webhook_door import Door, opened
from tests.support.whole_bridges import (
    DESK_HOOK,
    JSON,
    RELAY_HOOK,
    SECRET,
    SHOP,
    SHOP_HOOK,
    body,
    configuration,
    konnek_text,
    peer_text,
    silent,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_aiohttp import AiohttpClient

GOOD: Final = body(konnek_text())
BOMB: Final = gzip.compress(bytes(10**7))
HOSTILE: Final = body(konnek_text(text="{{7*7}}<script>"))


@pytest.fixture
async def door(tmp_path: Path, aiohttp_client: AiohttpClient) -> Door:
    return await opened(tmp_path, aiohttp_client)


REFUSED: Final[dict[str, tuple[int, str, bytes, dict[str, str]]]] = {
    "no credentials": (401, SHOP_HOOK, GOOD, {"Auth_username": "", "Auth_password": ""}),
    "wrong password": (401, SHOP_HOOK, GOOD, {"Auth_password": "b" * 28}),
    "empty password": (401, SHOP_HOOK, GOOD, {"Auth_password": " "}),
    "password beyond ASCII": (401, SHOP_HOOK, GOOD, {"Auth_password": "pässwörd"}),
    "another account's credentials": (401, RELAY_HOOK, body(peer_text()), {"Authorization": ""}),
    "no bearer": (401, RELAY_HOOK, body(peer_text()), {"Authorization": SECRET}),
    "wrong credentials and no JSON": (401, SHOP_HOOK, b"nonsense", {"Auth_password": "x"}),
    "unknown account": (404, "/webhooks/nope", GOOD, {}),
    "unknown account with a channel": (404, "/webhooks/nope/whatsapp", GOOD, {}),
    "unknown account with all": (404, f"/webhooks/nope/{SECRET}/whatsapp", GOOD, {}),
    "wrong path secret": (404, f"/webhooks/desk/{SECRET[:-1]}/whatsapp", GOOD, {}),
    "no path secret": (404, "/webhooks/desk/whatsapp", GOOD, {}),
    "neither secret nor channel": (404, "/webhooks/desk", GOOD, {}),
    "the secret, and no channel of several": (404, f"/webhooks/desk/{SECRET}", GOOD, {}),
    "unknown channel": (404, "/webhooks/shop/fax", GOOD, {}),
    "unknown channel behind a secret": (404, f"/webhooks/desk/{SECRET}/fax", GOOD, {}),
    "no channel of several": (404, "/webhooks/shop", GOOD, {}),
    "a channel too many": (404, "/webhooks/shop/whatsapp/line", GOOD, {}),
    "a channel where there is none": (404, "/webhooks/relay/whatsapp", body(peer_text()), {}),
    "four segments": (404, "/webhooks/shop/a/b/c", GOOD, {}),
    "no account": (404, "/webhooks/", GOOD, {}),
    "larger than 256 KiB": (413, SHOP_HOOK, GOOD + b" " * 262_144, {}),
    "256 KiB out of gzip": (413, SHOP_HOOK, gzip.compress(bytes(300_000)), {"Content_Encoding": "gzip"}),
    "no content type": (415, SHOP_HOOK, GOOD, {"Content_Type": ""}),
    **{
        f"type {kind}": (415, SHOP_HOOK, GOOD, {"Content_Type": kind})
        for kind in (
            "text/plain",
            "text/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/octet-stream",
            "application/jsonp",
            "json",
            ";",
            *(f"application/json; charset={name}" for name in ("utf-7", "unicode_escape", "punycode", "utf-16")),
            *(f"application/json; charset={name}" for name in ("latin-1", "cp037", "ascii", "nonsense")),
        )
    },
    **{
        f"encoding {coding}": (415, SHOP_HOOK, GOOD, {"Content_Encoding": coding})
        for coding in ("bogus", "gzip, br", "br", "deflate", "zstd", "gzip, gzip", "compress")
    },
}


@pytest.mark.parametrize(("status", "path", "content", "headers"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.slow
async def test_a_refusal_says_nothing_and_leaves_nothing(
    door: Door, status: int, path: str, content: bytes, headers: dict[str, str]
) -> None:
    with capture_logs() as lines:
        found, answer, sent = await door.post(path, content, **headers)
    assert found == status
    assert set(orjson.loads(answer)) == {"error"}
    assert SECRET.encode() not in answer
    assert sent["Content-Type"] == "application/json"
    assert (await door.threads(), await door.reasons()) == (0, [])
    assert len(lines) <= 1


@pytest.mark.parametrize(
    ("path", "content", "headers", "line"),
    [
        (SHOP_HOOK, GOOD, {"Auth_password": "x"}, ("shop", 401, "wrong credentials")),
        (SHOP_HOOK, GOOD, {"Auth_password": ""}, ("shop", 401, "auth-password is missing")),
        (SHOP_HOOK, b"[]", {}, ("shop", 400, "not a JSON object")),
        (
            SHOP_HOOK,
            GOOD,
            {"Content_Type": "text/plain"},
            ("shop", 415, "not JSON: want content type application/json"),
        ),
        (SHOP_HOOK, GOOD + b" " * 262_144, {}, ("shop", 413, "larger than 262144 bytes")),
        (f"/webhooks/desk/{SECRET[:-1]}/whatsapp", GOOD, {}, ("desk", 404, "wrong path secret")),
        ("/webhooks/shop/fax", GOOD, {}, ("shop", 404, "the URL's channel is none of the account's")),
        ("/webhooks/shop", GOOD, {}, ("shop", 404, "the URL names no channel")),
        ("/webhooks/nope", GOOD, {}, (None, 404, "no account of this name with a secret")),
        ("/webhook/shop", GOOD, {}, (None, 404, "not found")),
    ],
)
@pytest.mark.slow
async def test_a_refusal_leaves_a_line_that_names_account_status_reason_and_peer(
    door: Door, path: str, content: bytes, headers: dict[str, str], line: tuple[str | None, int, str]
) -> None:
    with capture_logs() as lines:
        await door.post(path, content, **headers)
    assert [(each.get("account"), each["status"], each["reason"]) for each in lines] == [line]
    assert [(each["event"], each["peer"]) for each in lines] == [("request_refused", "127.0.0.1")]


async def test_quarantine_leaves_a_line_without_a_word_of_the_webhook(door: Door) -> None:
    with capture_logs() as lines:
        for content in (GOOD, b'{"canary": 1}', body(konnek_text(text="canary"))) * 2:
            assert await door.status(SHOP_HOOK, content) == 200
    told = [line for line in lines if line["event"] == "webhook_quarantined"]
    assert {(line["account"], line["status"], line["peer"]) for line in told} == {("shop", 200, "127.0.0.1")}
    assert [line["reason"] for line in told[:2]] == [
        "not understood; the dead letter has the reason",
        "its event key is known with another content",
    ]
    assert "canary" not in str(lines)


async def test_all_that_is_not_there_looks_alike(door: Door) -> None:
    """To the byte, headers included: an unknown account, a wrong secret, a channel that is none."""
    seen = []
    for status, path, content, headers in REFUSED.values():
        if status == 404:
            _, answer, sent = await door.post(path, content, **headers)
            seen.append((answer, *sorted((name, value) for name, value in sent.items() if name != "Date")))
    assert (len(seen) > 10, len(set(seen))) == (True, 1)


@pytest.mark.parametrize("tail", ["", "/whatsapp", f"/{SECRET}/whatsapp"])
async def test_the_route_to_a_secret_in_the_path_is_that_of_an_unknown_account(tmp_path: Path, tail: str) -> None:
    """A route of its own is found sooner, and would tell that there is such an account."""
    app = create_app(configuration(tmp_path), router=silent())
    requests = [make_mocked_request("POST", f"/webhooks/{name}{tail}") for name in ("desk", "nope")]
    known, unknown = [(await app.router.resolve(request)).route for request in requests]
    assert known is unknown


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Type": "application/json;charset=UTF-8"},
        {"Content_Type": 'Application/JSON; charset="utf-8"'},
        {"Content_Type": "application/json; charset=utf8; v=1"},
        {"Content_Type": "application/vnd.gateway.v1+json"},
        {"Content_Encoding": "identity"},
        {"X_Forwarded_For": "1.2.3.4", "User_Agent": 'a" b%0d%0a'},
    ],
    ids=str,
)
@pytest.mark.slow
async def test_what_is_json_in_utf8_is_taken(door: Door, headers: dict[str, str]) -> None:
    assert (await door.post(SHOP_HOOK, GOOD, **headers))[:2] == (200, b'{"ok": true}')
    assert (await door.threads(), await door.reasons()) == (1, [])


@pytest.mark.parametrize(
    ("path", "content"),
    [(SHOP_HOOK, GOOD), (DESK_HOOK, GOOD), (RELAY_HOOK, body(peer_text()))],
    ids=["headers", "path", "bearer"],
)
async def test_a_repetition_is_answered_alike_and_stored_once(door: Door, path: str, content: bytes) -> None:
    """W60."""
    first = await door.post(path, content)
    again = await asyncio.gather(*(door.post(path, content) for _ in range(20)))
    assert {(status, answer) for status, answer, _ in [first, *again]} == {(200, b'{"ok": true}')}
    assert (await door.threads(), await door.reasons()) == (1, [])


async def test_a_key_with_another_content_is_kept_aside(door: Door) -> None:
    """W61: the first one counts."""
    assert await door.status(SHOP_HOOK, GOOD) == 200
    assert await door.status(SHOP_HOOK, body(konnek_text(text="something else"))) == 200
    assert await door.threads() == 1
    assert len(await door.reasons()) == 1


async def test_one_key_at_two_accounts_is_two_events(door: Door) -> None:
    """W63."""
    assert await door.status(SHOP_HOOK, GOOD) == 200
    assert await door.status(DESK_HOOK, GOOD) == 200
    assert await door.threads() == 2


async def test_a_store_that_cannot_is_503_and_says_when(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def receive(_: object) -> None:
        raise Unavailable("disk full: /secret/path")

    monkeypatch.setattr(door.bridge.store, "receive", receive)
    with capture_logs() as lines:
        status, answer, headers = await door.post(SHOP_HOOK, HOSTILE)
    assert (status, answer) == (503, b'{"error":"not stored"}')
    assert 5 <= int(headers["Retry-After"]) <= 30
    assert [line["event"] for line in lines] == ["webhook_not_stored"]
    monkeypatch.undo()
    assert await door.status(SHOP_HOOK, HOSTILE) == 200


async def test_a_store_that_takes_too_long_is_503_and_the_event_is_not_lost(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender repeats it; the first one was stored after all, and counts once."""
    receive, late = door.bridge.store.receive, asyncio.Event()

    async def slow(arrivals: Any) -> Any:
        async def storing() -> Any:
            await late.wait()
            return await receive(arrivals)

        return await asyncio.shield(asyncio.create_task(storing()))

    monkeypatch.setattr(door.bridge.store, "receive", slow)
    monkeypatch.setattr(door.bridge.webhooks, "_patience", Patience(0.02))
    assert await door.status(SHOP_HOOK, GOOD) == 503
    assert await door.threads() == 0
    late.set()
    monkeypatch.undo()
    assert await door.status(SHOP_HOOK, GOOD) == 200
    assert (await door.threads(), await door.reasons()) == (1, [])


async def test_more_than_can_be_held_is_503(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door.bridge.webhooks, "_in_flight", Shares(0))
    status, answer, headers = await door.post(SHOP_HOOK, GOOD)
    assert (status, answer) == (503, b'{"error":"too many requests at once"}')
    assert int(headers["Retry-After"]) > 0
    monkeypatch.undo()
    assert await door.status(SHOP_HOOK, GOOD) == 200


async def test_a_flood_on_one_account_closes_the_door_to_no_other(door: Door) -> None:
    in_flight = door.bridge.webhooks._in_flight
    while in_flight.has_room("shop"):
        in_flight.take("shop")
    assert in_flight.total == IN_FLIGHT
    assert await door.status(SHOP_HOOK, GOOD) == 503
    assert await door.status(DESK_HOOK, GOOD) == 200
    in_flight.give("shop")
    assert await door.status(SHOP_HOOK, GOOD) == 200


async def test_what_fails_inside_is_500_without_a_word_of_it(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing known does; this is the last line of defence."""

    async def accept(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(door.bridge.webhooks, "accept", accept)
    with capture_logs() as lines:
        assert (await door.post(SHOP_HOOK, GOOD))[:2] == (500, b'{"error":"internal error"}')
    assert [line["event"] for line in lines] == ["request_failed"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (SHOP_HOOK, {"Auth_password": "x"}, 401),
        (RELAY_HOOK, {"Authorization": "Bearer x"}, 401),
        (f"/webhooks/desk/{SECRET[:-1]}/whatsapp", {}, 404),
        ("/webhooks/shop/fax", {}, 404),
        ("/webhooks/nope", {}, 404),
    ],
)
async def test_nothing_is_inflated_for_a_peer_that_proves_nothing(
    door: Door, monkeypatch: pytest.MonkeyPatch, path: str, headers: dict[str, str], status: int
) -> None:
    def inflate(*_: object) -> bytes:
        raise AssertionError("inflated")

    monkeypatch.setattr("bridge.web.limits.inflate", inflate)
    assert await door.status(path, BOMB, Content_Encoding="gzip", **headers) == status


@pytest.mark.parametrize(
    ("content", "status"),
    [(gzip.compress(GOOD), 200), (b"not gzip", 400), (gzip.compress(GOOD)[:40], 400), (BOMB, 413)],
    ids=["gzip", "none", "cut", "a bomb"],
)
async def test_a_server_that_inflates_by_itself_changes_nothing(
    tmp_path: Path, aiohttp_client: AiohttpClient, content: bytes, status: int
) -> None:
    """As aiohttp's own does, where the bridge is part of somebody else's application."""
    client = await aiohttp_client(create_app(configuration(tmp_path), router=silent()))
    headers = {**JSON, **SHOP, "Content-Encoding": "gzip"}
    answer = await client.post(SHOP_HOOK, data=content, headers=headers)
    assert answer.status == status


@pytest.mark.parametrize("content", [b"", GOOD, b"\x1f", b"\x1f\x8b"], ids=["none", "JSON", "a byte", "two bytes"])
async def test_gzip_that_is_announced_has_to_be_there(door: Door, content: bytes) -> None:
    assert await door.status(SHOP_HOOK, content, Content_Encoding="gzip") == 400


async def test_gzip_that_is_cut_anywhere_is_refused(door: Door) -> None:
    """Within its trailer too, where all of the JSON is there."""
    whole = gzip.compress(GOOD)
    for kept in range(len(whole) - 10, len(whole)):
        assert await door.status(SHOP_HOOK, whole[:kept], Content_Encoding="gzip") == 400
    assert await door.status(SHOP_HOOK, whole, Content_Encoding="gzip") == 200


def test_no_more_is_inflated_than_is_taken() -> None:
    assert len(inflate(BOMB, 1_000)) == 1_001
    assert inflate(gzip.compress(b"a") * 16, 1_000) == b"a" * 16
    for pieces in (b"", b"a"):
        with pytest.raises(WebhookError, match="too many pieces"):
            inflate(gzip.compress(pieces) * 17, 1_000)
