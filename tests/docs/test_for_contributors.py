"""The pages for whoever changes the code name files that exist; the locks hold what pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from typing import Final

import pytest

from tests.docs.pages import ROOT

NAMES: Final = ("CONTRIBUTING.md", "SECURITY.md", "AGENTS.md", "llms.txt", ".pre-commit-config.yaml", "README.md")
_CODE: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"\]\(([^)#\s]+)")
_PATH: Final = re.compile(r"(?:bridge|docs|handlers|storage|tests)(?:/[\w.]+)*/?|[\w./-]+\.(?:lock|md|py|toml)")
_PIN: Final = re.compile(
    r"^(?P<name>[a-z0-9-]+)==[\w.]+(?: ; [^\\\n]+)?(?: \\\n {4}--hash=sha256:[0-9a-f]{64})+\n"
    r" {4}# via(?P<sources>.*\n(?: {4}# {3}.+\n)*)",
    re.MULTILINE,
)
_SOURCE: Final = re.compile(r"(?:^ |# {3})([a-z0-9][\w-]*)")


def paths_in(text: str) -> set[str]:
    """The files and folders that a page names, in code or as a link."""
    named = {word for code in _CODE.findall(text) for word in code.split() if _PATH.fullmatch(word)}
    return named | {link for link in _LINK.findall(text) if "://" not in link}


@pytest.mark.parametrize("name", NAMES)
def test_each_path_that_a_page_names_exists(name: str) -> None:
    made_by_users = {"threadbridge.toml", "shop.py"}
    one_folder_a_provider = {"wire.py", "inbound.py", "outbound.py", "emulator.py"}
    paths = paths_in((ROOT / name).read_text("utf-8"))
    missing = {path for path in paths if not (ROOT / path).exists()} - made_by_users
    assert {path for path in missing if not (path in one_folder_a_provider and _in_every_provider(path))} == set()


def _in_every_provider(file: str) -> bool:
    return (ROOT / "bridge" / "providers" / "konnek" / file).exists()


def test_the_map_names_every_room() -> None:
    rooms = {f"bridge/{file.parent.name}" for file in (ROOT / "bridge").glob("*/__init__.py")}
    rows = set(re.findall(r"^\| `([\w/]+)` \|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE))
    assert rooms - rows == set()


def test_the_targets_that_a_page_names_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = "".join((ROOT / name).read_text("utf-8") for name in NAMES)
    assert set(re.findall(r"`make ([a-z]+)", text)) - targets == set()


def test_each_hook_is_a_tool_of_the_environment() -> None:
    hooks = re.findall(r"entry: \.venv/bin/([\w-]+)", (ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert len(hooks) == 3
    assert set(hooks) <= _asked_for("requirements-test.lock")


def _asked_for(lock: str) -> set[str]:
    """The names in pyproject.toml that a lock is made for."""
    written = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    if lock == "requirements-release.lock":
        return {re.split(r"[^\w-]", text)[0] for text in written["dependency-groups"]["release"]}
    extras = written["project"]["optional-dependencies"]["test"] if lock == "requirements-test.lock" else []
    asked = [*written["project"]["dependencies"], *written["dependency-groups"]["build"], *extras]
    return {re.split(r"[^\w-]", text)[0] for text in asked}


every_lock = pytest.mark.parametrize(
    "lock", ["requirements.lock", "requirements-test.lock", "requirements-release.lock"]
)


@every_lock
def test_a_lock_holds_what_is_asked_for_and_what_that_needs(lock: str) -> None:
    pins = {
        pin["name"]: set(_SOURCE.findall(pin["sources"])) for pin in _PIN.finditer((ROOT / lock).read_text("utf-8"))
    }
    ours = {name for name, sources in pins.items() if "threadbridge" in sources}
    assert ours == _asked_for(lock)
    assert {source for sources in pins.values() for source in sources} - pins.keys() == {"threadbridge"}
    assert [name for name, sources in pins.items() if not sources] == []


@every_lock
def test_a_lock_has_hashes_for_every_release_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert [line for line in _PIN.sub("", text).splitlines() if not line.startswith("#")] == []
    assert not re.search(r"//|\./|index|find-links|\b[\w-]+\.(?:com|org|net|io)\b", text)


def test_the_locks_pin_the_same_releases() -> None:
    runtime, test, release = (
        dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / lock).read_text("utf-8"), re.MULTILINE))
        for lock in ("requirements.lock", "requirements-test.lock", "requirements-release.lock")
    )
    assert runtime.items() <= test.items()
    assert {name: test[name] for name in test.keys() & release.keys()}.items() <= release.items()
