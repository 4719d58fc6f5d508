"""Runs dialogs: begins them, wakes them with an answer, and notices when a script does not fit any more."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from bridge.conversation.dialog import Dialog
from bridge.conversation.journal import Journal, decode_journal, is_question_timer, name_of
from bridge.conversation.members import is_for
from bridge.conversation.playback import Playback
from bridge.conversation.suspension import Ended, JournalFull, ScriptChanged, Superseded, Suspended, signal_in
from bridge.conversation.turn import as_messages, draft_of
from bridge.engine.turns.steps import RUNS, StepsInStore
from bridge.errors import HandlerError, NoAnswer
from bridge.events import Timer
from bridge.routing.rules import Match
from bridge.store.takeover import after_turn
from bridge.strict_json import not_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bridge.clock import Clock
    from bridge.conversation.draft import Draft
    from bridge.conversation.turn import Turn
    from bridge.engine.turns.execution import Executor
    from bridge.events import Event
    from bridge.routing.rulebook import RuleBook
    from bridge.routing.rules import Changed, Scope, Script
    from bridge.store.port import Store
    from bridge.store.records import InboxRow, ThreadRow


class OneTask:
    """A lock that tells a task which holds it already that it would wait for itself."""

    def __init__(self) -> None:
        """Nothing holds it."""
        self._lock = asyncio.Lock()
        self._holder: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> None:
        """Wait for the task that holds it."""
        task = asyncio.current_task()
        if self._holder is task:
            raise HandlerError("neither a step nor what reads an answer does anything else in its dialog")
        await self._lock.acquire()
        self._holder = task

    async def __aexit__(self, *_error: object) -> None:
        """Let the next one in."""
        self._holder = None
        self._lock.release()


class Misfit(BaseException):
    """The dialog that waits in a thread cannot go on."""

    def __init__(self, journal: Journal, reason: str, mistake: str = "") -> None:
        """Say which, and why. `mistake`: what an error handler hears of it, where the script is not what changed."""
        super().__init__(reason)
        self.journal = journal
        self.reason = reason
        self.mistake = mistake

    @property
    def dialog(self) -> str:
        """The dialog and its version, for people."""
        return f"{self.journal.name} v{self.journal.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a dialog that cannot go on: `instead` is its thread without it, or with it anew.

    When the `action` is a handoff, the event waits for a person.
    """

    action: Changed
    instead: ThreadRow


class Dialogs:
    """The dialogs of a bridge."""

    def __init__(self, store: Store, book: RuleBook, clock: Clock, executor: Executor) -> None:
        """`store` keeps the steps of turns that are not committed; steps that may block run in `executor`."""
        self._store = store
        self._book = book
        self._clock = clock
        self._executor = executor
        self._endings: dict[tuple[str, int], asyncio.Task[None]] = {}

    def match(self, event: Event, thread: ThreadRow, step: str | None, dialog: bytes) -> Match | None:
        """The way into the dialog that waits in a thread, if an event is for it; or a rule that goes before it."""
        journal = decode_journal(dialog)
        if isinstance(event, Timer):
            if event.name != journal.waiting:
                return None
        elif not journal.waits_for(event) or (thread.contact_id is None and not is_for(journal.whom, event)):
            return None
        elif (match := self._book.match(event, thread.ref, step, anytime=True)) is not None:
            return match
        script, scope = self._script(journal)

        async def wake(turn: Turn[Any, Any]) -> None:
            await self._wake(turn, journal, script, thread)

        return Match(handler=replace(script.handler, function=wake, needs=()), arguments={}, scope=scope)

    async def begin(
        self, row: InboxRow, turn: Turn[Any, Any], function: Callable[..., object], arguments: tuple[object, ...]
    ) -> None:
        """Begin a dialog in the turn of a row, in place of the one that waits there.

        Raises:
            HandlerError: it is no dialog of this bridge, or cannot be called so.
        """
        script = next((known for known, _ in self._book.scripts().values() if known.handler.function is function), None)
        if script is None:
            raise HandlerError(f"{name_of(function)} is no dialog of a router that this bridge has loaded")
        if problem := not_json(list(arguments), "an argument"):
            raise HandlerError(f"a dialog's arguments are JSON: {problem}")
        draft = draft_of(turn)
        if draft.plays:
            raise Superseded(function, arguments)
        if not _takes(script, list(arguments)):
            raise script.handler.error(f"it cannot begin with {len(arguments)} arguments")
        before = draft.dialog
        draft.begun += 1
        journal = self._new(script, orjson.loads(orjson.dumps(list(arguments))), row, draft)
        draft.whom = journal.whom
        steps = self._steps(journal, row.ref.account, row.thread_id, draft)
        playback = Playback.opening(turn, journal, steps, OneTask())
        try:
            await self._run(playback, journal, script)
        except JournalFull as full:
            raise HandlerError(full.mistake) from None
        if before is not None:  # only now: one that fails to begin leaves the other one waiting
            over = decode_journal(before)
            draft.effects.forget(over.waiting)
            draft.stepped.add(over.run)

    async def fate(self, misfit: Misfit, thread: ThreadRow) -> Fate:
        """What is declared for a dialog that does not fit its script (any more)."""
        journal = misfit.journal
        script = newest(self._book.scripts(), journal.name)
        noted = await self._store.steps(thread.id)
        action = declared(script, journal, began_step=any(step.run == journal.run for step in noted))
        if misfit.mistake and action == "restart":
            action = "handoff"  # begun anew, it would only fill up again
        if script is not None and action == "restart":
            run = str(uuid.uuid5(RUNS, f"{journal.run}\nagain {script.version}"))
            anew = Journal(
                name=script.name, version=script.version, run=run, arguments=journal.arguments, whom=journal.whom
            )
            return Fate(action=action, instead=replace(thread, dialog=anew.encode()))
        if action == "finish":
            return Fate(action=action, instead=replace(thread, dialog=None))
        note = f"the dialog {misfit.dialog} cannot go on: {misfit.reason}"
        return Fate(action=action, instead=replace(thread, dialog=None, hold=after_turn(thread.hold, note)))

    async def _wake(self, turn: Turn[Any, Any], journal: Journal, script: Script, thread: ThreadRow) -> None:
        """Play a dialog up to its question, answer that, and go on."""
        # Without entries it begins again, and the words that woke it are no answer.
        draft_of(turn).whom = journal.whom
        begin = Playback.resuming if journal.entries else Playback.opening
        playback = begin(turn, journal, self._steps(journal, thread.ref.account, thread.id, draft_of(turn)), OneTask())
        try:
            await self._run(playback, journal, script)
        except ScriptChanged as changed:
            raise Misfit(journal, changed.reason) from None
        except JournalFull as full:
            raise Misfit(journal, full.reason, full.mistake) from None

    async def _run(self, playback: Playback, journal: Journal, script: Script) -> None:
        """Run the function of a dialog as far as it goes."""
        turn, draft = playback.turn, draft_of(playback.turn)
        draft.plays = True
        next_one: Superseded | None = None
        try:
            reply = await _played(script, playback, journal)
            playback.check_room()
            if playback.suspended:
                raise script.handler.error("it caught the end of its own turn: catch Exception, not BaseException")
            playback.check_end()
            turn.reply(*as_messages(reply))
            _end(draft, journal)
        except Suspended:
            playback.check_room()
            playback.put_back()
            draft.dialog = journal.encode()
        except (Ended, NoAnswer):
            playback.check_end()
            _end(draft, journal)
        except Superseded as raised:
            playback.check_end()
            _end(draft, journal)
            next_one = raised
        finally:
            playback.put_back()  # also for whoever catches what it raised
            draft.plays = False
        if next_one is not None:
            await turn.begin(next_one.dialog, *next_one.arguments)

    def _script(self, journal: Journal) -> tuple[Script, Scope]:
        """The script that began a dialog. Raises Misfit when it is no more."""
        script = self._book.scripts().get((journal.name, journal.version))
        if script is None:
            raise Misfit(journal, gone(journal))
        return script

    def _new(self, script: Script, arguments: list[Any], row: InboxRow, draft: Draft) -> Journal:
        name = f"{row.thread_id}\n{row.ref.account}\n{row.key}\n{script.name}\n{draft.begun}"
        return Journal(
            name=script.name,
            version=script.version,
            run=str(uuid.uuid5(RUNS, name)),
            arguments=arguments,
            whom=None if script.handler.options.anybody else draft.whom,
        )

    def _steps(self, journal: Journal, account: str, thread_id: int, draft: Draft) -> StepsInStore:
        return StepsInStore(
            store=self._store,
            clock=self._clock,
            executor=self._executor,
            account=account,
            thread_id=thread_id,
            run=journal.run,
            watch=draft.watch,
            endings=self._endings,
        )


def is_for_a_dialog(event: object) -> bool:
    """Whether a timer belongs to a question: only the dialog that asked has a use for it."""
    return isinstance(event, Timer) and is_question_timer(event.name)


def newest(scripts: Mapping[tuple[str, int], tuple[Script, Scope]], name: str) -> Script | None:
    """The latest version of a dialog; None: no dialog has that name any more."""
    versions = [script for script, _ in scripts.values() if script.name == name]
    return max(versions, key=lambda script: script.version, default=None)


def declared(script: Script | None, journal: Journal, *, began_step: bool) -> Changed:
    """What is to become of a dialog that cannot go on, as the latest version of its `script` says.

    One that did something outside, or perhaps did (`began_step`), is not begun anew: that would be done again.
    """
    if script is None:
        return "handoff"
    if script.changed == "restart" and (began_step or journal.has_steps or not _takes(script, journal.arguments)):
        return "handoff"
    return script.changed


def gone(journal: Journal) -> str:
    """Why a dialog whose script is not there cannot go on."""
    return f"no version {journal.version} of it is registered"


def _end(draft: Draft, journal: Journal) -> None:
    draft.dialog = None
    draft.stepped.add(journal.run)


async def _played(script: Script, playback: Playback, journal: Journal) -> object:
    """What the function of a dialog returns; what it does to its arguments is no part of the past."""
    try:
        return await script.handler.function(Dialog(playback), *deepcopy(journal.arguments))
    except BaseExceptionGroup as group:
        raise signal_in(group) from None


def _takes(script: Script, arguments: list[Any]) -> bool:
    try:
        inspect.signature(script.handler.function).bind(None, *arguments)
    except TypeError:
        return False
    return True
