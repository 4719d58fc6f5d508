"""The other end of outgoing events: a URL that is told of them by signed webhooks, as an account is sent messages.

Standard Webhooks has the form: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import urlsplit

import orjson
from pydantic import SecretStr

from bridge.config.accounts import Account
from bridge.errors import NotSent, OutcomeUnknown, Rejected
from bridge.messages import Raw
from bridge.planning.capabilities import Capabilities
from bridge.providers.answers import SUCCESS, retry_after
from bridge.providers.key_formats import standard_key
from bridge.providers.nobody import Nobody
from bridge.providers.port import AccountSettings, Request, Sent
from bridge.store.following import account_of
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.clock import Clock
    from bridge.config.events import EventWebhook
    from bridge.providers.port import Credential, Outbound, Sending

_CARRIES: Final = Capabilities(kinds=frozenset({Raw.kind}))
_HIDDEN: Final = 8
"""Characters of a path that may hold a token: a shorter one is shown as it is."""


class EndpointSettings(AccountSettings):
    """What may not be seen of it: its secrets, and where a token may be in its URL."""

    path: SecretStr | None = None
    secret: tuple[SecretStr, ...]


class Endpoint(Nobody):
    """Implements Provider: posts events, and receives nothing."""

    name: ClassVar[str] = "events"
    Settings: ClassVar[type[AccountSettings]] = EndpointSettings

    def __init__(self, webhook: EventWebhook, clock: Clock) -> None:
        """Signs with each secret of the webhook, so that its receiver may know either one while they change."""
        self.base_url, self._path = split(webhook)
        self._clock = clock
        keys = [standard_key(secret.get_secret_value()) for secret in webhook.secret]
        self._keys = [key for key in keys if isinstance(key, bytes)]

    def capabilities(self, channel: str) -> Capabilities:
        """Events."""
        del channel
        return _CARRIES

    def send(self, outbound: Outbound, credential: Credential | None) -> Sending:
        """Post one event. Its id and its body are the same on every try; its time is that of the try."""
        del credential
        assert isinstance(outbound.message, Raw)
        body, at = orjson.dumps(outbound.message.payload), str(self._clock.now() // SECOND)
        signed = b"%b.%b.%b" % (outbound.key.encode(), at.encode(), body)
        signatures = [b64encode(hmac.digest(key, signed, "sha256")).decode() for key in self._keys]
        headers = {
            "webhook-id": outbound.key,
            "webhook-timestamp": at,
            "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        }
        try:
            answer = yield Request(method="POST", path=self._path, headers=headers, body=body)
        except Rejected as error:  # a redirect
            raise OutcomeUnknown(error.reason, loggable=True) from None
        if answer.status in SUCCESS:
            return Sent()
        reason, asked = f"the receiver answers HTTP {answer.status}", retry_after(answer)
        if asked is not None:
            raise NotSent(reason, retry_after=asked, loggable=True)
        raise OutcomeUnknown(reason, loggable=True)  # it may have taken the event, and drops it when it comes again


def split(webhook: EventWebhook) -> tuple[str, str]:
    """The origin of a webhook's URL, and the rest of it."""
    url = webhook.url.get_secret_value()
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    return origin, url.removeprefix(origin) or "/"


def guarded(webhooks: Collection[EventWebhook]) -> set[str]:
    """The origins that must be at public addresses."""
    return {split(webhook)[0] for webhook in webhooks if not webhook.is_written_out}


def account_for(webhook: EventWebhook, clock: Clock) -> Account:
    """The account by which events go to a webhook. Receivers drop what comes twice: its id tells."""
    _, path = split(webhook)
    settings = EndpointSettings(
        provider=Endpoint.name,
        timeout=webhook.timeout,
        provider_dedupes=True,
        path=SecretStr(path) if len(path) >= _HIDDEN else None,
        secret=webhook.secret,
    )
    return Account(name=account_of(webhook.name), provider=Endpoint(webhook, clock), settings=settings)
