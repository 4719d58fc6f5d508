"""Signatures on typed keys: each is good in one conversation only, and short enough for a button."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from bridge.events import Postback
from bridge.keys import PackedKey
from bridge.messages import Button, Buttons, Cards, Menu, Row
from bridge.store.copying import INHERITED
from bridge.store.erasure import long_keys_of
from bridge.units import SECOND, micros

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from bridge.events import Event, Stale, ThreadRef
    from bridge.messages import Outgoing
    from bridge.store.port import Store
    from bridge.store.records import ThreadRow

_CHOOSING: Final = (Buttons, Menu, Cards)
_MARK: Final = "~"
_SEALED: Final = re.compile(r"~([A-Za-z0-9_-]{12})([0-9a-z]{0,9})~(.+)", re.DOTALL)
"""A sealed key: signature, last second (since 1970, in base 36; or nothing), the packed key or `#` and its digest."""
_SIGNATURE: Final = 9
"""Bytes: 72 bits cannot be guessed over a network."""
_DIGEST: Final = 12
"""Bytes of a digest that names a kept key."""
SIGNING: Final = "postback secret"
"""Where the store keeps the secret."""
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"

C = TypeVar("C", Button, Row)

LongKeys: TypeAlias = "Mapping[tuple[str, str], str]"
"""Keys that are too long for their channel, by account and the name under which the store keeps them."""

Sealed: TypeAlias = "tuple[Sequence[Outgoing], LongKeys]"
"""Messages as they leave, and the keys to be kept before that."""

NO_KEYS: Final[LongKeys] = {}


class Signer:
    """Signs the keys that go out, and opens those that come back.

    The secret is made once and kept in the store, so that a button works as long as its conversation does: after a
    restart, in another process, from a backup. A key that is too long for the channel is kept in the store too, under
    its conversation and its digest, and a reference goes out in its scope.
    """

    def __init__(self, store: Store, rng: random.Random) -> None:
        """`rng` makes the secret, if there is none yet: a random.SystemRandom wherever it counts."""
        self._store = store
        self._rng = rng
        self._secret = b""

    async def start(self) -> None:
        """Learn the secret, or make one."""
        if self._secret:
            return
        kept = await self._store.secret("", SIGNING)
        if kept is None:
            kept = await self._store.keep_secret("", SIGNING, self._rng.randbytes(32).hex())
        self._secret = bytes.fromhex(kept)

    def seal(self, messages: Sequence[Outgoing], ref: ThreadRef, limit: int | None, now: int) -> Sealed:
        """The messages with all typed keys sealed for a thread; a key has at most `limit` bytes, if that is possible.

        The long keys have to be kept before any of the messages leaves.
        """
        for message in messages:
            if isinstance(message, _CHOOSING) or message.fallback:
                break
        else:
            return messages, NO_KEYS
        long_keys: dict[tuple[str, str], str] = {}

        def sealed(text: str, leaves: int) -> str:
            if not isinstance(text, PackedKey):
                return text
            ends = "" if text.lifetime is None else _digits((leaves + text.lifetime) // SECOND)
            whole = _sealed(self._secret, ref, ends, text)
            if not limit or len(whole.encode()) <= limit:
                return whole
            digest = _text(hashlib.sha256(text.encode()).digest()[:_DIGEST])
            long_keys[ref.account, _name(ref, digest)] = str(text)
            return _sealed(self._secret, ref, ends, f"#{digest}")

        return [_rekeyed(message, sealed, now) for message in messages], long_keys

    async def keep(self, long_keys: LongKeys) -> None:
        """Keep long keys. A key whose message is never sent does no harm: its name is its content."""
        for (account, name), text in long_keys.items():
            await self._store.keep_secret(account, name, text)

    async def open(self, event: Event, thread: ThreadRow) -> Event:
        """A press with a sealed key as one with the packed key; one that is not good as a stale one."""
        if not isinstance(event, Postback) or not event.key.startswith(_MARK):
            return event
        match = _SEALED.fullmatch(event.key)
        if match is None:
            return event
        _, ends, text = match.groups()
        stale: Stale | None = None
        if not await self._is_genuine(event.key, thread, ends, text):
            stale = "forged"
        elif ends and micros(event.at) >= (int(ends, 36) + 1) * SECOND:
            stale = "expired"
        elif text.startswith("#"):
            kept = await self._kept(thread, text[1:])
            text, stale = (text, "unknown") if kept is None else (kept, None)
        return replace(event, stale=stale) if stale else replace(event, key=text, sealed=event.key)

    async def _kept(self, thread: ThreadRow, digest: str) -> str | None:
        """A long key; earlier versions kept it under the number of its thread, which changes when an account moves."""
        account = thread.ref.account
        kept = await self._store.secret(account, _name(thread.ref, digest))
        return kept if kept is not None else await self._store.secret(account, f"postback {thread.id} {digest}")

    async def _is_genuine(self, key: str, thread: ThreadRow, ends: str, text: str) -> bool:
        """Whether we signed a key; or the store did from which the account moved here."""
        if _is_signed(key, self._secret, thread.ref, ends, text):
            return True
        inherited = await self._store.secret(thread.ref.account, f"{INHERITED}{SIGNING}") or ""
        return any(_is_signed(key, bytes.fromhex(secret), thread.ref, ends, text) for secret in inherited.split())


def _is_signed(key: str, secret: bytes, ref: ThreadRef, ends: str, text: str) -> bool:
    return hmac.compare_digest(_sealed(secret, ref, ends, text).encode(), key.encode())


def _sealed(secret: bytes, ref: ThreadRef, ends: str, text: str) -> str:
    """The text under a signature; no part of a thread's name holds a NUL, so they cannot run into each other."""
    signed = f"{ref.account}\0{ref.channel}\0{ref.conversation_id}\0{ends}\0{text}"
    signature = hmac.digest(secret, signed.encode(), "sha256")[:_SIGNATURE]
    return f"{_MARK}{_text(signature)}{ends}{_MARK}{text}"


def _rekeyed(message: Outgoing, sealed: Callable[[str, int], str], leaves: int) -> Outgoing:
    """A message with other keys, its fallbacks too; it leaves at `leaves`, unless it says that it leaves later."""
    leaves = leaves if message.at is None else max(leaves, micros(message.at))
    if message.fallback:
        message = replace(message, fallback=tuple(_rekeyed(other, sealed, leaves) for other in message.fallback))

    def key(text: str) -> str:
        return sealed(text, leaves)

    match message:
        case Buttons(buttons=buttons):
            return replace(message, buttons=_with(buttons, key))
        case Menu(sections=sections):
            return replace(
                message, sections=tuple(replace(section, rows=_with(section.rows, key)) for section in sections)
            )
        case Cards(cards=cards):
            return replace(message, cards=tuple(replace(card, buttons=_with(card.buttons, key)) for card in cards))
        case _:
            return message


def _with(choices: Sequence[C], key: Callable[[str], str]) -> Sequence[C]:
    if not any(isinstance(choice.key, PackedKey) for choice in choices):
        return choices
    return tuple(replace(choice, key=key(choice.key)) for choice in choices)


def _name(ref: ThreadRef, digest: str) -> str:
    return f"{long_keys_of(ref, 0)[0]}{digest}"


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode()


def _digits(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = f"{_DIGITS[digit]}{digits}"
    return digits
