"""The console's files: those of others are as their releases have them, and browsers may keep each for good."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from bridge.web.operator import assets as module
from bridge.web.operator.assets import assets

VENDOR = Path(module.__file__).parent / "vendor"


def test_vendored_files_are_those_of_their_releases_with_their_licences() -> None:
    table = (VENDOR / "README.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` .*`([^`]+\.LICENSE)` \| `([0-9a-f]{64})` \|$", table, re.MULTILINE)
    vendored = {file.name for file in VENDOR.iterdir() if file.suffix in {".js", ".css"}}
    assert {name for name, _, _ in rows} == vendored
    for name, licence, digest in rows:
        assert sha256((VENDOR / name).read_bytes()).hexdigest() == digest
        assert (VENDOR / licence).stat().st_size > 0


def test_no_file_asks_another_host_or_runs_text_as_code() -> None:
    own = [file for file in VENDOR.parent.rglob("*") if file.suffix in {".html", ".css", ".js"}]
    for file in own:
        if file.parent == VENDOR:
            continue
        text = file.read_text()
        assert not re.search(r"https?://", text), file
        assert not re.search(r"\bon[a-z]+=\"|style=\"|<script>|\beval\(|innerHTML|\| ?safe", text), file


def test_the_address_of_a_file_changes_with_its_bytes() -> None:
    found = assets()
    assert {"htmx.min.js", "operator.css", "operator.js", "icon.svg"} <= found.keys()
    assert all(sha256(asset.content).hexdigest().startswith(asset.version) for asset in found.values())
