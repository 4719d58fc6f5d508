"""Who may POST a webhook: what [accounts.NAME.inbound] can say, and the verifier made of it.

Only Aelyst documents a signature of its own (`hmac`). The others are conventions of this project, Standard Webhooks
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md) or JWS (RFC 7515, ES256).
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    model_validator,
)

from bridge.providers.fields import Seconds, Secret, read_secret
from bridge.providers.key_formats import es256_key, key_bytes, standard_key
from bridge.providers.schemes import (
    DUMMY,
    NOT_FOUND,
    Bearer,
    BodyHmac,
    Es256,
    HeaderPairs,
    Headers,
    Open,
    PathSecret,
    Signed,
    StandardWebhooks,
    Verifier,
    as_bytes,
    as_hex,
    digests_of,
)
from bridge.units import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_STRONG: Final = 24
"""Bytes of a secret that we generate, and of one by which a body is signed."""
_GUESSED: Final = 8
"""Bytes below which a value that a vendor gave is guessed soon."""
_TOLERANT: Final = 3600.0
_PLACEHOLDER: Final = re.compile(
    r"change[-_ ]?me|secret|password|token|x{3,}|\.{3,}|<[^>]*>|(your|my)[-_ ].*|example.*", re.IGNORECASE
)
_HEADER_NAME: Final = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
_ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {"base64": b64encode, "hex": as_hex}


def _listed(value: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
    return value if isinstance(value, list | tuple) else [value]


def _read_public(value: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
    """A public key may stand in the file itself, or be referred to like a secret."""
    if isinstance(value, str) and value.startswith(("env:", "file:")):
        found: SecretStr = read_secret(value)
        return found.get_secret_value()
    return value


def _check_public(value: str) -> str:
    es256_key(value)
    return value


def _check_standard(value: SecretStr) -> SecretStr:
    standard_key(value.get_secret_value())
    return value


PublicKey = Annotated[str, BeforeValidator(_read_public), AfterValidator(_check_public)]
StandardSecret = Annotated[Secret, AfterValidator(_check_standard)]
_Listed: Final = BeforeValidator(_listed, json_schema_input_type=Secret | tuple[Secret, ...])
Secrets = Annotated[tuple[Secret, ...], _Listed, Field(min_length=1)]
PublicKeys = Annotated[
    tuple[PublicKey, ...], BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...]), Field(min_length=1)
]
StandardSecrets = Annotated[tuple[StandardSecret, ...], _Listed, Field(min_length=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HeadersAuth(_Settings):
    """Auth-username and Auth-password, or one header of any name. Several values: any of them is accepted."""

    auth: Literal["headers"]
    username: Secrets | None = None
    password: Secrets | None = None
    name: Annotated[str, Field(pattern=_HEADER_NAME)] | None = None
    value: Secrets | None = None

    @model_validator(mode="after")
    def _one_pair(self) -> HeadersAuth:
        given = {key for key in ("username", "password", "name", "value") if getattr(self, key) is not None}
        if given not in ({"username", "password"}, {"name", "value"}):
            raise ValueError("headers needs username and password, or name and value")
        return self

    def verifier(self) -> Verifier:
        """Compares each header with its values."""
        if self.name is not None:
            return HeaderPairs(((self.name.lower(), _digests(self.value)),))
        return HeaderPairs((("auth-username", _digests(self.username)), ("auth-password", _digests(self.password))))


class BearerAuth(_Settings):
    """Authorization: Bearer SECRET."""

    auth: Literal["bearer"]
    secret: Secrets

    def verifier(self) -> Verifier:
        """Compares the token."""
        return Bearer(_digests(self.secret))


class PathAuth(_Settings):
    """The secret is part of the URL."""

    auth: Literal["path"]
    secret: Secrets

    def verifier(self) -> Verifier:
        """Compares the route's {secret}."""
        return PathSecret(_digests(self.secret))


class HmacAuth(_Settings):
    """A header with the HMAC of the raw body, exactly `prefix` + base64 or lower-case hex. No replay protection."""

    auth: Literal["hmac"]
    keys: Secrets
    header: Annotated[str, Field(pattern=_HEADER_NAME)] = "X-Webhook-Signature"
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    encoding: Literal["base64", "hex"] = "base64"
    prefix: str = ""
    key_encoding: Literal["raw", "base64"] = "raw"

    @model_validator(mode="after")
    def _usable(self) -> HmacAuth:
        self.verifier()
        return self

    def verifier(self) -> Verifier:
        """Computes the signature with each key."""
        read = key_bytes if self.key_encoding == "base64" else as_bytes
        keys = tuple(read(key.get_secret_value()) for key in self.keys)
        encode = _ENCODERS[self.encoding]
        return BodyHmac(keys, self.header.lower(), self.algorithm, encode, as_bytes(self.prefix))


class Es256Auth(_Settings):
    """Authorization: Bearer JWT, signed with ES256. It proves the caller and not the body: TLS does the rest."""

    auth: Literal["es256"]
    public_key: PublicKeys
    issuer: str = "relationlabs.ai"
    subjects: tuple[str, ...] | None = None

    def verifier(self) -> Verifier:
        """Checks the signature, then who issued it, to whom and until when."""
        return Es256(tuple(map(es256_key, self.public_key)), self.issuer, self.subjects)


class StandardWebhooksAuth(_Settings):
    """Standard Webhooks: `whsec_` secrets check v1 signatures, `whpk_` public keys check v1a signatures."""

    auth: Literal["standard-webhooks"]
    secrets: StandardSecrets
    tolerance: Annotated[Seconds, Field(gt=0, le=86_400)] = 300.0

    def verifier(self) -> Verifier:
        """Checks id, time and body with each key of the signature's kind."""
        keys = [standard_key(secret.get_secret_value()) for secret in self.secrets]
        symmetric = tuple(key for key in keys if isinstance(key, bytes))
        asymmetric = tuple(key for key in keys if not isinstance(key, bytes))
        return StandardWebhooks(symmetric, asymmetric, round(self.tolerance * SECOND))


class NoAuth(_Settings):
    """Anybody may post: only for a loopback address."""

    auth: Literal["none"]

    def verifier(self) -> Verifier:
        """Refuses nothing."""
        return Open()


InboundSettings: TypeAlias = Annotated[
    HeadersAuth | BearerAuth | PathAuth | HmacAuth | Es256Auth | StandardWebhooksAuth | NoAuth,
    Field(discriminator="auth"),
]
INBOUND: Final[TypeAdapter[InboundSettings]] = TypeAdapter(InboundSettings)


def weakness(settings: InboundSettings) -> list[tuple[str, str]]:
    """What is worth a warning: the key below `inbound`, and the reason. Never a value."""
    found = [("auth", "whoever reaches the port may post webhooks")] if isinstance(settings, NoAuth) else []
    if isinstance(settings, StandardWebhooksAuth) and settings.tolerance > _TOLERANT:
        found.append(("tolerance", "more than an hour: for so long a webhook that was overheard can be repeated"))
    for name in type(settings).model_fields:
        values = getattr(settings, name)
        for secret in values if isinstance(values, tuple) else ():
            text = secret.get_secret_value() if isinstance(secret, SecretStr) else ""
            least = _least_bytes(settings, name)
            if _bytes_of(settings, text) < least:
                found.append((name, f"shorter than {least} bytes"))
            if _PLACEHOLDER.fullmatch(text):
                found.append((name, "looks like a placeholder"))
            if text != text.strip():
                found.append((name, "begins or ends with white space, which no header can carry"))
    return found


def _least_bytes(settings: InboundSettings, key: str) -> int:
    """The fewest bytes of a secret that is not weak."""
    match settings:
        case BearerAuth() | PathAuth() | StandardWebhooksAuth():
            return _STRONG
        case HmacAuth():
            return _STRONG // 2  # a vendor may give it, and some give 16
        case HeadersAuth() if key != "username":
            return _GUESSED
        case _:
            return 0


def _bytes_of(settings: InboundSettings, text: str) -> int:
    """The bytes of a secret, read as its verifier reads it."""
    if isinstance(settings, StandardWebhooksAuth):
        key = standard_key(text)
        return len(key) if isinstance(key, bytes) else _STRONG
    if isinstance(settings, HmacAuth) and settings.key_encoding == "base64":
        return len(key_bytes(text))
    return len(as_bytes(text))


def verifier_for(settings: InboundSettings) -> Verifier:
    """The verifier for an account's [inbound] settings; keys are prepared here, once."""
    return settings.verifier()


def _digests(secrets: Sequence[SecretStr] | None) -> tuple[bytes, ...]:
    return digests_of([secret.get_secret_value() for secret in secrets or ()])


__all__ = [
    "DUMMY",
    "INBOUND",
    "NOT_FOUND",
    "BearerAuth",
    "Es256Auth",
    "Headers",
    "HeadersAuth",
    "HmacAuth",
    "InboundSettings",
    "NoAuth",
    "PathAuth",
    "Signed",
    "StandardWebhooksAuth",
    "Verifier",
    "verifier_for",
    "weakness",
]
