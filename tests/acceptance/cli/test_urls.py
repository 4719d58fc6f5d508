"""`threadbridge urls`: what is to be pasted into each provider's page, and what is not to be seen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bridge.cli import app

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "p/th secret-6b1f0c8e55d1-abcdef"
FILE = """
[server]
port = 9000
{server}
[accounts.raven]
provider = "ginalne"
base_url = "https://g.example"
username = "bot"
token = "env:TEST_TOKEN"
inbound = {{auth = "path", secret = ["env:TEST_PATH", "env:TEST_TOKEN"]}}
[accounts.shop]
provider = "konnek"
base_url = "https://k.example"
client_id = "c"
channels = ["whatsapp", "telegram"]
username = "env:TEST_TOKEN"
password = "env:TEST_TOKEN"
inbound = {{username = "env:TEST_TOKEN", password = "env:TEST_TOKEN"}}
[accounts.single]
provider = "konnek"
base_url = "https://k.example"
client_id = "c"
channels = ["whatsapp"]
username = "env:TEST_TOKEN"
password = "env:TEST_TOKEN"
[accounts.demo]
provider = "playground"
"""


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", "t" * 32)
    monkeypatch.setenv("TEST_PATH", SECRET)


def urls(folder: Path, *options: str, server: str = "") -> str:
    file = folder / "threadbridge.toml"
    file.write_text(FILE.format(server=server), "utf-8")
    result = CliRunner().invoke(app, ["urls", "-c", str(file), *options])
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def test_each_account_and_channel_is_a_line(tmp_path: Path) -> None:
    assert urls(tmp_path).splitlines() == [
        "raven\tginalne\thttp://127.0.0.1:9000/webhooks/raven/****",
        "shop\tkonnek\thttp://127.0.0.1:9000/webhooks/shop/whatsapp",
        "shop\tkonnek\thttp://127.0.0.1:9000/webhooks/shop/telegram",
        "single\tkonnek\tno route: the account has no inbound secret",
        "demo\tplayground\thttp://127.0.0.1:9000/console",
    ]


def test_a_public_url_is_what_providers_see(tmp_path: Path) -> None:
    lines = urls(tmp_path, server='public_url = "https://bot.example.org/in/"').splitlines()
    assert lines[1] == "shop\tkonnek\thttps://bot.example.org/in/webhooks/shop/whatsapp"


def test_a_path_secret_is_shown_only_when_asked_for_and_as_it_stands_in_a_url(tmp_path: Path) -> None:
    shown = urls(tmp_path, "--show-secrets")
    assert "http://127.0.0.1:9000/webhooks/raven/p%2Fth%20secret-6b1f0c8e55d1-abcdef\n" in shown
    assert "6b1f0c8e55d1" not in urls(tmp_path)
    assert "6b1f0c8e55d1" not in urls(tmp_path, "--json")
    assert "t" * 32 not in shown


def test_the_list_is_there_as_json(tmp_path: Path) -> None:
    rows = json.loads(urls(tmp_path, "--json"))
    assert rows[3] == {
        "account": "single",
        "provider": "konnek",
        "url": None,
        "reason": "the account has no inbound secret",
    }
    assert rows[4]["url"] == "http://127.0.0.1:9000/console"


def test_an_ipv6_address_stands_in_brackets(tmp_path: Path) -> None:
    assert "http://[::1]:9000/webhooks/shop/" in urls(tmp_path, server='host = "::1"')


def test_a_bridge_for_the_world_has_no_console(tmp_path: Path) -> None:
    last = urls(tmp_path, server='host = "0.0.0.0"').splitlines()[-1]
    assert last == "demo\tplayground\tno route: the console needs a loopback address"
