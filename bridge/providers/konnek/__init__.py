"""Konnek (Sprint Asia): WhatsApp, Telegram, LINE and Messenger behind one endpoint for each channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import AfterValidator, Field, SecretStr

from bridge.providers.fields import BaseUrl, Secret
from bridge.providers.konnek import inbound, wire
from bridge.providers.konnek.outbound import ANY_CHANNEL, CAPABILITIES, place_of, send, send_path
from bridge.providers.port import SECRET_HEADERS, AccountSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.planning.capabilities import Capabilities
    from bridge.providers.optional import Place
    from bridge.providers.port import Authenticating, Credential, Inbound, Outbound, Sending, Webhook

_SLUG: Final = r"^[A-Za-z0-9][A-Za-z0-9_.~-]*$"


def _of_a_header(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().isprintable():
        raise ValueError("it goes into a header and holds a control character")
    return secret


def _each_once(channels: tuple[str, ...]) -> tuple[str, ...]:
    if not channels:
        raise ValueError("at least one channel is needed")
    if len(set(channels)) < len(channels):
        raise ValueError("a channel is named twice")
    return channels


Slug = Annotated[str, Field(pattern=_SLUG, max_length=100)]
HeaderSecret = Annotated[Secret, AfterValidator(_of_a_header)]


class KonnekSettings(AccountSettings):
    """`channels` are spelled as in the send URL Sprint gave you: they stand in its path, and in our webhook's."""

    base_url: BaseUrl
    client_id: Slug
    channels: Annotated[tuple[Slug, ...], AfterValidator(_each_once)]
    username: HeaderSecret
    password: HeaderSecret


class Konnek:
    """One client at Konnek. Its credentials are fixed: there is no token to renew."""

    name: ClassVar[str] = "konnek"
    Settings: ClassVar[type[AccountSettings]] = KonnekSettings
    auth: ClassVar[tuple[str, ...]] = ("headers", "path")
    secret_headers: ClassVar[frozenset[str]] = SECRET_HEADERS | {
        wire.AUTH_USERNAME.lower(),
        wire.AUTH_PASSWORD.lower(),
    }
    relays: ClassVar[Mapping[str, Capabilities]] = CAPABILITIES

    def __init__(self, account: str, settings: KonnekSettings) -> None:
        """Prepare what every request repeats."""
        self.account = account
        self.base_url = settings.base_url
        self.channels: tuple[str, ...] | None = settings.channels
        self._paths = {channel: send_path(channel, settings.client_id) for channel in settings.channels}
        self._headers = {
            wire.AUTH_USERNAME: settings.username.get_secret_value(),
            wire.AUTH_PASSWORD: settings.password.get_secret_value(),
            "Content-Type": "application/json",
        }

    def capabilities(self, channel: str) -> Capabilities:
        """What `channel` can carry, as far as it can be known (outbound.CAPABILITIES)."""
        return self.relays.get(channel.lower(), ANY_CHANNEL)

    def parse(self, webhook: Webhook) -> Sequence[Inbound]:
        """The events of a message or status webhook (wire.py). Raises Unmappable."""
        return inbound.parse(webhook, tuple(self._paths))

    def send(self, outbound: Outbound, credential: Credential | None) -> Sending:  # noqa: ARG002 - the port's signature
        """One POST to the thread's channel. Raises a SendError, Rejected for a channel the account does not have."""
        return send(outbound, self._paths.get(outbound.thread.channel), self._headers)

    def place_of(self, to: str, channel: str | None) -> Place:
        """The conversation with a username; on WhatsApp that is a phone number. Raises ValueError."""
        return place_of(to, channel, [*self._paths])

    def media_headers(self, credential: Credential | None) -> Mapping[str, str]:  # noqa: ARG002 - the port's signature
        """What every request carries: a medium of the gateway may ask for it as well."""
        return self._headers

    def authenticate(self, now: int) -> Authenticating | None:  # noqa: ARG002 - the port's signature
        """None: username and password go with every request."""
        return None


__all__ = ["Konnek", "KonnekSettings"]
