"""The JSON Schema of threadbridge.toml, with which an editor completes keys and marks mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from bridge.config.accounts import NAME, SCHEMES
from bridge.config.schema import FileSchema
from bridge.providers.registry import provider_names, provider_type
from bridge.units import PerPeriod

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel

    from bridge.providers.port import ProviderType

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Final = "#/$defs/{model}"
_BOUNDS: Final = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_UNITS: Final = {1.0: "s", 60.0: "min", 3600.0: "h", 86_400.0: "d"}


def file_schema(providers: Iterable[str] | None = None) -> dict[str, Any]:
    """The schema of a file with accounts at these providers; None: at all that are installed.

    Raises:
        LookupError: a provider cannot be imported.
    """
    kinds = [provider_type(name) for name in (provider_names() if providers is None else providers)]
    models: set[type[BaseModel]] = {FileSchema, *(kind.Settings for kind in kinds), *SCHEMES.values()}
    references, described = models_json_schema(
        [(model, "validation") for model in models], schema_generator=_Written, ref_template=_REFERENCE
    )
    definitions: dict[str, Any] = _tidy(described["$defs"])
    names = {model: references[model, "validation"]["$ref"].rpartition("/")[2] for model in models}
    for model in SCHEMES.values():
        scheme = definitions[names[model]]
        scheme["required"] = [key for key in scheme["required"] if key != "auth"]
    accounts = {kind.name: _account(kind, definitions[names[kind.Settings]], names) for kind in kinds}
    for name in {names[kind.Settings] for kind in kinds}:
        del definitions[name]
    sections = definitions.pop(names[FileSchema])["properties"]
    sections = {name: _reference(section["$ref"]) for name, section in sections.items() if "$ref" in section}
    sections["accounts"] = {
        "type": "object",
        "propertyNames": {"pattern": f"^{NAME}$"},
        "additionalProperties": {"oneOf": [_reference(name) for name in accounts]},
    }
    return {
        "$schema": _DIALECT,
        "title": "threadbridge.toml",
        "type": "object",
        "properties": sections,
        "additionalProperties": False,
        "$defs": {**definitions, **accounts},
    }


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": _REFERENCE.format(model=name.rpartition("/")[2])}


def _account(kind: ProviderType, settings: dict[str, Any], names: dict[type[BaseModel], str]) -> dict[str, Any]:
    """The table of an account. The provider's own way to authenticate webhooks needs no `auth`."""
    inbound = [
        _reference(names[model])
        if scheme in kind.auth[:1]
        else {"allOf": [_reference(names[model])], "required": ["auth"]}
        for scheme, model in SCHEMES.items()
    ]
    own = {"provider": {"const": kind.name}, "inbound": {"anyOf": inbound}}
    return {**settings, "properties": {**settings["properties"], **own}}


class _Written(GenerateJsonSchema):
    """Values as the file has them."""

    def encode_default(self, dft: Any) -> Any:  # noqa: ANN401 - the base's
        """A default."""
        if isinstance(dft, PerPeriod):
            return f"{dft.count}/{_UNITS[dft.seconds]}"
        return sorted(dft) if isinstance(dft, frozenset) else super().encode_default(dft)


def _tidy(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """A schema without null, which TOML lacks; without titles, which repeat names; and with bounds in JSON's words."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema if item != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    tidy = {
        _BOUNDS.get(key, key): _tidy(value)
        for key, value in schema.items()
        if (key, value) != ("default", None) and not (key == "title" and isinstance(value, str))
    }
    if len(choices := tidy.get("anyOf", ())) == 1:
        del tidy["anyOf"]
        tidy = {**choices[0], **tidy}
    if isinstance(described := tidy.get("description"), str):
        tidy["description"] = "\n\n".join(" ".join(part.split()) for part in described.split("\n\n"))
    return tidy
