"""A provider's page names its keys and schemes, and the provider understands the webhooks it shows."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from bridge.config.load import Config
from bridge.providers.port import AccountSettings, Webhook
from bridge.providers.registry import BUILT_IN, provider_type
from tests.docs.made_up_secrets import give_secrets
from tests.docs.pages import DOCS, Block, blocks_of, keys_documented

if TYPE_CHECKING:
    from pathlib import Path

every_provider = pytest.mark.parametrize("provider", BUILT_IN)


def page_of(provider: str) -> Path:
    return DOCS / "providers" / f"{provider}.md"


def configured(block: Block, folder: Path) -> Any:
    (account,) = Config.from_dict(tomllib.loads(block.code), folder).accounts.values()
    return account.provider


@every_provider
def test_every_key_of_a_provider_is_documented(provider: str) -> None:
    own = set(provider_type(provider).Settings.model_fields) - set(AccountSettings.model_fields)
    assert keys_documented(f"### {provider}") == own
    page = page_of(provider).read_text("utf-8")
    assert [key for key in own if f"`{key}`" not in page] == []


@every_provider
def test_a_providers_page_names_its_inbound_schemes(provider: str) -> None:
    page = page_of(provider).read_text("utf-8")
    assert [scheme for scheme in provider_type(provider).auth if f"`{scheme}`" not in page] == []


@every_provider
def test_the_webhooks_on_a_providers_page_are_understood(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(provider)
    give_secrets(page.read_text("utf-8"), tmp_path, monkeypatch)
    account = configured(blocks_of(page, "toml")[0], tmp_path)
    blocks = blocks_of(page, "json")
    assert blocks
    for block in blocks:
        body = block.code.encode()
        channel = account.channels[0] if account.channels else None
        events = account.parse(
            Webhook(channel=channel, body=body, json=json.loads(body), received_at=1_760_000_000_000_000)
        )
        assert events, block.where
