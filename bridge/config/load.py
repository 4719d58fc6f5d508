"""Loads a configuration: the file with the environment laid over it, checked as a whole."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from pydantic import BaseModel, ValidationError

from bridge.config.accounts import Account, keeps_secret, read_account
from bridge.config.api import STRONG, Api
from bridge.config.console import STRONG as STRONG_PASSWORD
from bridge.config.console import Console
from bridge.config.environment import laid_over, plain_secrets, read_environment, with_secrets
from bridge.config.events import STRONG as STRONG_KEY
from bridge.config.events import Events
from bridge.config.exposure import check_exposure, check_files
from bridge.config.files import not_toml, read_text
from bridge.config.keeping import Retention
from bridge.config.problems import Report, problems_of, unknown
from bridge.config.schema import (
    POSTGRESQL,
    RELAXED,
    SQLITE,
    Channels,
    Consent,
    Delivery,
    FileSchema,
    Guard,
    Handlers,
    Limits,
    Log,
    Media,
    Server,
    Storage,
)
from bridge.config.telemetry import Alerts, Telemetry
from bridge.errors import ConfigError, Problem
from bridge.store.following import Followers, account_of

DEFAULT_FILE: Final = "threadbridge.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration without problems. `warnings` are for people, and stop nothing.

    `console_is_open`: on this machine the console asks for no password, as `demo` and `dev` have it.
    """

    server: Server = field(default_factory=Server)
    storage: Storage = field(default_factory=Storage)
    handlers: Handlers = field(default_factory=Handlers)
    delivery: Delivery = field(default_factory=Delivery)
    limits: Limits = field(default_factory=Limits)
    consent: Consent = field(default_factory=Consent)
    channels: Channels = field(default_factory=Channels)
    guard: Guard = field(default_factory=Guard)
    log: Log = field(default_factory=Log)
    media: Media = field(default_factory=Media)
    telemetry: Telemetry = field(default_factory=Telemetry)
    alerts: Alerts = field(default_factory=Alerts)
    retention: Retention = field(default_factory=Retention)
    api: Api = field(default_factory=Api)
    events: Events = field(default_factory=Events)
    console: Console = field(default_factory=Console)
    console_is_open: bool = False
    accounts: Mapping[str, Account] = field(default_factory=dict)
    folder: Path = field(default_factory=Path.cwd)
    file: str = "configuration"
    warnings: tuple[Problem, ...] = ()
    is_part: bool = False
    """Whether other accounts are in another database."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], folder: Path | None = None, *, file: str = "configuration") -> Config:
        """A configuration from the values of a file, without the environment; `folder` is the file's folder.

        Raises:
            ConfigError: with every problem.
        """
        return _build(values, folder=folder or Path.cwd(), file=file, environment={})

    def by_database(self) -> tuple[Config, ...]:
        """The configuration in parts: one for each database, with the accounts that it keeps."""
        shards = self.storage.shards
        homes: dict[str, dict[str, Account]] = {}
        for name, account in self.accounts.items():
            homes.setdefault(shards.get(name, self.storage.url), {})[name] = account
        return tuple(
            replace(
                self,
                accounts=MappingProxyType(accounts),
                storage=self.storage.model_copy(update={"url": url, "shards": {}}),
                is_part=len(homes) > 1,
            )
            for url, accounts in (homes or {self.storage.url: {}}).items()
        )

    def of_account(self, account: str) -> Config:
        """The configuration with the database that keeps an account."""
        url = self.storage.shards.get(account, self.storage.url)
        storage = self.storage.model_copy(update={"url": url, "shards": {}})
        return replace(self, storage=storage, is_part=len(self.by_database()) > 1)

    def handlers_to_load(self) -> tuple[str, ...]:
        """The handlers; the menu where none are named, and only the playground or emulators would meet it.

        Raises:
            ConfigError: none are named, and an account is at a real gateway.
        """
        real = [name for name, account in self.accounts.items() if account.is_real]
        if "load" in self.handlers.model_fields_set or not real:
            return self.handlers.load
        reason = f'missing: name your handlers, like ["mybot"]; the account {real[0]} is at a real gateway'
        raise ConfigError([Problem(self.file, "handlers.load", reason)])


def followers_of(config: Config) -> Followers | None:
    """Who is told of what; None where nobody is."""
    types = {account_of(webhook.name): frozenset(webhook.types) for webhook in config.events.webhooks}
    return Followers(types, qualified=config.is_part) if types else None


def load_config(path: Path | None, *, accounts: bool = True) -> Config:
    """The configuration in a TOML file (None: no file), with the environment laid over it.

    `accounts=False` leaves out the accounts, who is told of events, and what the API and the console know people by:
    then no secret has to be present.

    Raises:
        ConfigError: with every problem of the file and of the environment.
    """
    environment = read_environment()
    values = read_file(path) if path is not None else {}
    if path is not None and not values and "accounts" not in environment:
        raise ConfigError([Problem(str(path), "", "the file is empty: no accounts")])
    for section in () if accounts else ("accounts", "api", "console", "events"):
        values.pop(section, None)
        environment.pop(section, None)
    folder = path.absolute().parent if path is not None else Path.cwd()
    return _build(values, folder=folder, file=str(path or "environment"), environment=environment)


def as_config(given: Config | Mapping[str, Any] | Path | str) -> Config:
    """A configuration from itself, from a dict of its values, or from the path of its file."""
    match given:
        case Config():
            return given
        case Mapping():
            return Config.from_dict(given)
        case _:
            return load_config(Path(given))


def read_file(path: Path) -> dict[str, Any]:
    """The values of a TOML file, unchecked. Raises ConfigError for any other file."""
    text = read_text(path, missing="there is no such file; -c FILE names another, and `threadbridge demo` needs none")
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise not_toml(path, error) from None


def _build(values: Mapping[str, Any], *, folder: Path, file: str, environment: Mapping[str, Any]) -> Config:
    report = Report(file=file, environment=environment)
    for name in (*values, *environment):
        if name not in FileSchema.model_fields:
            report.problem((name,), _no_section(name))
    tables = {name: table for name, table in laid_over(values, environment).items() if name in FileSchema.model_fields}
    accounts = _accounts(tables.pop("accounts", {}), environment.get("accounts", {}), folder, report)
    tables = {name: _of_section(name, table, environment.get(name), folder) for name, table in tables.items()}
    tables |= {name: _with_absolute_files(tables[name], folder) for name in ("api", "events") if name in tables}
    try:
        sections = FileSchema(**tables)
    except ValidationError as error:
        sections = FileSchema()
        for path, reason in problems_of(error, FileSchema):
            report.problem(path, reason)
    check_exposure(sections, accounts, report)
    _check_tokens(sections.api, accounts, report)
    _check_events(sections.events, report)
    _check_passwords(sections.console, report)
    storage = _lasting(sections.storage, folder)
    for name in storage.shards:
        if accounts and name not in accounts:
            report.problem(("storage", "shards", name), "there is no account of this name")
    if not _is_utf8(storage.file):
        report.problem(("storage", "url"), "its path is not UTF-8, and SQLite wants it to be")
    if report.problems:
        raise ConfigError(report.problems)
    return Config(
        server=sections.server,
        storage=storage,
        handlers=sections.handlers,
        delivery=sections.delivery,
        limits=sections.limits,
        consent=sections.consent,
        channels=sections.channels,
        guard=sections.guard,
        log=sections.log,
        media=_placed(sections.media, folder),
        telemetry=sections.telemetry,
        alerts=sections.alerts,
        retention=sections.retention,
        api=sections.api,
        events=sections.events,
        console=sections.console,
        accounts=MappingProxyType(accounts),
        folder=folder,
        file=file,
        warnings=tuple(report.warnings),
    )


def _check_tokens(api: Api, accounts: Mapping[str, Account], report: Report) -> None:
    """Report tokens that are guessed soon, or are for accounts that do not exist."""
    for number, token in enumerate(api.tokens):
        path = ("api", "tokens", number)
        if token.is_weak:
            report.warn(path, f"shorter than {STRONG} bytes")
        for name in sorted((token.accounts or frozenset()) - accounts.keys()) if accounts else ():
            report.problem((*path, "accounts"), f"there is no account {name}")


def _check_events(events: Events, report: Report) -> None:
    """Report keys that are guessed soon."""
    for number, webhook in enumerate(events.webhooks):
        for which in webhook.weak_secrets:
            report.warn(("events", "webhooks", number, "secret", which), f"shorter than {STRONG_KEY} bytes")


def _check_passwords(console: Console, report: Report) -> None:
    """Report passwords that are guessed soon."""
    for name in console.weak():
        report.warn(("console", name), f"shorter than {STRONG_PASSWORD} characters")


def _no_section(name: str) -> str:
    return unknown(name, FileSchema.model_fields, what="section")


def _accounts(tables: object, environment: object, folder: Path, report: Report) -> dict[str, Account]:
    if not isinstance(tables, Mapping):
        report.problem(("accounts",), "want tables, like [accounts.shop]")
        return {}
    accounts = {}
    for name, table in tables.items():
        variables = environment.get(name) if isinstance(environment, Mapping) else None
        resolved = _resolved(table, variables, folder)
        account = read_account(name, resolved, report)
        if isinstance(resolved, Mapping):
            check_files(name, resolved, report)
        if account:
            accounts[name] = account
    return accounts


def _resolved(table: object, variables: object, folder: Path) -> object:
    """An account's table with absolute secret files, and the secrets of the environment."""
    if not isinstance(table, Mapping):
        return table
    return with_secrets({key: _with_absolute_files(value, folder) for key, value in table.items()}, variables)


def _of_section(name: str, table: object, variables: object, folder: Path) -> object:
    """A section with absolute secret files, and the secrets of the environment."""
    model = FileSchema.model_fields[name].annotation
    if not isinstance(table, Mapping) or not isinstance(model, type) or not issubclass(model, BaseModel):
        return table
    secrets = {key for key in table if keeps_secret(model, key)}
    resolved = {key: _with_absolute_files(value, folder) if key in secrets else value for key, value in table.items()}
    return plain_secrets(model, resolved, variables)


def _with_absolute_files(value: object, folder: Path) -> object:
    """A value with each `file:PATH` below the configuration's folder."""
    match value:
        case Mapping():
            return {key: _with_absolute_files(inner, folder) for key, inner in value.items()}
        case list():
            return [_with_absolute_files(item, folder) for item in value]
        case str() if value.startswith("file:") and value != "file:":
            return f"file:{folder / value.removeprefix('file:')}"
        case _:
            return value


def _lasting(storage: Storage, folder: Path) -> Storage:
    """With the URLs by which the stores are opened, from wherever."""

    def lasting(url: str) -> str:
        if storage.durability == "full" or not url.startswith(f"{POSTGRESQL}:"):
            return _absolute(url, folder)
        return f"{url}{'&' if '?' in url else '?'}{RELAXED}"

    shards = {account: lasting(url) for account, url in storage.shards.items()}
    return storage.model_copy(update={"url": lasting(storage.url), "shards": shards})


def _placed(media: Media, folder: Path) -> Media:
    """With the folder from wherever."""
    if media.store is None or "://" in media.store:
        return media
    return media.model_copy(update={"store": str(folder / media.store)})


def _absolute(url: str, folder: Path) -> str:
    """The URL of the same store from any working directory."""
    if not url.startswith(SQLITE):
        return url
    path = folder / os.fsdecode(unquote_to_bytes(url.removeprefix(SQLITE)))
    return f"{SQLITE}{quote(os.fsencode(path))}"  # as bytes: with LANG=C a text could not say it


def _is_utf8(path: Path | None) -> bool:
    try:
        os.fsencode(path or "").decode()
    except UnicodeDecodeError:
        return False
    return True
