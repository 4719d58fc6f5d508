"""Whose fault it is that a message did not leave: its own, or of what all messages of the account meet."""

from __future__ import annotations

from enum import Enum
from typing import Final

from bridge.errors import NotSent, OutcomeUnknown, SendError
from bridge.providers.answers import TOO_MANY

_AT_THE_GATE: Final = frozenset({"500", "502", "503"})
"""Statuses of a gateway that fails before it takes anything: repeating them is no second message."""
_FAILED: Final = range(500, 600)


class Blame(Enum):
    """What a failure is put down to."""

    MESSAGE = "message"
    """The provider has judged it, or may have taken it: each try counts."""
    DOUBT = "doubt"
    """The message or the provider: the try counts if the provider judged another message meanwhile."""
    SILENCE = "silence"
    """No answer to what is out already: the try counts, because another one may double it; the provider is in doubt."""
    PATH = "path"
    """Too many requests on its path: no try counts, and several paths at once are the account's."""
    AWAY = "away"
    """The provider cannot be reached, or takes nothing for now."""
    CREDENTIAL = "credential"
    """The provider refuses the account."""

    @property
    def holds_account(self) -> bool:
        """Whether one such failure holds all messages of the account."""
        return self in {Blame.AWAY, Blame.CREDENTIAL}

    @property
    def doubts_account(self) -> bool:
        """Whether several of them do."""
        return self in {Blame.DOUBT, Blame.SILENCE, Blame.PATH}

    def costs(self, *, proven: bool) -> bool:
        """Whether the try counts; `proven`: the provider judged another message of the account meanwhile."""
        return self in {Blame.MESSAGE, Blame.SILENCE} or (self is Blame.DOUBT and proven)


def blame_of(error: SendError, *, path_limits: bool, harmless: bool) -> Blame:
    """What an error is put down to.

    `path_limits`: the provider counts requests by path. `harmless`: it drops what it is sent twice.
    """
    if isinstance(error, NotSent):
        return _of_not_sent(error, path_limits=path_limits)
    if isinstance(error, OutcomeUnknown):
        if error.code in _AT_THE_GATE:
            return Blame.DOUBT
        if not error.code or _is_failure(error.code):
            return Blame.DOUBT if harmless else Blame.SILENCE
    return Blame.MESSAGE


def _of_not_sent(error: NotSent, *, path_limits: bool) -> Blame:
    if error.pause or error.unauthorised:
        return Blame.CREDENTIAL
    if path_limits and error.code == str(TOO_MANY):
        return Blame.PATH
    if error.away or error.retry_after is not None:
        return Blame.AWAY
    return Blame.DOUBT if _is_failure(error.code) else Blame.MESSAGE


def _is_failure(code: str) -> bool:
    return code.isascii() and code.isdigit() and len(code) == len("500") and int(code) in _FAILED
