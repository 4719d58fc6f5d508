"""Texts by key and language: what `turn.t` says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bridge.errors import HandlerError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT: Final = "count"
"""The value that chooses among plural forms."""
OTHER: Final = "other"
"""The plural form that every language has."""
FORMS: Final = frozenset({"zero", "one", "two", "few", "many", OTHER})
"""The plural forms of the Unicode CLDR."""
SINGLE: Final = ""
"""The form of a text without plural."""

_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_TAKEN: Final = frozenset({"key", "locale"})
"""Parameters of `turn.t`, which are no values."""

PluralRule: TypeAlias = Callable[[Any], str]
"""The plural form of a number in a language."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text in pieces: words, and the names of values in their places."""

    pieces: tuple[tuple[str, str | None], ...]

    @classmethod
    def read(cls, text: str) -> Phrase:
        """A text with `{name}` in the place of values; `{{` and `}}` are braces. Raises ValueError."""
        pieces: list[tuple[str, str | None]] = []
        for match in _PIECE.finditer(text):
            piece, name = match[0], match[1]
            if name is not None:
                if not name.isidentifier() or name in _TAKEN:
                    raise ValueError(f"{piece} is no name of a value, like {{name}}")
                pieces.append(("", name))
            elif piece in {"{", "}"}:
                raise ValueError(f"a {piece} stands alone; a brace that is to be read is written twice")
            else:
                pieces.append((piece.replace("{{", "{").replace("}}", "}"), None))
        return cls(tuple(pieces))

    @property
    def names(self) -> frozenset[str]:
        """The names of its values."""
        return frozenset(name for _, name in self.pieces if name is not None)

    def filled(self, values: Mapping[str, object]) -> str:
        """The text with values in their places. Raises KeyError for one that is missing."""
        return "".join(words if name is None else str(values[name]) for words, name in self.pieces)


Forms: TypeAlias = Mapping[str, Phrase]
"""A text: its plural forms, or the one under SINGLE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """The texts of one language, from one file. `plural` and `forms` are its CLDR rules, where a text has plurals."""

    tag: str
    file: str
    texts: Mapping[str, Forms]
    plural: PluralRule = lambda _: OTHER
    forms: frozenset[str] = frozenset({OTHER})


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All texts of a bot. `languages` are by their tag in lower case; `default` is the language of last resort."""

    languages: Mapping[str, Language] = field(default_factory=dict)
    default: str = "en"

    def text(self, key: str, locale: str | None, values: Mapping[str, object]) -> str:
        """A text in the first language that has it: the locale's, its language's, the default's.

        Raises:
            HandlerError: no such language has the key, or a value is missing.
        """
        for language in (*self.of(locale), *self.of(self.default)):
            if (forms := language.texts.get(key)) is not None:
                return _said(key, language, forms, values)
        having = [language.tag for language in self.languages.values() if key in language.texts]
        where = f"only {', '.join(sorted(having))}" if having else "no language"
        raise HandlerError(f"there is no text {key!r} for {locale or self.default}: {where} has it")

    def of(self, locale: str | None) -> Iterator[Language]:
        """The languages of a locale, the closest first: `zh-Hant-TW`, `zh-Hant`, `zh`."""
        tag = (locale or "").replace("_", "-").lower()
        while tag:
            if tag in self.languages:
                yield self.languages[tag]
            tag = tag.rpartition("-")[0]

    def problems(self) -> list[Problem]:
        """What differs between the languages: a warning, unless a turn could fail by it."""
        found = [problem for language in self.languages.values() for problem in _plural_problems(language)]
        defaults = {language.tag: language for language in self.of(self.default)}
        keys = {key for language in self.languages.values() for key in language.texts}
        for language in self.languages.values():
            for key in sorted(keys):
                found += self._compared(key, language, defaults)
        return found

    def _compared(self, key: str, language: Language, defaults: Mapping[str, Language]) -> Iterator[Problem]:
        """How a text of a language differs from that of the default language."""
        default = next((other for other in defaults.values() if key in other.texts), None)
        own = next((other for other in self.of(language.tag) if key in other.texts), None)
        if default is None:
            if language is next(iter(defaults.values()), None):
                having = ", ".join(sorted(tag for tag, other in self.languages.items() if key in other.texts))
                yield Problem(language.file, key, f"missing: only {having} has it, and this is the default language")
        elif own is None:
            yield Problem(language.file, key, f"missing: the text of {default.tag} is said", warning=True)
        elif own is language and language.tag not in defaults:
            names, wanted = _names(language.texts[key]), _names(default.texts[key])
            for name in sorted(names - wanted):
                yield Problem(language.file, key, f"{{{name}}} is no value in {default.tag}")
            for name in sorted(wanted - names):
                yield Problem(language.file, key, f"has no {{{name}}}, which {default.tag} has", warning=True)


NO_TEXTS: Final = Catalogue()


def _said(key: str, language: Language, forms: Forms, values: Mapping[str, object]) -> str:
    phrase = forms.get(SINGLE)
    if phrase is None:
        number = values.get(COUNT)
        if isinstance(number, bool) or not isinstance(number, int | float | Decimal):
            raise HandlerError(f"the text {key!r} has plural forms: give it {COUNT}=, a number")
        phrase = forms.get(language.plural(number), forms[OTHER])
    try:
        return phrase.filled(values)
    except KeyError as missing:
        raise HandlerError(f"the text {key!r} of {language.tag} needs a value for {missing.args[0]}=") from None


def _names(forms: Forms) -> frozenset[str]:
    """The values of a text; one with plural forms has its number."""
    names = frozenset(name for phrase in forms.values() for name in phrase.names)
    return names if SINGLE in forms else names | {COUNT}


def _plural_problems(language: Language) -> Iterator[Problem]:
    """The plural forms that a language needs and a text lacks, and those that are never said."""
    for key, forms in sorted(language.texts.items()):
        if SINGLE in forms:
            continue
        for form in sorted(language.forms - forms.keys()):
            reason = f"lacks the plural form {form!r} of {language.tag}: {OTHER!r} is said"
            yield Problem(language.file, key, reason, warning=True)
        for form in sorted(forms.keys() - language.forms):
            reason = f"{language.tag} has no plural form {form!r}: it is never said"
            yield Problem(language.file, key, reason, warning=True)
