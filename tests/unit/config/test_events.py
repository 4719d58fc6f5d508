"""[events]: who is told, and what is wrong with a URL or a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge.config.load import Config, followers_of, load_config
from bridge.errors import ConfigError
from bridge.store.following import TYPES

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "whsec_" + "QUJD" * 8


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "GOOD": GOOD,
        "SHORT": "whsec_QUJD",
        "PUBLIC": "whpk_" + "QUJD" * 10 + "QUI=",
        "JUNK": "$",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("URL", "https://hooks.example/t0ken")


def config(*webhooks: dict[str, Any], **more: Any) -> Config:
    return Config.from_dict(
        {"events": {"webhooks": [{"secret": "env:GOOD", **webhook} for webhook in webhooks], **more}}
    )


def problems(*webhooks: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        config(*webhooks)
    return str(caught.value)


def test_a_webhook_is_called_by_its_host_and_is_told_everything() -> None:
    made = config({"url": "https://crm.example/hook"}, {"url": "env:URL", "name": "other", "types": ["message.sent"]})
    followers = followers_of(made)
    assert followers is not None
    assert followers.types == {":events:crm.example": frozenset(TYPES), ":events:other": frozenset({"message.sent"})}
    assert not followers.qualified
    assert followers_of(config()) is None


@pytest.mark.parametrize(
    ("webhook", "reason"),
    [
        ({"url": "http://crm.example/hook"}, "events.webhooks[0].url: http is only for loopback addresses; use https"),
        ({"url": "ftp://crm.example/hook"}, "events.webhooks[0].url: not a URL; it looks like https://host/path"),
        ({"url": "https:///x"}, "events.webhooks[0].url: not a URL"),
        ({"url": "https://crm.example:x/"}, "events.webhooks[0].url: not a URL"),
        ({"url": "https://crm.example/a b"}, "events.webhooks[0].url: not a URL"),
        ({"url": "https://me:pw@crm.example/"}, "events.webhooks[0].url: want no user, password or fragment"),
        ({"url": "https://169.254.169.254/"}, "events.webhooks[0].url: a link-local address"),
        ({"url": "env:NO_URL"}, "events.webhooks[0].url: the environment variable NO_URL is not set"),
        ({}, "events.webhooks[0].url: missing"),
        ({"url": "https://a.example", "secret": GOOD}, "events.webhooks[0].secret[0]: a secret is never written here"),
        ({"url": "https://a.example", "secret": "env:JUNK"}, "events.webhooks[0].secret[0]: not base64"),
        ({"url": "https://a.example", "secret": []}, "events.webhooks[0].secret: "),
        (
            {"url": "https://a.example", "types": ["message.recieved"]},
            "events.webhooks[0].types[0]: 'message.received'",
        ),
        ({"url": "https://a.example", "typs": []}, "events.webhooks[0].typs: "),
        ({"url": "https://a.example", "name": "A:B"}, "events.webhooks[0].name: "),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_without_its_secret(webhook: dict[str, Any], reason: str) -> None:
    found = problems(webhook)
    assert reason in found
    assert GOOD not in found


def test_two_webhooks_of_one_host_want_names() -> None:
    hooks = {"url": "https://a.example/1"}, {"url": "https://a.example/2"}
    assert "two webhooks have the same name" in problems(*hooks)
    assert len(config(hooks[0], {**hooks[1], "name": "second"}).events.webhooks) == 2


def test_a_short_key_is_a_warning() -> None:
    made = config({"url": "https://a.example", "secret": ["env:GOOD", "env:SHORT"]})
    assert [str(warning) for warning in made.warnings] == [
        "configuration: events.webhooks[0].secret[1]: warning: shorter than 24 bytes"
    ]


def test_files_of_secrets_are_below_the_folder_and_the_environment_may_hold_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text(GOOD)
    file = tmp_path / "threadbridge.toml"
    file.write_text('[events]\nwebhooks = [{ url = "https://a.example", secret = "file:key" }]\n', "utf-8")
    (webhook,) = load_config(file).events.webhooks
    assert webhook.secret[0].get_secret_value() == GOOD
    assert load_config(file, accounts=False).events.webhooks == ()
    monkeypatch.setenv("THREADBRIDGE_EVENTS__WEBHOOKS", '[{"url": "https://b.example", "secret": "env:GOOD"}]')
    assert [hook.name for hook in load_config(file).events.webhooks] == ["b.example"]


def test_ids_have_their_account_where_there_are_several_databases() -> None:
    account = {"provider": "playground"}
    values = {
        "accounts": {"a": account, "b": account},
        "storage": {"url": "sqlite:///a.db", "shards": {"b": "sqlite:///b.db"}},
        "events": {"webhooks": [{"url": "https://a.example", "secret": "env:GOOD"}]},
    }
    for part in Config.from_dict(values).by_database():
        followers = followers_of(part)
        assert followers is not None
        assert followers.qualified
