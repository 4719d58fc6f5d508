"""Ginalne Raven: text to a persona's contacts, to groups and to mass topics, with a token made by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import Field

from bridge.providers.fields import BaseUrl, HeaderSecret
from bridge.providers.ginalne import inbound, wire
from bridge.providers.ginalne.outbound import CAPABILITIES, TO_WHATSAPP, place_of, send
from bridge.providers.port import SECRET_HEADERS, AccountSettings
from bridge.units import micros, moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.planning.capabilities import Capabilities
    from bridge.providers.optional import Place
    from bridge.providers.port import Authenticating, Credential, Inbound, Outbound, Sending, Webhook

_WARN_AHEAD: Final = timedelta(days=14)


class GinalneSettings(AccountSettings):
    """`token_expires` is the date shown where the token was made: the API never tells it.

    `topic` names the persona topic of a conversation that the bot begins; "" stands for the username.
    """

    base_url: BaseUrl = "https://main.ginalne.com/raven/xapi/v1"
    token: HeaderSecret
    username: Annotated[str, Field(min_length=1)]
    token_expires: datetime | date | None = None
    topic: Annotated[str, Field(max_length=wire.LONGEST_NAME)] = ""


class Ginalne:
    """One user of Raven. A thread is (contact type, key), ("group", topic name) or, outbound, ("mass", topic name)."""

    name: ClassVar[str] = "ginalne"
    Settings: ClassVar[type[AccountSettings]] = GinalneSettings
    auth: ClassVar[tuple[str, ...]] = ("bearer", "path")
    secret_headers: ClassVar[frozenset[str]] = SECRET_HEADERS
    relays: ClassVar[Mapping[str, Capabilities]] = {
        wire.WHATSAPP: TO_WHATSAPP,
        wire.GROUP: CAPABILITIES,
        wire.MASS: CAPABILITIES,
    }

    def __init__(self, account: str, settings: GinalneSettings) -> None:
        """Prepare what every request repeats."""
        self.account = account
        self.base_url = settings.base_url
        self.channels: tuple[str, ...] | None = None
        self._username = settings.username
        self._topic = settings.topic or settings.username[: wire.LONGEST_NAME]
        self._expires = _aware(settings.token_expires)
        self._headers = {
            "Authorization": f"Bearer {settings.token.get_secret_value()}",
            "Content-Type": "application/json",
        }

    def capabilities(self, channel: str) -> Capabilities:
        """Text, and nothing else."""
        return self.relays.get(channel, CAPABILITIES)

    def parse(self, webhook: Webhook) -> Sequence[Inbound]:
        """The one event in a webhook of our own convention (wire.py). Raises Unmappable."""
        return inbound.parse(webhook)

    def send(self, outbound: Outbound, credential: Credential | None) -> Sending:  # noqa: ARG002 - the port's signature
        """One POST to message:send. Raises a SendError."""
        return send(outbound, self._username, self._topic, self._headers)

    def place_of(self, to: str, channel: str | None) -> Place:
        """The topic of a contact key (on WhatsApp: a phone number), or a group or mass topic. Raises ValueError."""
        return place_of(to, channel)

    def media_headers(self, credential: Credential | None) -> Mapping[str, str]:  # noqa: ARG002 - the port's signature
        """What every request carries: a medium of the gateway may ask for it as well."""
        return self._headers

    def authenticate(self, now: int) -> Authenticating | None:  # noqa: ARG002 - the port's signature
        """None: the token is made in the app by a person, and cannot be renewed from here."""
        return None

    @property
    def expires_at(self) -> int | None:
        """When the token ends, as `token_expires` tells."""
        return None if self._expires is None else micros(self._expires)

    def token_warning(self, now: int) -> str | None:
        """From 14 days before `token_expires` on, what to do about it; `now` is in microseconds."""
        if self._expires is None:
            return None
        left = self._expires - moment(now)
        if left > _WARN_AHEAD:
            return None
        when = f"{self._expires:%Y-%m-%d}"
        how = f"expires on {when}, in {left.days} days" if left > timedelta(0) else f"expired on {when}"
        return f"the token {how}: it cannot be renewed; generate a new one in Raven (Setting) and change `token`"


def _aware(expires: datetime | date | None) -> datetime | None:
    """The moment a token ends: a date's first, in UTC, because a warning may come early and never late."""
    if expires is None:
        return None
    if not isinstance(expires, datetime):
        expires = datetime.combine(expires, time())
    return expires if expires.tzinfo else expires.replace(tzinfo=UTC)


__all__ = ["Ginalne", "GinalneSettings"]
