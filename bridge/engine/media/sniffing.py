"""What bytes are, by how they begin; and whether that is what a contact says to have sent."""

from __future__ import annotations

import re
from typing import Final

HEAD: Final = 512
"""Bytes that are looked at."""
UNKNOWN: Final = "application/octet-stream"
_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
_BEGINNINGS: Final[tuple[tuple[bytes, str], ...]] = (
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"GIF8[79]a", "image/gif"),
    (rb"RIFF.{4}WEBP", "image/webp"),
    (rb"BM.{4}\0\0\0\0", "image/bmp"),
    (rb"(?:II\*\0|MM\0\*)", "image/tiff"),
    (rb"\0\0\0.ftyp(?:heic|heix|mif1|msf1)", "image/heic"),
    (rb"\0\0\0.ftypavi[fs]", "image/avif"),
    (rb"\0\0\0.ftypM4A", "audio/mp4"),
    (rb"\0\0\0.ftypqt", "video/quicktime"),
    (rb"\0\0\0.ftyp3g", "video/3gpp"),
    (rb"\0\0\0.ftyp", "video/mp4"),
    (rb"\x1aE\xdf\xa3.{0,64}webm", "video/webm"),
    (rb"\x1aE\xdf\xa3", "video/x-matroska"),
    (rb"RIFF.{4}AVI ", "video/x-msvideo"),
    (rb"RIFF.{4}WAVE", "audio/wav"),
    (rb"OggS.{24,96}theora", "video/ogg"),
    (rb"OggS", "audio/ogg"),
    (rb"ID3", "audio/mpeg"),
    (rb"\xff[\xf0\xf1\xf8\xf9]", "audio/aac"),
    (rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]", "audio/mpeg"),
    (rb"#!AMR", "audio/amr"),
    (rb"fLaC", "audio/flac"),
    (rb"%PDF-", "application/pdf"),
    (rb"PK\x03\x04.*?word/", f"{_OFFICE}.wordprocessingml.document"),
    (rb"PK\x03\x04.*?xl/", f"{_OFFICE}.spreadsheetml.sheet"),
    (rb"PK\x03\x04", "application/zip"),
    (rb"\x1f\x8b", "application/gzip"),
    (rb"\s*(?:<!doctype html|<html|<head|<body|<script|<iframe)", "text/html"),
    (rb"\s*(?:<\?xml.{0,400})?(?:<!--.{0,200}-->\s*)?<svg", "image/svg+xml"),
    (rb"\s*<\?xml", "text/xml"),
    (rb"BEGIN:VCARD", "text/vcard"),
)
_RULES: Final = tuple((re.compile(begins, re.DOTALL | re.IGNORECASE), named) for begins, named in _BEGINNINGS)
_MAJORS: Final = {
    "image": {"image"},
    "sticker": {"image", "video", "application"},
    "video": {"video"},
    "audio": {"audio", "video"},
    "voice": {"audio", "video"},
}
"""By the kind of a message, what its bytes may be; a document may be anything. A voice note may come as a film."""
_SCRIPTED: Final = frozenset({"image/svg+xml", "text/html", "text/xml"})


def mime_type_of(head: bytes) -> str:
    """The MIME type of what begins so."""
    for rule, named in _RULES:
        if rule.match(head):
            return named
    return "text/plain" if head and _is_text(head) else UNKNOWN


def fits(kind: str, mime_type: str) -> bool:
    """Whether bytes may be what a message says they are. What a browser would run is no picture."""
    majors = _MAJORS.get(kind)
    if majors is None or mime_type == UNKNOWN:
        return True
    return mime_type.partition("/")[0] in majors and mime_type not in _SCRIPTED


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return not any(character < " " and character not in "\t\r\n\f\x1b" for character in text)
