"""Values that are encrypted: each with AES-256-GCM, bound to its column and row; names so that they are found again.

A value under a key begins with `MARK`, then the id of the key, then the nonce: in bytes, or in base64 where a text is
wanted. Whatever begins otherwise is not encrypted. A name, by which rows are looked up, is the same each time
(AES-SIV), under a secret of the store that no rotation changes.
"""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Final, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from bridge.errors import Broken
from bridge.log import log
from bridge.store.encryption import HEAD, MARK, STAYS, refuse_missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.store.encryption import EncryptionKey

    V = TypeVar("V", bytes, str)

_MARK: Final = MARK.encode()
_NAMED: Final = f"{MARK}="
"""How a name begins. No id of a key has such a digit."""
_NONCE: Final = 12
_SIV_KEY: Final = 64
_NOTHING: Final[frozenset[bytes | str]] = STAYS | {value.encode() for value in STAYS}
_EMPTIED: Final = b"\0"
"""How the digest of an emptied content begins: see bridge.store.admission."""
REFUSED: Final = "(refused: this text is not of this row, or was changed)"
_OF_STORE: Final = "store secret"


class Sealer:
    """The keys of a store, the newest first, and its secret for names."""

    def __init__(self, keys: Sequence[EncryptionKey], secret: bytes) -> None:
        """Derives what it needs when it needs it."""
        self.newest = keys[0].id
        self._secrets = {key.id: key.secret for key in keys}
        self._head = f"{MARK}{self.newest}"
        self._head_bytes = self._head.encode()
        self._store_secret = secret
        self._boxes: dict[tuple[str, str], AESGCM] = {}
        self._names: dict[str, AESSIV] = {}

    def seal(self, label: str, row: str, value: V) -> V:
        """A value encrypted under the newest key, for the row of a table."""
        if value in _NOTHING:
            return value
        nonce = os.urandom(_NONCE)
        box = self._box(self.newest, label)
        if isinstance(value, str):
            sealed = nonce + box.encrypt(nonce, value.encode(), f"{label}\0{row}".encode())
            return self._head + base64.urlsafe_b64encode(sealed).decode()
        if value.startswith(_EMPTIED):
            return value
        return self._head_bytes + nonce + box.encrypt(nonce, value, f"{label}\0{row}".encode())

    def open(self, label: str, row: str, value: V) -> V:
        """A value as it was. One that was moved here, or changed, stays as it is: bytes that nobody can read."""
        if isinstance(value, str):
            if not value.startswith(MARK):
                return value
            opened = self._opened(label, row, value[1:HEAD], _decoded(value[HEAD:]))
            return REFUSED if opened is None else opened.decode()
        if not value.startswith(_MARK):
            return value
        opened = self._opened(label, row, value[1:HEAD].decode("ascii", "replace"), value[HEAD:])
        return value if opened is None else opened

    def name(self, label: str, value: str) -> str:
        """A name as it is stored."""
        if not value:
            return value
        sealed = self._siv(label).encrypt(value.encode(), [label.encode()])
        return _NAMED + base64.urlsafe_b64encode(sealed).decode()

    def open_name(self, label: str, value: str) -> str:
        """A name as it was."""
        if not value.startswith(_NAMED):
            return value
        try:
            return self._siv(label).decrypt(base64.urlsafe_b64decode(value[len(_NAMED) :]), [label.encode()]).decode()
        except (InvalidTag, ValueError):
            log.error("value_refused", key=label)
            return value

    def is_current(self, value: bytes | str | None) -> bool:
        """Whether a rotation has nothing to do with a value."""
        if isinstance(value, str):
            return value in _NOTHING or value.startswith(self._head)
        return value is None or value in _NOTHING or value.startswith((self._head_bytes, _EMPTIED))

    @property
    def kept(self) -> tuple[str, str]:
        """The id of the newest key, and the store's secret under it."""
        return self.newest, self.seal(_OF_STORE, self.newest, base64.b64encode(self._store_secret).decode())

    def _opened(self, label: str, row: str, key_id: str, sealed: bytes) -> bytes | None:
        try:
            nonce, text = sealed[:_NONCE], sealed[_NONCE:]
            return self._box(key_id, label).decrypt(nonce, text, f"{label}\0{row}".encode())
        except (InvalidTag, ValueError, KeyError):
            log.error("value_refused", key=f"{label} {row}")
            return None

    def _box(self, key_id: str, label: str) -> AESGCM:
        """Each column has a key of its own: a key of AES-GCM is good for 2 ** 32 values."""
        box = self._boxes.get((key_id, label))
        if box is None:
            derived = HKDFExpand(SHA256(), 32, f"threadbridge value {label}".encode()).derive(self._secrets[key_id])
            box = self._boxes[key_id, label] = AESGCM(derived)
        return box

    def _siv(self, label: str) -> AESSIV:
        siv = self._names.get(label)
        if siv is None:
            info = f"threadbridge name {label}".encode()
            siv = self._names[label] = AESSIV(HKDFExpand(SHA256(), _SIV_KEY, info).derive(self._store_secret))
        return siv


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text)
    except ValueError:
        return b""


def new_secret() -> bytes:
    """A secret for the names of a store."""
    return os.urandom(32)


def sealer_of(keys: Sequence[EncryptionKey], in_use: Mapping[str, str]) -> Sealer | None:
    """What opens a store that has these keys in use, each with the store's secret under it; None: it has none.

    Raises:
        ConfigError: a key is missing.
        Broken: the store's secret was changed.
    """
    refuse_missing(in_use, keys)
    for key in keys:
        if key.id in in_use:
            secret = Sealer([key], b"").open(_OF_STORE, key.id, in_use[key.id])
            if secret == REFUSED:
                raise Broken(f"the store's own secret under the key {key.id} was changed")
            return Sealer(keys, base64.b64decode(secret))
    return None
