"""The texts of a bot: files by language, what turns say of them, and every line that `check` prints."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.load import Config
from bridge.config.texts import read_texts
from bridge.conversation.catalogue import Catalogue, Phrase
from bridge.errors import ConfigError, HandlerError

if TYPE_CHECKING:
    from pathlib import Path

EN = """
hello = "Hello, {name}!"
[order]
placed = "Order {no} is placed."
items = {one = "{count} item", other = "{count} items"}
"""
ID = """
hello = "Halo, {name}!"
[order]
placed = "Pesanan {no} diterima."
items = {other = "{count} barang"}
"""


def texts(folder: Path, *, locale: str = "en", **files: str) -> Catalogue:
    (folder / "texts").mkdir()
    for name, text in files.items():
        (folder / "texts" / f"{name.replace('_', '-')}.toml").write_text(text, "utf-8")
    return read_texts(Config.from_dict({"handlers": {"locale": locale}}, folder))


def problems(folder: Path, *, locale: str = "en", **files: str) -> list[str]:
    try:
        found = texts(folder, locale=locale, **files).problems()
    except ConfigError as error:
        found = error.problems
    return [str(problem).replace(f"{folder}/texts/", "") for problem in found]


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("id", "Halo, Ann!"),
        ("id-ID", "Halo, Ann!"),
        ("ID_id", "Halo, Ann!"),
        ("pt-BR", "Oi, Ann!"),
        ("pt-PT", "Olá, Ann!"),
        ("zh-Hant-TW", "Hello, Ann!"),
        (None, "Hello, Ann!"),
    ],
)
def test_a_text_is_in_the_closest_language(tmp_path: Path, locale: str | None, said: str) -> None:
    catalogue = texts(tmp_path, en=EN, id=ID, pt='hello = "Olá, {name}!"', pt_BR='hello = "Oi, {name}!"')
    assert catalogue.text("hello", locale, {"name": "Ann"}) == said


def test_a_key_that_a_language_lacks_is_said_in_the_next_one(tmp_path: Path) -> None:
    catalogue = texts(tmp_path, en=EN, pt='hello = "Olá"', pt_BR='bye = "Tchau"')
    assert catalogue.text("hello", "pt-BR", {}) == "Olá"
    assert catalogue.text("order.placed", "pt-BR", {"no": 7}) == "Order 7 is placed."


def test_a_key_that_is_missing_is_named_with_the_languages_that_have_it(tmp_path: Path) -> None:
    catalogue = texts(tmp_path, en=EN, id=ID, pt='bye = "Tchau"')
    with pytest.raises(HandlerError, match="no text 'bye' for id: only pt has it"):
        catalogue.text("bye", "id", {})
    with pytest.raises(HandlerError, match="no text 'nope' for en: no language has it"):
        catalogue.text("nope", None, {})


@pytest.mark.parametrize(
    ("locale", "count", "said"),
    [
        ("en", 1, "1 item"),
        ("en", 0, "0 items"),
        ("en", 1.5, "1.5 items"),
        ("id", 1, "1 barang"),
        ("pl", 1, "1 rzecz"),
        ("pl", 3, "3 rzeczy"),
        ("pl", 12, "12 sztuk"),
        ("pl", Decimal("1.5"), "1.5 razy"),
    ],
)
def test_the_number_chooses_the_plural_form(tmp_path: Path, locale: str, count: float, said: str) -> None:
    polish = 'one = "{count} rzecz", few = "{count} rzeczy", many = "{count} sztuk", other = "{count} razy"'
    catalogue = texts(tmp_path, en=EN, id=ID, pl=f"order.items = {{{polish}}}")
    assert catalogue.text("order.items", locale, {"count": count}) == said


@pytest.mark.parametrize("values", [{}, {"count": "7"}, {"count": True}, {"count": None}])
def test_plural_forms_need_a_number(tmp_path: Path, values: dict[str, object]) -> None:
    with pytest.raises(HandlerError, match=r"'order\.items' has plural forms: give it count=, a number"):
        texts(tmp_path, en=EN).text("order.items", None, values)


def test_a_missing_value_is_named(tmp_path: Path) -> None:
    with pytest.raises(HandlerError, match="'hello' of en needs a value for name="):
        texts(tmp_path, en=EN).text("hello", None, {"nam": "Ann"})


def test_values_are_put_in_and_not_looked_into() -> None:
    assert Phrase.read("{{{a}}} {b}").filled({"a": "{b}", "b": "x"}) == "{{b}} x"
    for text in ("{a.b}", "{a[0]}", "{a!r}", "{a:>9}", "{0}", "{}", "{ a }", "{locale}", "{", "}", "a {b"):
        with pytest.raises(ValueError, match=r"^(\{.*\} is no name of a value|a [{}] stands alone)"):
            Phrase.read(text)


@given(st.text("ab{}", max_size=12), st.text(max_size=5))
def test_words_come_back_as_they_are(text: str, value: str) -> None:
    written = text.replace("{", "{{").replace("}", "}}")
    assert Phrase.read(f"{written}{{a}}{written}").filled({"a": value}) == f"{text}{value}{text}"


def test_without_a_folder_there_are_no_texts(tmp_path: Path) -> None:
    assert read_texts(Config.from_dict({}, tmp_path)).languages == {}


def test_the_configuration_may_name_another_folder(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "en.toml").write_text(EN, "utf-8")
    named = read_texts(Config.from_dict({"handlers": {"texts": "words"}}, tmp_path))
    assert named.text("hello", None, {"name": "Ann"}) == "Hello, Ann!"
    with pytest.raises(ConfigError, match=r"handlers\.texts: there is no folder .*/wrds"):
        read_texts(Config.from_dict({"handlers": {"texts": "wrds"}}, tmp_path))


@pytest.mark.parametrize("locale", ["", "english!", "e", "en-"])
def test_a_locale_is_a_language(locale: str) -> None:
    with pytest.raises(ConfigError, match=r"handlers\.locale: want a language, like id or pt-BR"):
        Config.from_dict({"handlers": {"locale": locale}})


def test_what_cannot_be_said_is_a_line_each(tmp_path: Path) -> None:
    files = {
        "en": 'a = 1\nb = "{x.y}"\nc = {one = "1"}\nd = {one = 1, other = "2"}\n[e]\nf = []\n',
        "id": 'a = "1"\nb = ?',
        "english": 'a = "1"',
        "xx": 'a = {other = "1"}',
    }
    lines = problems(tmp_path, **files)
    assert lines == [
        'en.toml: a: want a text, or plural forms like {one = "...", other = "..."}',
        "en.toml: b: {x.y} is no name of a value, like {name}",
        "en.toml: c: lacks the plural form 'other', which every language has",
        'en.toml: d: want a text, or plural forms like {one = "...", other = "..."}',
        'en.toml: e.f: want a text, or plural forms like {one = "...", other = "..."}',
        "english.toml: is named after no language, like id.toml or pt-BR.toml",
        "id.toml: not TOML: Invalid value (at line 2, column 5)",
        "xx.toml: no plural rules of xx are known",
    ]


def test_the_default_language_needs_texts(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, locale="fr-CA", id=ID, en=EN)
    assert line.startswith("configuration: handlers.locale: ")
    assert line.endswith("/texts has no texts of fr-CA; name the language of last resort: en or id")


def test_languages_that_agree_are_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, en=EN, id=ID) == []


def test_a_turn_could_fail_by_an_error_and_not_by_a_warning(tmp_path: Path) -> None:
    files = {
        "en": 'a = "{x} {y}"\nb = "b"\nn = {one = "1", two = "2", other = "n"}\n',
        "id": 'a = "{x} {z}"\nc = "c"\nn = "banyak"\n',
        "pl": 'a = "{x} {y}"\nb = "b"\nn = {one = "1", few = "2", other = "n"}\n',
        "pt-BR": 'b = "b"',
        "pt": 'a = "{x} {y}"\nn = {one = "1", many = "m", other = "n"}',
    }
    assert problems(tmp_path, **files) == [
        "en.toml: n: warning: en has no plural form 'two': it is never said",
        "pl.toml: n: warning: lacks the plural form 'many' of pl: 'other' is said",
        "en.toml: c: missing: only id has it, and this is the default language",
        "id.toml: a: {z} is no value in en",
        "id.toml: a: warning: has no {y}, which en has",
        "id.toml: b: warning: missing: the text of en is said",
        "id.toml: n: warning: has no {count}, which en has",
        "pt.toml: b: warning: missing: the text of en is said",
    ]


@pytest.mark.slow
def test_texts_without_plural_forms_load_no_babel(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "en.toml").write_text('hello = "Hello"', "utf-8")
    script = (
        "import sys; from pathlib import Path; from bridge.config.load import Config\n"
        "from bridge.config.texts import read_texts\n"
        "assert read_texts(Config.from_dict({}, Path(sys.argv[1]))).text('hello', None, {}) == 'Hello'\n"
        "print('babel' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
