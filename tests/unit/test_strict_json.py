"""A body of many small values is refused before it is read; one of long texts is not."""

from __future__ import annotations

from typing import Final

import pytest

from bridge.errors import WebhookError
from bridge.strict_json import VALUES, read_object

_BYTES: Final = 250_000


def _list_of(value: bytes, count: int) -> bytes:
    return b'{"a": [' + b",".join([value] * count) + b"]}"


def _filled(value: bytes) -> bytes:
    return _list_of(value, _BYTES // (len(value) + 1))


WORST: Final = {
    "empty objects": b"{}",
    "empty lists": b"[]",
    "small numbers": b"1",
    "objects of one key": b'{"a":1}',
    "texts of one letter": b'"a"',
    "60 levels, and wide": b"[" * 60 + b"]" * 60,
    "objects in objects": b'{"a":' * 58 + b"1" + b"}" * 58,
    "texts with quotes and brackets, and values": b'"\\"[{,\\\\",1,1,1',
}


@pytest.mark.parametrize("value", WORST.values(), ids=WORST.keys())
def test_a_body_of_too_many_values_is_refused(value: bytes) -> None:
    with pytest.raises(WebhookError, match=f"more than {VALUES} values"):
        read_object(_filled(value))


@pytest.mark.parametrize("value", WORST.values(), ids=WORST.keys())
def test_a_body_of_as_many_values_as_may_be_is_read(value: bytes) -> None:
    values = value.count(b"{") + value.count(b"[") + value.count(b",") + 1
    assert read_object(_list_of(value, VALUES // values - 2))


@pytest.mark.parametrize("text", [b"{[," * 80_000, b'\\"' * 100_000 + b"[" * 20_000, b"\\\\" * 100_000 + b"," * 20_000])
def test_what_stands_in_a_text_is_no_value(text: bytes) -> None:
    assert set(read_object(b'{"a": "' + text + b'"}')) == {"a"}


@pytest.mark.parametrize("body", [b'{"' + b'\\"' * 100_000 + b"[" * 20_000, b'"' * 20_001 + b"," * 20_000])
def test_a_text_without_an_end_is_looked_at_once(body: bytes) -> None:
    with pytest.raises(WebhookError, match="not JSON"):
        read_object(body)


def test_many_texts_are_counted_by_their_quotes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.strict_json._STRINGS", None)
    for name in ("texts of one letter", "objects of one key", "objects in objects"):
        with pytest.raises(WebhookError, match=f"more than {VALUES} values"):
            read_object(_filled(WORST[name]))


def test_an_object_of_as_many_texts_as_may_be_is_read() -> None:
    pairs = b",".join(b'"%d\\"\\\\":"[,\\""' % number for number in range(VALUES - 1))
    assert len(read_object(b"{" + pairs + b"}")) == VALUES - 1


SAID_TWICE: Final = [
    b'{"a":1,"a":2}',
    b'{"a":1,"a" :2}',
    b'{"a":1,"a"\n:2}',
    b'{"a" :1,"a" :2}',
    b'{"a":1,"\\u0061":2}',
    b'{"a":{"b":1,"c":2,"b":3}}',
    b'{"a":[{"b":1},{"b":1,"b":1}]}',
    b'{"a":"\\":","a" :2}',
    b'{"a":"\\":","b":{"c":1,"c":2}}',
]


@pytest.mark.parametrize("body", SAID_TWICE)
def test_a_key_that_stands_twice_is_refused_however_it_is_written(body: bytes) -> None:
    with pytest.raises(WebhookError, match="not JSON"):
        read_object(body)
