"""What an HTTP status alone means for a message, wherever a gateway's answer does not say more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge.errors import NotSent, OutcomeUnknown, Rejected, SendError
from bridge.providers.answers import CLIENT_ERROR, NOT_TAKEN, REDIRECT, UNAVAILABLE, retry_after

if TYPE_CHECKING:
    from bridge.providers.port import Response

ACCOUNT_REFUSED: Final = frozenset({401, 403})
"""HTTP statuses that refuse the caller, whatever the message."""

_LONGEST: Final = 300


def by_status(response: Response, said: str, *, check: str) -> SendError:
    """The error for an answer that is no success; to be raised by the caller.

    `said` is the gateway's own explanation, or ""; `check` is what a person has to look at when the account itself is
    refused. NotSent for 401 and 403 (`pause`), and for 408, 425, 429, and 503 with Retry-After (`away`); Rejected for
    every other 4xx and for redirects, which are never followed; else OutcomeUnknown.
    """
    status, wait = response.status, retry_after(response)
    code = str(status)
    reason = f"{said[:_LONGEST]} (HTTP {status})" if said else f"HTTP {status}"
    if status in ACCOUNT_REFUSED:
        return NotSent(f"the account is refused: {reason}; check {check}", code=code, pause=True)
    if status in NOT_TAKEN or (status == UNAVAILABLE and wait is not None):
        return NotSent(reason, code=code, retry_after=wait, away=True)
    if status in REDIRECT:
        return Rejected(f"{reason}: a redirect is never followed", code=code)
    if status in CLIENT_ERROR:
        return Rejected(reason, code=code)
    return OutcomeUnknown(f"{reason}: not an answer that is documented", code=code, retry_after=wait)
