"""Accounts: each [accounts.NAME] table becomes a provider with its settings, and the lock of its door."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from bridge.config.problems import Where, mistakes
from bridge.providers.registry import provider_names, provider_type
from bridge.providers.signatures import INBOUND, InboundSettings, weakness

if TYPE_CHECKING:
    from bridge.providers.port import AccountSettings, Provider, ProviderType

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SCHEMES: Final[Mapping[str, type[BaseModel]]] = {
    get_args(model.model_fields["auth"].annotation)[0]: model for model in get_args(get_args(InboundSettings)[0])
}
_PLACEHOLDER: Final = re.compile(r"change[-_ ]?me|<[^>]*>|your[-_ ].*|x{3,}", re.IGNORECASE)

Report = Callable[[Where, str], None]
"""Takes the key path of something wrong, and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One configured identity at a provider. Without `inbound` it has no route: it sends, and receives nothing."""

    name: str
    provider: Provider
    settings: AccountSettings
    inbound: InboundSettings | None = None


def read_account(name: str, values: Mapping[str, Any], wrong: Report, doubtful: Report) -> Account | None:
    """One account out of its table, or None after telling `wrong` why; `doubtful` is told what deserves a warning."""
    at: Where = ("accounts", name)
    if not _NAME.fullmatch(name):
        wrong(at, "want 1 to 64 of a-z 0-9 _ - for a name, the first a letter or digit: it is part of a URL")
    if not isinstance(values, Mapping):
        wrong(at, "want a table")
        return None
    kind = _provider(values, at, wrong)
    if kind is None:
        return None
    rest = {key: value for key, value in values.items() if key != "inbound"}
    settings = _settings(kind, rest, at, wrong)
    inbound = _inbound(kind, values.get("inbound"), (*at, "inbound"), wrong, doubtful)
    if settings is None:
        return None
    for key in _placeholders(settings):
        doubtful((*at, key), "looks like a placeholder")
    try:
        provider = kind(name, settings)
    except ValueError as error:
        wrong(at, str(error))
        return None
    return Account(name=name, provider=provider, settings=settings, inbound=inbound)


def keeps_secret(model: type[BaseModel] | None, key: str) -> bool:
    """Whether a key of these settings holds a secret, or several."""
    found = model.model_fields.get(key) if model else None
    return found is not None and "SecretStr" in str(found.annotation)


def models_of(values: Mapping[str, Any]) -> tuple[type[BaseModel] | None, type[BaseModel] | None]:
    """The settings classes an account's table and its inbound table are meant for, as far as they can be told."""
    try:
        kind = provider_type(str(values.get("provider", "")))
    except LookupError:
        return None, None
    inbound = values.get("inbound")
    scheme = inbound.get("auth") if isinstance(inbound, Mapping) else None
    return kind.Settings, _SCHEMES.get(str(scheme or next(iter(kind.auth), "")))


def _provider(values: Mapping[str, Any], at: Where, wrong: Report) -> ProviderType | None:
    name = values.get("provider")
    if not isinstance(name, str):
        wrong((*at, "provider"), f"missing: one of {', '.join(provider_names())}" if name is None else "want a text")
        return None
    try:
        return provider_type(name)
    except LookupError as error:
        wrong((*at, "provider"), str(error))
        return None


def _settings(kind: ProviderType, values: Mapping[str, Any], at: Where, wrong: Report) -> AccountSettings | None:
    try:
        settings = kind.Settings.model_validate(values)
    except ValidationError as error:
        for where, why in mistakes(error, kind.Settings):
            wrong((*at, *where), why)
        return None
    if settings.timeout == 0:
        wrong((*at, "timeout"), "want more than 0 seconds")
    return settings


def _inbound(kind: ProviderType, values: object, at: Where, wrong: Report, doubtful: Report) -> InboundSettings | None:
    if values is None and not kind.auth:
        return None
    if values is None or (isinstance(values, Mapping) and set(values) <= {"auth"} and values.get("auth") != "none"):
        _no_route(kind, values, at, wrong, doubtful)
        return None
    if not isinstance(values, Mapping):
        wrong(at, "want a table")
        return None
    chosen = {"auth": kind.auth[0], **values} if kind.auth else dict(values)
    scheme = _scheme(chosen.get("auth"), (*at, "auth"), wrong)
    if scheme is None:
        return None
    try:
        inbound = INBOUND.validate_python(chosen)
    except ValidationError as error:
        for where, why in mistakes(error, scheme, tagged=True):
            listed = isinstance(chosen.get(str(where[0])), list) if where else True
            wrong((*at, *(where if listed else where[:1])), why)
        return None
    for key, why in weakness(inbound):
        doubtful((*at, key), why)
    return inbound


def _no_route(kind: ProviderType, values: object, at: Where, wrong: Report, doubtful: Report) -> None:
    """Nothing is ever accepted unauthenticated: an account that says no secret has no door."""
    auth = values.get("auth") if isinstance(values, Mapping) else None
    if auth is not None and _scheme(auth, (*at, "auth"), wrong) is None:
        return
    scheme = auth or kind.auth[0]
    keys = [key for key in _SCHEMES[scheme].model_fields if keeps_secret(_SCHEMES[scheme], key)]
    doubtful(at, f"no inbound secret, so no route: it receives nothing ({scheme} wants {_either(scheme, keys)})")


def _either(scheme: str, keys: list[str]) -> str:
    if scheme == "headers":
        return "username and password, or name and value"
    return " and ".join(keys) or "public_key"


def _scheme(auth: object, at: Where, wrong: Report) -> type[BaseModel] | None:
    if isinstance(auth, str) and auth in _SCHEMES:
        return _SCHEMES[auth]
    near = get_close_matches(auth, _SCHEMES, n=1) if isinstance(auth, str) else []
    wrong(at, f"no such scheme; did you mean {near[0]}?" if near else f"want one of {', '.join(_SCHEMES)}")
    return None


def _placeholders(settings: AccountSettings) -> list[str]:
    """The keys whose secret was copied out of an example."""
    found = []
    for key in type(settings).model_fields:
        value = getattr(settings, key)
        if isinstance(value, SecretStr) and _PLACEHOLDER.fullmatch(value.get_secret_value()):
            found.append(key)
    return found
