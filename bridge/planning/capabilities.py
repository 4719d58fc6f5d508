"""Capabilities: the kinds and limits of one channel of a provider."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The kinds and limits of one channel. A limit of 0 means: not at all; None: no known limit.

    `kinds` are the message kinds (bridge.messages) that the channel sends natively; `header` are the kinds of a
    header. Lengths are in characters. `keys_return`: a press brings its key, and not only its title. `window` is the
    time for free text after the contact's last message, in seconds. `template_params`: a template may have params;
    `template_language`: it needs a language.
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
