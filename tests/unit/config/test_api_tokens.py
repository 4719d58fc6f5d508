"""[api]: tokens by themselves and as tables, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge.config.api import SCOPES
from bridge.config.load import Config, load_config
from bridge.errors import ConfigError
from bridge.units import PerPeriod

if TYPE_CHECKING:
    from pathlib import Path

LONG = "canary-of-more-than-24-bytes"
FILE = '[accounts.demo]\nprovider = "playground"\n[api]\ntokens = %s\n'


def config(*tokens: Any, **keys: Any) -> Config:
    return Config.from_dict({"api": {"tokens": [*tokens], **keys}, "accounts": {"demo": {"provider": "playground"}}})


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", LONG)
    monkeypatch.setenv("TWO", f"{LONG}-2")
    monkeypatch.setenv("SHORT", "canary")


def test_a_token_alone_may_do_all_and_has_the_name_of_its_variable() -> None:
    (token,) = config("env:ONE").api.tokens
    assert (token.name, token.scopes, token.accounts) == ("ONE", SCOPES, None)
    assert token.secret.get_secret_value() == LONG
    assert config("env:ONE").api.rate == PerPeriod(600, 60.0)


def test_a_table_says_what_a_token_may() -> None:
    table = {"secret": "env:ONE", "name": "shop", "scopes": ["send"], "accounts": ["demo"]}
    token, other = config(table, "env:TWO").api.tokens
    assert (token.name, token.scopes, token.accounts) == ("shop", frozenset({"send"}), frozenset({"demo"}))
    assert other.name == "TWO"


def test_a_file_lies_beside_the_configuration_and_gives_the_name(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{LONG}\n", "utf-8")
    file = tmp_path / "threadbridge.toml"
    file.write_text(FILE % '["file:token"]', "utf-8")
    (token,) = load_config(file).api.tokens
    assert (token.name, token.secret.get_secret_value()) == ("token", LONG)


def test_the_environment_names_tokens_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "threadbridge.toml"
    file.write_text(FILE % "[]", "utf-8")
    monkeypatch.setenv("THREADBRIDGE_API__TOKENS", "env:ONE, env:TWO")
    assert [token.name for token in load_config(file).api.tokens] == ["ONE", "TWO"]


def test_who_only_looks_into_the_store_needs_no_token(tmp_path: Path) -> None:
    file = tmp_path / "threadbridge.toml"
    file.write_text(FILE % '["env:NONE"]', "utf-8")
    assert load_config(file, accounts=False).api.tokens == ()


@pytest.mark.parametrize(
    ("tokens", "reason"),
    [
        ([LONG], "api.tokens[0].secret: a secret is never written here"),
        (["env:NONE"], "api.tokens[0].secret: the environment variable NONE is not set"),
        ([{}], "api.tokens[0].secret: missing"),
        ([7], "api.tokens[0]: want a table"),
        ([{"secret": "env:ONE", "scopes": ["write"]}], "api.tokens[0].scopes[0]: 'read', 'send' or 'operate'"),
        ([{"secret": "env:ONE", "scopes": []}], "api.tokens[0].scopes: "),
        ([{"secret": "env:ONE", "accounts": ["shop"]}], "api.tokens[0].accounts: there is no account shop"),
        ([{"secret": "env:ONE", "scope": ["read"]}], "api.tokens[0].scope: unknown key"),
        (["env:ONE", "env:ONE"], "api: two tokens have the same name"),
        ([{"secret": "env:ONE", "name": "a"}, "env:ONE"], "api: two tokens have the same secret"),
    ],
    ids=range(10),
)
def test_a_token_that_cannot_be_is_a_problem_of_one_line(tokens: list[Any], reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(*tokens)
    assert reason in str(caught.value)
    assert LONG not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_short_token_is_a_warning_that_does_not_show_it() -> None:
    (warning,) = config("env:SHORT").warnings
    assert (warning.key, warning.reason) == ("api.tokens[0]", "shorter than 24 bytes")
    assert "canary" not in repr(config("env:SHORT"))
