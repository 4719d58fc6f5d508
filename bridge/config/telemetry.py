"""The sections for those who watch a running bridge: metrics and traces, and alerts."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from bridge.providers.fields import Seconds, Secret, Size, read_secret

PLAIN: Final = frozenset({"http", "https"})
"""The schemes of URLs that we post to ourselves; all others are apprise's."""
_SHORTEST: Final = 16
_YEAR: Final = 366 * 86_400


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _long(token: SecretStr) -> SecretStr:
    if len(token.get_secret_value()) < _SHORTEST or not token.get_secret_value().isprintable():
        raise ValueError(f"want at least {_SHORTEST} printable characters; `openssl rand -hex 24` makes some")
    return token


def _collector(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in PLAIN or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("want the base URL of a collector, like http://localhost:4318")
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        raise ValueError("traces need OpenTelemetry: pip install 'threadbridge[otel]'")
    return url.strip().rstrip("/")


class Telemetry(_Section):
    """[telemetry]: the `token` that opens /metrics from elsewhere, and the collector of traces (`otlp`)."""

    token: Annotated[Secret, AfterValidator(_long)] | None = None
    otlp: Annotated[str, AfterValidator(_collector)] | None = None


def _given(value: object) -> object:
    """A URL that may be a secret, because many hold a token."""
    if isinstance(value, str) and not value.startswith(("env:", "file:")):
        return SecretStr(value)
    return read_secret(value)


def _known(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value()
    parts = urlsplit(url)
    if parts.scheme in PLAIN:
        if not parts.hostname:
            raise ValueError("not a URL; it looks like https://host/path")
        return secret
    if not parts.scheme or "://" not in url:
        raise ValueError("want a URL, like https://host/path, or one of apprise")
    if find_spec("apprise") is None:
        raise ValueError("such a URL needs apprise: pip install 'threadbridge[alerts]'")
    from apprise import Apprise  # noqa: PLC0415 - only who has such a URL needs it, and it is large

    if not Apprise().add(url):
        raise ValueError("apprise does not know this URL")
    return secret


def _words(value: object) -> object:
    """A list in the environment may be `one, two` as well as JSON."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return [item.strip() for item in text.split(",") if item.strip()] if isinstance(text, str) else value


AlertUrl = Annotated[SecretStr, BeforeValidator(_given), AfterValidator(_known)]


class Alerts(_Section):
    """[alerts]: who is told (`urls`) and how often (`period`), and from which bounds on; 0 turns one off.

    `dead_letters` are new ones. An account is `paused`, and what waits at one is in the `backlog`, for so long. A token
    expires within `token`; less than `disk` is free.
    """

    urls: Annotated[tuple[AlertUrl, ...], BeforeValidator(_words)] = ()
    period: Annotated[Seconds, Field(ge=60, le=86_400)] = 900.0
    dead_letters: Annotated[int, Field(ge=0)] = 1
    paused: Annotated[Seconds, Field(ge=0, le=86_400)] = 60.0
    backlog: Annotated[Seconds, Field(ge=0, le=86_400)] = 300.0
    token: Annotated[Seconds, Field(ge=0, le=_YEAR)] = 7 * 86_400.0
    disk: Annotated[Size, Field(ge=0)] = 512 * 1024 * 1024
    guard: bool = True
    store: bool = True
