"""The schema of threadbridge.toml: sections, keys, types and defaults."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import unquote_to_bytes, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bridge.config.api import Api
from bridge.config.console import Console
from bridge.config.events import Events
from bridge.config.keeping import Retention
from bridge.config.problems import PREFIX, unknown
from bridge.config.telemetry import Alerts, Telemetry
from bridge.plugins import plugged_in
from bridge.providers.fields import BaseUrl, Seconds, Secret, Size
from bridge.store import opening
from bridge.store.encryption import EncryptionKey, key_of
from bridge.units import language_tag

SQLITE: Final = "sqlite:///"
"""The scheme of a SQLite URL. A relative file counts from the configuration's folder."""
POSTGRESQL: Final = "postgresql"
RELAXED: Final = "durability=relaxed"
"""As a store's URL says that its server may lose in a crash what it has committed."""


_SPAN: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


def _items(value: object) -> object:
    """A list in the environment may be `one, two` as well as JSON."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _hours(value: object) -> object:
    """A span of the day, "21:00-08:00", in minutes after midnight. Raises ValueError."""
    match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('want a span of the day, like "21:00-08:00"')
    begins, ends = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if begins == ends:
        raise ValueError("a span that ends where it begins is no span")
    return begins, ends


def _zone(name: str) -> str:
    """The name of a time zone. Raises ValueError."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("there is no such time zone; want a name like Asia/Jakarta") from None


Hours = Annotated[
    tuple[int, int],
    BeforeValidator(_hours, json_schema_input_type=Annotated[str, Field(pattern=rf"^\s*{_SPAN.pattern}\s*$")]),
]
Zone = Annotated[str, AfterValidator(_zone)]
Words = Annotated[tuple[str, ...], BeforeValidator(_items)]
Period = Annotated[Seconds, Field(gt=0, le=86_400)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(_Section):
    """[server]: the address to listen on. Providers use `public_url`; `trusted_proxies` name the peer."""

    host: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[0-9A-Za-z._:%-]+$")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8080
    public_url: BaseUrl | None = None
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], BeforeValidator(_items)] = ()

    @field_validator("trusted_proxies")
    @classmethod
    def _narrow(cls, networks: tuple[IPvAnyNetwork, ...]) -> tuple[IPvAnyNetwork, ...]:
        if any(network.prefixlen == 0 for network in networks):
            raise ValueError("a network of everybody (/0) would let anybody claim any address")
        return networks

    @property
    def local_url(self) -> str:
        """The server's URL on this machine."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


class Storage(_Section):
    """[storage]: `url` is absolute in a Config. `shards` are other databases, by the account that each keeps.

    Their values are encrypted under the first of the `encryption_keys`, each base64 of 32 bytes.

    `migrations` is the folder with the author's own tables, from the configuration's folder on.
    """

    url: str = "sqlite:///threadbridge.db"
    durability: Literal["full", "relaxed"] = "full"
    encryption_keys: Annotated[tuple[Secret, ...], BeforeValidator(_items)] = ()
    shards: dict[str, str] = {}
    migrations: Annotated[str, Field(min_length=1)] | None = None

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        return _check_url(url)

    @field_validator("shards")
    @classmethod
    def _all_known(cls, shards: dict[str, str]) -> dict[str, str]:
        for account, url in shards.items():
            try:
                _check_url(url)
            except ValueError as error:
                raise ValueError(f"{account}: {error}") from None
        return shards

    @field_validator("encryption_keys")
    @classmethod
    def _good_keys(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        keys = [key_of(secret.get_secret_value()) for secret in secrets]
        if len({key.id for key in keys}) < len(keys):
            raise ValueError("two of them are the same key")
        return secrets

    @model_validator(mode="after")
    def _lasting(self) -> Self:
        urls = (self.url, *self.shards.values())
        if self.durability == "relaxed" and not any(url.startswith(f"{POSTGRESQL}:") for url in urls):
            raise ValueError("durability is for PostgreSQL; leave it out")
        return self

    @property
    def keys(self) -> tuple[EncryptionKey, ...]:
        """The keys of the store and of each shard, the newest first."""
        return tuple(key_of(secret.get_secret_value()) for secret in self.encryption_keys)

    @property
    def is_shared(self) -> bool:
        """Whether several processes may have the store, and each shard, at the same time."""
        return all(url.startswith(f"{POSTGRESQL}:") for url in (self.url, *self.shards.values()))

    @property
    def file(self) -> Path | None:
        """The database file of a SQLite store."""
        if not self.url.startswith(SQLITE):
            return None
        return Path(os.fsdecode(unquote_to_bytes(self.url.removeprefix(SQLITE))))


def _check_url(url: str) -> str:
    """A URL of a store. Raises ValueError for any other."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ValueError("not a URL; it looks like sqlite:///threadbridge.db")
    if scheme not in plugged_in(opening.GROUP) and scheme != "sqlite":
        raise ValueError(
            f"{unknown(scheme, [POSTGRESQL, 'sqlite'], what='kind of store')}, like sqlite:///threadbridge.db"
        )
    if scheme == POSTGRESQL:
        _check_database(url)
    if scheme == "sqlite" and (not rest.startswith("/") or rest.endswith("/") or set(rest) & set("?#\0")):
        raise ValueError("want sqlite:/// and a file, like sqlite:///threadbridge.db (four slashes: absolute)")
    return url


def _check_database(url: str) -> None:
    """Whether a PostgreSQL URL names a database, and no secret. Raises ValueError."""
    parts = urlsplit(url)
    if parts.password is not None:
        raise ValueError("leave the password out; the variable PGPASSWORD or a file ~/.pgpass has it")
    if not parts.path.strip("/"):
        raise ValueError("want the name of a database at its end, like postgresql://user@host/database")
    if RELAXED in parts.query.split("&"):
        raise ValueError('want durability = "relaxed" beside it, and not in it')


def _language(text: str) -> str:
    tag = language_tag(text)
    if tag is None:
        raise ValueError("want a language, like id or pt-BR")
    return tag


class Handlers(_Section):
    """[handlers]: the modules to load, in order of priority; seconds a turn (`timeout`), turns at once (`concurrency`).

    `texts` is the folder of the texts, and `locale` their language where the contact's is not known or has no texts.
    `slow_concurrency` bounds the turns of handlers with more time than `timeout`; they count on their own. After
    `return_after` seconds without a word of the person a thread goes back from them to the bot; 0: never.
    """

    load: Words = ("handlers.menu",)
    timeout: Period = 60.0
    attempts: Annotated[int, Field(ge=1, le=100)] = 5
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 64
    slow_concurrency: Annotated[int, Field(ge=1, le=10_000)] = 64
    return_after: Annotated[Seconds, Field(ge=0, le=30 * 86_400)] = 3600.0
    texts: Annotated[str, Field(min_length=1)] | None = None
    locale: Annotated[str, AfterValidator(_language)] = "en"


class Delivery(_Section):
    """[delivery]: the attempts and the seconds before a message becomes a dead letter; the client of its requests."""

    attempts: Annotated[int, Field(ge=1, le=1000)] = 12
    give_up_after: Annotated[Seconds, Field(gt=0, le=30 * 86_400)] = 86_400.0
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 64
    http_client: Literal["lean", "aiohttp"] = "lean"


class Limits(_Section):
    """[limits]: `body` is the most bytes of a webhook; the others bound one peer's connections and bodies.

    A peer is an IPv4 address, or the /64 of an IPv6 address. All peers together hold at most 256 bodies.
    """

    body: Annotated[Size, Field(ge=1024, le=16 * 1024 * 1024)] = 256 * 1024
    connections_per_peer: Annotated[int, Field(ge=1, le=65_536)] = 64
    bodies_per_peer: Annotated[int, Field(ge=1, le=256)] = 64


class Consent(_Section):
    """[consent]: words by which a contact opts out of messages (`stop`) and in again (`start`), each a whole message.

    `confirm` is said once to who opts out; "" for nothing. In `quiet_hours` ("21:00-08:00", in `timezone`) the bot
    begins nothing: what answers no word of the contact waits until they end.
    """

    stop: Words = ()
    start: Words = ("start",)
    confirm: Annotated[str, Field(max_length=1000)] = "You get no more messages from us. Write START to get them again."
    quiet_hours: Hours | None = None
    timezone: Zone = "UTC"


class Channels(_Section):
    """[channels]: in which `order` a person is reached on them, the best first, where a message may go now."""

    order: Words = ()


class Guard(_Section):
    """[guard]: what tells a loop or a flood from a person, for each contact in each conversation; 0: nothing does.

    More answers of the bot in a minute than `turns_per_minute` are a loop, and so is a contact who says back the bot's
    own words more than `repeats` times in a row. Turns beyond `flood_per_minute` wait. `own_contacts` are the ids and
    numbers by which our own accounts would show up as contacts.
    """

    turns_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 30
    repeats: Annotated[int, Field(ge=0, le=1000)] = 5
    flood_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 60
    own_contacts: Words = ()


class Log(_Section):
    """[log]: the least `level` of a line; `format` "auto" is readable on a terminal, and JSON elsewhere.

    `show_errors`: an author's error is logged with its text, which may quote a contact.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = "auto"
    show_errors: bool = False


class Media(_Section):
    """[media]: where the media of contacts are kept, and ours; without `store` none are fetched.

    `store` is a folder, or s3://bucket/folder; a relative folder counts from the configuration's. They are kept for
    `keep` seconds, or for good; `max` is the most bytes of one.
    """

    store: Annotated[str, Field(min_length=1)] | None = None
    keep: Annotated[Seconds, Field(ge=60, le=3650 * 86_400)] | None = None
    max: Annotated[Size, Field(ge=1024, le=1 << 30)] = 10 * 1024 * 1024

    @field_validator("store")
    @classmethod
    def _known(cls, store: str | None) -> str | None:
        if store is not None and "://" in store and (not store.startswith("s3://") or store == "s3://"):
            raise ValueError("want a folder, or s3://bucket/folder")
        return store


class FileSchema(BaseSettings):
    """The whole file. bridge.config.accounts reads the tables of accounts."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix=PREFIX, env_nested_delimiter="__")

    server: Server = Server()
    storage: Storage = Storage()
    handlers: Handlers = Handlers()
    delivery: Delivery = Delivery()
    limits: Limits = Limits()
    consent: Consent = Consent()
    channels: Channels = Channels()
    guard: Guard = Guard()
    log: Log = Log()
    media: Media = Media()
    telemetry: Telemetry = Telemetry()
    alerts: Alerts = Alerts()
    retention: Retention = Retention()
    api: Api = Api()
    events: Events = Events()
    console: Console = Console()
    accounts: dict[str, dict[str, Any]] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only the given values: `load_config` alone reads the environment."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)
