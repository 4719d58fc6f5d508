"""What a configuration exposes is a line of `check`: readable files, shared secrets, addresses of no gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.config.load import load_config
from bridge.errors import ConfigError
from tests.support.config_files import CANARY, KONNEK, environment, written

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["environment"]

DESK = """
[accounts.desk]
provider = "konnek"
base_url = "https://konnek.example"
client_id = "c-1"
channels = ["whatsapp"]
username = "env:TEST_USERNAME"
password = "env:TEST_PASSWORD"
[accounts.desk.inbound]
username = "env:TEST_USERNAME"
password = "%s"
"""


def warnings(folder: Path, text: str) -> list[str]:
    file = written(folder, text)
    lines = [str(warning).removeprefix(f"{file}: ") for warning in load_config(file).warnings]
    assert CANARY not in str(lines)
    return lines


@pytest.mark.parametrize(("mode", "expected"), [(0o600, []), (0o640, []), (0o644, ["desk"]), (0o604, ["desk"])])
def test_a_secret_file_that_everybody_can_read_is_a_warning(tmp_path: Path, mode: int, expected: list[str]) -> None:
    (tmp_path / "password").write_text("another one", "utf-8")
    (tmp_path / "password").chmod(mode)
    reason = "warning: every user of this machine can read its file; chmod 600"
    lines = [f"accounts.{name}.inbound.password: {reason}" for name in expected]
    assert warnings(tmp_path, DESK % "file:password") == lines


def test_a_file_of_an_accounts_own_secret_too(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("another one", "utf-8")
    (tmp_path / "password").chmod(0o644)
    text = DESK.replace('password = "env:TEST_PASSWORD"', 'password = "file:password"') % "env:TEST_SECRET"
    assert [line.partition(":")[0] for line in warnings(tmp_path, text)] == ["accounts.desk.password"]


def test_one_secret_in_two_accounts_is_a_warning_and_one_user_name_is_not(tmp_path: Path) -> None:
    assert warnings(tmp_path, KONNEK + DESK % "env:TEST_PASSWORD") == [
        "accounts.desk.inbound.password: warning: the secret of accounts.shop too: one leak opens both"
    ]
    assert warnings(tmp_path, KONNEK + DESK % "env:TEST_SECRET") == []


@pytest.mark.parametrize("host", ["169.254.169.254", "169.254.0.1", "[fe80::1]", "[::ffff:169.254.169.254]"])
def test_the_address_of_a_clouds_metadata_is_no_gateways(tmp_path: Path, host: str) -> None:
    text = KONNEK.replace("konnek.example", host)
    with pytest.raises(ConfigError, match=r"accounts\.shop\.base_url: a link-local address"):
        load_config(written(tmp_path, text))
    with pytest.raises(ConfigError, match=r"server\.public_url: a link-local address"):
        load_config(written(tmp_path, f'[server]\npublic_url = "https://{host}"\n{KONNEK}'))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://10.1.2.3", ["accounts.shop.base_url: warning: a private address"]),
        ("https://192.168.1.2:8443/api", ["accounts.shop.base_url: warning: a private address"]),
        ("https://[fd00:ec2::254]", ["accounts.shop.base_url: warning: a private address"]),
        ("https://100.100.100.200", ["accounts.shop.base_url: warning: a private address"]),
        ("https://8.8.8.8", []),
        ("http://127.0.0.1:9000", []),
        ("http://localhost:9000", []),
    ],
)
def test_a_private_address_is_a_warning_and_this_machine_is_none(tmp_path: Path, url: str, expected: list[str]) -> None:
    assert warnings(tmp_path, KONNEK.replace("https://konnek.example/", url)) == expected
