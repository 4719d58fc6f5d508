"""The JSON Schema of threadbridge.toml takes what `check` takes, and marks what an editor can know to be wrong."""

from __future__ import annotations

import json
import tomllib
from typing import Any, Final

import jsonschema_rs
import pytest

from bridge.config.json_schema import file_schema
from bridge.config.schema import FileSchema
from bridge.providers.port import AccountSettings
from bridge.providers.registry import BUILT_IN, provider_type
from tests.docs.pages import PAGES, Block, blocks_of

SCHEMA: Final = file_schema(BUILT_IN)
VALIDATOR: Final = jsonschema_rs.validator_for(SCHEMA)


def mistakes(values: dict[str, Any]) -> list[str]:
    as_json = json.loads(json.dumps(values, default=str))  # an editor sees a date as a text
    return [f"{error.instance_path}: {error.message}" for error in VALIDATOR.iter_errors(as_json)]


def configurations() -> list[Block]:
    """What the pages show of threadbridge.toml; other files have other tables."""
    blocks = [block for page in PAGES for block in blocks_of(page, "toml")]
    ours = [block for block in blocks if block.file in {None, "threadbridge.toml"}]
    return [block for block in ours if tomllib.loads(block.code).keys() <= FileSchema.model_fields.keys()]


@pytest.mark.parametrize("block", configurations(), ids=lambda block: block.where)
def test_what_the_pages_show_has_no_mistake(block: Block) -> None:
    assert mistakes(tomllib.loads(block.code)) == []


def test_every_section_and_every_account_key_is_in_it() -> None:
    assert SCHEMA["properties"].keys() == FileSchema.model_fields.keys()
    for name in BUILT_IN:
        assert SCHEMA["$defs"][name]["properties"].keys() == {*provider_type(name).Settings.model_fields, "inbound"}
    assert len(configurations()) > 20


def konnek(**keys: object) -> dict[str, Any]:
    own = {"base_url": "https://konnek.example", "client_id": "c", "channels": ["whatsapp"]}
    secrets = {"username": "env:A", "password": "file:b"}
    return {"accounts": {"shop": {"provider": "konnek", **own, **secrets, **keys}}}


@pytest.mark.parametrize(
    "values",
    [
        konnek(),
        konnek(inbound={"username": "env:A", "password": ["env:B", "env:C"]}),
        konnek(inbound={"auth": "path", "secret": "file:c"}),
        konnek(rate="100/min", timeout="1.5min", resolve_window=3),
        {"accounts": {"console": {"provider": "playground"}}},
        {"api": {"tokens": ["env:A", {"secret": "env:B", "scopes": ["read"]}], "rate": "600/min"}},
        {"consent": {"quiet_hours": "21:00-08:00"}},
        {"limits": {"body": "256KiB"}, "alerts": {"disk": 0}},
    ],
    ids=str,
)
def test_a_valid_file_has_no_mistake(values: dict[str, Any]) -> None:
    assert mistakes(values) == []


@pytest.mark.parametrize(
    "values",
    [
        {"sever": {"port": 80}},
        {"server": {"prot": 80}},
        {"server": {"port": 70_000}},
        {"handlers": {"timeout": "5 parsecs"}},
        {"handlers": {"timeout": 100_000}},
        {"limits": {"body": "many"}},
        {"consent": {"quiet_hours": "at night"}},
        {"api": {"tokens": ["s3cr3t"]}},
        {"accounts": {"Shop": {"provider": "playground"}}},
        {"accounts": {"shop": {"provider": "konek"}}},
        {"accounts": {"shop": {"provider": "konnek"}}},
        konnek(password="written-out"),
        konnek(workspace_id="of another provider"),
        konnek(rate="fast"),
        konnek(inbound={"secret": "env:A"}),
        konnek(inbound={"auth": "path"}),
        konnek(inbound={"auth": "paht", "secret": "env:A"}),
    ],
    ids=str,
)
def test_a_mistake_is_marked(values: dict[str, Any]) -> None:
    assert mistakes(values)


def test_it_speaks_of_toml_which_has_no_null() -> None:
    def nodes(value: Any) -> Any:
        yield value
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from nodes(inner)

    everything = [*nodes(SCHEMA)]
    assert None not in everything
    assert {"type": "null"} not in everything
    assert not [node for node in everything if isinstance(node, dict) and node.keys() & {"ge", "le", "gt", "lt"}]


def test_defaults_are_values_that_a_file_may_have() -> None:
    def checked(schema: dict[str, Any]) -> None:
        for key, value in schema.get("properties", {}).items():
            if "default" in value:
                own = jsonschema_rs.validator_for({**value, "$defs": SCHEMA["$defs"]})
                assert own.is_valid(value["default"]), (key, value)

    assert SCHEMA["$defs"]["whautochat"]["properties"]["rate"]["default"] == "100/min"
    for schema in SCHEMA["$defs"].values():
        checked(schema)


def test_two_providers_may_share_their_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    class Twin:
        name, Settings, auth = "twin", AccountSettings, ("path",)

    class Other(Twin):
        name, auth = "other", ("bearer",)

    monkeypatch.setattr("bridge.config.json_schema.provider_type", {"twin": Twin, "other": Other}.__getitem__)
    validator = jsonschema_rs.validator_for(file_schema(["twin", "other"]))
    for name in ("twin", "other"):
        assert validator.is_valid({"accounts": {"a": {"provider": name, "inbound": {"secret": "env:A"}}}})
    assert not validator.is_valid({"accounts": {"a": {"provider": "playground"}}})
