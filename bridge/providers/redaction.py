"""Takes an account's secrets out of texts of its gateway before they are stored or shown."""

from __future__ import annotations

import json
import re
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pydantic import BaseModel, SecretStr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HIDDEN: Final = "****"
_LONG: Final = 16
_BEGINNING: Final = 12
"""A long secret is known by so many characters: texts of a gateway may be cut."""
_OBTAINED: Final = 4
_PATHS: Final = 64
_SHORT: Final = 8
"""A shorter secret is only hidden where it stands as a word: 1 must not hide a part of each 401."""


class Redaction:
    """Hides secrets, however they are written: plain, in JSON or in a URL."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """An empty secret hides nothing."""
        self._secrets = frozenset(filter(None, secrets))
        self._obtained: deque[str] = deque(maxlen=_OBTAINED)
        self._pattern = _pattern(self._secrets)
        self._paths: dict[str, str] = {}

    def add(self, token: str) -> None:
        """Hide a token that was obtained, and the few before it."""
        if token:
            self._obtained.append(token)
            self._pattern = _pattern(self._secrets.union(self._obtained))
            self._paths.clear()

    def text(self, text: str) -> str:
        """The text with `****` in the place of each secret."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def path(self, path: str) -> str:
        """The same of the path of a request, remembered: most messages go to the same few."""
        shown = self._paths.get(path)
        if shown is None:
            if len(self._paths) >= _PATHS:
                self._paths.clear()
            shown = self._paths[path] = self.text(path)
        return shown


def secrets_of(*settings: BaseModel | None) -> Iterator[str]:
    """The secrets of an account's settings and of its inbound settings."""
    for model in filter(None, settings):
        for _, value in model:
            for item in value if isinstance(value, list | tuple) else (value,):
                if isinstance(item, SecretStr):
                    yield item.get_secret_value()


@lru_cache(maxsize=32)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    forms = {form for secret in secrets for form in _forms(secret)}
    if not forms:
        return None
    return re.compile("|".join(_expression(form) for form in sorted(forms, key=lambda form: (-len(form), form))))


def _forms(secret: str) -> set[str]:
    return {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, safe="")}


def _expression(form: str) -> str:
    if len(form) < _SHORT:
        return rf"(?<!\w){re.escape(form)}(?!\w)"
    if len(form) < _LONG:
        return re.escape(form)
    return rf"{re.escape(form)}|{re.escape(form[:_BEGINNING])}[^\s\"'<>,;&]*"
