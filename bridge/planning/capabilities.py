"""Capabilities: the kinds and limits of one channel of a provider."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.planning.dialects import PLAIN, Dialect
from bridge.units import utf16_length


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The kinds and limits of one channel. A limit of 0 means: not at all; None: no known limit.

    `kinds` are the message kinds (bridge.messages) that the channel sends natively; `header` are the kinds of a
    header. Lengths are in characters, or in UTF-16 code units where `utf16` says so; those of keys are in bytes.
    `keys_return`: a press brings its key, and not only its title. `window` is the time for free text after the
    contact's last message, in seconds. `template_params`: a template may have params; `template_language`: it needs a
    language. `dialect` are the marks that the channel shows.
    """

    kinds: frozenset[str]
    text: int | None = None
    buttons: int = 0
    button_title: int | None = None
    button_key: int | None = None
    keys_return: bool = False
    rows: int = 0
    row_title: int | None = None
    header: frozenset[str] = frozenset()
    footer: bool = False
    caption: bool = False
    reply_to: bool = False
    schedule: bool = False
    statuses: bool = False
    idempotency_key: bool = False
    window: float | None = None
    tags: frozenset[str] = frozenset()
    template_params: bool = True
    template_language: bool = False
    utf16: bool = False
    dialect: Dialect = PLAIN

    def size(self, text: str) -> int:
        """The length of a text as the channel counts it."""
        return utf16_length(text) if self.utf16 else len(text)

    def takes_text(self, text: str) -> bool:
        """Whether a text fits into one message."""
        return self.text is None or (len(text) <= self.text and (not self.utf16 or self.size(text) <= self.text))

    def takes_key(self, key: str) -> bool:
        """Whether a key fits under a button."""
        return self.button_key is None or len(key.encode()) <= self.button_key
