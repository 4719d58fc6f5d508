"""Files of the bot: kept with the turn that says them, and fetched by the gateway under a link that expires."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge.engine.media.contents import NoContent
from bridge.engine.media.sniffing import HEAD, mime_type_of
from bridge.errors import HandlerError
from bridge.messages import MEDIA_TYPES, is_plain_text
from bridge.units import SECOND, micros

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from bridge.clock import Clock
    from bridge.conversation.effects import Effects
    from bridge.engine.media.contents import Contents
    from bridge.messages import Medium, Outgoing
    from bridge.store.media import KeptMedium
    from bridge.store.port import Store

PATH: Final = "/media/"
"""Behind `public_url`, and before a token."""
_SIGNING: Final = "media secret"
_DAY: Final = 86_400
_TIME: Final = 5
_HASH: Final = 32
_SIGNATURE: Final = 16
_LONGEST_NAME: Final = 200
_STORE: Final = '{0} needs a place for its bytes: set [media] store = "media"'
_URL: Final = "{0} needs an address where the gateway fetches it: set [server] public_url"


@dataclass(frozen=True, slots=True)
class Served:
    """A content that may be served: the name of its file, its type and size, and where it is."""

    name: str
    mime_type: str
    size: int
    sha256: str
    contents: Contents


class Files:
    """Keeps the files in messages, and finds them again for whoever has a link."""

    def __init__(
        self,
        store: Store,
        contents: Contents | None,
        clock: Clock,
        rng: random.Random,
        *,
        public_url: str | None,
        limit: int,
        lasts: float,
    ) -> None:
        """A link lasts for `lasts` seconds and a day; `limit` is the most bytes of a file."""
        self._store = store
        self._contents = contents
        self._clock = clock
        self._rng = rng
        self._public_url = public_url
        self._limit = limit
        self._lasts = round(lasts) + _DAY
        self._secret: bytes | None = None

    async def of(self, effects: Effects) -> Sequence[KeptMedium]:
        """Keep the files in what a turn says and sends, and put links in their places.

        Raises:
            HandlerError, OSError, StoreError: they cannot be kept.
        """
        if not have_files(effects.replies) and not (effects.sends and _any_sent(effects)):
            return ()
        kept: list[KeptMedium] = []
        effects.replies = [await self._linked(message, kept) for message in effects.replies]
        effects.sends = [
            replace(sending, messages=[await self._linked(message, kept) for message in sending.messages])
            for sending in effects.sends
        ]
        return kept

    async def served(self, token: str) -> Served | None:
        """What a token stands for; None for any that is not ours, or is expired, or whose bytes are gone."""
        if self._contents is None or (read := _read(token, await self._key())) is None:
            return None
        expires, digest, name = read
        if expires * SECOND <= self._clock.now():
            return None
        try:
            size = await self._contents.size(digest)
            mime_type = mime_type_of(await self._contents.read(digest, 0, min(HEAD, size)))
        except NoContent:
            return None
        return Served(name, mime_type, size, digest, self._contents)

    async def _linked(self, message: Outgoing, kept: list[KeptMedium]) -> Outgoing:
        changes: dict[str, Any] = {}
        if message.fallback:
            changes["fallback"] = [await self._linked(other, kept) for other in message.fallback]
        header = getattr(message, "header", None)
        if isinstance(header, MEDIA_TYPES):
            changes["header"] = await self._linked(header, kept)
        if isinstance(message, MEDIA_TYPES) and message.is_file:
            changes |= {"url": await self._link(message, kept), "name": _name(message), "path": None, "data": None}
        return replace(message, **changes) if changes else message

    async def _link(self, message: Medium, kept: list[KeptMedium]) -> str:
        """The link to the file of a message, which is kept."""
        what = f"{type(message).__name__}({'data' if message.path is None else 'path'}=...)"
        if self._contents is None:
            raise HandlerError(_STORE.format(what))
        if self._public_url is None:
            raise HandlerError(_URL.format(what))
        draft = await self._contents.begin()
        try:
            if message.data is not None:
                await draft.write(message.data)
            else:
                assert message.path is not None
                await _copied(draft, what, Path(message.path), self._limit)
            if not 0 < draft.size <= self._limit:
                raise HandlerError(f"{what} has {draft.size} bytes; [media] max allows {self._limit}, and one at least")
            await self._contents.keep(draft)
            kept.append(draft.medium)
        finally:
            await self._contents.drop(draft)
        at = max(self._clock.now(), micros(message.at) if message.at is not None else 0)
        token = _token(at // SECOND + self._lasts, draft.medium.sha256, _name(message), await self._key())
        return f"{self._public_url}{PATH}{token}"

    async def _key(self) -> bytes:
        if self._secret is None:
            self._secret = bytes.fromhex(await self._store.keep_secret("", _SIGNING, self._rng.randbytes(32).hex()))
        return self._secret


def have_files(messages: Sequence[Outgoing]) -> bool:
    """Whether any of them is a file of ours, and no link."""
    return not all(map(is_plain_text, messages)) and any(map(_has_file, messages))


def _any_sent(effects: Effects) -> bool:
    return any(have_files(sending.messages) for sending in effects.sends)


def _has_file(message: Outgoing) -> bool:
    header = getattr(message, "header", None)
    return (
        (isinstance(message, MEDIA_TYPES) and message.is_file)
        or (isinstance(header, MEDIA_TYPES) and header.is_file)
        or any(map(_has_file, message.fallback))
    )


async def _copied(draft: Any, what: str, path: Path, limit: int) -> None:  # noqa: ANN401 - a Draft
    try:
        await draft.copy(path, limit)
    except OSError as error:
        raise HandlerError(f"{what}: {path} cannot be read: {error.strerror or type(error).__name__}") from None


def _name(message: Medium) -> str:
    return (message.name or (Path(message.path).name if message.path is not None else ""))[:_LONGEST_NAME]


def _token(expires: int, digest: str, name: str, secret: bytes) -> str:
    payload = expires.to_bytes(_TIME) + bytes.fromhex(digest) + name.encode(errors="replace")
    return base64.urlsafe_b64encode(_signature(payload, secret) + payload).rstrip(b"=").decode()


def _read(token: str, secret: bytes) -> tuple[int, str, str] | None:
    """When a token expires (seconds), which content it is for, and the name of its file; None: it is not ours."""
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    signature, payload = data[:_SIGNATURE], data[_SIGNATURE:]
    if len(payload) < _TIME + _HASH or not hmac.compare_digest(signature, _signature(payload, secret)):
        return None
    place = _TIME + _HASH
    return int.from_bytes(payload[:_TIME]), payload[_TIME:place].hex(), payload[place:].decode()


def _signature(payload: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, b"media" + payload, sha256)[:_SIGNATURE]
