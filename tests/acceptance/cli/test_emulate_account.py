"""`threadbridge run` and `threadbridge emulate` on one configuration, with credentials that are nobody's sample."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from tests.acceptance.cli.test_emulate import call, emulating
from tests.acceptance.cli.test_serve import running
from tests.support.free_ports import free_port
from tests.support.looking import until

if TYPE_CHECKING:
    from pathlib import Path

WORD = "word-6b1f0c8e-word-6b1f0c8e"
KONNEK = """provider = "konnek"
client_id = "my-client"
channels = ["line", "whatsapp"]
username = "env:TEST_WORD"
password = "env:TEST_WORD"
"""
AELYST = 'provider = "aelyst"\ntoken = "env:TEST_WORD"\n'
RELATIONLABS = 'provider = "relationlabs"\napi_key = "env:TEST_WORD"\ntoken = "env:TEST_WORD"\n'
ES256 = """public_key = '{"kty":"EC","crv":"P-256",\
"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}'"""


def project(folder: Path, account: str, inbound: str, base_url: str) -> int:
    port = free_port()
    (folder / "threadbridge.toml").write_text(
        f"""
[server]
port = {port}
[handlers]
load = ["handlers.echo"]
[accounts.mine]
{account}base_url = "{base_url}"
[accounts.mine.inbound]
{inbound}
""",
        "utf-8",
    )
    return port


def seen_at(url: str) -> list[dict[str, Any]]:
    """What the contact has on the phone, as soon as there is something."""
    found = until("something", lambda: call(f"{url}/_emulator/seen"))
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    ("provider", "account", "inbound"),
    [
        ("konnek", KONNEK, 'auth = "path"\nsecret = "env:TEST_WORD"'),
        ("konnek", KONNEK, 'auth = "hmac"\nkeys = ["env:TEST_WORD"]\nheader = "X-Sign"\nencoding = "hex"'),
        ("aelyst", AELYST, 'auth = "hmac"\nkeys = ["env:TEST_WORD"]'),
        ("aelyst", AELYST, 'auth = "standard-webhooks"\nsecrets = ["env:TEST_WHSEC"]'),
    ],
    ids=["konnek-path", "konnek-hmac", "aelyst-hmac", "aelyst-standard-webhooks"],
)
def test_what_is_said_to_the_emulator_is_answered_through_the_bridge(
    provider: str, account: str, inbound: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_WORD", WORD)
    monkeypatch.setenv("TEST_WHSEC", f"whsec_{b64encode(WORD.encode()).decode()}")
    port = free_port()
    project(tmp_path, account, inbound, f"http://127.0.0.1:{port}")
    with (
        running(tmp_path, "run", until="listening"),
        emulating(provider, "-c", str(tmp_path / "threadbridge.toml"), port=0) as (url, said),
    ):
        assert url == f"http://127.0.0.1:{port}"
        assert "It accepts: the credentials of mine\n" in said
        assert WORD not in said
        spoken = {"channel": "line", "contact": "ann", "text": "hello"}
        assert call(f"{url}/_emulator/says", spoken)["status"] == 200
        (seen,) = seen_at(url)
        assert (seen["channel"], seen["kind"]) == ("line", "text")
        assert "hello" in seen["text"]
        assert WORD not in str(call(f"{url}/_emulator/requests"))


def emulated(folder: Path, *arguments: str) -> tuple[int, str]:
    command = ["emulate", *arguments, "-c", str(folder / "threadbridge.toml")]
    result = CliRunner().invoke(app, command, env={"COLUMNS": "400", "TEST_WORD": WORD})
    return result.exit_code, result.stderr


def test_a_door_that_wants_a_private_key_asks_for_a_header(tmp_path: Path) -> None:
    project(tmp_path, RELATIONLABS, f'auth = "es256"\n{ES256}', "http://127.0.0.1:9")
    code, said = emulated(tmp_path, "relationlabs")
    assert code == 2
    assert "the webhooks of mine cannot be signed here" in said
    assert "--header 'NAME: VALUE'" in said


def test_an_address_elsewhere_tells_no_port(tmp_path: Path) -> None:
    project(tmp_path, AELYST, 'keys = "env:TEST_WORD"', "https://api.aelyst.example/v1")
    code, said = emulated(tmp_path, "aelyst")
    assert code == 2
    assert "whose base_url is on this machine" in said
    project(tmp_path, AELYST, 'keys = "env:TEST_WORD"', "https://api.aelyst.example/v1")
    with emulating("aelyst", "-c", str(tmp_path / "threadbridge.toml"), port=free_port(), TEST_WORD=WORD) as (
        url,
        told,
    ):
        assert f"its base_url is {url}; mine has another\n" in told


def test_one_of_several_accounts_is_chosen_by_its_name(tmp_path: Path) -> None:
    project(tmp_path, AELYST, 'keys = "env:TEST_WORD"', "http://127.0.0.1:9")
    with (tmp_path / "threadbridge.toml").open("a") as file:
        file.write(f'[accounts.other]\n{AELYST}base_url = "http://127.0.0.1:8"\ninbound = {{keys = "env:TEST_WORD"}}\n')
    code, said = emulated(tmp_path, "aelyst")
    assert (code, "choose one with --account" in said) == (2, True)
    assert "named third; give" in emulated(tmp_path, "aelyst", "--account", "third")[1]
    port = str(free_port())
    with emulating(
        "aelyst", "-c", str(tmp_path / "threadbridge.toml"), "--account", "other", port=int(port), TEST_WORD=WORD
    ) as (_, told):
        assert "the credentials of other" in told
