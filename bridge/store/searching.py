"""Whether a thread is one that a person looks for. The words of contacts are compared here, and not in a database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from bridge.text.equal_text import normalized

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.store.looks import Place, ThreadSearch

LOOKED_THROUGH: Final = 10_000
"""Threads that one search looks through; the next one goes on from there."""
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ().-]{2,}")
_NO_DIGIT: Final = re.compile(r"[^0-9]+")
_SPACE: Final = "\0"
"""Stands between two words, and in none."""
_OWN: Final = ":"
"""What the accounts of our own threads begin with, and no configured one does."""


class Candidate(NamedTuple):
    """A thread as a search sees it: its place, whose it is, the contact as JSON, and the note of the hold."""

    at: int
    id: int
    account: str
    channel: str
    conversation: str
    contact: bytes | None
    note: str | None

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return self.at, self.id


def is_own(account: str) -> bool:
    """Whether the threads of an account are ours, such as those of jobs, and nobody's conversations."""
    return account.startswith(_OWN)


def matcher(search: ThreadSearch) -> Callable[[Candidate], bool]:
    """What tells whether a candidate is meant; whether something of it waits or is dead is not asked here."""
    text = _folded(search.text.strip())
    digits = _NO_DIGIT.sub("", text) if _PHONE.fullmatch(text) else ""

    def matches(thread: Candidate) -> bool:
        if is_own(thread.account) or search.account not in {None, thread.account}:
            return False
        if search.channel not in {None, thread.channel} or search.held not in {None, thread.note is not None}:
            return False
        if not text:
            return True
        words = _words(thread)
        return (text in words and _SPACE not in text) or (digits != "" and digits in words)

    return matches


def _words(thread: Candidate) -> str:
    """What names a thread and its contact, each once."""
    contact = orjson.loads(thread.contact) if thread.contact else {}
    names = {thread.conversation, *(contact.get(name) or "" for name in ("name", "id", "phone"))}
    return _SPACE.join(map(_folded, names))


def _folded(text: str) -> str:
    """A text without its case and width: `spelling` would take ten times as long, and a search looks at thousands."""
    return text.casefold() if text.isascii() else normalized("NFKC", text).casefold()
