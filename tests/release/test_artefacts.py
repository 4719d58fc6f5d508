"""Wheel and sdist hold the product, a wheel is the same each time, and works away from the source tree.

`make release` installs both in empty environments, on each Python that is there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from tests.release.tryout import chat, clean, serving, version

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parents[2]


class Release(NamedTuple):
    """The files of a release, and the folders that they unpack to."""

    wheel: Path
    sdist: Path
    site: Path
    tree: Path


def built(root: Path, folder: Path) -> tuple[Path, Path]:
    (wheel,) = WheelBuilder(str(root)).build(directory=str(folder), versions=["standard"])
    (sdist,) = SdistBuilder(str(root)).build(directory=str(folder), versions=["standard"])
    return Path(wheel), Path(sdist)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("release")
    wheel, sdist = built(ROOT, folder)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    shutil.unpack_archive(sdist, folder, filter="data")
    return Release(wheel, sdist, folder / "site", folder / sdist.name.removesuffix(".tar.gz"))


def installed(release: Release, code: str) -> Sequence[str]:
    """A command that has the wheel and what it depends on, and nothing of this source tree."""
    path = [str(release.site), sysconfig.get_path("purelib")]
    return [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {path}; {code}"]


def test_the_demo_of_a_wheel_answers(release: Release, tmp_path: Path) -> None:
    code = "sys.argv[0] = 'threadbridge'; from bridge.__main__ import main; main()"
    with serving(installed(release, code), tmp_path, clean()) as port:
        answer = chat(port)
    assert answer == "Hello, Ann, and welcome to the tea shop! What would you like?"
    assert (tmp_path / "threadbridge-demo.db").exists()


def test_the_version_is_that_of_the_project(release: Release, tmp_path: Path) -> None:
    code = "sys.argv = ['threadbridge', '--version']; from bridge.__main__ import main; main()"
    shown = subprocess.run(installed(release, code), cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert shown == f"threadbridge {version()}\n"
    assert f"-{version()}" in release.wheel.name
    assert f"-{version()}" in release.sdist.name


def test_a_wheel_is_the_same_to_the_byte_when_it_is_built_from_the_sdist(release: Release, tmp_path: Path) -> None:
    again = built(release.tree, tmp_path)[0]
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(release.wheel.read_bytes()).digest()


def test_a_wheel_holds_each_file_of_the_product_and_no_test(release: Release) -> None:
    def of(folder: Path) -> set[str]:
        return {
            str(file.relative_to(folder))
            for file in folder.rglob("*")
            if file.is_file() and "__pycache__" not in file.parts
        }

    for ours, theirs in (
        ("bridge", "bridge"),
        ("handlers", "threadbridge_handlers"),
        ("storage", "threadbridge_storage"),
    ):
        assert of(release.site / theirs) == of(ROOT / ours)
    assert not (release.site / "tests").exists()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="without git nothing says which files are the project's")
def test_an_sdist_holds_each_file_that_the_project_keeps_and_no_other(release: Release) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    kept = {name for name in listed if name and (ROOT / name).exists()}
    packed = {str(file.relative_to(release.tree)) for file in release.tree.rglob("*") if file.is_file()}
    assert packed - {"PKG-INFO"} == kept
