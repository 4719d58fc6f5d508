"""The reference is complete: every command, key, default, name, field, error, log action and route is in it."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import tomllib
from functools import cache, reduce
from typing import TYPE_CHECKING, Any

import pytest

import bridge
from bridge import errors
from bridge.app import create_app
from bridge.config.accounts import SCHEMES
from bridge.config.load import Config
from bridge.config.schema import FileSchema
from bridge.log import FIELDS
from bridge.messages import MESSAGE_TYPES
from bridge.providers.port import AccountSettings
from tests.docs.generated import commands
from tests.docs.pages import DOCS, ROOT, keys_documented, section

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REFERENCE = DOCS / "reference"
SECTIONS = [name for name in FileSchema.model_fields if name != "accounts"]
ERRORS = [name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)]


def page(name: str) -> str:
    return (REFERENCE / name).read_text("utf-8")


def test_every_command_has_an_example() -> None:
    for name, _ in commands():
        assert re.search(rf"^{re.escape(name)}( .*)?$", page("cli.md"), re.MULTILINE), f"{name} has no example"


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_of_a_section_is_documented(name: str) -> None:
    model: Any = FileSchema.model_fields[name].annotation
    assert keys_documented(f"## [{name}]") == set(model.model_fields)


@pytest.mark.parametrize("name", SECTIONS)
def test_every_default_of_a_section_is_documented(name: str) -> None:
    model: Any = FileSchema.model_fields[name].annotation
    defaults = FileSchema.model_fields[name].default
    text = section(REFERENCE / "configuration.md", f"## [{name}]")
    for key, field in model.model_fields.items():
        row = re.search(rf"^\| `{key}` \|.*\| ([^|]*) \|$", text, re.MULTILINE)
        assert row, key
        documented = row[1].strip().strip("`")
        values = model.model_validate({key: tomllib.loads(f"x = {documented}")["x"]} if documented else {})
        assert getattr(values, key) == getattr(defaults, key), f"{name}.{key}: {documented}"
        assert documented or not field.default, f"{name}.{key} has a default"


def test_every_key_an_account_may_have_is_documented() -> None:
    assert keys_documented("### Any account") == set(AccountSettings.model_fields)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_key_of_an_inbound_scheme_is_documented(scheme: str) -> None:
    assert keys_documented(f"### auth = {scheme}") == set(SCHEMES[scheme].model_fields) - {"auth"}


@pytest.mark.parametrize("name", bridge.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    assert f"`{name}`" in page("python.md")


@pytest.mark.parametrize("cls", [bridge.Router, bridge.Turn], ids=lambda cls: cls.__name__)
def test_every_method_of_what_handlers_hold_is_documented(cls: type) -> None:
    slots = {"asked", "begun", "dialog", "in_step", "plays", "stepped"}
    engines = {name for name, each in vars(cls).items() if (inspect.getdoc(each) or "").startswith("For ")} | slots
    names = {name for name in vars(cls) if not name.startswith("_")} - engines
    assert [name for name in names if f".{name}" not in page("python.md")] == []


@pytest.mark.parametrize("kind", MESSAGE_TYPES)
def test_every_field_of_a_message_is_documented(kind: str) -> None:
    cls = MESSAGE_TYPES[kind]
    text = section(REFERENCE / "python.md", "## Messages")
    row = next((line for line in text.splitlines() if line.startswith(f"| `{cls.__name__}` ")), "")
    shared = {"reply_to", "tag", "at", "expires", "fallback"}
    fields = {field.name for field in dataclasses.fields(cls)} - shared
    assert [name for name in fields if f"`{name}`" not in row] == []
    assert [name for name in shared if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_is_documented(name: str) -> None:
    assert f"`{name}`" in page("errors.md")


@cache
def lines_logged() -> list[ast.Call]:
    """The calls that make log lines."""
    return [node for folder in ("bridge", "storage") for path in (ROOT / folder).rglob("*.py") for node in _logs(path)]


def _logs(path: Path) -> Iterator[ast.Call]:
    text = path.read_text("utf-8")
    for node in ast.walk(ast.parse(text)) if "log" in text else ():
        if isinstance(node, ast.Call) and _names_log(node.func) and re.match(r"\(?log\.", ast.unparse(node.func)):
            yield node


def _names_log(function: ast.expr) -> bool:
    """Whether it is worth the time to write it out."""
    return any(isinstance(node, ast.Name) and node.id == "log" for node in ast.walk(function))


@cache
def actions_logged() -> set[str]:
    """The actions that log lines are named by."""
    actions = set()
    for node in lines_logged():
        inner = [child for argument in node.args[:1] for child in ast.walk(argument)]
        strings = {str(child.value) for child in inner if isinstance(child, ast.Constant)}
        actions |= {text for text in strings if re.fullmatch(r"[a-z]+(_[a-z]+)*", text)}
    return actions


def test_every_action_in_the_log_is_documented() -> None:
    text = section(REFERENCE / "errors.md", "## What the log says")
    assert actions_logged()
    assert [name for name in sorted(actions_logged()) if f"`{name}`" not in text] == []


def test_the_log_keeps_every_field_that_a_line_is_given() -> None:
    given = {keyword.arg for node in lines_logged() for keyword in node.keywords if keyword.arg is not None}
    assert given >= {"reason", "bytes", "steps"}
    assert sorted(given - FIELDS) == []


def test_every_route_is_documented(tmp_path: Path) -> None:
    config = Config.from_dict({"accounts": {"demo": {"provider": "playground"}}}, tmp_path)
    routes = {resource.canonical for resource in create_app(config, router=bridge.Router()).router.resources()}
    names = (("/{first}/{second}", "/{secret}/{channel}"), ("/{first}", "/{secret}"), ("/demo", "/{account}"))
    documented = {reduce(lambda route, pair: route.replace(*pair), names, route) for route in routes}
    assert [route for route in sorted(documented) if route not in page("http.md")] == []
