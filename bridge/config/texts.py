"""Reads the texts of a bot: a folder with a TOML file for each language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bridge.config.load import read_file
from bridge.conversation.catalogue import FORMS, OTHER, SINGLE, Catalogue, Language, Phrase
from bridge.errors import ConfigError, Problem
from bridge.units import language_tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bridge.config.load import Config
    from bridge.conversation.catalogue import Forms, PluralRule

_FOLDER: Final = "texts"
"""The folder beside the configuration, where it names no other."""


def read_texts(config: Config) -> Catalogue:
    """The texts in the folder that a configuration names; none, where there is no folder `texts`.

    Raises:
        ConfigError: with every problem that keeps a text from being said.
    """
    named = config.handlers.texts
    folder = config.folder / (named or _FOLDER)
    if not folder.is_dir():
        if named is None:
            return Catalogue(default=config.handlers.locale)
        raise ConfigError([Problem(config.file, "handlers.texts", f"there is no folder {folder}")])
    languages: dict[str, Language] = {}
    problems: list[Problem] = []
    for file in sorted(folder.glob("*.toml")):
        try:
            language = _language(file)
        except ConfigError as error:
            problems += error.problems
            continue
        tag = language.tag.lower()
        if tag in languages:
            problems.append(Problem(str(file), "", f"{language.tag} has another file: {languages[tag].file}"))
        languages[tag] = language
    catalogue = Catalogue(languages, config.handlers.locale)
    if languages and not any(catalogue.of(catalogue.default)):
        reason = f"{folder} has no texts of {catalogue.default}; name the language of last resort: {_one_of(languages)}"
        problems.append(Problem(config.file, "handlers.locale", reason))
    if problems:
        raise ConfigError(problems)
    return catalogue


def _one_of(languages: Mapping[str, Language]) -> str:
    return " or ".join(language.tag for language in languages.values())


def _language(file: Path) -> Language:
    """The language of a file. Raises ConfigError."""
    tag = language_tag(file.stem)
    if tag is None:
        raise ConfigError([Problem(str(file), "", "is named after no language, like id.toml or pt-BR.toml")])
    problems: list[Problem] = []
    texts: dict[str, Forms] = {}
    for key, value in _entries(read_file(file)):
        try:
            if key in texts:
                raise ValueError("stands there twice: with dots, and in a table")  # noqa: TRY301 - as what it reads
            texts[key] = _forms(value)
        except ValueError as error:
            problems.append(Problem(str(file), key, str(error)))
    if problems:
        raise ConfigError(problems)
    if all(SINGLE in forms for forms in texts.values()):
        return Language(tag=tag, file=str(file), texts=texts)
    plural, forms = _plural(tag, file)
    return Language(tag=tag, file=str(file), texts=texts, plural=plural, forms=forms)


def _entries(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    """Each text under its key: a table is a group, whose name stands before a dot, or holds plural forms."""
    for name, value in table.items():
        if isinstance(value, dict) and not (value and value.keys() <= FORMS):
            yield from _entries(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _forms(value: object) -> Forms:
    """A text, or its plural forms. Raises ValueError."""
    if isinstance(value, str):
        return {SINGLE: Phrase.read(value)}
    if not isinstance(value, dict) or not all(isinstance(form, str) for form in value.values()):
        raise ValueError('want a text, or plural forms like {one = "...", other = "..."}')
    if OTHER not in value:
        raise ValueError(f"lacks the plural form {OTHER!r}, which every language has")
    return {form: Phrase.read(text) for form, text in value.items()}


def _plural(tag: str, file: Path) -> tuple[PluralRule, frozenset[str]]:
    """The CLDR's rule of a language, and the forms that it uses. Raises ConfigError."""
    from babel.core import Locale, UnknownLocaleError  # noqa: PLC0415 - a bot without plural forms need not pay for it

    try:
        rule = Locale.parse(tag, sep="-").plural_form
    except (UnknownLocaleError, ValueError):
        raise ConfigError([Problem(str(file), "", f"no plural rules of {tag} are known")]) from None
    return rule, rule.tags | {OTHER}
