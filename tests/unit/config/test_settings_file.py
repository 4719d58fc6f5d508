"""Settings files of handlers: TOML and YAML, and each mistake with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from bridge import SettingsFile
from bridge.config.toml_lines import toml_lines
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

TRICKY = '''# a comment with [brackets] = "and more"
a = 1
"b.c".d = "x # y"
[t]   # header
k = [1, 2,
  3, {x = 1, y = """a ]
b""" } ]
m.n = 1.5
[[arr]]
q = 1
[arr.sub]
z = 2026-01-01T10:00:00Z
[[arr]]
q = 2
[[arr.deep]]
w = \'\'\'
x"\'\'\'\'
[[arr.deep]]
w = { a.b = 1, c = [ "]" , '}' ] }
'''


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    number: int = 0


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = ""
    inner: Inner | None = None
    named: dict[str, Inner] = {}
    listed: tuple[Inner, ...] = ()


def lines(path: Path, text: str) -> list[str]:
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        SettingsFile.read(path).load(Model)
    return [str(problem).removeprefix(f"{path.parent}/") for problem in caught.value.problems]


def test_the_line_of_each_key_of_a_toml_file() -> None:
    found = toml_lines(TRICKY)
    assert found[("b.c", "d")] == 3
    assert found[("t", "k", 2)] == 6
    assert found[("t", "k", 3, "y")] == 6
    assert found[("t", "m", "n")] == 8
    assert found[("arr", 0, "sub", "z")] == 12
    assert found[("arr", 1, "deep", 0, "w")] == 16
    assert found[("arr", 1, "deep", 1)] == 18
    assert found[("arr", 1, "deep", 1, "w", "c", 1)] == 19


@given(st.lists(st.tuples(st.sampled_from(["a", '"b c"', "'d.e'"]), st.text(max_size=20)), max_size=5))
def test_any_text_in_quotes_keeps_the_lines_apart(pairs: list[tuple[str, str]]) -> None:
    quoted = [
        (key, "".join(f"\\u{ord(letter):04x}" if ord(letter) < 0xFFFF else "x" for letter in text))
        for key, text in pairs
    ]
    text = "".join(f'[[t]]\n{key} = "{value}" # [x\n' for key, value in quoted)
    assert [toml_lines(text)[("t", number)] for number in range(len(pairs))] == [
        2 * number + 1 for number in range(len(pairs))
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.toml", 'name = "x"\n\n[named.one]\ntext = "hi"\nnubmer = 1\n[[listed]]\nnumber = 1\n[inner]\ntext = 1\n'),
        ("f.yaml", "name: x\n\nnamed:\n  one: {text: hi,\n    nubmer: 1}\nlisted:\n  - number: 1\ninner:\n  text: 1\n"),
    ],
    ids=["toml", "yaml"],
)
def test_a_mistake_has_its_line_its_key_and_a_suggestion(tmp_path: Path, name: str, text: str) -> None:
    shown = sorted(lines(tmp_path / name, text))
    listed = 6 if name == "f.toml" else 7
    assert shown == sorted(
        [
            f"{name}:5: named.one.nubmer: unknown key; did you mean number?",
            f"{name}:{listed}: listed[0].text: missing",
            f"{name}:9: inner.text: want a text in quotes",
        ]
    )


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("f.toml", "a = \n", "f.toml: not TOML: Invalid value (at line 1, column 5)"),
        ("f.yaml", "a: [1\nb: 2\n", "f.yaml:2: not YAML: "),
        ("f.yaml", "a: 1\na: 2\n", "f.yaml:2: not YAML: "),
        ("f.yaml", "- 1\n", "f.yaml: want keys with values"),
        ("f.yaml", "a: !!python/object:os.system x\n", "f.yaml:1: not YAML: could not determine a constructor"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path, name: str, text: str, line: str) -> None:
    (shown,) = lines(tmp_path / name, text)
    assert shown.startswith(line)


def test_the_words_yes_and_no_stay_words_in_yaml(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("words: [yes, no, on]\n", "utf-8")
    assert SettingsFile.read(file).values == {"words": ["yes", "no", "on"]}


def test_an_alias_that_multiplies_costs_no_time(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))
    file.write_text(f"l0: &l0 [x]\n{levels}", "utf-8")
    assert "l29" in SettingsFile.read(file).values


def test_what_only_a_handler_can_judge_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text('name = "x"\n\n[inner]\ntext = "y"\n', "utf-8")
    read = SettingsFile.read(file)
    read.refuse([])
    with pytest.raises(ConfigError) as caught:
        read.refuse([(("inner", "text", 0), "is no word"), (("other",), "is not there")])
    assert list(map(str, caught.value.problems)) == [
        f"{file}:4: inner.text[0]: is no word",
        f"{file}:1: other: is not there",
    ]


def test_what_is_missing_has_the_line_of_its_table(tmp_path: Path) -> None:
    assert lines(tmp_path / "f.yaml", "inner:\n\n  number: 1\n") == ["f.yaml:1: inner.text: missing"]
    assert lines(tmp_path / "f.toml", "\n[inner]\n\nnumber = 1\n") == ["f.toml:2: inner.text: missing"]
