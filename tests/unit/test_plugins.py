"""What is plugged in is what Python would import: the first of two packages of one name, whichever was looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.plugins import plugged_in

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

GROUP = "threadbridge.pigeons"


def installed(place: Path, package: str, *lines: str) -> Path:
    metadata = place / f"{package}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", "utf-8")
    (metadata / "entry_points.txt").write_text("\n".join(lines), "utf-8")
    return place


def test_a_package_in_two_places_is_the_one_that_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path / "late", "pigeon", f"[{GROUP}]", "grey = pigeon:Old", "white = pigeon:White")
    monkeypatch.syspath_prepend(tmp_path / "late")
    assert {name: entry.value for name, entry in plugged_in(GROUP).items()} == {
        "grey": "pigeon:Old",
        "white": "pigeon:White",
    }
    installed(tmp_path / "early", "pigeon", f"[{GROUP}]", "grey = pigeon:Grey")
    monkeypatch.syspath_prepend(tmp_path / "early")
    assert {name: entry.value for name, entry in plugged_in(GROUP).items()} == {"grey": "pigeon:Grey"}


def test_each_group_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (
        "[threadbridge.stores]",
        "slate = pigeon:Slate",
        f"[{GROUP}]",
        "grey = pigeon:Grey",
        "[other]",
        "x = pigeon",
    )
    installed(tmp_path, "pigeon", *lines)
    monkeypatch.syspath_prepend(tmp_path)
    assert plugged_in(GROUP).keys() == {"grey"}
    assert plugged_in("threadbridge.stores").keys() == {"slate", "sqlite", "postgresql"}
