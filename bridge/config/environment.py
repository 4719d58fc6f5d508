"""The environment as configuration: THREADBRIDGE_SECTION__KEY as nested tables, laid over the file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from pydantic_settings import EnvSettingsSource

from bridge.config.accounts import keeps_secret, models_of
from bridge.config.problems import PREFIX, KeyPath, variable
from bridge.config.schema import FileSchema
from bridge.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo


class _Environment(EnvSettingsSource):
    """THREADBRIDGE_SECTION__KEY as nested tables of texts."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401 - as the base
        """The text unchanged: `_decoded` reads JSON, the same for every key."""
        del field_name, field
        return value


def read_environment() -> dict[str, Any]:
    """The variables' values, nested as in the file, with the names of unknown sections."""
    tables: dict[str, Any] = {}
    for name in os.environ:
        section, separator, _ = name.upper().removeprefix(PREFIX).partition("__")
        if name.upper().startswith(PREFIX) and separator:
            tables[section.lower()] = {}
    return {name: _decoded((name,), value) for name, value in (tables | _Environment(FileSchema)()).items()}


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested tables as one; `above` wins."""
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        merged[name] = laid_over(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def with_secrets(table: dict[str, Any], environment: object) -> dict[str, Any]:
    """An account's table with its secrets from the environment, which may hold them plainly; a file never does."""
    if not isinstance(environment, Mapping):
        return table
    own, inbound = models_of(table)
    pairs = ((own, environment, table), (inbound, environment.get("inbound"), table.get("inbound")))
    for model, values, target in pairs:
        if isinstance(target, dict):
            plain_secrets(model, target, values)
    return table


def plain_secrets(model: type[BaseModel] | None, table: dict[str, Any], environment: object) -> dict[str, Any]:
    """A table with the secrets that the environment holds plainly. One of several in a text is none by itself."""
    for key, value in environment.items() if isinstance(environment, Mapping) else ():
        if isinstance(value, str) and keeps_secret(model, key) and not value.startswith(("env:", "file:")):
            table[key] = SecretStr(value)
    return table


def _decoded(path: KeyPath, value: object) -> object:
    """A text unchanged; a list or table in JSON decoded."""
    if isinstance(value, Mapping):
        return {key: _decoded((*path, key), inner) for key, inner in value.items()}
    if not isinstance(value, str) or not value.startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ConfigError([Problem("environment", variable(path), "not JSON")]) from None
