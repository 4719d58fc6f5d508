"""What an operator tells a store about encryption: its keys, and what a rotation of them has done."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.errors import ConfigError, Problem
from bridge.store.lifecycle import TimerState
from bridge.store.takeover import MISSED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

KEY_BYTES: Final = 32
PLAIN: Final = ""
"""In place of the id of a key: not encrypted."""
MARK: Final = "\x01"
"""How an encrypted value begins, before the id of its key. No JSON and no text of ours begins so."""
_ID_BYTES: Final = 4
HEAD: Final = len(MARK) + 2 * _ID_BYTES
"""Characters or bytes of the mark and the id."""
PATH: Final = "storage.encryption_keys"


STAYS: Final = frozenset({"", "{}", "[]", '{"fields":{},"tags":[]}', str(TimerState.CANCELLED), MISSED})
"""Values that are never encrypted: each tells nothing but that there is nothing, or is a word of ours."""


class EncryptionKey(NamedTuple):
    """A key of a store. Its `id` tells it from others, and nothing of it."""

    id: str
    secret: bytes

    def __repr__(self) -> str:
        """Without the secret."""
        return f"EncryptionKey({self.id})"


class Resealed(NamedTuple):
    """A part of a rotation: how many rows were looked at, how many of them changed, and whether there may be more."""

    looked_at: int
    changed: int
    more: bool


def key_of(text: str) -> EncryptionKey:
    """A key as the configuration has it, base64 of 32 bytes. Raises ValueError."""
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("want base64 of 32 bytes; `threadbridge keys new` prints such a key") from None
    if len(secret) != KEY_BYTES:
        raise ValueError(f"want base64 of 32 bytes, not of {len(secret)}; `threadbridge keys new` prints such a key")
    return key_from(secret)


def key_from(secret: bytes) -> EncryptionKey:
    """A key from its bytes."""
    return EncryptionKey(hashlib.sha256(b"threadbridge key id\0" + secret).digest()[:_ID_BYTES].hex(), secret)


def key_id_of(head: bytes | str | None) -> str:
    """The id of the key of a value that begins so; PLAIN: it is not encrypted."""
    text = head.decode("ascii", "replace") if isinstance(head, bytes) else head or ""
    return text[len(MARK) : HEAD] if text.startswith(MARK) else PLAIN


def refuse_missing(in_use: Iterable[str], keys: Sequence[EncryptionKey]) -> None:
    """Refuse a store that has values under keys which are not given. Raises ConfigError."""
    missing = sorted({*in_use} - {key.id for key in keys})
    if not missing:
        return
    names = " and ".join(missing)
    given = f"given is {', '.join(key.id for key in keys)}" if keys else "no key is given"
    reason = (
        f"the store is encrypted under the key {names}, and {given}: put that key back; "
        "`threadbridge keys rotate` has to end before a key is left out"
    )
    raise ConfigError([Problem("storage", PATH, reason)])


def cannot_encrypt(scheme: str) -> ConfigError:
    """Stores of a kind that knows no encryption."""
    return ConfigError([Problem("storage", PATH, f"stores of {scheme}: URLs are not encrypted; leave it out")])
