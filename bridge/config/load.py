"""The configuration: threadbridge.toml and the environment, checked as a whole, every problem on a line of its own."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_to_bytes

from pydantic import SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource

from bridge.config.accounts import Account, keeps_secret, models_of, read_account
from bridge.config.problems import Where, key_path, mistakes, unknown
from bridge.config.schema import PREFIX, SQLITE, Delivery, Handlers, Limits, Sections, Server, Storage
from bridge.errors import ConfigError, Problem
from bridge.units import is_loopback

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

DEFAULT_FILE: Final = "threadbridge.toml"
_LARGEST_FILE: Final = 1024 * 1024
_LATER: Final = frozenset({"api", "console", "retention", "telemetry"})


class _Environment(EnvSettingsSource):
    """THREADBRIDGE_SECTION__KEY as nested tables of texts."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401 - as the base
        """As it stands: what is JSON is decoded by `_decoded`, alike for every key."""
        del field_name, field
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration that holds together. `warnings` are worth saying, and stop nothing."""

    server: Server = field(default_factory=Server)
    storage: Storage = field(default_factory=Storage)
    handlers: Handlers = field(default_factory=Handlers)
    delivery: Delivery = field(default_factory=Delivery)
    limits: Limits = field(default_factory=Limits)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    folder: Path = field(default_factory=Path.cwd)
    file: str = "configuration"
    warnings: tuple[Problem, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], folder: Path | None = None, *, file: str = "configuration") -> Config:
        """A configuration from what the file would hold, without the environment; `folder` stands for the file's.

        Raises:
            ConfigError: with every problem.
        """
        return _build(values, folder=folder or Path.cwd(), file=file, environment={})


def load_config(path: Path | None, *, accounts: bool = True) -> Config:
    """The configuration in a TOML file (None: no file), with the environment laid over it.

    Without `accounts` they are left out, and with them whatever has to be there to reach a gateway, like secrets.

    Raises:
        ConfigError: with every problem of the file and of the environment.
    """
    environment = _environment()
    values = read_file(path) if path is not None else {}
    if path is not None and not values and "accounts" not in environment:
        raise ConfigError([Problem(str(path), "", "the file is empty: no accounts")])
    if not accounts:
        values.pop("accounts", None)
        environment.pop("accounts", None)
    folder = path.absolute().parent if path is not None else Path.cwd()
    return _build(values, folder=folder, file=str(path or "environment"), environment=environment)


def as_config(given: Config | Mapping[str, Any] | Path | str) -> Config:
    """Whatever a program may hand in for a configuration: the thing itself, a dict of it, or the path of its file."""
    match given:
        case Config():
            return given
        case Mapping():
            return Config.from_dict(given)
        case _:
            return load_config(Path(given))


def read_file(path: Path) -> dict[str, Any]:
    """A TOML file as it stands, unchecked. Raises ConfigError when it is none."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
        if len(data) > _LARGEST_FILE:
            raise ConfigError([Problem(str(path), "", "larger than 1 MiB: this is no configuration")])
        return tomllib.loads(data.decode("utf-8-sig"))
    except FileNotFoundError:
        reason = "there is no such file; -c FILE names another, and `threadbridge demo` needs none"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 text (byte {error.start})"
    except tomllib.TOMLDecodeError as error:
        reason = f"not TOML: {error}"
    except RecursionError:
        reason = "not TOML: nested too deeply"
    raise ConfigError([Problem(str(path), "", reason)])


def _environment() -> dict[str, Any]:
    """What THREADBRIDGE_SECTION__KEY variables say, nested as in the file, a section we do not have included."""
    found: dict[str, Any] = {}
    for name in os.environ:
        section, separator, _ = name.upper().removeprefix(PREFIX).partition("__")
        if name.upper().startswith(PREFIX) and separator:
            found[section.lower()] = {}
    return {name: _decoded((name,), value) for name, value in (found | _Environment(Sections)()).items()}


def _decoded(where: Where, value: Any) -> Any:  # noqa: ANN401 - a text, or a table of them
    """A text as it stands, or what is in it where it begins like a list or a table in JSON."""
    if isinstance(value, Mapping):
        return {key: _decoded((*where, key), each) for key, each in value.items()}
    if not isinstance(value, str) or not value.startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ConfigError([Problem("environment", _variable(where), "not JSON")]) from None


def _variable(where: Where) -> str:
    return PREFIX + "__".join(map(str, where)).upper()


def _build(values: Mapping[str, Any], *, folder: Path, file: str, environment: Mapping[str, Any]) -> Config:
    report = _Report(file=file, environment=environment)
    for name in (*values, *environment):
        if name not in Sections.model_fields:
            report.wrong((name,), _no_section(name))
    tables = {name: table for name, table in _laid_over(values, environment).items() if name in Sections.model_fields}
    accounts = _accounts(tables.pop("accounts", {}), environment.get("accounts", {}), folder, report)
    sections = Sections()
    try:
        sections = Sections(**tables)
    except ValidationError as error:
        for where, why in mistakes(error, Sections):
            report.wrong(where, why)
    _look_across(sections, accounts, report)
    storage = sections.storage.model_copy(update={"url": _absolute(sections.storage.url, folder)})
    if not _is_utf8(storage.file):
        report.wrong(("storage", "url"), "its path is not UTF-8, and SQLite wants it to be")
    if report.problems:
        raise ConfigError(report.problems)
    return Config(
        server=sections.server,
        storage=storage,
        handlers=sections.handlers,
        delivery=sections.delivery,
        limits=sections.limits,
        accounts=MappingProxyType(accounts),
        folder=folder,
        file=file,
        warnings=tuple(report.warnings),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """Collects what is wrong, and says of each whether it stands in the file or came from the environment."""

    file: str
    environment: Mapping[str, Any]
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def wrong(self, where: Where, why: str) -> None:
        self.problems.append(self._problem(where, why, warning=False))

    def doubtful(self, where: Where, why: str) -> None:
        self.warnings.append(self._problem(where, why, warning=True))

    def _problem(self, where: Where, why: str, *, warning: bool) -> Problem:
        inner: object = self.environment
        for part in where:
            if not isinstance(inner, Mapping) or part not in inner:
                return Problem(self.file, key_path(where), why, warning)
            inner = inner[part]
        return Problem("environment", _variable(where), why, warning)


def _no_section(name: str) -> str:
    return (
        "this section is not available yet; leave it out"
        if name in _LATER
        else unknown(name, Sections.model_fields, what="section")
    )


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested tables as one; where both say something, `above` counts."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        merged[name] = _laid_over(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _accounts(tables: object, environment: object, folder: Path, report: _Report) -> dict[str, Account]:
    if not isinstance(tables, Mapping):
        report.wrong(("accounts",), "want tables, like [accounts.shop]")
        return {}
    accounts = {}
    for name, table in tables.items():
        if isinstance(table, Mapping):
            said = environment.get(name) if isinstance(environment, Mapping) else None
            table = _with_secrets(_beside(folder, table), said)  # noqa: PLW2901 - the same table, resolved
        account = read_account(name, table, report.wrong, report.doubtful)
        if account:
            accounts[name] = account
    return accounts


def _look_across(sections: Sections, accounts: Mapping[str, Account], report: _Report) -> None:
    """What only shows when the whole is seen."""
    if is_loopback(sections.server.host):
        return
    for name, account in accounts.items():
        if account.inbound is not None and account.inbound.auth == "none":
            report.wrong(("accounts", name, "inbound", "auth"), "none is only for a server.host on a loopback address")
        if account.provider.name == "playground":
            report.doubtful(("accounts", name), "the console is only served when server.host is a loopback address")


def _beside(folder: Path, value: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
    """`file:PATH` is relative to the folder of the configuration, wherever the command is called from."""
    match value:
        case Mapping():
            return {key: _beside(folder, each) for key, each in value.items()}
        case list():
            return [_beside(folder, each) for each in value]
        case str() if value.startswith("file:") and value != "file:":
            return f"file:{folder / value.removeprefix('file:')}"
        case _:
            return value


def _with_secrets(table: dict[str, Any], environment: object) -> dict[str, Any]:
    """In the environment a secret may stand as it is; only a file must never hold it."""
    if not isinstance(environment, Mapping):
        return table
    own, inbound = models_of(table)
    for model, said, target in ((own, environment, table), (inbound, environment.get("inbound"), table.get("inbound"))):
        if not isinstance(said, Mapping) or not isinstance(target, dict):
            continue
        for key, value in said.items():
            if isinstance(value, str) and keeps_secret(model, key) and not value.startswith(("env:", "file:")):
                target[key] = SecretStr(value)
    return table


def _absolute(url: str, folder: Path) -> str:
    """The same store, wherever the command is called from."""
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
