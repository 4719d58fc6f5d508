"""Keys as an operator gives them."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bridge.errors import ConfigError
from bridge.store import opening
from bridge.store.encryption import PLAIN, key_from, key_id_of, key_of, refuse_missing

if TYPE_CHECKING:
    from collections.abc import Awaitable

OLD, NEW = (key_from(bytes([number]) * 32) for number in (1, 2))


def test_a_key_is_32_bytes_in_base64_and_its_id_shows_nothing_of_it() -> None:
    text = base64.b64encode(OLD.secret).decode()
    assert key_of(f" {text}\n") == OLD
    assert text not in repr(OLD)
    assert OLD.secret.hex()[:8] != OLD.id != NEW.id


@pytest.mark.parametrize("text", ["", "a word", "AAAA", base64.b64encode(bytes(31)).decode(), "\u00e4" * 44])
def test_anything_else_is_refused_with_the_way_to_one(text: str) -> None:
    with pytest.raises(ValueError, match="threadbridge keys new"):
        key_of(text)


def test_a_key_that_is_missing_is_named_and_one_too_many_is_none() -> None:
    refuse_missing([], [])
    refuse_missing([OLD.id], [NEW, OLD])
    with pytest.raises(ConfigError, match=f"under the key {OLD.id}, and given is {NEW.id}"):
        refuse_missing([OLD.id, NEW.id], [NEW])


def test_a_value_tells_the_id_of_its_key() -> None:
    assert key_id_of(f"\x01{OLD.id}".encode()) == key_id_of(f"\x01{OLD.id}") == OLD.id
    assert key_id_of(b"{") == key_id_of("") == key_id_of(None) == PLAIN


async def test_a_store_of_another_package_that_takes_no_keys_is_not_left_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    async def opened(url: str) -> str:
        return url

    module: Any = SimpleNamespace(open_store=opened, open_reader=opened)
    monkeypatch.setattr(opening, "store_type", lambda _: module)
    opens: Awaitable[Any]
    for opens in (opening.open_store("other:x"), opening.open_reader("other:x")):
        assert str(await opens) == "other:x"
    for opens in (opening.open_store("other:x", [OLD]), opening.open_reader("other:x", [OLD])):
        with pytest.raises(ConfigError, match="stores of other: URLs are not encrypted"):
            await opens
