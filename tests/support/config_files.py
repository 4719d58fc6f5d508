"""What the tests of the configuration write: an account, secrets in the environment, a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-6b1f0c8e55d1"
SECRET = "k" * 32
KONNEK = """
[accounts.shop]
provider = "konnek"
base_url = "https://konnek.example/"
client_id = "c-1"
channels = ["whatsapp", "telegram"]
username = "env:TEST_USERNAME"
password = "env:TEST_PASSWORD"
rate = "100/min"
timeout = "5s"
[accounts.shop.inbound]
username = "env:TEST_USERNAME"
password = "env:TEST_PASSWORD"
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.upper().startswith("THREADBRIDGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TEST_USERNAME", "konnek-user")
    monkeypatch.setenv("TEST_PASSWORD", CANARY)
    monkeypatch.setenv("TEST_SECRET", SECRET)
    monkeypatch.setenv("TEST_EMPTY", "")


def written(folder: Path, text: str) -> Path:
    file = folder / "threadbridge.toml"
    file.write_text(text, "utf-8")
    return file
