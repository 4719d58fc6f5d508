"""How the function of a dialog is left in its middle: by exceptions that no `except Exception` of an author catches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


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


def signal_in(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a task group has to say, if it is but that its dialog waits, has ended or was changed; else the group."""
    signals, others = group.split((Suspended, Ended, Superseded, ScriptChanged))
    signal: BaseException = group if signals is None or others is not None else signals
    while signal is not group and isinstance(signal, BaseExceptionGroup):
        signal = signal.exceptions[0]
    return signal
