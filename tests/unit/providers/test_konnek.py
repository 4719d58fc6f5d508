"""What is Konnek's own: its settings, its limits, and how strict its emulator is."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson
import pytest
from pydantic import SecretStr, ValidationError

from bridge.providers.konnek import Konnek
from bridge.providers.konnek.emulator import Emulator
from bridge.providers.port import Request
from bridge.testing.contract.provider import exchange
from tests.contract.provider.konnek_cases import CASES

SETTINGS = {**CASES.settings, "provider": "konnek", "base_url": "https://konnek.example/"}
SAMPLES = {case.name: case for case in CASES.spoken}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("channels", []),
        ("channels", ["whatsapp", "whatsapp"]),
        ("channels", ["../whatsapp"]),
        ("channels", [""]),
        ("channels", "whatsapp"),
        ("client_id", ""),
        ("client_id", "a/b"),
        ("client_id", ".."),
        ("client_id", "c 1"),
        ("password", "written-out-secret"),
        ("password", SecretStr("line\r\nbreak-secret")),
        ("username", None),
        ("base_url", "http://konnek.example"),
        ("colour", "red"),
    ],
)
def test_settings_that_cannot_work_are_refused_without_showing_a_secret(name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Konnek.Settings.model_validate({**SETTINGS, name: value})
    (problem,) = caught.value.errors(include_url=False, include_input=False)
    assert problem["loc"][0] == name
    assert "secret" not in str(problem).replace("a secret is never written here", "")


@pytest.mark.parametrize("channel", ["whatsapp", "WhatsApp", "telegram", "line", "messenger", "facebook", "anything"])
def test_every_channel_carries_choices_natively_within_the_limits_of_the_sample(channel: str) -> None:
    found = CASES.build().capabilities(channel)
    assert {"text", "image", "buttons", "menu", "location"} <= found.kinds
    assert (found.buttons, found.rows) == (3, 10)
    assert found.text is not None
    assert found.text >= 2000
    assert found.statuses


def test_only_the_channels_of_meta_close_after_a_day() -> None:
    provider = CASES.build()
    windows = {name: provider.capabilities(name).window for name in ("whatsapp", "messenger", "telegram", "line")}
    assert windows == {"whatsapp": 86_400, "messenger": 86_400, "telegram": None, "line": None}


def request_of(name: str) -> tuple[Request, dict[str, Any]]:
    requests, _ = exchange(CASES.build().send(SAMPLES[name].outbound, None), CASES.accepted)
    return requests[0], orjson.loads(requests[0].body or b"")


def answered(request: Request, body: Any) -> dict[str, Any]:
    emulator = Emulator(lambda: 0, Random(1))
    changed = Request(method="POST", path=request.path, headers=request.headers, body=orjson.dumps(body))
    meta: dict[str, Any] = orjson.loads(emulator.handle(changed).body)["meta"]
    assert (len(emulator.seen) == 1) == meta["status"]
    return meta


BENT: tuple[tuple[str, str, Any, str], ...] = (
    ("a text", "id", None, "id"),
    ("a text", "id", "", "id"),
    ("a text", "recipient", None, "recipient"),
    ("a text", "recipient", 628, "recipient"),
    ("a text", "type", "smell", "type"),
    ("a text", "times", None, "times"),
    ("a text", "times", "1760086900", "times"),
    ("a text", "times", True, "times"),
    ("a text", "timestamp", "2025-10-10T09:01:40", "timestamp"),
    ("a text", "timestampt", "yesterday", "timestamp"),
    ("a text", "body", None, "body.text"),
    ("a text", "body", {"text": ""}, "body.text"),
    ("a text", "body", {"text": "x", "txt": "x"}, "body.txt is no field"),
    ("a text", "body", {"text": "x", "button": [{}]}, "body.button.key"),
    ("a text", "footer", {"title": "", "text": "x"}, "header and footer"),
    ("a bare image", "body", {"media": {"name": "a"}}, "body.media.url"),
    ("a bare image", "body", {"media": []}, "body.media is no object"),
    ("a location", "body", {"location": {"latitude": 1.0}}, "latitude and longitude"),
    ("a location", "body", {"location": {"latitude": "1", "longitude": 2}}, "body.location.latitude"),
    ("buttons", "body", {"text": "x", "button": []}, "body.button"),
    ("buttons", "body", {"text": "x", "button": [{"key": "k", "title": ""}]}, "body.button.title"),
    ("buttons", "header", {"type": "voice", "media_url": "x"}, "header.type"),
    ("buttons", "header", {"type": "image", "text": "x"}, "header.media_url"),
    ("buttons", "footer", {"text": "x"}, "footer"),
    ("a list", "body", {"text": "x", "list": {"title": "", "sections": []}}, "nothing to choose"),
    ("a list", "body", {"text": "x", "list": {"sections": [{"title": "a", "actions": []}]}}, "description"),
)


@pytest.mark.parametrize(("name", "field", "value", "reason"), BENT)
def test_the_emulator_says_what_is_wrong_in_a_request(name: str, field: str, value: Any, reason: str) -> None:
    request, body = request_of(name)
    changed = {**body, field: value}
    if value is None:
        del changed[field]
    meta = answered(request, changed)
    assert (meta["status"], meta["code"]) == (False, 400)
    assert reason in meta["errors"]


@pytest.mark.parametrize("spelling", ["timestamp", "timestampt"])
def test_the_emulator_takes_either_spelling_of_the_time_but_wants_one(spelling: str) -> None:
    request, body = request_of("a text")
    del body[spelling]
    assert answered(request, body)["status"] is True
    del body["timestampt" if spelling == "timestamp" else "timestamp"]
    assert answered(request, body)["code"] == 400


@pytest.mark.parametrize(("honours_keys", "seen"), [(True, 1), (False, 2)])
def test_a_repeated_key_reaches_the_phone_once_only_where_keys_are_honoured(honours_keys: bool, seen: int) -> None:  # noqa: FBT001 - a table's column
    emulator = Emulator(lambda: 0, Random(1), honours_keys=honours_keys)
    request, _ = request_of("a text")
    once, again = emulator.handle(request), emulator.handle(request)
    assert once.status == again.status == 200
    assert (once == again) is honours_keys
    assert len(emulator.seen) == seen
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("code", ["399", "600", "x", "", "-1", "\uff14\uff10\uff10"])
def test_the_emulator_gives_no_error_that_is_not_documented(code: str) -> None:
    with pytest.raises(ValueError, match="400 to 599"):
        Emulator(lambda: 0, Random(1)).refuse(code)


def test_a_status_is_stamped_as_konnek_stamps_it() -> None:
    emulator = Emulator(lambda: 1_760_086_805_120_394, Random(1))
    emulator.handle(request_of("a text")[0])
    hook = emulator.status(emulator.seen[0], "read")
    assert hook is not None
    told = orjson.loads(hook.body)["status"]
    assert told["timestamp"].startswith("2025-10-10T16:00:05.120394")
    assert told["timestamp"].endswith("+07:00")
    assert len(told["timestamp"]) == len("2025-10-10T16:00:05.120394817+07:00")


def test_whole_degrees_are_written_as_the_floats_they_are() -> None:
    request, _ = request_of("a location")
    assert b'"latitude":-6.0,' in (request.body or b"")
