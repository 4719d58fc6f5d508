"""What a turn leaves behind: its thread, its messages planned for their channel, its timers; ready to be committed."""

from __future__ import annotations

import uuid
from dataclasses import replace
from hashlib import sha1
from typing import TYPE_CHECKING, Final

from bridge.conversation.effects import AT, QUIET
from bridge.conversation.journal import decode_journal
from bridge.engine.handoff import is_with_person, returns
from bridge.errors import HandlerError
from bridge.events import Echo, Event, Handoff, Message, Postback, Timer, takes_over
from bridge.frozen import dataclass
from bridge.log import log
from bridge.messages import Buttons, Cards, Menu, Text, encode_message
from bridge.planning.choices import next_choices, passed_over
from bridge.planning.plan import BLANK, expires_at, plan
from bridge.store.records import Saying, ThreadRow, TimerRow, TurnCommit
from bridge.store.takeover import after_turn
from bridge.units import SECOND, micros

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.clock import Clock
    from bridge.config.accounts import Account
    from bridge.conversation.draft import Draft
    from bridge.conversation.effects import Later
    from bridge.engine.turns.batching import Batch
    from bridge.engine.turns.signing import LongKeys, Signer
    from bridge.messages import Outgoing
    from bridge.planning.choices import Choice
    from bridge.planning.plan import Plan
    from bridge.routing.handlers import Handler
    from bridge.routing.rules import Match
    from bridge.store.media import KeptMedium
    from bridge.store.records import Hold, InboxRow

KEYS: Final = uuid.UUID("b5f2a0de-5b4e-5f0b-8f1e-6f1d3c0f7a11")
"""The namespace of idempotency keys; it never changes, or restored messages would leave again under other keys."""
_NAMESPACE: Final = KEYS.bytes

REPLY_SIZE: Final = 128 * 1024
"""Characters that one turn may say: they are split, planned and stored in one go, and nothing else runs meanwhile."""
_OPTION: Final = 64
"""Characters that an option counts as."""
_QUESTION_MARKS: Final = ("?", "？", "؟", "\u037e")  # noqa: RUF001 - other scripts have their own
_SPOKE: Final = "a person spoke in the conversation"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A commit, and the keys that have to be kept before it."""

    commit: TurnCommit
    long_keys: LongKeys


class CommitBuilder:
    """Makes commits. `return_after` is how many quiet seconds return a thread to the bot; None: they never do."""

    def __init__(
        self, accounts: Mapping[str, Account], signer: Signer, clock: Clock, *, return_after: float | None
    ) -> None:
        """Nothing is kept here."""
        self._accounts = accounts
        self._signer = signer
        self._clock = clock
        self._quiet = None if return_after is None else round(return_after * SECOND)

    def prepared(
        self,
        batch: Batch,
        draft: Draft,
        thread: ThreadRow,
        match: Match | None,
        files: Sequence[KeptMedium] = (),
    ) -> Prepared | BaseException:
        """The commit of a turn, or why it cannot be made: a state or a message of the author's makes no sense."""
        try:
            return self.of_turn(batch, draft, thread, match.handler if match else None, files)
        except BaseException as error:  # noqa: BLE001 - the author's model of the state may raise anything
            draft.close()
            return error

    def of_turn(
        self,
        batch: Batch,
        draft: Draft,
        thread: ThreadRow,
        handler: Handler | None,
        files: Sequence[KeptMedium] = (),
    ) -> Prepared:
        """All that a turn does; the turn is closed. `files` are kept already, and said by its messages.

        Raises:
            HandlerError: its state cannot be kept, or a message or key of it makes no sense.
        """
        draft.check_begun()
        now, effects = self._clock.now(), draft.effects
        if (size := sum(map(_size, effects.replies))) > REPLY_SIZE:
            raise HandlerError(f"a turn says {size} characters, and it may {REPLY_SIZE}: send a document instead")
        rows = batch.rows
        row, newest, events = rows[0], rows[-1], [row.event for row in rows]
        capabilities = self._accounts[row.ref.account].provider.capabilities(row.ref.channel)
        last_heard, heard = _heard(thread, events)
        replies, long_keys = self._signer.seal(effects.replies, thread, capabilities.button_key, now)
        anybody = handler is not None and handler.options.anybody and not draft.begun
        whom = None if anybody else draft.whom
        plans = [_offered(plan(message, capabilities, now=now, last_heard=last_heard), whom) for message in replies]
        change = _change(effects.handoff, thread, events)
        left = ThreadRow(
            id=thread.id,
            ref=thread.ref,
            version=thread.version,
            last_heard=last_heard,
            heard=heard,
            state=draft.state.encode(),
            step=draft.step,
            choices=_choices(thread, draft, plans, events, keys_return=capabilities.keys_return),
            address=newest.address or next((row.address for row in reversed(rows) if row.address), thread.address),
            dialog=draft.dialog,
            members=draft.members.encode(),
            hold=change.hold,
        )
        draft.close()
        held = change.hold.taken_seq if change.hold.note is not None else None
        scheduled = {} if capabilities.schedule else _scheduled(replies, now, held)
        name = handler.name if handler else ""
        sayings = [
            saying
            for ordinal, (message, planned) in enumerate(zip(replies, plans, strict=True))
            if ordinal not in scheduled
            for saying in _sayings(row, name, ordinal, message, planned, now)
        ]
        timers = [_timer(later, now, held) for later in effects.laters] if effects.laters else []
        given_back = change.given_back
        commit = TurnCommit(
            row=newest,
            others=rows[:-1],
            thread=left,
            sayings=sayings,
            timers=[*timers, *scheduled.values(), *(self._quiet_timer(now) if change.taken else ())],
            cancelled=[*effects.cancelled, *((QUIET,) if change.taken or given_back else ())],
            holds=change.stays and not isinstance(row.event, Timer),
            returns=given_back,
            restarts=(decode_journal(thread.dialog).waiting,) if given_back and thread.dialog is not None else (),
            silences=change.silences,
            steps=draft.stepped,
            media=files,
            at=now,
        )
        return Prepared(commit, long_keys)

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
            thread = replace(thread, choices=passed_over(thread.choices, keys_return=capabilities.keys_return))
        last_heard, heard = _heard(thread, [row.event])
        return TurnCommit(
            row=row,
            thread=replace(
                thread,
                last_heard=last_heard,
                heard=heard,
                hold=after_turn(thread.hold, note),
                address=row.address or thread.address,
            ),
            holds=not recorded,
            timers=self._quiet_timer(now) if begins_quiet else (),
            cancelled=(QUIET,) if begins_quiet else (),
            at=now,
        )

    def of_taking(self, row: InboxRow, thread: ThreadRow, dead: str) -> TurnCommit:
        """A person takes a thread by an event whose turn was given up (`dead` says why): the thread is theirs."""
        now = self._clock.now()
        return TurnCommit(
            row=row,
            thread=replace(thread, hold=after_turn(thread.hold, _taken(None, [row.event]))),
            timers=self._quiet_timer(now),
            cancelled=(QUIET,),
            silences=True,
            dead=dead,
            at=now,
        )

    def _quiet_timer(self, now: int) -> tuple[TimerRow, ...]:
        return () if self._quiet is None else (TimerRow(due_at=now + self._quiet, name=QUIET),)


def _offered(planned: Plan, whom: str | None) -> Plan:
    """A plan with its choices open to one contact, or to anybody (None)."""
    if not planned.choices or whom is None:
        return planned
    return replace(planned, choices=tuple(replace(choice, whom=whom) for choice in planned.choices))


def _heard(thread: ThreadRow, events: Sequence[Event]) -> tuple[int | None, int]:
    """`last_heard` and `heard` of a thread after the contact spoke, if that is among the events."""
    times = [micros(event.at) for event in events if isinstance(event, Message | Postback)]
    if not times:
        return thread.last_heard, thread.heard
    return max(thread.last_heard or 0, *times), thread.version + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What a turn changes about who has the thread; `hold` is as the turn leaves it.

    `stays`: with the person who has it. `taken`, `given_back`: by a person, to the bot. `silences`: see TurnCommit.
    """

    hold: Hold
    stays: bool = False
    given_back: bool = False
    taken: bool = False
    silences: bool = False


def _change(handoff: str | None, thread: ThreadRow, events: Sequence[Event]) -> _Change:
    """Nearly always nothing: the bot has the thread, and nobody takes it."""
    was_held, note = thread.hold.note is not None, _taken(handoff, events)
    if not was_held and note is None:
        return _Change(hold=thread.hold)
    stays = is_with_person(events[0], thread)
    if handoff is None and stays:
        note = thread.hold.note
    return _Change(
        hold=after_turn(thread.hold, note),
        stays=stays,
        given_back=was_held and not stays,
        taken=note is not None and not stays,
        silences=not was_held and any(map(takes_over, events)),
    )


def _taken(handoff: str | None, events: Sequence[Event]) -> str | None:
    """The note to the person who takes the thread in this turn; None: nobody does."""
    if handoff is not None:
        return handoff
    for event in events:
        if isinstance(event, Handoff):
            return event.note
        if isinstance(event, Echo) and event.human:
            return _SPOKE
    return None


def _choices(
    thread: ThreadRow, draft: Draft, plans: Sequence[Plan], events: Sequence[Event], *, keys_return: bool
) -> Sequence[Choice]:
    if not thread.choices and not any(planned.choices for planned in plans):
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


def _person_spoke(events: Sequence[Event]) -> bool:
    return any(isinstance(event, Echo) and event.human for event in events)


def _sayings(row: InboxRow, handler: str, ordinal: int, message: Outgoing, planned: Plan, now: int) -> list[Saying]:
    """The outbox rows of one reply. One that cannot be sent at all still gets a row, so it is not lost."""
    dropped = planned.dropped or ""
    if dropped:
        log.warning("message_dropped", thread=row.thread_id, event_key=row.key, reason=dropped)
    if dropped.endswith(BLANK):
        return []  # nothing is lost, and nobody has to look at it
    expires = expires_at(message, now)
    return [
        Saying(
            key=idempotency_key(row.ref.account, row.key, row.replay, handler, ordinal, part),
            message=message_part,
            encoded=encode_message(message_part),
            expires_at=expires,
            given_up=planned.given_up,
            dropped=dropped,
        )
        for part, message_part in enumerate(planned.parts or (message,))
    ]


def _timer(later: Later, now: int, held: int | None) -> TimerRow:
    """A timer that the turn asked for, now that its delay begins to count; a question's is for the bot alone."""
    return TimerRow(
        due_at=now + later.delay if later.at is None else later.at,
        name=later.name,
        unless=later.unless,
        handler=later.handler,
        arguments=later.arguments,
        model=later.model,
        held=held if later.handler else None,
    )


def _scheduled(replies: Sequence[Outgoing], now: int, held: int | None) -> dict[int, TimerRow]:
    """Messages with `at=`, by their ordinal: each is a timer until then, so tomorrow's never holds up today's."""
    return {
        ordinal: TimerRow(
            due_at=micros(message.at), name=AT, message=encode_message(replace(message, at=None)), held=held
        )
        for ordinal, message in enumerate(replies)
        if message.at is not None and micros(message.at) > now
    }


def _size(message: Outgoing) -> int:
    """About how many characters a message makes work with."""
    match message:
        case Text():
            return len(message.text)
        case Buttons():
            return len(message.text) + _OPTION * len(message.buttons)
        case Menu():
            return len(message.text) + _OPTION * sum(len(section.rows) for section in message.sections)
        case Cards():
            return sum(len(card.title) + _OPTION * len(card.buttons) for card in message.cards)
        case _:
            return len(getattr(message, "caption", ""))


def _is_question(planned: Plan) -> bool:
    """Whether a plan asks for words: what was offered before is then no longer what an answer means."""
    last = planned.parts[-1] if planned.parts else None
    return isinstance(last, Text) and not planned.choices and last.text.rstrip().endswith(_QUESTION_MARKS)


def idempotency_key(account: str, event_key: str, replay: int, handler: str, ordinal: int, part: int) -> str:
    """The key of one message: the same over re-runs, crashes and restores."""
    name = f"{account}\n{event_key}\n{replay}\n{handler}\n{ordinal}\n{part}"
    return _uuid5(name)


def _uuid5(name: str) -> str:
    """As str(uuid.uuid5(KEYS, name)), in a third of the time (RFC 9562, 5.5)."""
    digest = sha1(_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
