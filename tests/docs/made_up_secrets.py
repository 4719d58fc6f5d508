"""Secrets for the configurations of a page."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def give_secrets(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set every variable and write every file that a page refers to as a secret."""
    for name in re.findall(r'"env:([A-Z_]+)"', text):
        signs = name.endswith("SIGNING_SECRET")
        monkeypatch.setenv(name, f"whsec_{'s' * 32}" if signs else f"{name.lower()}-{'s' * 24}")
    for keys in re.findall(r"encryption_keys = \[(.+)\]", text):
        for name in re.findall(r'"env:([A-Z_]+)"', keys):
            monkeypatch.setenv(name, base64.b64encode(hashlib.sha256(name.encode()).digest()).decode())
    for name in re.findall(r'"file:([a-z/_-]+)"', text):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{'s' * 24}\n")
