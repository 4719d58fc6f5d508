"""Fields of webhooks: the names of keys, never a value; new ones are those that came up late."""

from __future__ import annotations

from typing import Any

import orjson

from bridge.store.shapes import SETTLED, NewField, RawWebhook, new_fields, paths


def webhook(number: int, body: Any, account: str = "shop") -> RawWebhook:
    return RawWebhook(id=number, account=account, received_at=1000 * number, raw=orjson.dumps(body))


def test_a_path_names_keys_and_lists_and_no_value() -> None:
    body = {"message": {"text": "my password", "media": [{"url": "u"}, {"size": 1}]}, "n": [[{"x": 1}]]}
    wanted = {"message", "message.text", "message.media", "message.media[].url", "message.media[].size", "n", "n[][].x"}
    assert paths(body) == wanted


def test_a_key_that_is_data_is_not_kept() -> None:
    body = {
        "6281234500099": 1,
        "a name of somebody": 1,
        "x" * 65: 1,
        "deadbeefcafe0123": {"ok": 1},
        "id_2": 1,
        "": 1,
        "of_20260101": 1,
    }
    assert paths(body) == {"*", "*.ok", "id_2"}


def test_what_lies_very_deep_is_not_looked_at() -> None:
    body: dict[str, Any] = {}
    inner = body
    for _ in range(5000):
        inner["a"] = {}
        inner = inner["a"]
    assert len(paths(body)) == 8


def test_a_field_that_comes_up_late_is_new_since_then() -> None:
    old = [webhook(number, {"id": 1, "text": "x"}) for number in range(SETTLED)]
    late = [webhook(SETTLED + number, {"id": 1, "text": "x", "shiny": {"deep": number}}) for number in range(3)]
    since = 1000 * SETTLED
    assert new_fields([*reversed(late), *old]) == [
        NewField(account="shop", path="shiny", since=since, seen=3, after=SETTLED),
        NewField(account="shop", path="shiny.deep", since=since, seen=3, after=SETTLED),
    ]


def test_nothing_is_new_while_little_is_known() -> None:
    old = [webhook(number, {"id": 1}) for number in range(SETTLED - 1)]
    assert new_fields([*old, webhook(SETTLED, {"id": 1, "shiny": 1})]) == []


def test_accounts_are_looked_at_apart() -> None:
    old = [webhook(number, {"id": 1}, "shop" if number % 2 else "other") for number in range(2 * SETTLED - 2)]
    assert new_fields([*old, webhook(2 * SETTLED, {"shiny": 1}, "other")]) == []


def test_a_documented_field_is_not_new() -> None:
    old = [webhook(number, {"id": 1}) for number in range(SETTLED)]
    late = webhook(SETTLED, {"id": 1, "shiny": 1, "known": 1})
    assert [new.path for new in new_fields([*old, late], [("shop", "known"), ("other", "shiny")])] == ["shiny"]


def test_a_body_that_is_no_json_and_fields_without_end_do_no_harm() -> None:
    odd = RawWebhook(id=1, account="shop", received_at=1, raw=b"\xff{")
    many = [webhook(number, {f"f{letters}": 1 for letters in _names(number)}) for number in range(2, 200)]
    assert all(new.after >= SETTLED for new in new_fields([odd, *many]))
    assert len(new_fields(many)) == 0  # the bound was reached before


def _names(number: int) -> list[str]:
    return ["".join(chr(97 + (number * 37 + step) // 26**place % 26) for place in range(3)) for step in range(40)]
