"""The errors of threadbridge, by their consequence for the caller.

BridgeError
|- ConfigError                   one line per problem: file, key path, reason; never a secret
|- HandlerError                  a bot author's mistake: a signature, a reply that is no message
|- NoAnswer                      a dialog's question timed out; a TimeoutError too
|- StepFailed                    a dialog's step raised an error that its name and arguments cannot rebuild
|- WebhookError                  the answer has its `status`, and never input bytes
|- MediaError                    a medium cannot be read or sent; the text says why
|- Unmappable                    authentic input of an unknown form: stored, quarantined, answered 200
|- SendError
|  |- Rejected                   the provider refuses for good
|  |- NotSent                    proven not sent: safe to repeat, maybe not before `retry_after`
|  `- OutcomeUnknown             written, without an answer of a known form
`- StoreError
   |- Unavailable                not stored, and may work later: 503
   |- ClaimLost                  another process holds the thread: drop the work silently
   |  |- NoThread                there is no thread of that id
   |  `- ThreadMoved             another turn of the thread came first: the turn runs again
   |- StatementFailed            the author's own SQL cannot be done: a HandlerError too
   |- BudgetSpent                a step would cost more than its budget has left: a HandlerError too
   |- StoreInUse                 another process owns the file: exit 73
   |- NewerSchema                a later version wrote it: exit 78
   |  `- UnfinishedCopy          a copy into it was interrupted: exit 78
   `- Broken                     the disk or the file failed: stop acknowledging, exit 70
"""

from __future__ import annotations

from dataclasses import dataclass


class BridgeError(Exception):
    """The root of all errors that threadbridge raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a configuration."""

    file: str
    key: str
    reason: str
    warning: bool = False

    def __str__(self) -> str:
        """One line: file, key path, reason."""
        level = "warning: " if self.warning else ""
        return f"{self.file}: {self.key}: {level}{self.reason}" if self.key else f"{self.file}: {level}{self.reason}"


class ConfigError(BridgeError):
    """A configuration that cannot be used; `problems` has a line for each reason."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class HandlerError(BridgeError):
    """A handler that cannot work as it is written."""


class NoAnswer(BridgeError, TimeoutError):
    """A question of a dialog timed out. A dialog that does not catch it ends."""


class StepFailed(BridgeError):
    """A step of a dialog raised an error that its name and arguments cannot rebuild; the text has both."""


class WebhookError(BridgeError):
    """A refused request."""

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None, logged: str = "") -> None:
        """Answer with `status` and {"error": reason}; `retry_after` is in seconds.

        `logged` is the reason for the log, where the answer must not tell it.
        """
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        self.logged = logged or reason


class MediaError(BridgeError):
    """A medium that cannot be read: it was never fetched, its link was dead, or it is deleted.

    `lasting`: a later try finds no more, so a turn that this ends is not tried again.
    """

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        super().__init__(reason)
        self.lasting = lasting


class Unmappable(BridgeError):
    """Authentic input in a form that the provider does not document; `str()` is the stored reason."""


class SendError(BridgeError):
    """A message was not, or not provably, sent. `code` is the provider's own, as text.

    `loggable`: `reason` has no word of a provider or a contact. Any other reason stays with the message.
    """

    def __init__(self, reason: str, *, code: str = "", loggable: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.loggable = loggable


class Rejected(SendError):
    """The provider refuses the message for good; a repeat cannot help."""


class NotSent(SendError):
    """Proven not sent, so safe to repeat.

    `retry_after` is the provider's wish in seconds. `unauthorised` asks for a new credential first. `pause` holds
    the account until a probe succeeds: the provider refuses the account and not the message. `away` holds it too: the
    provider cannot be reached, or takes nothing for now, whatever the message.
    """

    def __init__(
        self,
        reason: str,
        *,
        code: str = "",
        retry_after: float | None = None,
        unauthorised: bool = False,
        pause: bool = False,
        away: bool = False,
        loggable: bool = False,
    ) -> None:
        super().__init__(reason, code=code, loggable=loggable)
        self.retry_after = retry_after
        self.unauthorised = unauthorised
        self.pause = pause
        self.away = away


class OutcomeUnknown(SendError):
    """The request was written without an answer of a known form: it may have been sent, or not."""

    def __init__(
        self, reason: str, *, code: str = "", retry_after: float | None = None, loggable: bool = False
    ) -> None:
        """`retry_after` is in seconds, for providers that say when to try again."""
        super().__init__(reason, code=code, loggable=loggable)
        self.retry_after = retry_after


class StoreError(BridgeError):
    """An operation of the store failed."""


class Unavailable(StoreError):
    """Not stored; a later try may work (disk full, database busy or away)."""


class NoContact(Unavailable):
    """There is no contact of that number."""


class ClaimLost(StoreError):
    """Another process holds the thread, or the row is settled: the work is dropped silently."""


class NoThread(ClaimLost):
    """There is no thread of that id; one that was there is erased, and what was to be done in it too."""


class ThreadMoved(ClaimLost):
    """The thread changed since its turn began: the turn runs again."""


class KeyTaken(StoreError):
    """Other messages were sent under the same key before."""


class StatementFailed(StoreError, HandlerError):
    """A statement of the author's cannot be done as it is, and a repeat would fail like it."""


class BudgetSpent(StoreError, HandlerError):
    """A step would cost more than is left of the `budget`; it was not taken."""

    def __init__(self, budget: str) -> None:
        super().__init__(f"the budget {budget} is spent")
        self.budget = budget


class StoreInUse(StoreError):
    """Another process owns the store."""


class NewerSchema(StoreError):
    """A later version of threadbridge, or another application, wrote the store."""


class UnfinishedCopy(NewerSchema):
    """A copy into the store was interrupted; until it is finished, nothing else uses the store."""

    def __init__(self, source: str) -> None:
        super().__init__(
            f"this is an unfinished copy of {source}: finish it with the same `threadbridge copy` command, "
            "or delete it and begin again"
        )


class Broken(StoreError):
    """The disk or the database file failed: no webhook is acknowledged any more."""
