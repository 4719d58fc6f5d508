"""The playground: a provider without account or network, whose other end is the console page."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bridge.providers.optional import Place
from bridge.providers.playground import inbound, wire
from bridge.providers.playground.outbound import CAPABILITIES, deliver
from bridge.providers.port import SECRET_HEADERS, AccountSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.planning.capabilities import Capabilities
    from bridge.providers.port import Authenticating, Credential, Inbound, Outbound, Sending, Webhook


class PlaygroundSettings(AccountSettings):
    """Nothing beyond what every account may have."""


class Playground:
    """One playground account. It has no public webhook: a person who may open the console may write to it."""

    name: ClassVar[str] = "playground"
    Settings: ClassVar[type[AccountSettings]] = PlaygroundSettings
    auth: ClassVar[tuple[str, ...]] = ()
    secret_headers: ClassVar[frozenset[str]] = SECRET_HEADERS
    relays: ClassVar[Mapping[str, Capabilities]] = {wire.CHANNEL: CAPABILITIES}
    channel: ClassVar[str] = wire.CHANNEL

    def __init__(self, account: str, settings: PlaygroundSettings) -> None:
        """Nothing to connect to."""
        self.account = account
        self.settings = settings
        self.base_url = ""
        self.channels: tuple[str, ...] | None = None

    def capabilities(self, channel: str) -> Capabilities:  # noqa: ARG002 - there is one channel
        """Everything, natively."""
        return CAPABILITIES

    def parse(self, webhook: Webhook) -> Sequence[Inbound]:
        """The one event in what the console page posts (wire.py). Raises Unmappable."""
        return inbound.parse(webhook)

    def send(self, outbound: Outbound, credential: Credential | None) -> Sending:  # noqa: ARG002 - the port's signature
        """No request; delivered."""
        return deliver(outbound)

    def place_of(self, to: str, channel: str | None) -> Place:
        """The conversation of that name. Raises ValueError."""
        if channel not in {None, wire.CHANNEL}:
            raise ValueError(f"the playground has one channel, {wire.CHANNEL}")
        if len(to) > wire.ID_LENGTH:
            raise ValueError(f"the name of a conversation has at most {wire.ID_LENGTH} characters")
        return Place(channel=wire.CHANNEL, conversation_id=to, identities=(("id", to),))

    def authenticate(self, now: int) -> Authenticating | None:  # noqa: ARG002 - the port's signature
        """None: there is nothing to log in to."""
        return None


__all__ = ["Playground", "PlaygroundSettings"]
