"""Bodies: what is JSON to us, and what becomes of JSON that means something, or nothing (guarantees W29 to W57)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest

from tests.support.webhook_door import Door, opened
from tests.support.whole_bridges import RELAY_HOOK, SHOP_HOOK, body, konnek_text, peer_text, silent

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_aiohttp import AiohttpClient

pytestmark = pytest.mark.slow  # each of the table asks a server of its own

GOOD: Final = body(konnek_text())


@pytest.fixture
async def door(tmp_path: Path, aiohttp_client: AiohttpClient) -> Door:
    return await opened(tmp_path, aiohttp_client)


def deep(levels: int, inner: bytes = b"1") -> bytes:
    """A good body with a value of so many levels, the body's own included."""
    return GOOD[:-1] + b',"x":' + b"[" * (levels - 1) + inner + b"]" * (levels - 1) + b"}"


def with_x(value: bytes) -> bytes:
    """A good body with one more field of this value."""
    return GOOD[:-1] + b',"x":' + value + b"}"


BAD_JSON: Final[dict[str, bytes]] = {
    "W29 empty": b"",
    "W29 spaces": b" \n\t ",
    "W29 byte order mark": b"\xef\xbb\xbf" + GOOD,
    "W29 UTF-16": GOOD.decode().encode("utf-16"),
    "W29 UTF-16 without mark": GOOD.decode().encode("utf-16-le"),
    "W29 UTF-32": GOOD.decode().encode("utf-32"),
    "W30 invalid UTF-8": with_x(b'"\xff"'),
    "W30 overlong": with_x(b'"\xc0\xaf"'),
    "W30 a surrogate in UTF-8": with_x(b'"\xed\xa0\x80"'),
    "W33 65 levels": deep(65),
    "W33 201 levels": deep(201),
    "W33 100 000 levels": b"[" * 100_000,
    "W33 100 000 levels, closed": with_x(b"[" * 100_000 + b"]" * 100_000),
    "W34 100 levels of objects": with_x(b'{"a":' * 100 + b"1" + b"}" * 100),
    "W35 an integer of 4 301 digits": with_x(b"1" * 4_301),
    "W35 an integer of 200 000 digits": with_x(b"1" * 200_000),
    "W36 1e400": with_x(b"1e400"),
    "W36 -1e400": with_x(b"-1e400"),
    "W37 NaN": with_x(b"NaN"),
    "W37 Infinity": with_x(b"Infinity"),
    "W37 -Infinity": with_x(b"-Infinity"),
    "W38 twice at the top": GOOD[:-1] + b',"message":{}}',
    "W38 twice inside": with_x(b'{"a":1,"a":1}'),
    "W38 twice in two spellings": with_x(rb'{"id":1,"i\u0064":2}'),
    "W39 trailing comma": GOOD[:-1] + b",}",
    "W39 comment": GOOD[:-1] + b"/* */}",
    "W39 two documents": GOOD + GOOD,
    "W39 junk behind": GOOD + b"x",
    "W39 leading zero": with_x(b"01"),
    "W39 plus": with_x(b"+1"),
    "W39 single quotes": with_x(b"'a'"),
    "W39 raw control character": with_x(b'"\x01"'),
    "W39 raw line feed in a text": with_x(b'"\n"'),
    "W39 unknown escape": with_x(rb'"\x41"'),
    "W39 cut off": GOOD[:-1],
    "W40 array": b"[" + GOOD + b"]",
    "W40 text": b'"hi"',
    "W40 number": b"1",
    "W40 null": b"null",
    "W40 true": b"true",
    "W41 20 000 keys": with_x(b"{" + b",".join(b'"%d":0' % n for n in range(20_000)) + b"}"),
    "W41 240 KB of objects": with_x(b"[" + b"{}," * 80_000 + b"{}]"),
}


@pytest.mark.parametrize("content", BAD_JSON.values(), ids=BAD_JSON.keys())
async def test_what_is_no_object_in_json_is_refused(door: Door, content: bytes) -> None:
    status, answer, _ = await door.post(SHOP_HOOK, content)
    assert (status, set(orjson.loads(answer))) == (400, {"error"})
    assert (await door.threads(), await door.reasons()) == (0, [])


GOOD_JSON: Final[dict[str, bytes]] = {
    "W29 white space around": b" \r\n\t" + GOOD + b"\n",
    "W33 64 levels": deep(64),
    "W33 brackets in a text": with_x(b'"' + b"[" * 1_000 + b'"'),
    "W33 many side by side": with_x(b"[" + b"[]," * 1_000 + b"[]]"),
    "W36 2^63": with_x(b"9223372036854775808"),
    "W36 -2^63-1": with_x(b"-9223372036854775809"),
    "W36 2^64": with_x(b"18446744073709551616"),
    "W36 -0 and little numbers": with_x(b"[-0, -0.0, 1e-400, 0.1000000000000000055511151231257827021181583404]"),
    "W41 9 900 keys": with_x(b"{" + b",".join(b'"%d":0' % n for n in range(9_900)) + b"}"),
    "W41 4 900 objects": with_x(b"[" + b"{}," * 4_900 + b"{}]"),
    "W41 240 KB of escapes": with_x(b'"' + rb"\u00e9" * 40_000 + b'"'),
    "W42 strange keys": with_x(b'{"__proto__":{"a":1},"__class__":"x","$ref":"#","":0,"%s":1}' % (b"k" * 65_536)),
    "W45 unknown fields": with_x(b'{"deep":[{"er":null}]}'),
}


@pytest.mark.parametrize("content", GOOD_JSON.values(), ids=GOOD_JSON.keys())
async def test_what_is_odd_and_fine_is_taken(door: Door, content: bytes) -> None:
    assert await door.status(SHOP_HOOK, content) == 200
    assert (await door.threads(), await door.reasons()) == (1, [])


MEANT: Final[dict[str, tuple[str, bytes, str]]] = {
    "W31 lone surrogate in what is said": (
        SHOP_HOOK,
        body(konnek_text()).replace(b'"hi"', rb'"\ud800"'),
        "not storable",
    ),
    "W31 lone surrogate in a key": (SHOP_HOOK, GOOD.replace(b'"m-1"', rb'"\udc00"'), "not storable"),
    "W31 reversed pair in a name": (SHOP_HOOK, GOOD.replace(b'"Ann"', rb'"\ude00\ud83d"'), "not storable"),
    "W32 NUL in what is said": (SHOP_HOOK, body(konnek_text(text="a\0b")), "not storable"),
    "W32 NUL in a key": (SHOP_HOOK, body(konnek_text("a\0b")), "not storable"),
    "W32 NUL in the conversation": (SHOP_HOOK, body(konnek_text(username="a\0b")), "not storable"),
    "W32 NUL in what the relay brings": (RELAY_HOOK, body(peer_text(text="a\0b")), "not storable"),
    "W44 nothing at all": (SHOP_HOOK, b"{}", "neither a message nor a status"),
    "W44 no id": (SHOP_HOOK, body(konnek_text(id=None)), "message.id"),
    "W44 an empty id": (SHOP_HOOK, body(konnek_text("")), "message.id"),
    "W44 an id of a wrong type": (SHOP_HOOK, body(konnek_text(id=[1])), "message.id"),
    "W44 no sender": (SHOP_HOOK, body({"message": {"id": "1", "type": "text", "text": "hi"}}), "from.username"),
    "W44 a message that is a text": (SHOP_HOOK, body({"from": {"username": "a"}, "message": "hi"}), ""),
    "W44 a text that is a number": (SHOP_HOOK, body(konnek_text(text=7)), "message.text"),  # type: ignore[arg-type]
    "W44 nothing from the relay": (RELAY_HOOK, b"{}", ""),
    "W44 an envelope that is a text": (RELAY_HOOK, b'{"im-message":"x"}', "im-message is no object"),
    "W46 unknown kind": (SHOP_HOOK, body(konnek_text(type="hologram")), "an event of the unknown kind 'hologram'"),
    "W49 a conversation of 10 KB": (SHOP_HOOK, body(konnek_text(username="6" * 10_000)), "longer than 512"),
    "W49 a key of 10 KB": (SHOP_HOOK, body(konnek_text("k" * 10_000)), "longer than 512"),
    "W53 latitude 91": (
        SHOP_HOOK,
        body(konnek_text(type="location", location={"latitude": 91, "longitude": 0})),
        "latitude",
    ),
    "W53 a longitude in letters": (
        SHOP_HOOK,
        body(konnek_text(type="location", location={"latitude": 1, "longitude": "0"})),
        "longitude",
    ),
    "W56 status 99": (SHOP_HOOK, body({"status": {"message_id": "x", "status": 99, "recipient_id": "1"}}), "-3 to 3"),
}


@pytest.mark.parametrize(("path", "content", "reason"), MEANT.values(), ids=MEANT.keys())
async def test_what_is_authentic_and_not_understood_is_kept_whole(
    door: Door, path: str, content: bytes, reason: str
) -> None:
    """And once, however often it comes; replayed it is still not understood, and stays where it is."""
    for _ in range(2):
        assert (await door.post(path, content))[:2] == (200, b'{"ok": true}')
    (letter,) = await door.bridge.store.dead_letters()
    kept = await door.bridge.store.dead_letter(letter.id)
    assert kept is not None
    assert (kept.content, kept.state) == (content, "quarantined")
    assert reason in kept.reason
    assert kept.reason.isprintable()


async def test_the_rest_of_a_webhook_survives_what_is_not_understood(door: Door) -> None:
    """W43: Konnek may put a message and a status into one webhook; both are stored, or neither is acknowledged."""
    both = {**konnek_text(), "status": {"message_id": "ours", "status": 2, "recipient_id": "6281234500099"}}
    assert await door.status(SHOP_HOOK, body(both)) == 200
    (thread,) = await door.bridge.store.threads()
    said = await door.bridge.store.history(thread.id)
    assert [entry.kind for entry in said if entry.direction == "in"][:1] == ["message"]


SAME: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "letter case": ({"username": "Ann"}, {"username": "ann"}),
    "a space behind": ({"username": "ann"}, {"username": "ann "}),
    "composed and decomposed": ({"username": "caf\u00e9"}, {"username": "cafe\u0301"}),
    "look-alikes": ({"username": "ann"}, {"username": "\u0430nn"}),
    "dots and slashes": ({"username": "../ann"}, {"username": "ann"}),
    "escaped": ({"username": "%00ann"}, {"username": "ann"}),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME.keys())
async def test_distinct_conversations_are_never_merged(door: Door, one: dict[str, Any], other: dict[str, Any]) -> None:
    """W49."""
    assert await door.status(SHOP_HOOK, body(konnek_text("m-1", **one))) == 200
    assert await door.status(SHOP_HOOK, body(konnek_text("m-2", **other))) == 200
    assert await door.threads() == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a" * 4_097,
        "\U0001f600" * 4_096,
        "e" + "\u0301" * 2_000,
        "\u202eabc\u202c\u200b",
        "\x01\x7f\u0085",
        "a" * 200_000,
    ],
    ids=["nothing", "one", "long", "astral", "combining", "directions", "controls", "200 KB"],
)
async def test_what_was_said_is_stored_to_the_letter(door: Door, text: str) -> None:
    """W47."""
    assert await door.status(SHOP_HOOK, body(konnek_text(text=text))) == 200
    (thread,) = await door.bridge.store.threads()
    (entry,) = await door.bridge.store.history(thread.id)
    assert orjson.loads(entry.content)["text"] == text


@pytest.mark.parametrize(
    "stamp",
    [0, -1, 1700000000123, 1700000000123456789, 1e300, "2023-11-10T12:38:08.153726382+07:00", "9999-12-31T23:59:59Z"],
    ids=str,
)
async def test_no_time_is_too_strange(door: Door, stamp: object) -> None:
    """W51: what makes no sense is the time it came."""
    assert await door.status(SHOP_HOOK, body(konnek_text(time=stamp, unix_msg_time=stamp))) == 200
    assert (await door.threads(), await door.reasons()) == (1, [])


async def test_quarantine_that_is_understood_later_is_replayed(tmp_path: Path, aiohttp_client: AiohttpClient) -> None:
    """A bot that asks for unrecognised events gets those that waited."""
    strange = body(konnek_text(type="hologram"))
    first = await opened(tmp_path, aiohttp_client)
    assert await first.status(SHOP_HOOK, strange) == 200
    await first.client.close()
    router, seen = silent(), []

    @router.unrecognised()
    async def strange_things(turn: Any) -> None:
        seen.append(turn.event.type)

    second = await opened(tmp_path, aiohttp_client, router)
    (letter,) = await second.bridge.store.dead_letters()
    assert await second.bridge.parts.letters.replay(letter.id)
    await second.bridge.settle()
    assert (seen, await second.reasons()) == (["hologram"], [])


async def test_what_a_mistake_in_a_provider_cannot_read_is_kept_whole(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 500 would be repeated for days, or never: what is authentic is stored, whoever is to blame."""

    def parse(webhook: object) -> None:
        raise KeyError(webhook)

    provider = door.bridge.config.accounts["shop"].provider
    monkeypatch.setattr(type(provider), "parse", lambda _, webhook: parse(webhook))
    assert (await door.post(SHOP_HOOK, body(konnek_text(text="canary"))))[0] == 200
    (letter,) = await door.bridge.store.dead_letters()
    assert letter.state == "quarantined"
    assert "KeyError at test_bodies.py" in letter.reason
    assert "canary" not in letter.reason
