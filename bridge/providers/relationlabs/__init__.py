"""RelationLabs (Relation ONE): text in groups and with peers; the gateway pushes to sockets, so a relay posts to us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from bridge.errors import NotSent
from bridge.events import ThreadRef
from bridge.providers.fields import BaseUrl, Seconds, Secret
from bridge.providers.port import SECRET_HEADERS, AccountSettings
from bridge.providers.relationlabs import wire
from bridge.providers.relationlabs.inbound import parse
from bridge.providers.relationlabs.outbound import CAPABILITIES, authenticate, headers, place_of, send
from bridge.providers.relationlabs.poller import Asker, Page, Window, poll, poll_request, read_name, read_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.planning.capabilities import Capabilities
    from bridge.providers.optional import Exchange, Place, Polled
    from bridge.providers.port import Authenticating, Credential, Inbound, Outbound, Request, Response, Sending, Webhook


def _of_a_header(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().isprintable():
        raise ValueError("it goes into a header and holds a control character")
    return secret


def _named(name: str) -> str:
    read_name(name)
    return name


HeaderSecret = Annotated[Secret, AfterValidator(_of_a_header)]


class RelationLabsSettings(AccountSettings):
    """The keys of a RelationLabs account.

    `token` is a ready unifiedAuthToken (valid seven days); `address_token` an addressAuthToken to obtain one with.
    `relation_id` is our own, by which our messages coming back are known; it is read from a `token` that tells it.
    `poll` lists the conversations that no relay posts to us, as "group:UUID" or "peer:RELATION_ID": they are asked for
    news every `poll_every`, beginning with what is said after the first start.
    """

    base_url: BaseUrl
    api_key: HeaderSecret
    token: HeaderSecret | None = None
    address_token: HeaderSecret | None = None
    relation_id: str | None = None
    poll: tuple[Annotated[str, AfterValidator(_named)], ...] = ()
    poll_every: Annotated[Seconds, Field(ge=1.0, le=86_400.0)] = 15.0

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if (self.token is None) == (self.address_token is None):
            found = "neither is there" if self.token is None else "both are there"
            raise ValueError(f"give either token or address_token: {found}")
        return self


class RelationLabs:
    """One RelationLabs account."""

    name: ClassVar[str] = "relationlabs"
    Settings: ClassVar[type[AccountSettings]] = RelationLabsSettings
    auth: ClassVar[tuple[str, ...]] = ("bearer", "es256", "path")
    secret_headers: ClassVar[frozenset[str]] = SECRET_HEADERS | {
        wire.API_KEY.lower(),
        wire.ADDRESS_AUTHORIZATION.lower(),
    }
    relays: ClassVar[Mapping[str, Capabilities]] = dict.fromkeys((wire.GROUP, wire.PEER), CAPABILITIES)

    def __init__(self, account: str, settings: RelationLabsSettings) -> None:
        """Read our own name from the token if it is not configured."""
        self.account = account
        self.settings = settings
        self.base_url = settings.base_url
        self.channels: tuple[str, ...] | None = None
        token = settings.token.get_secret_value() if settings.token else ""
        self.relation_id = settings.relation_id or wire.subject(token)
        self.polled = settings.poll
        self.poll_every = settings.poll_every

    @property
    def own_id(self) -> str | None:
        """The relation id that others see."""
        return self.relation_id

    def capabilities(self, channel: str) -> Capabilities:  # noqa: ARG002 - groups and peers can the same
        """Text, with a quoted message."""
        return CAPABILITIES

    def parse(self, webhook: Webhook) -> Sequence[Inbound]:
        """The event in what a relay posts (inbound.py). Raises Unmappable."""
        return parse(webhook, self.relation_id)

    def send(self, outbound: Outbound, credential: Credential | None) -> Sending:
        """One POST (outbound.py). Raises a SendError out of the generator."""
        named = self._headers(credential)
        return (yield from send(outbound, self.relation_id, named, fixed=credential is None))

    def place_of(self, to: str, channel: str | None) -> Place:
        """The conversation of a channelUuid (a group, or a peer) or with a relation id. Raises ValueError."""
        return place_of(to, channel)

    def media_headers(self, credential: Credential | None) -> Mapping[str, str]:
        """What every request carries: a medium of the gateway may ask for it as well."""
        return self._headers(credential)

    def authenticate(self, now: int) -> Authenticating | None:
        """The exchange of the address token for a token that sends; None when that one is configured."""
        if self.settings.address_token is None:
            return None
        return authenticate(
            self.settings.api_key.get_secret_value(), self.settings.address_token.get_secret_value(), now
        )

    def first_cursor(self, now: int) -> str:
        """Now: what was said before the bot was there is not for it."""
        return str(now)

    def poll(self, name: str, cursor: str, now: int, credential: Credential | None) -> Exchange[Polled]:
        """One round of an entry of `poll` (poller.py). Raises a SendError out of the generator."""
        asker = Asker(headers=self._headers(credential), own=self.relation_id, fixed=credential is None)
        thread = ThreadRef(self.account, self.name, *read_name(name))
        return (yield from poll(thread, cursor, now, asker))

    def poll_request(self, thread: ThreadRef, window: Window, credential: Credential | None) -> Request:
        """The request for a thread's messages (poller.py). Raises NotSent while there is no token."""
        return poll_request(thread, window, self._headers(credential))

    def read_page(
        self,
        response: Response,
        thread: ThreadRef,
        window: Window,
        credential: Credential | None,
        *,
        received_at: int,
    ) -> Page:
        """What the answer to it holds. Raises a SendError."""
        return read_page(response, thread, window, self.relation_id, received_at=received_at, fixed=credential is None)

    def _headers(self, credential: Credential | None) -> dict[str, str]:
        configured = self.settings.token
        token = credential.token if credential else configured.get_secret_value() if configured else ""
        if not token:
            raise NotSent("there is no token yet", unauthorised=True)
        return headers(self.settings.api_key.get_secret_value(), token)


__all__ = ["Page", "RelationLabs", "RelationLabsSettings", "Window"]
