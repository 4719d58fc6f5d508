"""Everything that can go wrong, by what the caller does about it.

BridgeError
|- ConfigError                   one line per problem: file, key path, reason; never a secret
|- HandlerError                  a bot author's mistake: a signature, a reply that is no message
|- NoAnswer                      nobody answered a dialog's question in time; a TimeoutError too
|- StepFailed                    a dialog's step raised what cannot be made again from its name and arguments
|- WebhookError                  answered with its `status`; never input bytes in the answer
|- Unmappable                    authentic input we do not understand: stored, quarantined, answered 200
|- SendError
|  |- Rejected                   the provider said no for good
|  |- NotSent                    proven not sent: safe to repeat, maybe not before `retry_after`
|  `- OutcomeUnknown             written, and no answer we understand
`- StoreError
   |- Unavailable                not stored, and may work later: 503
   |- ClaimLost                  somebody else holds the thread now: drop the work silently
   |  `- ThreadMoved             another turn of the thread came first: the turn runs again
   |- StoreInUse                 another process owns the file: exit 73
   |- NewerSchema                written by a later version: exit 78
   `- Broken                     the disk or the file failed: stop acknowledging, exit 70
"""

from __future__ import annotations

from dataclasses import dataclass


class BridgeError(Exception):
    """The root: whatever threadbridge raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration."""

    file: str
    key: str
    reason: str
    warning: bool = False

    def __str__(self) -> str:
        """One line: file, key path, reason."""
        level = "warning: " if self.warning else ""
        return f"{self.file}: {self.key}: {level}{self.reason}" if self.key else f"{self.file}: {level}{self.reason}"


class ConfigError(BridgeError):
    """The configuration cannot be used; `problems` holds one line for each reason."""

    def __init__(self, problems: list[Problem]) -> None:
        """Keep the problems; the text is their lines."""
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class HandlerError(BridgeError):
    """A handler is written in a way that cannot work."""


class NoAnswer(BridgeError, TimeoutError):
    """Nobody answered a question of a dialog in time; a dialog that does not catch it ends there."""


class StepFailed(BridgeError):
    """A step of a dialog raised an error that cannot be made again from its name and arguments; the text tells both."""


class WebhookError(BridgeError):
    """A request at the door that is refused."""

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None) -> None:
        """Answer with `status` and {"error": reason}; `retry_after` is in seconds."""
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class Unmappable(BridgeError):
    """Authentic input that is not what the provider documents; `str()` is the reason kept with it."""


class SendError(BridgeError):
    """A message was not, or not provably, sent. `code` is the provider's own, as text.

    `loggable`: `reason` holds no word of a provider or a contact. What is not loggable is kept with the message only.
    """

    def __init__(self, reason: str, *, code: str = "", loggable: bool = False) -> None:
        """Keep the reason for people and the provider's code for machines."""
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.loggable = loggable


class Rejected(SendError):
    """The provider refused it for good; repeating it cannot help."""


class NotSent(SendError):
    """Proven not sent, so safe to repeat.

    `retry_after` is in seconds and is the provider's wish; `unauthorised` asks for a new credential first;
    `pause` holds the whole account until a probe succeeds, because the account and not the message is refused.
    """

    def __init__(
        self,
        reason: str,
        *,
        code: str = "",
        retry_after: float | None = None,
        unauthorised: bool = False,
        pause: bool = False,
        loggable: bool = False,
    ) -> None:
        """Say what has to happen before the next try."""
        super().__init__(reason, code=code, loggable=loggable)
        self.retry_after = retry_after
        self.unauthorised = unauthorised
        self.pause = pause


class OutcomeUnknown(SendError):
    """The request was written and no understandable answer came: it may have been sent, or not."""

    def __init__(
        self, reason: str, *, code: str = "", retry_after: float | None = None, loggable: bool = False
    ) -> None:
        """`retry_after` is in seconds, for providers that say when to try again."""
        super().__init__(reason, code=code, loggable=loggable)
        self.retry_after = retry_after


class StoreError(BridgeError):
    """The store did not do what was asked."""


class Unavailable(StoreError):
    """Not stored, and it may work later (disk full, database busy or away)."""


class ClaimLost(StoreError):
    """The thread belongs to somebody else now, or the row is settled already; the work is dropped silently."""


class ThreadMoved(ClaimLost):
    """The event still wants its turn, but the thread is not what the turn began with; it runs again."""


class StoreInUse(StoreError):
    """Another process owns the store."""


class NewerSchema(StoreError):
    """The store was written by a later version of threadbridge, or by another application."""


class Broken(StoreError):
    """The disk or the database file failed; nothing may be acknowledged any more."""
