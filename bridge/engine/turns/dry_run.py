"""A dry run of the dialogs that wait: each is played up to its question, as the code is now, without any effect."""

from __future__ import annotations

import asyncio
import queue
import threading
import traceback
from collections import Counter
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from bridge.conversation.catalogue import NO_TEXTS, Catalogue
from bridge.conversation.dialog import Dialog
from bridge.conversation.effects import Destination
from bridge.conversation.journal import decode_journal
from bridge.conversation.own_tables import NoTables
from bridge.conversation.playback import Playback
from bridge.conversation.suspension import Ended, ScriptChanged, Superseded, Suspended
from bridge.conversation.turn import Turn, draft_of
from bridge.engine.frames import culprit, frame_of
from bridge.engine.turns.dialogs import declared, gone, newest
from bridge.errors import NoAnswer
from bridge.events import Contact, ThreadRef
from bridge.routing.router import rulebook_of
from bridge.routing.schedule import later

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from bridge.conversation.contact import ContactThread
    from bridge.conversation.journal import Journal
    from bridge.conversation.spending import Spending
    from bridge.conversation.transcript import Entry
    from bridge.conversation.turn import To
    from bridge.routing.router import Router
    from bridge.routing.rules import Scope, Script
    from bridge.store.port import StoreReader
    from bridge.store.records import ThreadRow

    Play = Callable[[], "ScriptChanged | Break | None"]

PATIENCE: Final = 5.0
"""Seconds that one dialog may take."""

STRIKES: Final = 3
"""So many dialogs of one script are cut short; of its others nothing more is learned by waiting for them too."""

_SWALLOWED: Final = "it catches the end of its own turn: catch Exception, not BaseException"
FAIL: Final = "fail"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Why a dialog that waits could not go on: at which step (from 1; None: at none of them), and what becomes of it.

    `action` is what its script declares: "restart", "finish" or "handoff"; or "fail" where the turn of the next answer
    would fail, and "unknown" where that cannot be told.
    """

    step: int | None
    reason: str
    action: str


class DryRun:
    """Plays the dialogs of one store with one router, one after another, without any effect.

    A script is played on a thread without an event loop, so nothing outside of its dialog can happen. A script that
    blocks is left behind with its thread.
    """

    def __init__(
        self, store: StoreReader, router: Router, *, texts: Catalogue = NO_TEXTS, patience: float = PATIENCE
    ) -> None:
        """`store` is only read; one dialog may take `patience` seconds."""
        self._services = _DryServices(texts)
        self._store = store
        self._scripts = rulebook_of(router).scripts()
        self._patience = patience
        self._player: _Player | None = None
        self._strikes: Counter[tuple[str, int]] = Counter()

    async def of(self, thread: ThreadRow) -> Break | None:
        """Play the dialog that waits in a thread; None: it would go on."""
        try:
            journal = decode_journal(thread.dialog or b"")
        except (ValueError, TypeError, KeyError) as error:
            return Break(step=None, reason=f"it cannot be read: {type(error).__name__}", action=FAIL)
        if not journal.entries and newest(self._scripts, journal.name) is not None:
            return None  # it is to begin again, with the next word
        script = self._scripts.get((journal.name, journal.version))
        if script is None:
            return Break(step=None, reason=gone(journal), action=await self._declared(journal, thread))
        ended = self._play(_OneDialog(journal, thread, self._services, *script))
        if isinstance(ended, ScriptChanged):
            action = await self._declared(journal, thread)
            return Break(step=ended.step, reason=ended.detail, action=action)
        return ended

    async def _declared(self, journal: Journal, thread: ThreadRow) -> str:
        noted = await self._store.steps(thread.id)
        script = newest(self._scripts, journal.name)
        return declared(script, journal, began_step=any(step.run == journal.run for step in noted))

    def _play(self, dialog: _OneDialog) -> ScriptChanged | Break | None:
        name = dialog.journal.name, dialog.journal.version
        if self._strikes[name] >= STRIKES:
            reason = f"not rehearsed: {STRIKES} others of this script took longer than {self._patience:g} s"
            return Break(step=None, reason=reason, action=UNKNOWN)
        if self._player is None:
            self._player = _Player()
        try:
            return self._player.call(dialog.play, self._patience)
        except queue.Empty:
            where = self._player.leave()
            self._player = None
            self._strikes[name] += 1
            reason = f"it does not come to its question within {self._patience:g} s: it is at {where}"
            return Break(step=dialog.step, reason=reason, action=UNKNOWN)


class _Player:
    """A thread that plays one script at a time."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Play | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[ScriptChanged | Break | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="dry run", daemon=True)
        self._thread.start()

    def call(self, play: Play, seconds: float) -> ScriptChanged | Break | None:
        """Play. Raises queue.Empty when that takes longer than `seconds`."""
        self._calls.put(play)
        return self._results.get(timeout=seconds)

    def leave(self) -> str:
        """Use it no more; the line it is at."""
        self._calls.put(None)
        frame = frame_of(self._thread.ident or 0)
        return culprit(frame)[0] if frame is not None else "its end"

    def _work(self) -> None:
        while (play := self._calls.get()) is not None:
            self._results.put(play())


@dataclass(slots=True, eq=False)
class _OneDialog:
    """A dialog to play; playing it raises nothing."""

    journal: Journal
    thread: ThreadRow
    services: _DryServices
    script: Script
    scope: Scope
    playback: Playback | None = None

    @property
    def step(self) -> int | None:
        """The step that it does not come to."""
        return min(self.playback.position + 1, len(self.journal.entries)) if self.playback is not None else None

    def play(self) -> ScriptChanged | Break | None:
        """As far as the question; None: it waits there."""
        coroutine = self._begun()
        try:
            coroutine.send(None)
        except Suspended:
            return None
        except StopIteration as ended:
            return self._failing(_SWALLOWED) if ended.value else None
        except ScriptChanged as changed:
            return changed
        except BaseException as error:  # noqa: BLE001 - a script may raise anything
            lines = [(line.filename, line.lineno or 0) for line in traceback.extract_tb(error.__traceback__)]
            if _wants_a_loop(error):
                return self._elsewhere(lines)
            return self._failing(f"it raises {type(error).__name__}: {error}", lines)
        lines = [*_lines(coroutine)]
        with suppress(BaseException):  # it may do anything then, but nothing that has an effect
            coroutine.close()
        return self._elsewhere(lines)

    async def _begun(self) -> bool:
        """Whether the script went on after the end of its turn."""
        turn: Turn[Any, Any] = Turn(
            self.journal.legs[0].event,
            self.thread.ref,
            state=self.thread.state,
            step=self.thread.step,
            services=self.services,
        )
        draft_of(turn).state.show_as(self.scope.state_model)
        self.playback = playback = Playback.resuming(turn, self.journal, _NoSteps(), nullcontext(), dry=True)
        with suppress(Ended, NoAnswer, Superseded):
            await self.script.handler.function(Dialog(playback), *self.journal.arguments)
        if not playback.suspended:
            playback.check_end()
        return playback.suspended

    def _elsewhere(self, lines: Sequence[tuple[str, int]]) -> Break:
        reason = f"it awaits something else than its dialog{self._at(lines)}"
        return Break(step=self.step, reason=reason, action=UNKNOWN)

    def _failing(self, reason: str, lines: Sequence[tuple[str, int]] = ()) -> Break:
        return Break(step=self.step, reason=f"{reason}{self._at(lines)}", action=FAIL)

    def _at(self, lines: Sequence[tuple[str, int]]) -> str:
        """The innermost of these lines in the script's own file."""
        own = [f" ({file}:{line})" for file, line in lines if file == self.script.handler.file]
        return own[-1] if own else ""


class _NoSteps:
    """Implements SideEffects: before the question that waits there is no step to take."""

    async def take(
        self,
        call: str,
        position: int,
        function: Callable[..., object],
        arguments: tuple[object, ...],
        key: str | None,
        spending: Spending | None,
    ) -> NoReturn:
        """Refuse."""
        del call, function, arguments, key, spending
        raise ScriptChanged(position + 1, "it takes a step before the question that waits")

    async def is_doubtful(self, position: int) -> bool:
        """No."""
        del position
        return False


class _DryServices(NoTables):
    """Implements Services without a store: another dialog would take the place of this one."""

    schedule = staticmethod(later)

    def __init__(self, texts: Catalogue) -> None:
        self.text = texts.text

    async def history(self, limit: int) -> Sequence[Entry]:
        """Nothing."""
        del limit
        return ()

    async def threads_of_contact(self) -> Sequence[ContactThread]:
        """None."""
        return ()

    def destination(self, to: To, channel: str | None, account: str | None) -> Destination:
        """Anywhere: it is only said once more what was sent."""
        del to, channel, account
        return Destination(ref=ThreadRef("", "", "", ""), contact=Contact(id=""))

    async def begin(
        self, turn: Turn[Any, Any], dialog: Callable[..., object], arguments: tuple[object, ...]
    ) -> NoReturn:
        """End this dialog."""
        del turn
        raise Superseded(dialog, arguments)


def _wants_a_loop(error: BaseException) -> bool:
    """Whether an error is asyncio's own for a missing event loop, which any use of asyncio in a dry run raises."""
    if type(error) is not RuntimeError:
        return False
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    module = str(frame.f_globals.get("__name__"))
    return module.partition(".")[0] == asyncio.__name__ or error.args == _missing_loop().args


def _missing_loop() -> RuntimeError:
    """The error of asking for a running loop where there is none, as here: C code raises it, without a frame."""
    try:
        asyncio.get_running_loop()
    except RuntimeError as error:
        return error
    raise AssertionError("a dry run has no event loop")


def _lines(coroutine: object) -> Iterator[tuple[str, int]]:
    """Where something that awaits is at, from the outermost call inwards."""
    while coroutine is not None:
        frame: FrameType | None = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            yield frame.f_code.co_filename, frame.f_lineno
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
