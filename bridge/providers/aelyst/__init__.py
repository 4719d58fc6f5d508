"""Aelyst: WhatsApp, Messenger, Instagram, Telegram, Viber, LINE and more behind one inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, Field, SecretStr

from bridge.providers.aelyst import inbound, poller, wire
from bridge.providers.aelyst.outbound import ANY_CHANNEL, CAPABILITIES, place_of, send
from bridge.providers.fields import BaseUrl, Seconds, Secret
from bridge.providers.optional import Polled
from bridge.providers.port import SECRET_HEADERS, AccountSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.events import ThreadRef
    from bridge.planning.capabilities import Capabilities
    from bridge.providers.optional import Exchange, Place
    from bridge.providers.port import Authenticating, Credential, Inbound, Outbound, Request, Response, Sending, Webhook
    from bridge.units import PerPeriod


def _of_a_header(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not (text.isascii() and text.isprintable()):
        raise ValueError("it goes into a header and holds a character that cannot")
    return secret


class AelystSettings(AccountSettings):
    """`base_url` is https://api.aelyst.ai/v1; `token` comes from Settings > Integrations > Developer API.

    `workspace` names the workspace the token is of; it is for people, and goes into no request. With `poll_status`,
    messages that are not known to be delivered are asked after that often, for `poll_status_for` after they were said.
    """

    base_url: BaseUrl
    token: Annotated[Secret, AfterValidator(_of_a_header)]
    workspace: str | None = None
    poll_status: Annotated[Seconds, Field(ge=1.0, le=86_400.0)] | None = None
    poll_status_for: Annotated[Seconds, Field(gt=0.0, le=604_800.0)] = 86_400.0


class Aelyst:
    """One workspace at Aelyst. Its token does not expire, and there is nothing to renew."""

    name: ClassVar[str] = "aelyst"
    Settings: ClassVar[type[AccountSettings]] = AelystSettings
    auth: ClassVar[tuple[str, ...]] = ("hmac",)
    secret_headers: ClassVar[frozenset[str]] = SECRET_HEADERS
    relays: ClassVar[Mapping[str, Capabilities]] = CAPABILITIES
    path_rate: ClassVar[PerPeriod] = wire.PATH_RATE
    """What the provider allows for each method and path; a path holds the contact."""

    def __init__(self, account: str, settings: AelystSettings) -> None:
        """Prepare what every request repeats."""
        self.account = account
        self.base_url = settings.base_url
        self.workspace = settings.workspace
        self.fates_every = settings.poll_status
        self.fates_for = settings.poll_status_for
        self.channels: tuple[str, ...] | None = None
        self._headers = {
            "Authorization": f"Bearer {settings.token.get_secret_value()}",
            "Content-Type": "application/json",
        }

    def capabilities(self, channel: str) -> Capabilities:
        """What `channel` (a `channel.source`) can carry, as far as it can be known (outbound.CAPABILITIES)."""
        return self.relays.get(channel, ANY_CHANNEL)

    def parse(self, webhook: Webhook) -> Sequence[Inbound]:
        """The event of a webhook (inbound.py). Raises Unmappable."""
        return inbound.parse(webhook)

    def send(self, outbound: Outbound, credential: Credential | None) -> Sending:  # noqa: ARG002 - the port's signature
        """One POST to the contact's messages. Raises a SendError."""
        return send(outbound, self._headers)

    def place_of(self, to: str, channel: str | None) -> Place:
        """The conversation with a contact id, `id:`, `email:`, `phone:` or a number. Raises ValueError."""
        return place_of(to, channel)

    def media_headers(self, credential: Credential | None) -> Mapping[str, str]:  # noqa: ARG002 - the port's signature
        """What every request carries: a medium of the gateway may ask for it as well."""
        return self._headers

    def authenticate(self, now: int) -> Authenticating | None:  # noqa: ARG002 - the port's signature
        """None: the token goes with every request."""
        return None

    def ask_fate(
        self,
        thread: ThreadRef,
        message_id: str,
        now: int,
        credential: Credential | None,  # noqa: ARG002 - the port's signature
    ) -> Exchange[Polled]:
        """What has become of one message (poller.py). Raises a SendError out of the generator."""
        response = yield self.status_request(thread, message_id)
        return Polled(inbound=self.read_status(response, thread, message_id, now))

    def status_request(self, thread: ThreadRef, message_id: str) -> Request:
        """The question after one message we sent (poller.py). Raises Rejected."""
        return poller.status_request(thread, message_id, self._headers)

    def read_status(
        self, response: Response, thread: ThreadRef, message_id: str, received_at: int
    ) -> Sequence[Inbound]:
        """What the answer to a `status_request` says, as Status events (poller.py). Raises a SendError."""
        return poller.read_status(response, thread, message_id, received_at)


__all__ = ["Aelyst", "AelystSettings"]
