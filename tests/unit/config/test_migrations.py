"""[storage] migrations: the files of the folder, and the line for each that cannot be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.config.load import Config
from bridge.config.migrations import read_migrations
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.store.migrations import Migration


def read(folder: Path, files: dict[str, bytes]) -> list[Migration]:
    tables = folder / "tables"
    tables.mkdir(exist_ok=True)
    for name, content in files.items():
        (tables / name).write_bytes(content)
    return read_migrations(Config.from_dict({"storage": {"migrations": "tables"}}, folder))


def test_files_come_by_their_numbers_and_others_are_left_alone(tmp_path: Path) -> None:
    files = {"0010_b.sql": b"b", "0002_a-b.sql": b"a", "README.md": b"?", "10000_c.sql": b"c"}
    assert [(each.number, each.name, each.script) for each in read(tmp_path, files)] == [
        (2, "0002_a-b.sql", "a"),
        (10, "0010_b.sql", "b"),
        (10000, "10000_c.sql", "c"),
    ]


def test_without_the_key_there_are_none(tmp_path: Path) -> None:
    assert read_migrations(Config.from_dict({}, tmp_path)) == []


def test_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    (plain,) = read(tmp_path, {"0001_a.sql": b"a;\nb;\n"})
    (other,) = read(tmp_path, {"0001_a.sql": b"\xef\xbb\xbfa;\r\nb;\r\n"})
    assert plain == other
    assert plain.digest != read(tmp_path, {"0001_a.sql": b"a;\nb\n"})[0].digest


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"orders.sql": b""}, "orders.sql: want a name like 0001_orders.sql"),
        ({"1_orders.sql": b""}, "1_orders.sql: want a name like 0001_orders.sql"),
        ({"0001_a.sql": b"\xff"}, "0001_a.sql: not UTF-8 text"),
        ({"0001_a.sql": b" " * ((4 << 20) + 1)}, "0001_a.sql: larger than 4 MiB"),
        ({"0001_a.sql": b"", "00001_b.sql": b""}, "0001_a.sql has the number of 00001_b.sql"),
    ],
)
def test_what_is_no_migration_is_a_line(tmp_path: Path, files: dict[str, bytes], reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, files)
    assert [problem.reason for problem in refused.value.problems] == [reason]
    assert refused.value.problems[0].key == "storage.migrations"


def test_a_folder_that_is_not_there_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no_such cannot be read: No such file"):
        read_migrations(Config.from_dict({"storage": {"migrations": "no_such"}}, tmp_path))
