"""`threadbridge webhooks`, against `threadbridge emulate`: registered once, shown without secrets."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from bridge.providers.whautochat.emulator import Emulator
from tests.acceptance.cli.test_emulate import emulating
from tests.support.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "p/th secret-6b1f0c8e55d1-abcdef"
LATER_SECRET = "another-secret-9d5e1f77-abcdef"
KEY = Emulator.sample_settings["api_key"].get_secret_value()
FILE = """
[server]
{public}
[accounts.chat]
provider = "whautochat"
base_url = "{url}"
api_key = "env:TEST_KEY"
workspace_id = "w"
inbound = {{auth = "path", secret = "env:TEST_PATH"}}
[accounts.raven]
provider = "ginalne"
username = "bot"
token = "env:TEST_KEY"
"""
PUBLIC = 'public_url = "https://bot.example.org"'


class Desk:
    """The command, with a configuration for an emulator."""

    def __init__(self, folder: Path, url: str) -> None:
        self.file = folder / "threadbridge.toml"
        self.url = url
        self.write()

    def write(self, public: str = PUBLIC) -> None:
        self.file.write_text(FILE.format(url=self.url, public=public), "utf-8")

    def call(self, *arguments: str, code: int = 0, secret: str = SECRET, key: str = KEY) -> tuple[str, str]:
        environment = {"TEST_KEY": key, "TEST_PATH": secret, "COLUMNS": "200"}
        done = CliRunner().invoke(app, ["webhooks", *arguments, "-c", str(self.file)], env=environment)
        assert done.exit_code == code, done.stderr
        return done.stdout, done.stderr

    def listed(self, *options: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = json.loads(self.call("list", "chat", "--json", *options)[0])
        return rows


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    with emulating("whautochat") as (url, _):
        yield url


@pytest.fixture
def desk(tmp_path: Path, gateway: str) -> Iterator[Desk]:
    desk = Desk(tmp_path, gateway)
    yield desk
    desk.url = gateway
    desk.write()
    for each in desk.listed():
        desk.call("delete", "chat", str(each["id"]))


def test_our_url_is_registered_once_however_often_and_brought_up_to_date(desk: Desk) -> None:
    first, _ = desk.call("register", "chat")
    again, _ = desk.call("register", "chat")
    assert again == first
    (row,) = desk.listed("--show-secrets")
    assert row["url"] == "https://bot.example.org/webhooks/chat/p%2Fth%20secret-6b1f0c8e55d1-abcdef"
    assert (row["name"], row["active"]) == ("threadbridge chat", True)
    assert "incoming_whatsapp_message" in str(row["events"])
    later, _ = desk.call("register", "chat", secret=LATER_SECRET)
    assert later == first
    (row,) = desk.listed("--show-secrets")
    assert row["url"] == f"https://bot.example.org/webhooks/chat/{LATER_SECRET}"


def test_no_secret_is_shown_unless_it_is_asked_for(desk: Desk) -> None:
    shown, complaints = desk.call("register", "chat", "--url", "https://staging.example.org")
    assert shown.endswith("https://staging.example.org/webhooks/chat/****\n")
    desk.call("register", "chat")
    listed, more = desk.call("list", "chat")
    assert "https://bot.example.org/webhooks/chat/****" in listed
    assert "https://staging.example.org/****" in listed  # another's: whatever its path holds may be a secret
    for text in (shown, complaints, listed, more):
        assert "6b1f0c8e55d1" not in text
        assert KEY not in text
    assert "6b1f0c8e55d1" in desk.call("list", "chat", "--show-secrets")[0]


def test_what_was_registered_can_be_deleted_twice(desk: Desk) -> None:
    name = desk.call("register", "chat")[0].split("\t")[0]
    assert re.fullmatch(r"whk_[0-9a-f]{16}", name)
    desk.call("delete", "chat", name)
    desk.call("delete", "chat", name)
    assert desk.call("list", "chat") == ("", "no URL is registered\n")


def test_a_wrong_account_is_a_mistake_of_usage(desk: Desk) -> None:
    assert "ginalne has no API for webhook URLs" in re.sub(r"\s*│\s*", " ", desk.call("list", "raven", code=2)[1])
    assert "no account chut" in desk.call("register", "chut", code=2)[1]


def test_without_a_public_url_nothing_can_be_registered(desk: Desk) -> None:
    desk.write(public="")
    assert "server.public_url: missing" in desk.call("register", "chat", code=78)[1]
    assert "https" in desk.call("register", "chat", "--url", "http://bot.example.org", code=2)[1]


def test_a_provider_that_refuses_or_is_not_there_is_said_so(desk: Desk) -> None:
    assert "check the API key" in desk.call("list", "chat", code=69, key="wrong")[1]
    desk.url = f"http://127.0.0.1:{free_port()}"
    desk.write()
    assert "no connection" in desk.call("list", "chat", code=69)[1]
