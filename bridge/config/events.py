"""[events]: the systems that follow conversations, and are told of them by signed webhooks."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from bridge.config.api import listed
from bridge.providers.fields import Seconds, Secret, read_secret
from bridge.providers.key_formats import standard_key
from bridge.store.following import TYPES, EventType
from bridge.units import Reach, is_loopback, reach_of

_NAME: Final = r"^[a-z0-9][a-z0-9_.-]{0,63}$"
STRONG: Final = 24
"""Bytes of a key that is not weak: the least that Standard Webhooks takes."""


def _given(value: object) -> object:
    """A URL that may be a secret, because many hold a token."""
    if isinstance(value, str) and not value.startswith(("env:", "file:")):
        return SecretStr(value)
    return read_secret(value)


def _checked(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value().strip()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("not a URL; it looks like https://host/path")
    if parts.username or parts.password or parts.fragment:
        raise ValueError("want no user, password or fragment: the signature proves who posts")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("http is only for loopback addresses; use https")
    if reach_of(host) is Reach.LINK_LOCAL:
        raise ValueError("a link-local address: cloud machines keep their own credentials there")
    return SecretStr(url)


def _signs(secret: SecretStr) -> SecretStr:
    if not isinstance(standard_key(secret.get_secret_value()), bytes):
        raise ValueError("want whsec_ and base64: a public key (whpk_) signs nothing")  # noqa: TRY004 - pydantic's own
    return secret


def _several(value: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
    return value if isinstance(value, list | tuple) else [value]


EventUrl = Annotated[SecretStr, BeforeValidator(_given, json_schema_input_type=str), AfterValidator(_checked)]
SigningSecret = Annotated[Secret, AfterValidator(_signs)]


class EventWebhook(BaseModel):
    """Where events go: `url`, signed with each `secret`. `types` are those it is told of, by default all.

    `name` is what it is called in lists and logs: by default its host. `private` lets its host have a private address.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: EventUrl
    secret: Annotated[
        tuple[SigningSecret, ...],
        BeforeValidator(_several, json_schema_input_type=SigningSecret | tuple[SigningSecret, ...]),
        Field(min_length=1),
    ]
    name: Annotated[str, Field(pattern=_NAME)] = "webhook"
    types: Annotated[tuple[EventType, ...], BeforeValidator(listed), Field(min_length=1)] = TYPES
    timeout: Annotated[Seconds, Field(ge=1, le=60)] = 15.0
    private: bool = False

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
        """Without a name it has that of its host."""
        if not isinstance(value, dict) or "name" in value or "url" not in value:
            return value
        try:
            url = _given(value["url"])
            host = urlsplit(url.get_secret_value()).hostname if isinstance(url, SecretStr) else None
        except ValueError:
            return value  # the URL's own problem
        return {**value, "name": (host or "webhook").replace(":", "-")[:64]}

    @property
    def is_written_out(self) -> bool:
        """Whether the address itself stands in the URL, or `private` says that any will do."""
        return self.private or reach_of(urlsplit(self.url.get_secret_value()).hostname or "") is not None

    @property
    def weak_secrets(self) -> list[int]:
        """Which of the secrets are short."""
        keys = [standard_key(secret.get_secret_value()) for secret in self.secret]
        return [number for number, key in enumerate(keys) if isinstance(key, bytes) and len(key) < STRONG]


class Events(BaseModel):
    """[events]: `webhooks` are told what happens. What one does not take is given up after `give_up_after`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    webhooks: Annotated[tuple[EventWebhook, ...], Field(max_length=16)] = ()
    give_up_after: Annotated[Seconds, Field(ge=60, le=30 * 86_400)] = 3 * 86_400.0

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({webhook.name for webhook in self.webhooks}) < len(self.webhooks):
            raise ValueError("two webhooks have the same name, which is that of the host unless `name` is another")
        return self
