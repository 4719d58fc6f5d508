"""How an author's code is left in its middle: by exceptions that no `except Exception` of an author catches."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bridge.errors import HandlerError, StoreError, Unavailable
from bridge.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Suspended(BaseException):
    """The dialog waits for the contact. No `except Exception` of an author catches it."""


class Ended(BaseException):
    """The dialog is over, in the middle of its function."""


class Superseded(BaseException):
    """The dialog gave its place to another one."""

    def __init__(self, dialog: Callable[..., Any], arguments: tuple[object, ...]) -> None:
        """Say which."""
        super().__init__()
        self.dialog = dialog
        self.arguments = arguments


class ScriptChanged(BaseException):
    """A dialog under way does not fit its script (any more): they part at `step`, counted from 1.

    `reason` holds no words of the conversation, `detail` does.
    """

    def __init__(self, step: int, reason: str, detail: str = "") -> None:
        """Say where they part."""
        super().__init__(reason)
        self.step = step
        self.reason = reason
        self.detail = detail or reason


class JournalFull(BaseException):
    """A dialog's journal has no room for what comes next, so its next run could not repeat this one."""

    def __init__(self, name: str, size: int, limit: int) -> None:
        """Say whose, and how much it holds and may hold (bytes)."""
        super().__init__()
        self.reason = f"its journal is full: {size} bytes, and it may have {limit}"
        self.mistake = (
            f"the dialog {name} remembers {size} bytes; it may {limit}: "
            "let it begin another one (turn.begin) where it goes round"
        )
        """The same for the author of the turn that begins it."""


class StoreSignal(BaseException):
    """The store failed in a call that the author's code made. The engine gets the store's error back."""

    def __init__(self, error: StoreError) -> None:
        """Carry the store's error."""
        super().__init__(str(error))
        self.error = error


@dataclass(slots=True, eq=False)
class StoreWatch:
    """Notes a failure of the store in one turn: the turn has no effect, whatever its author's code makes of the signal.

    A bare `except` may swallow the signal; the note stays.
    """

    error: StoreError | None = None
    _calls: int = 0

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Around each call of the store that author's code leads to."""
        self._calls += 1
        try:
            yield
        except HandlerError:  # the author's own statement, and nothing is wrong with the store
            self._calls -= 1
            raise
        except StoreError as error:
            self.error = error
            raise StoreSignal(error) from None
        self._calls -= 1

    def failure(self, *, ran_out: bool = False) -> StoreError | None:
        """The store's error in this turn; a turn that `ran_out` of time in a call of the store is the store's fault."""
        if self.error is None and ran_out and self._calls:
            return Unavailable("the store took longer than the turn may take")
        return self.error


def signal_in(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a task group has to say, if it is but that its dialog waits, has ended or was changed; else the group."""
    signals, others = group.split((Suspended, Ended, Superseded, ScriptChanged, JournalFull, StoreSignal))
    signal: BaseException = group if signals is None or others is not None else signals
    while signal is not group and isinstance(signal, BaseExceptionGroup):
        signal = signal.exceptions[0]
    return signal
