"""Accounts: each [accounts.NAME] table becomes a provider with its settings and its inbound authentication."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError

from bridge.config.problems import KeyPath, problems_of
from bridge.providers.optional import LimitsPaths, NamesItself, Polls, TellsFates, Warns
from bridge.providers.registry import PLAYGROUND, provider_names, provider_type
from bridge.providers.signatures import INBOUND, InboundSettings, weakness
from bridge.text.spelling import hint
from bridge.units import is_loopback

if TYPE_CHECKING:
    from bridge.config.problems import Report
    from bridge.providers.port import AccountSettings, Provider, ProviderType

SCHEMES: Final[Mapping[str, type[BaseModel]]] = {
    get_args(model.model_fields["auth"].annotation)[0]: model for model in get_args(get_args(InboundSettings)[0])
}
"""The settings class of each way to authenticate a webhook."""
NAME: Final = r"[a-z0-9][a-z0-9_-]{0,63}"
_PLACEHOLDER: Final = re.compile(r"change[-_ ]?me|<[^>]*>|your[-_ ].*|x{3,}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One configured identity at a provider. Without `inbound` it has no route: it sends, and receives nothing."""

    name: str
    provider: Provider
    settings: AccountSettings
    inbound: InboundSettings | None = None
    polls: Polls | None = field(init=False, repr=False, compare=False)
    """The provider, if it is one that polls; so with the next ones. Found out once, for all bridges of a test."""
    tells_fates: TellsFates | None = field(init=False, repr=False, compare=False)
    warns: Warns | None = field(init=False, repr=False, compare=False)
    names_itself: NamesItself | None = field(init=False, repr=False, compare=False)
    limits_paths: LimitsPaths | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Look at what the provider can do."""
        provider: object = self.provider
        object.__setattr__(self, "polls", provider if isinstance(provider, Polls) else None)
        object.__setattr__(self, "tells_fates", provider if isinstance(provider, TellsFates) else None)
        object.__setattr__(self, "warns", provider if isinstance(provider, Warns) else None)
        object.__setattr__(self, "names_itself", provider if isinstance(provider, NamesItself) else None)
        object.__setattr__(self, "limits_paths", provider if isinstance(provider, LimitsPaths) else None)

    @property
    def is_real(self) -> bool:
        """Whether it is at a gateway, and neither at the playground nor at an emulator on this machine."""
        if self.provider.name == PLAYGROUND:
            return False
        return not is_loopback(urlsplit(self.provider.base_url).hostname or "")


def read_account(name: str, table: object, report: Report) -> Account | None:
    """The account of a table; None after a report of its problems."""
    path: KeyPath = ("accounts", name)
    if not re.fullmatch(NAME, name):
        report.problem(path, "want 1 to 64 of a-z 0-9 _ - for a name, the first a letter or digit: it is part of a URL")
    if not isinstance(table, Mapping):
        report.problem(path, "want a table")
        return None
    kind = _provider(table, path, report)
    if kind is None:
        return None
    own = {key: value for key, value in table.items() if key != "inbound"}
    settings = _settings(kind, own, path, report)
    inbound = _inbound(kind, table.get("inbound"), (*path, "inbound"), report)
    if settings is None:
        return None
    for key in _placeholders(settings):
        report.warn((*path, key), "looks like a placeholder")
    try:
        provider = kind(name, settings)
    except ValueError as error:
        report.problem(path, str(error))
        return None
    return Account(name=name, provider=provider, settings=settings, inbound=inbound)


def keeps_secret(model: type[BaseModel] | None, key: str) -> bool:
    """Whether a key of these settings holds a secret, or several."""
    field = model.model_fields.get(key) if model else None
    return field is not None and _mentions(field.annotation, SecretStr)


def models_of(table: Mapping[str, Any]) -> tuple[type[BaseModel] | None, type[BaseModel] | None]:
    """The settings classes of an account's table and of its inbound table, as far as they are clear."""
    try:
        kind = provider_type(str(table.get("provider", "")))
    except LookupError:
        return None, None
    inbound = table.get("inbound")
    scheme = inbound.get("auth") if isinstance(inbound, Mapping) else None
    return kind.Settings, SCHEMES.get(str(scheme or next(iter(kind.auth), "")))


def _mentions(annotation: object, cls: type) -> bool:
    return annotation is cls or any(_mentions(part, cls) for part in get_args(annotation))


def _provider(table: Mapping[str, Any], path: KeyPath, report: Report) -> ProviderType | None:
    name = table.get("provider")
    if not isinstance(name, str):
        reason = f"missing: one of {', '.join(provider_names())}" if name is None else "want a text"
        report.problem((*path, "provider"), reason)
        return None
    try:
        return provider_type(name)
    except LookupError as error:
        report.problem((*path, "provider"), str(error))
        return None


def _settings(kind: ProviderType, table: Mapping[str, Any], path: KeyPath, report: Report) -> AccountSettings | None:
    try:
        settings = kind.Settings.model_validate(table)
    except ValidationError as error:
        for inner, reason in problems_of(error, kind.Settings):
            report.problem((*path, *inner), reason)
        return None
    if settings.timeout == 0:
        report.problem((*path, "timeout"), "want more than 0 seconds")
    return settings


def _inbound(kind: ProviderType, table: object, path: KeyPath, report: Report) -> InboundSettings | None:
    if table is None and not kind.auth:
        return None
    if table is None or (isinstance(table, Mapping) and set(table) <= {"auth"} and table.get("auth") != "none"):
        _report_no_route(kind, table, path, report)
        return None
    if not isinstance(table, Mapping):
        report.problem(path, "want a table")
        return None
    chosen = {"auth": kind.auth[0], **table} if kind.auth else dict(table)
    scheme = _scheme(chosen.get("auth"), (*path, "auth"), report)
    if scheme is None:
        return None
    try:
        inbound = INBOUND.validate_python(chosen)
    except ValidationError as error:
        for inner, reason in problems_of(error, scheme, tagged=True):
            is_listed = isinstance(chosen.get(str(inner[0])), list) if inner else True
            report.problem((*path, *(inner if is_listed else inner[:1])), reason)
        return None
    for key, reason in weakness(inbound):
        report.warn((*path, key), reason)
    return inbound


def _report_no_route(kind: ProviderType, table: object, path: KeyPath, report: Report) -> None:
    """Warn of an account without a secret: an unauthenticated webhook is never accepted, so it has no route."""
    auth = table.get("auth") if isinstance(table, Mapping) else None
    if auth is not None and _scheme(auth, (*path, "auth"), report) is None:
        return
    scheme = auth or kind.auth[0]
    keys = [key for key in SCHEMES[scheme].model_fields if keeps_secret(SCHEMES[scheme], key)]
    report.warn(path, f"no inbound secret, so no route: it receives nothing ({scheme} wants {_either(scheme, keys)})")


def _either(scheme: str, keys: list[str]) -> str:
    if scheme == "headers":
        return "username and password, or name and value"
    return " and ".join(keys) or "public_key"


def _scheme(auth: object, path: KeyPath, report: Report) -> type[BaseModel] | None:
    if isinstance(auth, str) and auth in SCHEMES:
        return SCHEMES[auth]
    wanted = f"want one of {', '.join(SCHEMES)}"
    report.problem(path, f"no such scheme; {hint(auth, SCHEMES, wanted)}" if isinstance(auth, str) else wanted)
    return None


def _placeholders(settings: AccountSettings) -> list[str]:
    """The keys with a secret out of an example."""
    values = {key: getattr(settings, key) for key in type(settings).model_fields}
    return [
        key
        for key, value in values.items()
        if isinstance(value, SecretStr) and _PLACEHOLDER.fullmatch(value.get_secret_value())
    ]
