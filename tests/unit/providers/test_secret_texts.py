"""Secrets as they really come: what is taken off, and what is told without the secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.providers.fields import read_secret

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "pa\u00dfw\u00f6rd-0123456789"
PLAIN = SECRET.encode()


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN + b"\n",
        PLAIN + b"\r\n",
        PLAIN + b"\n\n",
        b"\xef\xbb\xbf" + PLAIN,
        b"\xef\xbb\xbf" + PLAIN + b"\r\n",
    ],
)
def test_what_an_editor_adds_to_a_file_is_no_part_of_the_secret(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    assert read_secret(f"file:{tmp_path}/secret").get_secret_value() == SECRET


@pytest.mark.parametrize("inner", ['a"b', '"a', "a'", "a b", "line 1\nline 2", '"'])
def test_the_rest_is_the_secret(tmp_path: Path, inner: str) -> None:
    (tmp_path / "secret").write_text(inner)
    assert read_secret(f"file:{tmp_path}/secret").get_secret_value() == inner


UTF_16 = "cannot be read: it is UTF-16 or binary; save it as UTF-8"
QUOTES = "has quotes around the secret; take them away"
BLANK = "begins or ends with a blank; take it away"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (SECRET.encode("utf-16"), UTF_16),
        (SECRET.encode("utf-16-be"), UTF_16),
        (SECRET.encode("utf-16-le"), UTF_16),
        (b"\xfe\xff" + SECRET.encode("utf-16-be"), UTF_16),
        (SECRET.encode("latin-1"), "cannot be read: not UTF-8"),
        (b'"' + PLAIN + b'"\n', QUOTES),
        (b"'" + PLAIN + b"'", QUOTES),
        ("\u201c".encode() + PLAIN + "\u201d".encode(), QUOTES),
        (b" " + PLAIN, BLANK),
        (PLAIN + b"\t\n", BLANK),
        (b"\n" + PLAIN, BLANK),
        (b"\n", "is empty"),
        (b"\xef\xbb\xbf\r\n", "is empty"),
        (b"a" * 70_000, "cannot be read: larger than 64 KiB"),
    ],
)
def test_what_is_no_secret_is_told_with_the_files_name(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ValueError, match="the file") as error:
        read_secret(f"file:{tmp_path}/secret")
    assert str(error.value) == f"the file {tmp_path}/secret {reason}"
    assert error.value.__cause__ is None


@pytest.mark.parametrize(
    ("value", "reason"), [('"quoted-by-docker"', QUOTES), ("trailing-blank ", BLANK), ("\r\n", "is empty")]
)
def test_a_variable_is_read_as_a_file_is(monkeypatch: pytest.MonkeyPatch, value: str, reason: str) -> None:
    monkeypatch.setenv("TEST_SECRET", "of-a-file-with-crlf\r")
    assert read_secret("env:TEST_SECRET").get_secret_value() == "of-a-file-with-crlf"
    monkeypatch.setenv("TEST_SECRET", value)
    with pytest.raises(ValueError, match="the environment variable TEST_SECRET") as error:
        read_secret("env:TEST_SECRET")
    assert str(error.value) == f"the environment variable TEST_SECRET {reason}"
