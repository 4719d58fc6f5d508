"""Every mistake in a configuration is one line: file, key path, reason; and never the value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from pydantic import BaseModel, ValidationError, field_validator

from bridge.config.load import load_config
from bridge.config.problems import problems_of
from bridge.errors import ConfigError
from tests.support.config_files import CANARY, KONNEK, environment, written  # noqa: F401 - the fixture is used by being there

if TYPE_CHECKING:
    from pathlib import Path


def problem_lines(path: Path | None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return [str(problem) for problem in caught.value.problems]


# What is refused: the exact line

PLAYGROUND: Final = '[accounts.a]\nprovider = "playground"\n'
WRONG: Final = [
    (
        "a key with a typo",
        PLAYGROUND + '[accounts.a.inbound]\nauth = "bearer"\nsecret = "env:TEST_SECRET"\nsecert = "env:TEST_SECRET"',
        "accounts.a.inbound.secert: unknown key; did you mean secret?",
    ),
    (
        "an account key with a typo",
        PLAYGROUND + "timout = 3",
        "accounts.a.timout: unknown key; did you mean timeout?",
    ),
    (
        "an unknown section",
        "[sever]\nport = 1",
        "sever: unknown section; did you mean server?",
    ),
    (
        "a viewer's password without the operator's",
        '[console]\nviewer_password = "env:TEST_SECRET"',
        "console: viewer_password is beside password, which is missing",
    ),
    (
        "a viewer who is an operator",
        '[console]\npassword = "env:TEST_SECRET"\nviewer_password = "env:TEST_SECRET"',
        "console: viewer_password is the same as password, and would let a viewer change things",
    ),
    (
        "an encryption key that is a word",
        '[storage]\nencryption_keys = ["env:TEST_SECRET"]',
        "storage.encryption_keys: want base64 of 32 bytes, not of 24; `threadbridge keys new` prints such a key",
    ),
    (
        "no provider",
        "[accounts.a]\nrate = '1/s'",
        "accounts.a.provider: missing: one of aelyst, ginalne, konnek, playground, relationlabs, whautochat",
    ),
    (
        "an unknown provider",
        '[accounts.a]\nprovider = "playgrund"',
        "accounts.a.provider: no such provider; did you mean playground?",
    ),
    (
        "an account's name",
        '[accounts."A/b"]\nprovider = "playground"',
        "accounts.A/b: want 1 to 64 of a-z 0-9 _ - for a name, the first a letter or digit: it is part of a URL",
    ),
    (
        "an account that is no table",
        "[accounts]\na = 5",
        "accounts.a: want a table",
    ),
    (
        "accounts that are no tables",
        "accounts = 5",
        "accounts: want tables, like [accounts.shop]",
    ),
    (
        "a section that is no table",
        "server = 5",
        "server: want a table",
    ),
    (
        "a port too high",
        "[server]\nport = 65536",
        "server.port: want at most 65535",
    ),
    (
        "a port in words",
        '[server]\nport = "http"',
        "server.port: want a whole number",
    ),
    (
        "everybody a trusted proxy",
        '[server]\ntrusted_proxies = ["0.0.0.0/0"]',
        "server.trusted_proxies: a network of everybody (/0) would let anybody claim any address",
    ),
    (
        "a proxy that is no network",
        '[server]\ntrusted_proxies = ["10.0.0.0/8", "prox"]',
        "server.trusted_proxies[1]: want a network like 10.0.0.0/8, or an address",
    ),
    (
        "a public URL without TLS",
        '[server]\npublic_url = "http://bot.example.org"',
        "server.public_url: http is only for loopback addresses; use https",
    ),
    (
        "a negative number",
        "[handlers]\nattempts = -1",
        "handlers.attempts: want at least 1",
    ),
    (
        "a number that is none",
        "[handlers]\ntimeout = nan",
        "handlers.timeout: a duration is a number with one of ms, s, min, h, d, like 10s",
    ),
    (
        "minutes or metres",
        '[handlers]\ntimeout = "5m"',
        "handlers.timeout: a duration is a number with one of ms, s, min, h, d, like 10s",
    ),
    (
        "a negative duration",
        PLAYGROUND + "timeout = -1",
        "accounts.a.timeout: a duration is a number with one of ms, s, min, h, d, like 10s",
    ),
    (
        "a rate",
        PLAYGROUND + 'rate = "fast"',
        "accounts.a.rate: a rate is written like 100/min (s, min, h or d)",
    ),
    (
        "a size",
        '[limits]\nbody = "1 page"',
        "limits.body: a size is a whole number with one of B, kB, KB, KiB, MB, MiB, like 256KiB",
    ),
    (
        "a store we do not have",
        f'[storage]\nurl = "mysql://bot:{CANARY}@db/bot"',
        "storage.url: unknown kind of store; there are postgresql, sqlite, like sqlite:///threadbridge.db",
    ),
    (
        "a password in the open",
        f'[storage]\nurl = "postgresql://bot:{CANARY}@db/bot"',
        "storage.url: leave the password out; the variable PGPASSWORD or a file ~/.pgpass has it",
    ),
    (
        "a server and no database",
        '[storage]\nurl = "postgresql://bot@db"',
        "storage.url: want the name of a database at its end, like postgresql://user@host/database",
    ),
    (
        "a durability that hides in the URL",
        '[storage]\nurl = "postgresql://bot@db/bot?durability=relaxed"',
        'storage.url: want durability = "relaxed" beside it, and not in it',
    ),
    (
        "a file that may be lost",
        '[storage]\ndurability = "relaxed"',
        "storage: durability is for PostgreSQL; leave it out",
    ),
    (
        "two slashes",
        '[storage]\nurl = "sqlite://x.db"',
        "storage.url: want sqlite:/// and a file, like sqlite:///threadbridge.db (four slashes: absolute)",
    ),
    (
        "a secret that names nothing",
        PLAYGROUND + 'inbound = {auth = "bearer", secret = "env:"}',
        "accounts.a.inbound.secret: names no environment variable after the colon",
    ),
    (
        "a secret written out",
        PLAYGROUND + f'inbound = {{auth = "bearer", secret = "{CANARY}"}}',
        'accounts.a.inbound.secret: a secret is never written here; use "env:NAME" or "file:PATH"',
    ),
    (
        "a secret in the wrong place",
        PLAYGROUND + f'inbound = {{auth = "{CANARY}"}}',
        (
            "accounts.a.inbound.auth: no such scheme; "
            "want one of headers, bearer, path, hmac, es256, standard-webhooks, none"
        ),
    ),
    (
        "a secret that is not there",
        PLAYGROUND + 'inbound = {auth = "bearer", secret = "env:TEST_NOWHERE"}',
        "accounts.a.inbound.secret: the environment variable TEST_NOWHERE is not set",
    ),
    (
        "a secret that is empty",
        PLAYGROUND + 'inbound = {auth = "path", secret = "env:TEST_EMPTY"}',
        "accounts.a.inbound.secret: the environment variable TEST_EMPTY is empty",
    ),
    (
        "a scheme with a typo",
        PLAYGROUND + 'inbound = {auth = "bearr"}',
        "accounts.a.inbound.auth: no such scheme; did you mean bearer?",
    ),
    (
        "an open door to the world",
        '[server]\nhost = "0.0.0.0"\n[accounts.a]\nprovider = "playground"\ninbound = {auth = "none"}',
        "accounts.a.inbound.auth: none is only for a server.host on a loopback address",
    ),
    (
        "no patience",
        PLAYGROUND + "timeout = 0",
        "accounts.a.timeout: want more than 0 seconds",
    ),
    (
        "a base URL without TLS",
        KONNEK.replace("https://", "http://"),
        "accounts.shop.base_url: http is only for loopback addresses; use https",
    ),
    (
        "a key missing",
        KONNEK.replace('client_id = "c-1"\n', ""),
        "accounts.shop.client_id: missing",
    ),
]
"""What the mistake is, the file, and its one line."""


@pytest.mark.parametrize(("text", "line"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_mistake_is_one_line_with_file_key_and_reason(tmp_path: Path, text: str, line: str) -> None:
    file = written(tmp_path, text)
    lines = problem_lines(file)
    assert lines == [f"{file}: {line}"]
    assert CANARY not in "".join(lines)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, "[server]\nprot = 1\n[limits]\nbody = 1\n[accounts.a]\nx = 1\n[accounts.b]\nprovider = 1")
    keys = [line.split(": ")[1] for line in problem_lines(file)]
    assert sorted(keys) == ["accounts.a.provider", "accounts.b.provider", "limits.body", "server.prot"]


# Files that are none


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[server\nport = 1", "not TOML: Expected ']' at the end of a table declaration (at line 1, column 8)"),
        (b"[server]\nport = 1\nport = 2\n", "not TOML: Cannot overwrite a value (at line 3, column 9)"),
        (b"\xff\xfe[\x00s\x00", "not UTF-8 text (byte 0)"),
        (b"\x00\x01\x02", "not TOML: Invalid statement (at line 1, column 1)"),
        (b"", "the file is empty: no accounts"),
        (b"#" * (1024 * 1024 + 1), "larger than 1 MiB: this is no configuration"),
    ],
)
def test_a_file_that_is_no_toml_says_where(tmp_path: Path, data: bytes, reason: str) -> None:
    file = tmp_path / "threadbridge.toml"
    file.write_bytes(data)
    assert problem_lines(file) == [f"{file}: {reason}"]


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere.toml"
    hint = "there is no such file; -c FILE names another, and `threadbridge demo` needs none"
    assert problem_lines(missing) == [f"{missing}: {hint}"]
    assert problem_lines(tmp_path) == [f"{tmp_path}: cannot be read: Is a directory"]


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("SERVER__PORT", "many", "environment: THREADBRIDGE_SERVER__PORT: want a whole number"),
        ("SERVER__PROT", "1", "environment: THREADBRIDGE_SERVER__PROT: unknown key; did you mean port?"),
        ("SEVER__PORT", "1", "environment: THREADBRIDGE_SEVER: unknown section; did you mean server?"),
        ("HANDLERS__LOAD", '["a"', "environment: THREADBRIDGE_HANDLERS__LOAD: not JSON"),
    ],
)
def test_a_mistake_in_the_environment_is_named_as_such(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    monkeypatch.setenv(f"THREADBRIDGE_{name}", value)
    assert problem_lines(None) == [line]


class _Careless(BaseModel):
    """Settings of a provider whose author repeats what was written."""

    token: str

    @field_validator("token")
    @classmethod
    def _known(cls, token: str) -> str:
        raise ValueError(f"{token} is no token")


def test_a_careless_provider_cannot_print_what_was_written() -> None:
    with pytest.raises(ValidationError) as caught:
        _Careless(token=CANARY)
    assert problems_of(caught.value, _Careless) == [(("token",), "not valid here")]


def test_an_unknown_level_of_the_log_is_a_problem(tmp_path: Path) -> None:
    file = written(tmp_path, '[accounts.demo]\nprovider = "playground"\n[log]\nlevel = "loud"')
    with pytest.raises(ConfigError, match="'debug', 'info', 'warning' or 'error'"):
        load_config(file)
