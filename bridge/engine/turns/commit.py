"""What a turn leaves behind: its thread, its messages planned for their channel, its timers; ready to be committed."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bridge.conversation.effects import QUIET
from bridge.conversation.journal import decode_journal
from bridge.engine.handoff import is_with_person, returns
from bridge.engine.jobs import JOBS
from bridge.engine.turns.idempotency import idempotency_key
from bridge.engine.turns.sayings import check_size, later_messages, sayings_of, timer_of
from bridge.engine.turns.sending import SENT, arrival_of, check_sends
from bridge.engine.turns.signing import NO_KEYS
from bridge.errors import HandlerError
from bridge.events import FROM_CONTACT, Echo, Event, Handoff, Postback, Timer, speaks_for_us, takes_over
from bridge.frozen import changed, dataclass
from bridge.messages import Text
from bridge.planning.choices import next_choices, passed_over
from bridge.planning.plan import plan
from bridge.store.consent import is_direct
from bridge.store.people.families import timezone_of
from bridge.store.people.identities import address_after
from bridge.store.records import TimerRow, TurnCommit
from bridge.store.takeover import after_turn
from bridge.units import SECOND, micros

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.clock import Clock
    from bridge.config.accounts import Account
    from bridge.conversation.draft import Draft
    from bridge.conversation.effects import Sending
    from bridge.engine.media.sending import Files
    from bridge.engine.turns.batching import Batch
    from bridge.engine.turns.consent import Quiet
    from bridge.engine.turns.reaching import Reach
    from bridge.engine.turns.signing import LongKeys, Signer
    from bridge.messages import Outgoing
    from bridge.planning.choices import Choice
    from bridge.planning.plan import Plan
    from bridge.routing.handlers import Handler
    from bridge.store.media import KeptMedium
    from bridge.store.records import Arrival, Hold, InboxRow, ThreadRow

_QUESTION_MARKS: Final = ("?", "？", "؟", "\u037e")  # noqa: RUF001 - other scripts have their own
_NO_FILES: Final[Sequence[KeptMedium]] = ()
_NOTHING: Final[Mapping[int, TimerRow]] = MappingProxyType({})
_SPOKE: Final = "a person spoke in the conversation"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A commit, and the keys that have to be kept before it."""

    commit: TurnCommit
    long_keys: LongKeys


class CommitBuilder:
    """Makes commits. `return_after` is how many quiet seconds return a thread to the bot; None: they never do.

    In the quiet `hours` it begins nothing.
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        signer: Signer,
        clock: Clock,
        reach: Reach,
        files: Files,
        return_after: float | None,
        hours: Quiet | None = None,
    ) -> None:
        """Nothing is kept here."""
        self._reach = reach
        self._files = files
        self._accounts = accounts
        self._signer = signer
        self._clock = clock
        self._hours = hours
        self._quiet = None if return_after is None else round(return_after * SECOND)

    async def prepared(
        self, batch: Batch, draft: Draft, thread: ThreadRow, handler: Handler | None
    ) -> Prepared | BaseException:
        """All that a turn does; or why it cannot be: a state or a message of the author's makes no sense.

        The turn is closed. Before, its files are kept, and the people whom it writes to are found. Raises StoreError.
        """
        effects, files = draft.effects, _NO_FILES
        is_plain = effects.is_plain()
        try:
            if not is_plain:
                await self._reach.settle(effects)
                files = await self._files.of(effects)
        except (HandlerError, OSError) as error:
            draft.close()
            return error
        try:
            return self._of_turn(batch, draft, thread, handler, files, is_plain=is_plain)
        except BaseException as error:  # noqa: BLE001 - the author's model of the state may raise anything
            draft.close()
            return error

    def _of_turn(
        self,
        batch: Batch,
        draft: Draft,
        thread: ThreadRow,
        handler: Handler | None,
        files: Sequence[KeptMedium],
        *,
        is_plain: bool,
    ) -> Prepared:
        """The commit of a turn, see Effects.is_plain. Raises what its author's model of the state does."""
        draft.check_begun()
        now, effects, rows = self._clock.now(), draft.effects, batch.rows
        row, events, name = rows[0], [row.event for row in rows], "" if handler is None else handler.name
        if effects.replies and row.ref.account == JOBS:
            raise HandlerError("a job has nobody to reply to: write with turn.send(to, ...)")
        check_size(effects.replies)
        capabilities = self._accounts[row.ref.account].provider.capabilities(row.ref.channel)
        last_heard, heard = _heard(thread, events)
        replies: Sequence[Outgoing] = effects.replies
        long_keys = NO_KEYS
        if not is_plain:
            replies, long_keys = self._signer.seal(replies, thread.ref, capabilities.button_key, now)
        plans: list[Plan] = []
        for message in replies:  # in a comprehension each of these names costs a cell
            plans.append(plan(message, capabilities, now=now, last_heard=last_heard))  # noqa: PERF401 - as above
        if draft.whom is not None and (draft.begun or handler is None or not handler.options.anybody):
            plans = _offered(plans, draft.whom)
        left = changed(
            thread,
            last_heard=last_heard,
            heard=heard,
            state=draft.state.encode(),
            step=draft.step,
            choices=_choices(thread, draft, plans, events, keys_return=capabilities.keys_return),
            address=address_after(thread, rows),
            dialog=draft.dialog,
            members=draft.members.encode(),
        )
        person = draft.contact.encode()
        draft.close()
        change = _change(effects.handoff, thread, events)
        is_plain = is_plain and change is None and not draft.stepped
        scheduled: Mapping[int, TimerRow] = _NOTHING
        if not is_plain or self._hours is not None:
            night = self._night(thread, events, now)
            if night is not None or not capabilities.schedule:
                scheduled = later_messages(replies, now, _held(thread, change), night)
        commit = TurnCommit(
            row=rows[-1],
            others=rows[:-1],
            thread=left,
            was_held=thread.is_held,
            sayings=sayings_of(row, name, replies, plans, scheduled, now),
            timers=[*scheduled.values()] if scheduled else (),
            media=files,
            person=person,
            at=now,
        )
        if is_plain:
            return Prepared(commit, long_keys)
        sends, more_keys = self._sent(effects.sends, row, name, now)
        return Prepared(self._with_more(commit, draft, thread, change, sends), {**long_keys, **more_keys})

    def _with_more(
        self, commit: TurnCommit, draft: Draft, thread: ThreadRow, change: _Change | None, sends: Sequence[Arrival]
    ) -> TurnCommit:
        """A commit with what few turns do beside saying something: `thread` and `commit` are without it."""
        effects, now = draft.effects, commit.at
        change = change or _Change(hold=thread.hold)
        begins_quiet, given_back = change.begins_quiet, change.given_back
        held = _held(thread, change)
        opted_out = thread.opted_out
        if effects.opts_out is not None:
            opted_out = commit.row.id if effects.opts_out else 0
        return changed(
            commit,
            thread=changed(commit.thread, hold=change.hold, opted_out=opted_out),
            timers=[
                *(timer_of(later, now, held) for later in effects.laters),
                *commit.timers,
                *(self._quiet_timer(now) if begins_quiet else ()),
            ],
            cancelled=[*effects.cancelled, QUIET] if begins_quiet or given_back else effects.cancelled,
            holds=change.stays and not isinstance(commit.rows[0].event, Timer) and not begins_quiet,
            returns=given_back,
            restarts=(decode_journal(thread.dialog).waiting,) if given_back and thread.dialog is not None else (),
            silences=change.silences,
            steps=draft.stepped,
            sends=sends,
            statements=effects.statements,
            opts_out=effects.opts_out,
        )

    def _night(self, thread: ThreadRow, events: Sequence[Event], now: int) -> int | None:
        """When the hours end in which a turn begins nothing, if they are now, and it is no answer."""
        if self._hours is None or is_direct(events):
            return None
        return self._hours.until(now, timezone_of(thread.person))

    def _sent(
        self, sends: Sequence[Sending], row: InboxRow, handler: str, now: int
    ) -> tuple[Sequence[Arrival], LongKeys]:
        """What a turn sends, as events of the threads that it is for."""
        if not sends:
            return (), NO_KEYS
        arrivals: list[Arrival] = []
        long_keys: dict[tuple[str, str], str] = {}
        for ordinal, sending in enumerate(sends):
            ref = sending.to.ref
            own = idempotency_key(row.ref.account, row.key, row.replay, handler, ordinal, SENT)
            limit = self._accounts[ref.account].provider.capabilities(ref.channel).button_key
            messages, more_keys = self._signer.seal(sending.messages, ref, limit, now)
            long_keys |= more_keys
            arrivals.append(arrival_of(sending, messages, own, now))
        check_sends(arrivals)
        return arrivals, long_keys

    def of_silence(self, row: InboxRow, thread: ThreadRow) -> TurnCommit:
        """An event while a person has the thread: it is kept, and the person's words restart the quiet time.

        Those, and events about the hold itself, are only recorded. The contact's words restart nothing: whoever asks
        again and again while nobody answers would keep the bot silent.
        """
        now = self._clock.now()
        recorded = isinstance(row.event, Echo | Handoff) or returns(row.event)
        note = row.event.note if isinstance(row.event, Handoff) else thread.hold.note
        begins_quiet = thread.is_held and takes_over(row.event)
        if _person_spoke([row.event]):
            capabilities = self._accounts[row.ref.account].provider.capabilities(row.ref.channel)
            thread = changed(thread, choices=passed_over(thread.choices, keys_return=capabilities.keys_return))
        last_heard, heard = _heard(thread, [row.event])
        return TurnCommit(
            row=row,
            thread=changed(
                thread,
                last_heard=last_heard,
                heard=heard,
                hold=after_turn(thread.hold, note),
                address=address_after(thread, [row]),
            ),
            was_held=thread.is_held,
            holds=not recorded,
            timers=self._quiet_timer(now) if begins_quiet else (),
            cancelled=(QUIET,) if begins_quiet else (),
            at=now,
        )

    def of_guarding(self, row: InboxRow, thread: ThreadRow, note: str) -> TurnCommit:
        """An event of a conversation that answers itself: it is kept, and a person has the thread from now on."""
        silence = self.of_silence(row, thread)
        if thread.is_held:
            return silence
        return changed(
            silence,
            thread=changed(silence.thread, hold=after_turn(thread.hold, note)),
            timers=self._quiet_timer(silence.at),
            cancelled=(QUIET,),
        )

    def of_taking(self, row: InboxRow, thread: ThreadRow, dead: str) -> TurnCommit:
        """A person takes a thread by an event whose turn was given up (`dead` says why): the thread is theirs."""
        now = self._clock.now()
        return TurnCommit(
            row=row,
            thread=changed(thread, hold=after_turn(thread.hold, _taken(None, [row.event]))),
            was_held=thread.is_held,
            timers=self._quiet_timer(now),
            cancelled=(QUIET,),
            silences=True,
            dead=dead,
            at=now,
        )

    def _quiet_timer(self, now: int) -> tuple[TimerRow, ...]:
        return () if self._quiet is None else (TimerRow(due_at=now + self._quiet, name=QUIET),)


def _offered(plans: Sequence[Plan], whom: str) -> list[Plan]:
    """Plans with their choices open to one contact."""
    return [
        changed(planned, choices=tuple(changed(choice, whom=whom) for choice in planned.choices))
        if planned.choices
        else planned
        for planned in plans
    ]


def _heard(thread: ThreadRow, events: Sequence[Event]) -> tuple[int | None, int]:
    """`last_heard` and `heard` of a thread after the contact spoke, if that is among the events."""
    last, heard = thread.last_heard, thread.heard
    for event in events:
        if isinstance(event, FROM_CONTACT):
            at, heard = micros(event.at), thread.version + 1
            if last is None or at > last:
                last = at
    return last, heard


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What a turn changes about who has the thread; `hold` is as the turn leaves it.

    `stays`: with the person who has it. `given_back`: to the bot. `begins_quiet`: a person took it, or wrote in it, and
    the time counts from now after which it goes back by itself. `silences`: see TurnCommit.
    """

    hold: Hold
    stays: bool = False
    given_back: bool = False
    begins_quiet: bool = False
    silences: bool = False


def _change(handoff: str | None, thread: ThreadRow, events: Sequence[Event]) -> _Change | None:
    """Nearly always None: the bot has the thread, and nobody takes it."""
    was_held, note = thread.hold.note is not None, _taken(handoff, events)
    if not was_held and note is None:
        return None
    stays = is_with_person(events[0], thread)
    if handoff is None and stays:
        note = thread.hold.note
    return _Change(
        hold=after_turn(thread.hold, note),
        stays=stays,
        given_back=was_held and not stays,
        begins_quiet=note is not None and (not stays or any(map(takes_over, events))),
        silences=not was_held and any(map(takes_over, events)),
    )


def _held(thread: ThreadRow, change: _Change | None) -> int | None:
    """The hold for which a turn sets its timers, see TimerRow; None: the bot has the thread after it."""
    hold = thread.hold if change is None else change.hold
    return None if hold.note is None else hold.taken_seq


def _taken(handoff: str | None, events: Sequence[Event]) -> str | None:
    """The note to the person who takes the thread in this turn; None: nobody does."""
    if handoff is not None:
        return handoff
    for event in events:
        if isinstance(event, FROM_CONTACT):
            continue
        if isinstance(event, Handoff):
            return event.note
        if speaks_for_us(event):
            return _SPOKE
    return None


def _choices(
    thread: ThreadRow, draft: Draft, plans: Sequence[Plan], events: Sequence[Event], *, keys_return: bool
) -> Sequence[Choice]:
    if not thread.choices and not _offers(plans):
        return ()
    question = max((at for at, planned in enumerate(plans) if _is_question(planned)), default=None)
    pressed = [event.sealed or event.key for event in events if isinstance(event, Postback)]
    answered = pressed[-1] if pressed else None
    offered = [planned.choices for planned in plans[question or 0 :]]
    asked = draft.asked or (draft.step is not None and draft.step != thread.step)
    return next_choices(
        thread.choices,
        offered,
        answered=answered,
        asked=asked or question is not None,
        spoke=any(planned.parts for planned in plans) or _person_spoke(events),
        keys_return=keys_return,
    )


def _offers(plans: Sequence[Plan]) -> bool:
    for planned in plans:  # noqa: SIM110 - as any_medium
        if planned.choices:
            return True
    return False


def _person_spoke(events: Sequence[Event]) -> bool:
    return any(map(speaks_for_us, events))


def _is_question(planned: Plan) -> bool:
    """Whether a plan asks for words: what was offered before is then no longer what an answer means."""
    last = planned.parts[-1] if planned.parts else None
    return isinstance(last, Text) and not planned.choices and last.text.rstrip().endswith(_QUESTION_MARKS)
