"""Secrets as editors, shells and container tools leave them: what is certainly not part of one is taken off."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Final

_LARGEST: Final = 64 * 1024
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_QUOTES: Final = "\"'`\u201c\u201d\u2018\u2019"
_WORTH_QUOTES: Final = 2


def text_of_file(path: str) -> str:
    """The text of a secret's file, without a byte order mark and the line breaks at its end.

    Raises:
        ValueError: it cannot be read, or is no secret; the reason names the file and nothing of what it holds.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from None
    if len(content) > _LARGEST:
        raise _unreadable(path, "larger than 64 KiB")
    if content.startswith(_UTF_16) or b"\0" in content:
        raise _unreadable(path, "it is UTF-16 or binary; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unreadable(path, "not UTF-8") from None
    return without_wrapping(text, f"the file {path}")


def without_wrapping(text: str, place: str) -> str:
    """A secret without the line breaks at its end. `place` is for the reason, like "the file X".

    Raises:
        ValueError: it is empty, or quotes or blanks are around it.
    """
    text = text.rstrip("\r\n")
    reason = ""
    if not text:
        reason = "is empty"
    elif text != text.strip():
        reason = "begins or ends with a blank; take it away"
    elif len(text) >= _WORTH_QUOTES and text[0] in _QUOTES and text[-1] in _QUOTES:
        reason = "has quotes around the secret; take them away"
    if reason:
        message = f"{place} {reason}"
        raise ValueError(message)
    return text


def _unreadable(path: str, reason: str) -> ValueError:
    return ValueError(f"the file {path} cannot be read: {reason}")
