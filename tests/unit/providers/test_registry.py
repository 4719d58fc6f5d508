"""Providers are found by name, ours and others', and an unknown one is told with a suggestion."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from bridge.providers.registry import BUILT_IN, emulator_type, provider_names, provider_type

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_provider_of_ours_is_there(name: str) -> None:
    assert provider_type(name).name == name


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_provider_of_ours_has_an_emulator(name: str) -> None:
    assert emulator_type(name).name == name


def test_a_provider_from_elsewhere_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "pigeon-1.0.dist-info"
    installed.mkdir()
    points = "[threadbridge.providers]\npigeon = pigeon_post:Pigeon\nkonnek = pigeon_post:Pigeon\n"
    (installed / "entry_points.txt").write_text(points, "utf-8")
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon\nVersion: 1.0\n", "utf-8")
    (tmp_path / "pigeon_post.py").write_text("class Pigeon:\n    name = 'pigeon'\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert "pigeon" in provider_names()
    assert provider_type("pigeon").name == "pigeon"
    assert provider_type("konnek").name == "konnek"
    with pytest.raises(LookupError, match=r"has no module pigeon_post\.emulator$"):
        emulator_type("pigeon")
    sys.modules.pop("pigeon_post")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("konek", "no such provider; did you mean konnek?"),
        ("", "no such provider; there are aelyst, ginalne, konnek, playground, relationlabs, whautochat"),
    ],
)
def test_an_unknown_provider_is_told_with_a_suggestion(name: str, reason: str) -> None:
    with pytest.raises(LookupError) as caught:
        provider_type(name)
    assert caught.value.args == (reason,)


def test_a_provider_that_is_broken_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.providers.registry.BUILT_IN", {"gone": "bridge.providers.gone:Gone"})
    with pytest.raises(LookupError, match=r"^the provider gone has no module bridge\.providers\.gone$"):
        provider_type("gone")
