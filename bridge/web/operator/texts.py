"""The words of the console in the languages it speaks: English stands in the templates, the others in files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "id": "Bahasa Indonesia"}
"""By tag, each in its own words; the first one is what everything is written in."""
_FOLDER: Final = Path(__file__).parent / "texts"


class Texts:
    """The words in one language."""

    def __init__(self, language: str) -> None:
        """`language` is one of LANGUAGES."""
        self.language = language
        self._words = _words(language)

    def __call__(self, text: str, **values: object) -> str:
        """A text of a template in this language, with the values of its fields."""
        return self._words.get(text, text).format(**values) if values else self._words.get(text, text)


def language_of(chosen: str | None, accepted: str) -> str:
    """The language of who chose one, or whose browser accepts these, the best first."""
    if chosen is not None and chosen in LANGUAGES:
        return chosen
    ranked: list[tuple[float, int, str]] = []
    for place, item in enumerate(accepted[:200].split(",")):
        tag, _, quality = item.strip().partition(";q=")
        try:
            ranked.append((-float(quality or 1), place, tag.partition("-")[0].strip().lower()))
        except ValueError:
            continue
    return next((tag for _, _, tag in sorted(ranked) if tag in LANGUAGES), "en")


@cache
def _words(language: str) -> Mapping[str, str]:
    """Each file below the language's folder has the words of some pages."""
    words: dict[str, str] = {}
    for file in sorted((_FOLDER / language).glob("*.json")):
        words |= orjson.loads(file.read_bytes())
    return words
