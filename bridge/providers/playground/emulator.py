"""The other end of the playground: makes the webhooks the console page makes; there is nothing to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import orjson

from bridge.providers.playground import wire
from bridge.providers.port import Hook, Request, Response, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.events import StatusValue
    from bridge.messages import Button
    from bridge.providers.port import Dice

_HEADERS: Final[Mapping[str, str]] = {"content-type": "application/json"}


class Emulator:
    """A contact at the console. `seen` stays empty: what was said to the contact is in the store, and only there."""

    name: ClassVar[str] = "playground"
    sample_settings: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        now: Callable[[], int],  # noqa: ARG002 - as every emulator is made
        rng: Dice,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """`rng` is where ids come from; no webhook says when."""
        self.seen: list[Seen] = []
        self.requests: list[tuple[Request, Response]] = []
        self.settings = settings or self.sample_settings
        self._rng = rng

    def handle(self, request: Request) -> Response:
        """No request is ever due here: 404."""
        response = Response(status=404)
        self.requests.append((request, response))
        return response

    def says(self, channel: str, contact: str, text: str) -> Hook:
        """The webhook for a text message of a contact."""
        return self._hook(channel, contact, {wire.TEXT: text})

    def presses(self, channel: str, contact: str, choice: Button) -> Hook:
        """The webhook for pressing a button or a line of a list."""
        return self._hook(channel, contact, {wire.KEY: choice.key, wire.TITLE: choice.title})

    def sends(self, channel: str, contact: str, kind: str, url: str, caption: str = "") -> Hook:
        """The webhook for a medium of a contact."""
        return self._hook(channel, contact, {wire.MEDIA: {"url": url, "kind": kind, "caption": caption}})

    def locates(self, channel: str, contact: str, latitude: float, longitude: float) -> Hook:
        """The webhook for a location of a contact."""
        return self._hook(channel, contact, {wire.LOCATION: {"latitude": latitude, "longitude": longitude}})

    def status(self, seen: Seen, value: StatusValue) -> Hook | None:  # noqa: ARG002 - the port's signature
        """None: the playground sends no such webhook."""
        return None

    def _hook(self, channel: str, contact: str, content: Mapping[str, Any]) -> Hook:
        if channel != wire.CHANNEL:
            raise ValueError(f"the playground's channel is {wire.CHANNEL}, not {channel}")
        said = {
            wire.ID: f"{self._rng.getrandbits(128):032x}",
            wire.CONVERSATION: contact,
            wire.NAME: contact,
            **content,
        }
        return Hook(body=orjson.dumps(said), headers=_HEADERS)
