"""The documentation holds: its code runs, its commands exist, and what has to be documented is."""

from __future__ import annotations

import ast
import configparser
import dataclasses
import importlib
import inspect
import json
import re
import shlex
import sys
import tomllib
from functools import reduce
from typing import TYPE_CHECKING, Any

import pytest
from typer.exceptions import TyperException
from typer.testing import CliRunner

import bridge
from bridge import errors
from bridge.app import create_app
from bridge.cli import app
from bridge.config.accounts import _SCHEMES
from bridge.config.load import Config
from bridge.config.schema import Sections
from bridge.messages import MESSAGE_TYPES, decode_message
from bridge.providers.port import AccountSettings, Webhook
from bridge.providers.registry import BUILT_IN, provider_type
from tests.docs.generated import GENERATED, commands
from tests.docs.pages import DOCS, PAGES, ROOT, Block, blocks_of, name_of, section
from tests.support.command_tree import command_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LANGUAGES = {"python", "toml", "json", "sh", "ini", "yaml", "text", "nginx", "caddyfile", "mermaid"}
REFERENCE = DOCS / "reference"
NOT_OURS = {
    "curl",
    "sudo",
    "install",
    "mkdir",
    "systemctl",
    "git",
    "cd",
    "nano",
    "head",
    "sqlite3",
    "printf",
    "export",
    "python3",
    "grep",
}

every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to follow a page in; the modules that the page writes there are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def give_secrets(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every secret that a page refers to, made up."""
    for name in re.findall(r'"env:([A-Z_]+)"', text):
        monkeypatch.setenv(name, f"{name.lower()}-{'s' * 24}")
    for name in re.findall(r'"file:([a-z/_-]+)"', text):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{'s' * 24}\n")


@every_page
def test_the_code_of_a_page_runs_from_top_to_bottom(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give_secrets(page.read_text("utf-8"), folder, monkeypatch)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks_of(page, "python", "toml"):
        if block.file is not None:
            (folder / block.file).write_text(block.code)
        if block.language == "toml":
            Config.from_dict(tomllib.loads(block.code), folder)
        elif block.file is not None:
            importlib.invalidate_caches()
            sys.modules.pop(block.file.removesuffix(".py"), None)  # a page may write a file again
            importlib.import_module(block.file.removesuffix(".py"))
        else:
            exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), namespace)  # noqa: S102 - our own pages
    if (folder / "threadbridge.toml").exists():
        for command in ("check", "urls"):
            result = CliRunner().invoke(app, [command])
            assert result.exit_code == 0, f"{name_of(page)}: {command}: {result.output}"


@every_page
def test_the_commands_of_a_page_exist(page: Path) -> None:
    for block in blocks_of(page, "sh"):
        for line in block.code.replace("\\\n", " ").splitlines():
            for words in pieces(line):
                understood(words, f"{block.where}: {line}")


def pieces(line: str) -> Iterator[list[str]]:
    """The commands of a shell line, without what sets variables for them or takes their output."""
    lexer = shlex.shlex(
        line,
        posix=True,
        punctuation_chars=True,
    )
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("|&;<>"):
            if words:
                yield words
            words = []
        elif words or not re.fullmatch(r"[A-Z_]+=.*", word):
            words.append(word)
    if words:
        yield words


def understood(words: list[str], where: str) -> None:
    """Fail unless our command line takes these words, or they are another program's."""
    if words[:3] == ["sudo", "-u", "threadbridge"]:
        words = words[3:]
    program = words[0].rpartition("/")[2]
    if program == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert set(re.findall(r"^[a-z]+$", "\n".join(words[1:]), re.MULTILINE)) <= set(targets), where
        return
    if program != "threadbridge":
        assert program in NOT_OURS or "." in program, f"{where}: what is {program}?"
        return
    command: Any = command_tree()
    rest = words[1:]
    while getattr(command, "commands", None) and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"{where}: no command {rest[0]}"
        command, rest = command.commands[rest[0]], rest[1:]
    if rest[:1] not in (["--help"], ["--version"]):
        command.make_context(program, list(rest))


@pytest.mark.parametrize(
    "line",
    ["threadbridge rum", "threadbridge run --prot 80", "threadbridge dead show", "frobnicate", "make coffee"],
)
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    with pytest.raises((AssertionError, TyperException)):
        understood(next(pieces(line)), line)


@every_page
def test_a_page_names_the_language_of_its_blocks(page: Path) -> None:
    assert [each.where for each in blocks_of(page) if each.language not in LANGUAGES] == []


@every_page
def test_the_json_of_a_page_is_json(page: Path) -> None:
    for block in blocks_of(page, "json"):
        if "kind" in json.loads(block.code):
            decode_message(block.code.encode())


@every_page
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if not re.match(r"https?:", target):
            assert (page.parent / target).exists(), f"{name_of(page)}: {target}"


@every_page
def test_a_workflow_runs_commands_that_exist(page: Path) -> None:
    for block in blocks_of(page, "yaml"):
        lines = re.findall(r"^ *- run: (.+)$", block.code, re.MULTILINE)
        assert lines
        for line in lines:
            for words in pieces(line):
                understood(words, f"{block.where}: {line}")


@every_page
def test_a_unit_file_starts_a_command_that_exists(page: Path) -> None:
    for block in blocks_of(page, "ini"):
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign] # keys of systemd have capitals
        unit.read_string(block.code)
        for key in ("ExecStart", "ExecStartPre"):
            if key in unit["Service"]:
                understood(shlex.split(unit["Service"][key]), block.where)


@every_page
def test_a_line_of_prose_is_one_sentence(page: Path) -> None:
    text = re.sub(r"^( *)```.*?^\1```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    prose = [line for line in text.splitlines() if line and not line.startswith(("|", "    ", "<!--", "#"))]
    several = [
        line for line in prose if re.search(r"(?<!e\.g)(?<!\bno)[a-z`)][.!?] [A-Z]", re.sub(r"`[^`]*`", "x", line))
    ]
    assert several == []


@pytest.mark.parametrize("page", GENERATED, ids=name_of)
def test_a_generated_page_is_up_to_date(page: Path) -> None:
    made = GENERATED[page]()
    assert page.read_text("utf-8") == made, "run: python -m tests.docs.generated"


def test_every_command_has_an_example() -> None:
    page = (REFERENCE / "cli.md").read_text("utf-8")
    for name, _ in commands():
        assert re.search(rf"^{re.escape(name)}( .*)?$", page, re.MULTILINE), f"{name} has no example"


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (page.parent / target).resolve()
        for page in PAGES
        for target in re.findall(r"\]\(([^)#\s]+\.md)", page.read_text("utf-8"))
    }
    assert [name_of(page) for page in PAGES if page.resolve() not in linked and page.name != "README.md"] == []


def keys_documented(heading: str) -> set[str]:
    """The keys in the first column of the tables under a heading of configuration.md."""
    return set(re.findall(r"^\| `([a-z_]+)` \|", section(REFERENCE / "configuration.md", heading), re.MULTILINE))


@pytest.mark.parametrize("name", [name for name in Sections.model_fields if name != "accounts"])
def test_every_key_of_a_section_is_documented(name: str) -> None:
    model: Any = Sections.model_fields[name].annotation
    assert keys_documented(f"## [{name}]") == set(model.model_fields)


def test_every_default_of_a_section_is_documented() -> None:
    for name, found in Sections.model_fields.items():
        if name == "accounts":
            continue
        text = section(REFERENCE / "configuration.md", f"## [{name}]")
        for key, field in found.annotation.model_fields.items():  # type: ignore[union-attr]
            row = re.search(rf"^\| `{key}` \|.*\| ([^|]*) \|$", text, re.MULTILINE)
            assert row, key
            said = row[1].strip().strip("`")
            made = found.annotation.model_validate({key: tomllib.loads(f"x = {said}")["x"]} if said else {})  # type: ignore[union-attr]
            assert getattr(made, key) == getattr(found.default, key), f"{name}.{key}: {said}"
            assert said or not field.default, f"{name}.{key} has a default"


def test_every_key_an_account_may_have_is_documented() -> None:
    assert keys_documented("### Any account") == set(AccountSettings.model_fields)


@pytest.mark.parametrize("provider", BUILT_IN)
def test_every_key_of_a_provider_is_documented(provider: str) -> None:
    own = set(provider_type(provider).Settings.model_fields) - set(AccountSettings.model_fields)
    assert keys_documented(f"### {provider}") == own
    page = (DOCS / "providers" / f"{provider}.md").read_text("utf-8")
    assert [key for key in own if f"`{key}`" not in page] == []


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_every_key_of_an_inbound_scheme_is_documented(scheme: str) -> None:
    assert keys_documented(f"### auth = {scheme}") == set(_SCHEMES[scheme].model_fields) - {"auth"}


@pytest.mark.parametrize("provider", BUILT_IN)
def test_a_providers_page_names_its_inbound_schemes(provider: str) -> None:
    page = (DOCS / "providers" / f"{provider}.md").read_text("utf-8")
    assert [scheme for scheme in provider_type(provider).auth if f"`{scheme}`" not in page] == []


@pytest.mark.parametrize("provider", BUILT_IN)
def test_the_webhooks_on_a_providers_page_are_understood(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = DOCS / "providers" / f"{provider}.md"
    give_secrets(page.read_text("utf-8"), tmp_path, monkeypatch)
    account = configured(blocks_of(page, "toml")[0], tmp_path)
    bodies = blocks_of(page, "json")
    assert bodies
    for block in bodies:
        body = block.code.encode()
        channel = account.channels[0] if account.channels else None
        found = account.parse(
            Webhook(channel=channel, body=body, json=json.loads(body), received_at=1_760_000_000_000_000)
        )
        assert found, block.where


def configured(block: Block, folder: Path) -> Any:
    (account,) = Config.from_dict(tomllib.loads(block.code), folder).accounts.values()
    return account.provider


@pytest.mark.parametrize("name", bridge.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    assert f"`{name}`" in (REFERENCE / "python.md").read_text("utf-8")


@pytest.mark.parametrize("cls", [bridge.Router, bridge.Turn], ids=lambda cls: cls.__name__)
def test_every_method_of_what_handlers_hold_is_documented(cls: type) -> None:
    text = (REFERENCE / "python.md").read_text("utf-8")
    slots = {"asked", "begun", "dialog", "in_step", "plays", "stepped"}
    engines = {name for name, each in vars(cls).items() if (inspect.getdoc(each) or "").startswith("For ")} | slots
    names = {name for name in vars(cls) if not name.startswith("_")} - engines
    assert [name for name in names if f".{name}" not in text] == []


@pytest.mark.parametrize("kind", MESSAGE_TYPES)
def test_every_field_of_a_message_is_documented(kind: str) -> None:
    cls = MESSAGE_TYPES[kind]
    text = section(REFERENCE / "python.md", "## Messages")
    row = next((line for line in text.splitlines() if line.startswith(f"| `{cls.__name__}` ")), "")
    shared = {"reply_to", "tag", "at", "expires", "fallback"}
    fields = {field.name for field in dataclasses.fields(cls)} - shared
    assert [name for name in fields if f"`{name}`" not in row] == []
    assert [name for name in shared if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize(
    "name", [name for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, Exception)]
)
def test_every_error_is_documented(name: str) -> None:
    assert f"`{name}`" in (REFERENCE / "errors.md").read_text("utf-8")


def logged() -> set[str]:
    """The actions that log lines are named by."""
    found = set()
    for folder in ("bridge", "storage"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log."):
                    strings = [
                        each for arg in node.args[:1] for each in ast.walk(arg) if isinstance(each, ast.Constant)
                    ]
                    found |= {str(each.value) for each in strings if re.fullmatch(r"[a-z]+(_[a-z]+)*", str(each.value))}
    return found


def test_every_action_in_the_log_is_documented() -> None:
    text = section(REFERENCE / "errors.md", "## What the log says")
    assert [name for name in sorted(logged()) if f"`{name}`" not in text] == []


def test_every_route_is_documented(tmp_path: Path) -> None:
    text = (REFERENCE / "http.md").read_text("utf-8")
    config = Config.from_dict({"accounts": {"demo": {"provider": "playground"}}}, tmp_path)
    routes = {resource.canonical for resource in create_app(config, router=bridge.Router()).router.resources()}
    names = (("/{first}/{second}", "/{secret}/{channel}"), ("/{first}", "/{secret}"), ("/demo", "/{account}"))
    told = {reduce(lambda route, pair: route.replace(*pair), names, route) for route in routes}
    assert [route for route in sorted(told) if route not in text] == []


def test_the_tests_that_the_guarantees_name_exist() -> None:
    named = re.findall(
        r"\[(tests/[\w/]+\.py)\]\([^)]*\) \| `(\w+)`", (DOCS / "explanation" / "guarantees.md").read_text("utf-8")
    )
    assert named
    assert [each for each in named if f"def {each[1]}(" not in (ROOT / each[0]).read_text("utf-8")] == []


def test_every_provider_has_a_page() -> None:
    assert {path.stem for path in (DOCS / "providers").glob("*.md")} == set(BUILT_IN) | {"matrix"}


def test_the_readme_shows_working_code_early() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert "make demo" in "\n".join(lines[:25])
    assert any(line.startswith("```python") for line in lines[:25])
