"""WhautoChat: WhatsApp, Messenger, Instagram and Telegram of one workspace, and the live chat of its web page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import Field

from bridge.providers.fields import BaseUrl, HeaderSecret, Rate
from bridge.providers.port import SECRET_HEADERS, AccountSettings
from bridge.providers.whautochat import inbound, wire
from bridge.providers.whautochat.outbound import CAPABILITIES, NOTHING, TemplateAs, place_of, send
from bridge.providers.whautochat.webhooks import Webhooks
from bridge.units import PerPeriod

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.planning.capabilities import Capabilities
    from bridge.providers.optional import Place
    from bridge.providers.port import Authenticating, Credential, Inbound, Outbound, Sending, Webhook


TEMPLATES_UNSET: Final = (
    'is not set: templates leave without params; "object" is the newer revision of the API, "string" the older'
)


class WhautoChatSettings(AccountSettings):
    """`base_url` is the host of your region, as the app shows it; `template_as` the revision of the API you have."""

    base_url: BaseUrl = "https://api.whauto.chat"
    api_key: HeaderSecret
    workspace_id: Annotated[str, Field(min_length=1)]
    template_as: TemplateAs = "string"
    rate: Rate | None = PerPeriod(100, 60.0)
    """Documented for subscribed accounts: 100 requests a minute (and 144,000 a day, which is the same)."""


class WhautoChat:
    """One workspace. A thread is the channel and the contact's id, or on WhatsApp a phone number that begins with +."""

    name: ClassVar[str] = "whautochat"
    Settings: ClassVar[type[AccountSettings]] = WhautoChatSettings
    auth: ClassVar[tuple[str, ...]] = ("path", "headers")
    secret_headers: ClassVar[frozenset[str]] = SECRET_HEADERS | {wire.API_KEY}
    relays: ClassVar[Mapping[str, Capabilities]] = CAPABILITIES

    def __init__(self, account: str, settings: WhautoChatSettings) -> None:
        """Prepare what every request repeats."""
        self.account = account
        self.base_url = settings.base_url
        self.channels: tuple[str, ...] | None = None
        self._workspace_id = settings.workspace_id
        self._template_as: TemplateAs = settings.template_as
        self._template_chosen = "template_as" in settings.model_fields_set
        self._headers = {wire.API_KEY: settings.api_key.get_secret_value(), "Content-Type": "application/json"}
        self.webhooks = Webhooks(self._headers)

    def capabilities(self, channel: str) -> Capabilities:
        """What `channel` can carry: nothing where there is no endpoint, as for the live chat."""
        carries = self.relays.get(channel, NOTHING)
        return replace(carries, template_params=True) if self._template_as == "object" else carries

    def setting_warnings(self) -> Mapping[str, str]:
        """A revision of the API that was never chosen sends templates without params."""
        return {} if self._template_chosen else {"template_as": TEMPLATES_UNSET}

    def parse(self, webhook: Webhook) -> Sequence[Inbound]:
        """The event of a message webhook; none for a contact's (wire.py). Raises Unmappable."""
        return inbound.parse(webhook)

    def send(self, outbound: Outbound, credential: Credential | None) -> Sending:  # noqa: ARG002 - the port's signature
        """One POST to the channel's endpoint. Raises a SendError."""
        return send(outbound, self._workspace_id, self._template_as, self._headers)

    def place_of(self, to: str, channel: str | None) -> Place:
        """The conversation with a contact id, or on WhatsApp with a phone number. Raises ValueError."""
        return place_of(to, channel)

    def media_headers(self, credential: Credential | None) -> Mapping[str, str]:  # noqa: ARG002 - the port's signature
        """What every request carries: a medium of the gateway may ask for it as well."""
        return self._headers

    def authenticate(self, now: int) -> Authenticating | None:  # noqa: ARG002 - the port's signature
        """None: the API key goes with every request."""
        return None


__all__ = ["WhautoChat", "WhautoChatSettings"]
