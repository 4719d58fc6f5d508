"""A provider from elsewhere: the package that docs/how-to/third-party-provider.md writes, installed and used."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from bridge.cli import app
from bridge.clock import SystemClock
from bridge.config.load import Config
from bridge.emulation.server import EmulatorServer
from bridge.errors import NotSent, Rejected
from bridge.events import ThreadRef
from bridge.messages import Image, Text
from bridge.providers.port import Outbound, Request, Sent
from bridge.providers.registry import GROUP, emulator_type, provider_names, provider_type
from bridge.testing.contract.provider import exchange
from handlers.menu import router as menu
from tests.docs.pages import DOCS, ROOT, blocks_of
from tests.support.child_pytest import command, environment
from tests.support.free_ports import free_port
from tests.support.whole_bridges import SECRET, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE: Final = DOCS / "how-to" / "third-party-provider.md"


def entry_points() -> dict[str, str]:
    """What the page writes into pyproject.toml."""
    project: dict[str, Any] = tomllib.loads(blocks_of(PAGE, "text")[0].code)
    found: dict[str, str] = project["project"]["entry-points"][GROUP]
    return found


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a site with the page's package in it, as an installer leaves it there."""
    site = tmp_path / "site"
    for block in blocks_of(PAGE, "python"):
        if block.file is not None:
            (site / block.file).parent.mkdir(parents=True, exist_ok=True)
            (site / block.file).write_text(block.code, "utf-8")
    metadata = site / "threadbridge_pigeon-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: threadbridge-pigeon\nVersion: 1.0\n", "utf-8")
    lines = [f"{name} = {place}" for name, place in entry_points().items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]), "utf-8")
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    yield site
    for name in [name for name in sys.modules if name.partition(".")[0] == "pigeon"]:
        del sys.modules[name]


def configured(folder: Path) -> Config:
    return Config.from_dict(tomllib.loads(blocks_of(PAGE, "text")[1].code), folder)


def test_without_the_package_there_is_no_such_provider() -> None:
    assert "pigeon" not in provider_names()


@pytest.mark.usefixtures("installed")
def test_its_entry_point_makes_it_one_of_the_providers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOFT_KEY", "k" * 24)
    monkeypatch.setenv("LOFT_IN_SECRET", SECRET)
    assert "pigeon" in provider_names()
    account = configured(tmp_path).accounts["loft"]
    assert type(account.provider).__name__ == "Pigeon"
    assert account.provider.relays["air"].text == 140


def test_it_cannot_take_the_name_of_one_of_ours(installed: Path) -> None:
    (metadata,) = installed.glob("*.dist-info")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\nkonnek = pigeon:Pigeon\n", "utf-8")
    importlib.invalidate_caches()
    assert provider_type("konnek").__module__ == "bridge.providers.konnek"


@pytest.mark.usefixtures("installed")
def test_its_errors_are_outcomes_like_any_others() -> None:
    kind = provider_type("pigeon")
    emulator = emulator_type("pigeon")(lambda: 0, Random(1))
    provider = kind("loft", kind.Settings.model_validate({"provider": "pigeon", **emulator.sample_settings}))
    stranger = kind("loft", kind.Settings.model_validate({"provider": "pigeon", "loft_key": SecretStr("x")}))
    thread = ThreadRef("loft", "pigeon", "air", "ann")
    for sender, message, outcome in (
        (provider, Text("hi"), Sent),
        (provider, Text("a" * 141), Rejected),
        (provider, Image("https://x/a"), Rejected),
        (stranger, Text("hi"), NotSent),
    ):
        sending = sender.send(Outbound(key="k", thread=thread, message=message, created_at=0), None)
        assert type(exchange(sending, emulator.handle)[1]) is outcome
    assert emulator.handle(Request(method="GET", path="/letters", headers={})).status == 401


def through_the_contract(site: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The page's own tests, run as its author would run them."""
    return subprocess.run(
        command(*options, "test_pigeon.py"),
        cwd=site,
        env=environment(site, ROOT),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_it_passes_the_contract_that_ours_pass(installed: Path) -> None:
    done = through_the_contract(installed)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.slow
def test_the_contract_finds_a_mistake_and_shows_the_values_that_differ(installed: Path) -> None:
    file = installed / "pigeon" / "__init__.py"
    code = file.read_text("utf-8")
    file.write_text(code.replace('"key": outbound.key', '"key": outbound.key.upper()'), "utf-8")
    done = through_the_contract(installed, "-k", "exactly_its_calls")
    assert done.returncode == 1
    assert "FAILED test_pigeon.py::TestPigeon::test_a_message_becomes_exactly_its_calls[a text]" in done.stdout
    assert "Differing items" in done.stdout
    assert "5B0E4A0E" in done.stdout


@pytest.mark.usefixtures("installed")
async def test_the_menu_takes_an_order_by_pigeon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("LOFT_KEY", "k" * 24)
    monkeypatch.setenv("LOFT_IN_SECRET", SECRET)
    values: dict[str, Any] = tomllib.loads(blocks_of(PAGE, "text")[1].code)
    values["accounts"]["loft"]["base_url"] = f"http://127.0.0.1:{port}"
    values["storage"] = {"url": f"sqlite:///{tmp_path}/test.db"}
    settings = {"loft_key": SecretStr("k" * 24)}
    emulator = emulator_type("pigeon")(SystemClock().now, Random(1), settings)
    async with (
        served(values, menu) as here,
        EmulatorServer(
            emulator,
            port=port,
            webhook=f"http://127.0.0.1:{here.port}/webhooks/loft",
            headers={"Authorization": f"Bearer {SECRET}"},
        ) as server,
    ):
        for text in ("hello", "1", "matcha", "2", "yes"):
            assert await server.post(emulator.says("air", "ann", text)) == 200
            await here.bridge.settle()
    assert emulator.seen[-1].text.startswith("Thank you! Your order no. 1: 2 x Matcha, 30 euro.")
    assert all(len(seen.text) <= 140 for seen in emulator.seen)


@pytest.mark.usefixtures("installed")
def test_the_commands_know_it(tmp_path: Path) -> None:
    message = tmp_path / "message.json"
    message.write_text('{"kind": "location", "latitude": 1, "longitude": 2}', "utf-8")
    result = CliRunner().invoke(app, ["explain", str(message), "--on", "pigeon"])
    assert result.output.startswith("pigeon\tair\ttext: https://")
    result = CliRunner().invoke(app, ["emulate", "pigeon", "--port", "1", "--fail", "x"], env={"COLUMNS": "200"})
    assert "want CODE:P" in result.output
