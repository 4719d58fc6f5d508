"""The configuration: what is accepted, and the exact line for everything that is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge.config.accounts import Account
from bridge.config.load import Config, as_config, load_config
from bridge.errors import ConfigError
from bridge.units import PerPeriod
from tests.support.config_files import CANARY, KONNEK, SECRET, environment, written  # noqa: F401 - the fixture is used by being there

if TYPE_CHECKING:
    from bridge.providers.port import Provider

# What is accepted


def test_the_contracts_example_is_read(tmp_path: Path) -> None:
    text = """
[server]
host = "127.0.0.1"
port = 8080
public_url = "https://bot.example.org"
trusted_proxies = ["10.0.0.0/8", "192.0.2.7"]
[storage]
url = "sqlite:///threadbridge.db"
[handlers]
load = ["handlers.menu", "mybot:router"]
timeout = "1.5min"
[limits]
body = "128KiB"
"""
    config = load_config(written(tmp_path, text + KONNEK))
    shop = config.accounts["shop"]
    assert (config.server.port, config.server.public_url) == (8080, "https://bot.example.org")
    assert config.storage.url == f"sqlite:///{tmp_path}/threadbridge.db"
    assert config.storage.file == tmp_path / "threadbridge.db"
    assert config.handlers.load == ("handlers.menu", "mybot:router")
    assert config.handlers.timeout == 90
    assert config.limits.body == 128 * 1024
    assert shop.provider.name == "konnek"
    assert shop.settings.rate == PerPeriod(100, 60)
    assert shop.settings.timeout == 5
    assert shop.inbound is not None
    assert shop.inbound.auth == "headers"


def test_everything_has_a_default() -> None:
    config = Config.from_dict({})
    assert (config.server.host, config.server.port) == ("127.0.0.1", 8080)
    assert config.handlers.load == ("handlers.menu",)
    assert config.accounts == {}


def test_the_guard_has_bounds_that_can_be_turned_off_and_names_of_our_own_accounts() -> None:
    usual = Config.from_dict({}).guard
    assert (usual.turns_per_minute, usual.repeats, usual.flood_per_minute, usual.own_contacts) == (30, 5, 60, ())
    given = {"turns_per_minute": 0, "repeats": 0, "flood_per_minute": 0, "own_contacts": ["+62811"]}
    guard = Config.from_dict({"guard": given}).guard
    assert (guard.turns_per_minute, guard.repeats, guard.flood_per_minute) == (0, 0, 0)
    assert guard.own_contacts == ("+62811",)
    with pytest.raises(ConfigError, match=r"guard\.repeats"):
        Config.from_dict({"guard": {"repeats": -1}})


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem(tmp_path: Path) -> None:
    file = tmp_path / "threadbridge.toml"
    file.write_bytes(b"\xef\xbb\xbf[server]\r\nport = 9000\r\n")
    assert load_config(file).server.port == 9000


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///x.db", "{folder}/x.db"),
        ("sqlite:///data/x.db", "{folder}/data/x.db"),
        ("sqlite:////var/lib/x.db", "/var/lib/x.db"),
        ("sqlite:///with%20space.db", "{folder}/with space.db"),
    ],
)
def test_a_database_is_relative_to_the_configurations_folder(tmp_path: Path, url: str, file: str) -> None:
    config = Config.from_dict({"storage": {"url": url}}, folder=tmp_path)
    assert config.storage.file == Path(file.format(folder=tmp_path))


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("postgresql://bot@db/bot", "postgresql://bot@db/bot?durability=relaxed"),
        ("postgresql:///bot?host=/run/pg", "postgresql:///bot?host=/run/pg&durability=relaxed"),
    ],
)
def test_a_server_that_may_lose_what_it_committed_is_asked_for(url: str, opened: str) -> None:
    assert Config.from_dict({"storage": {"url": url}}).storage.url == url
    relaxed = Config.from_dict({"storage": {"url": url, "durability": "relaxed"}}).storage
    assert (relaxed.url, relaxed.file) == (opened, None)


def test_a_folder_with_a_percent_sign_keeps_its_name(tmp_path: Path) -> None:
    assert Config.from_dict({}, folder=tmp_path / "a%20b").storage.file == tmp_path / "a%20b" / "threadbridge.db"


def test_a_secret_file_is_relative_to_the_configurations_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n", "utf-8")
    file = written(
        tmp_path, '[accounts.a]\nprovider = "playground"\ninbound = {auth = "bearer", secret = "file:secret"}\n'
    )
    monkeypatch.chdir("/")
    inbound = load_config(file).accounts["a"].inbound
    assert inbound is not None
    assert inbound.auth == "bearer"
    assert [each.get_secret_value() for each in inbound.secret] == [SECRET]


@pytest.mark.parametrize("give", [lambda file: file, str, load_config])
def test_a_program_may_hand_in_a_path_or_the_thing_itself(tmp_path: Path, give: object) -> None:
    file = written(tmp_path, KONNEK)
    assert callable(give)
    assert list(as_config(give(file)).accounts) == ["shop"]
    assert list(as_config({"accounts": {"a": {"provider": "playground"}}}).accounts) == ["a"]


# The environment


def test_the_environment_counts_more_than_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADBRIDGE_SERVER__PORT", "9001")
    monkeypatch.setenv("THREADBRIDGE_HANDLERS__LOAD", "mybot, handlers.echo")
    monkeypatch.setenv("THREADBRIDGE_ACCOUNTS__SHOP__CLIENT_ID", "77")
    monkeypatch.setenv("THREADBRIDGE_ACCOUNTS__SHOP__CHANNELS", '["telegram"]')
    monkeypatch.setenv("THREADBRIDGE_ACCOUNTS__SHOP__INBOUND__AUTH", "path")
    monkeypatch.setenv("THREADBRIDGE_KEY", "a variable that is no section")
    text = KONNEK.replace('username = "env:TEST_USERNAME"\npassword = "env:TEST_PASSWORD"\n', "", 1)
    text = text.replace("rate =", 'username = "env:TEST_USERNAME"\npassword = "env:TEST_PASSWORD"\nrate =')
    head, _, _ = text.partition("[accounts.shop.inbound]")
    monkeypatch.setenv("THREADBRIDGE_ACCOUNTS__SHOP__INBOUND__SECRET", SECRET)
    config = load_config(written(tmp_path, "[server]\nport = 1\nhost = 'localhost'\n" + head))
    shop = config.accounts["shop"]
    assert (config.server.host, config.server.port) == ("localhost", 9001)
    assert config.handlers.load == ("mybot", "handlers.echo")
    assert shop.provider.channels == ("telegram",)
    assert shop.inbound is not None
    assert shop.inbound.auth == "path"
    assert [each.get_secret_value() for each in shop.inbound.secret] == [SECRET]


def test_a_dict_is_read_without_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADBRIDGE_SERVER__PORT", "9001")
    assert Config.from_dict({}).server.port == 8080


# Warnings, and accounts without a route


@pytest.mark.parametrize("inbound", ["", '[accounts.shop.inbound]\nauth = "headers"\n'])
def test_an_account_without_its_inbound_secret_has_no_route_and_a_warning(tmp_path: Path, inbound: str) -> None:
    file = written(tmp_path, KONNEK.partition("[accounts.shop.inbound]")[0] + inbound)
    config = load_config(file)
    assert config.accounts["shop"].inbound is None
    reason = "no inbound secret, so no route: it receives nothing"
    keys = "(headers wants username and password, or name and value)"
    assert [str(each) for each in config.warnings] == [f"{file}: accounts.shop.inbound: warning: {reason} {keys}"]


def test_a_short_secret_of_our_own_is_a_warning(tmp_path: Path) -> None:
    text = '[accounts.a]\nprovider = "playground"\ninbound = {auth = "bearer", secret = "env:TEST_PASSWORD"}'
    file = written(tmp_path, text)
    assert [str(each) for each in load_config(file).warnings] == [
        f"{file}: accounts.a.inbound.secret: warning: shorter than 24 bytes"
    ]


def test_the_playground_needs_no_inbound_secret() -> None:
    config = Config.from_dict({"accounts": {"demo": {"provider": "playground"}}})
    assert config.warnings == ()
    assert config.accounts["demo"].inbound is None


def test_nothing_printed_of_a_configuration_holds_a_secret(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, KONNEK))
    assert CANARY not in repr(config)
    assert CANARY not in str(config.accounts["shop"])


def test_an_account_is_what_the_engine_expects() -> None:
    account = Config.from_dict({"accounts": {"demo": {"provider": "playground"}}}).accounts["demo"]
    provider: Provider = account.provider
    assert isinstance(account, Account)
    assert provider.channels is None


@pytest.mark.parametrize("store", ["kept", "/var/kept", "s3://bucket/kept"])
def test_a_folder_of_media_is_relative_to_the_configurations_folder(store: str, tmp_path: Path) -> None:
    media = Config.from_dict({"media": {"store": store, "max": "1MiB", "keep": "30d"}}, tmp_path).media
    assert media.store == (f"{tmp_path}/kept" if store == "kept" else store)
    assert (media.max, media.keep) == (1 << 20, 30 * 86_400.0)


@pytest.mark.parametrize(
    ("key", "value"), [("store", "http://bucket"), ("store", "s3://"), ("store", ""), ("max", 1), ("keep", "1s")]
)
def test_a_place_for_media_that_is_none_is_named(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"media\.{key}: "):
        Config.from_dict({"media": {key: value}})
