"""What bytes are, whatever anybody says that they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.engine.media.sniffing import HEAD, UNKNOWN, fits, mime_type_of

OFFICE = "application/vnd.openxmlformats-officedocument"


@pytest.mark.parametrize(
    ("head", "mime_type"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\0\0\0\x18ftypM4A ", "audio/mp4"),
        (b"\0\0\0\x18ftypheic", "image/heic"),
        (b"OggS\0\x02" + b"\0" * 22 + b"OpusHead", "audio/ogg"),
        (b"#!AMR\n", "audio/amr"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90d", "audio/mpeg"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm", "video/webm"),
        (b"%PDF-1.7", "application/pdf"),
        (b"PK\x03\x04" + b"\0" * 26 + b"word/document.xml", f"{OFFICE}.wordprocessingml.document"),
        (b"PK\x03\x04", "application/zip"),
        (b"<!DOCTYPE html><html>", "text/html"),
        (b"  \n<html>", "text/html"),
        (b'<?xml version="1.0"?><svg xmlns=', "image/svg+xml"),
        (b"<svg onload=alert(1)>", "image/svg+xml"),
        ("grüße".encode(), "text/plain"),
        ("ü".encode() * 256, "text/plain"),
        (b"\0\x01\x02\x03", UNKNOWN),
        (b"", UNKNOWN),
    ],
)
def test_bytes_are_known_by_how_they_begin(head: bytes, mime_type: str) -> None:
    assert mime_type_of(head) == mime_type


@given(st.binary(max_size=HEAD))
def test_any_bytes_have_a_type(head: bytes) -> None:
    assert "/" in mime_type_of(head)


@pytest.mark.parametrize(
    ("kind", "mime_type", "expected"),
    [
        ("image", "image/png", True),
        ("image", UNKNOWN, True),
        ("image", "text/html", False),
        ("image", "image/svg+xml", False),
        ("image", "application/pdf", False),
        ("voice", "audio/ogg", True),
        ("voice", "video/mp4", True),
        ("audio", "text/plain", False),
        ("video", "image/gif", False),
        ("document", "text/html", True),
        ("sticker", "application/gzip", True),
    ],
)
def test_a_medium_is_what_its_message_says_it_is(kind: str, mime_type: str, *, expected: bool) -> None:
    assert fits(kind, mime_type) is expected
