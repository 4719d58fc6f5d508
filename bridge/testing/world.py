"""A whole bridge in a test: real engine, real storage in memory, all five providers emulated, and virtual time.

Nothing happens by itself. `settle` lets one thing happen after the other (a webhook arrives, a transaction commits, a
request leaves), and a seed decides which is next, and what goes wrong.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import orjson

from bridge.app.bridge import Bridge
from bridge.engine.handoff import Handoffs
from bridge.providers.port import TellsIdentities, TellsLanguages
from bridge.testing.agents import Agent
from bridge.testing.blueprint import Blueprint, as_router, blueprint_of
from bridge.testing.contacts import Contact
from bridge.testing.conversations import read_conversations
from bridge.testing.decisions import Decisions, Schedule
from bridge.testing.explore import Exploration
from bridge.testing.faults import FaultBudget
from bridge.testing.grading import grade
from bridge.testing.spans import seconds_of
from bridge.testing.stage import Posting, Stage, Stuck
from bridge.testing.watched import Watched
from bridge.units import SECOND, micros

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta
    from types import TracebackType

    from bridge.conversation.turn import Reply, To
    from bridge.events import ThreadRef
    from bridge.providers.port import Emulator, Hook
    from bridge.routing.router import Router
    from bridge.statements import Record
    from bridge.store.records import ThreadRow
    from bridge.testing.conversations import Conversation
    from bridge.testing.grading import Grader, Grades

T = TypeVar("T")

_LONGEST: Final = 3600.0
"""Seconds of virtual time that all that is under way may take to come to its end."""


class World(Watched):
    """A bridge, its providers, and people who talk to it.

    Example::

        world = World(router)
        ann = world.contact("konnek", "whatsapp", "ann")
        await ann.says("order 7")
        await world.settle()
        ann.saw("~refund")
    """

    def __init__(
        self,
        router: Router | Sequence[Router] | str | None = None,
        *,
        accounts: Mapping[str, Mapping[str, Any]] | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        honours_keys: bool = True,
        faults: Iterable[str] | Mapping[str, int | bool | None] = (),
        replay: str | int | Schedule | None = None,
        make: Callable[..., Bridge] = Bridge,
        blueprint: Blueprint | None = None,
        counts: bool = True,
        at: datetime | None = None,
        events: bool = False,
    ) -> None:
        """Begin with an empty store.

        Args:
            router: The bot: a router, several, or "module:attribute".
            accounts: More accounts, or other keys for the five that are there, each named like its provider.
            settings: Other sections of the configuration, like {"handlers": {"return_after": "1d"}}.
            honours_keys: Whether providers whose wire carries our idempotency key heed it.
            faults: What may go wrong; see `explore`. Nothing does unless `replay` says what to decide.
            replay: A seed or a schedule, as `explore` prints it.
            make: Builds the Bridge; for tests of the engine itself.
            blueprint: All of the above but faults and replay, made already for several worlds.
            counts: Whether `calls` can be asked, also in loops over `explore()`; a run without is twice as fast.
            at: When it begins, with a time zone; 2025-10-10 09:00 UTC by itself.
            events: Whether somebody follows the conversations; `World.events` is what they were told.

        Raises:
            ConfigError: an account or a section cannot be configured so, or a router cannot be loaded.
            ValueError: there is no such fault, `replay` is no schedule, or `at` has no time zone.
        """
        self._blueprint = blueprint or blueprint_of(
            router, accounts=accounts, settings=settings, honours_keys=honours_keys, make=make, at=at, events=events
        )
        self._router = self._blueprint.router
        schedule = Schedule.read(replay) if replay is not None else Schedule(0)
        self.choices = Decisions(schedule, calm=replay is None)
        """What was decided so far."""
        self.rng = Random(f"world {schedule.seed}")
        """Seeded dice for the scenario itself."""
        self._faults = FaultBudget(faults)
        super().__init__(Stage(self._blueprint, self.choices, self._faults, counts=counts))
        self._last: dict[object, Sequence[Posting]] = {}
        self._names = 0
        self._closed = False
        self.exploration: Exploration[World] | None = None
        """What `explore` was last asked for."""
        self.forced: Schedule | None = None
        """The one run that `explore` is to make, if it is to make only one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def use(self, router: Router | Sequence[Router] | str) -> Self:
        """Say which bot it is, before anything happens."""
        self._router = as_router(router)
        return self

    def contact(
        self,
        account: str,
        channel: str,
        name: str,
        *,
        locale: str | None = None,
        identities: Mapping[str, str] | None = None,
    ) -> Contact:
        """A person at an account (each is named like its provider), on one of its channels.

        `locale` is their language, where the webhooks of the provider tell it. `identities` are what these name beside
        the name, by kind: {"phone": "+6281234567890", "user_id": "ID.1"}, or "email".

        Raises:
            LookupError: there is no such account.
            ValueError: no contact can be reached on such a channel, or the provider tells no language, or no identity.
        """
        if account not in self._stage.emulators:
            raise LookupError(f"there is no account {account!r}; there are {', '.join(self._stage.emulators)}")
        provider = self._blueprint.config.accounts[account].provider.name
        address = self._blueprint.address(account, channel, name)
        if locale is not None:
            emulator = self._stage.emulators[account]
            if not isinstance(emulator, TellsLanguages):
                raise ValueError(f"the webhooks of {provider} tell no language of a contact")
            emulator.languages[address] = locale
        begun = self._blueprint.begun(account, channel, address)
        contact = Contact(self, account, provider, channel, name, address, begun)
        if identities is not None:
            self.identify(contact, identities)
        return contact

    def identify(self, contact: Contact, identities: Mapping[str, str]) -> None:
        """From now on the contact's webhooks name them so. Raises ValueError where the provider has no place for it."""
        emulator = self._stage.emulators[contact.account]
        if not isinstance(emulator, TellsIdentities):
            if identities:
                raise ValueError(f"the webhooks of {contact.provider} name a contact in one way only")
            return
        emulator.identities[contact.address] = dict(identities)

    def agent(self, contact: Contact) -> Agent:
        """A person on our side, who may speak to a contact, take the conversation, and return it to the bot."""
        return Agent(self, contact)

    async def settle(self, within: str | float | timedelta = _LONGEST) -> None:
        """Let everything happen that was set off, retries and repetitions too, for which time passes if it must.

        Timers that are not due yet, and messages for later, are left alone: see `advance`.

        Raises:
            Stuck: something is not done `within` this span of virtual time, or will never be.
        """
        self._settle(self._stage.now + round(seconds_of(within) * SECOND))

    async def advance(self, span: str | float | timedelta) -> None:
        """Let time pass ("2h", seconds, or a timedelta), with all that happens meanwhile; then settle.

        A webhook that did not arrive yet may do so as late as the end of the span.
        """
        stage, until = self._begun(), self._stage.now + round(seconds_of(span) * SECOND)
        while stage.step(may_wait=until) or stage.pass_time(until):
            pass
        stage.jump(until)
        await self.settle()

    async def until(self, happened: Callable[[], bool]) -> bool:
        """Let things happen until this one did; whether it did before all was quiet."""
        stage = self._begun()
        deadline = stage.now + round(_LONGEST * SECOND)
        while not happened():
            if not stage.step() and (stage.is_quiet or not stage.pass_time(deadline)):
                return happened()
        return True

    async def inside(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry out something in the bridge's own loop, like a look into `world.bridge.store`; its result.

        Nothing goes wrong meanwhile, and nothing else happens. Raises Stuck when it waits for something else.
        """
        stage = self._begun()
        await self.until(lambda: stage.life.serves)
        return stage.inside(work)

    async def state(self, contact: Contact) -> Mapping[str, Any]:
        """What the bot remembers of a contact, as committed; see Turn.state."""
        row = await self.row(contact)
        state: Mapping[str, Any] = orjson.loads(row.state if row else b"{}")
        return state

    async def row(self, contact: Contact) -> ThreadRow | None:
        """A conversation as it stands; None before anything of it has arrived."""

        async def look() -> ThreadRow | None:
            kept = self.bridge.store
            number = await kept.find_thread(contact.thread)
            return None if number is None else await kept.thread(number)

        return await self.inside(look())

    async def fetch(self, sql: str, *parameters: object) -> list[Record]:
        """The rows that a SELECT finds in the bot's own tables, as committed; see Turn.fetch."""
        return await self.inside(self.bridge.fetch(sql, *parameters))

    async def write(self, contact: Contact, text: str) -> None:
        """Say something to a contact as a person, who has the conversation from then on."""
        sender = self.bridge.shard_of(contact.account).parts.sender
        await self.inside(
            sender.send(contact.account, contact.thread, text, channel=None, at=None, key=None, human=True)
        )

    async def hand_over(self, contact: Contact, note: str | None) -> bool:
        """Give a conversation to a person, with a note, or back to the bot (None); False before it began."""

        async def tell() -> bool:
            handoffs = Handoffs(self.bridge.store, self.bridge.clock, self._fresh_name)
            number = await self.bridge.store.find_thread(contact.thread)
            if number is None:
                return False
            return await (handoffs.give_back(number) if note is None else handoffs.hand_off(number, note))

        return await self.inside(tell())

    def _fresh_name(self) -> str:
        self._names += 1
        return f"world {self._names}"

    async def send(
        self,
        account: str,
        to: To,
        *messages: Reply,
        channel: str | None = None,
        at: datetime | None = None,
        key: str | None = None,
    ) -> str:
        """Send messages from outside of turns, as the program around a bridge does; see Bridge.send."""

        async def tell() -> str:
            return await self.bridge.send(account, to, *messages, channel=channel, at=at, key=key)

        return await self.inside(tell())

    async def signal(self, to: ThreadRef, name: str, data: object = None, *, key: str | None = None) -> str:
        """Tell a conversation what happened outside; see Bridge.signal."""

        async def tell() -> str:
            return await self.bridge.signal(to, name, data, key=key)

        return await self.inside(tell())

    async def crash(self, down: str | float | timedelta = 0.0) -> None:
        """Let the process die right now, and start another one on what was committed, `down` later ("3d")."""
        self._begun().crash(round(seconds_of(down) * SECOND))

    def down(self, account: str) -> None:
        """From now on this account's provider cannot be reached."""
        self._stage.surroundings.down.add(account)

    def up(self, account: str) -> None:
        """It can be reached again."""
        self._stage.surroundings.down.discard(account)

    def explore(
        self,
        scenario: Callable[[World], Awaitable[object]] | None = None,
        *,
        seeds: int | Iterable[int] = 200,
        faults: Iterable[str] | Mapping[str, int | bool | None] = (),
        replay: str | int | Schedule | None = None,
    ) -> Exploration[World]:
        """Run a scenario in many worlds like this one, each with another order of things and other faults.

            world.explore(scenario, seeds=200, faults={"duplicate", "crash"})
            async for world in world.explore(seeds=200, faults={"duplicate", "crash"}): ...

        Args:
            scenario: An `async def` that takes the world; without it, the result is to be iterated over.
            seeds: How many seeds, or which.
            faults: Names out of duplicate, reorder, crash, lost_answer, provider_down, slow_store, store_fails,
                slow_shutdown, clock_set, gateway_away and pool_exhausted, or a dict of how often each may happen in
                one run.
            replay: Only this one run.

        Raises:
            Counterexample: the scenario failed; its text tells the smallest schedule that was found to fail.
        """
        only = replay if replay is not None else self.forced
        blueprint = self._blueprint_in_use
        exploration = Exploration(
            lambda schedule, counts: World(blueprint=blueprint(), faults=faults, replay=schedule, counts=counts),
            seeds=[Schedule.read(only)] if only is not None else Schedule.each(seeds),
            shrinks=only is None,
            counts=self._stage.counts,
        )
        self.exploration = exploration
        return exploration if scenario is None else exploration(scenario)

    async def grade(
        self, conversations: str, *graders: Grader, floor: float, account: str = "konnek", channel: str = "whatsapp"
    ) -> Grades:
        """Hold conversations, each in a world like this one, and score them; `str()` of the result is a table.

        They are written as for `threadbridge test-replies`; `bot:` lines are not needed. A grader scores what was said,
        [{"role": "user", "content": "..."}, ...], from 0 to 1.

        Raises:
            AssertionError: the mean of the graders is below the `floor` in some conversation. The text has the table.
        """

        def begin(conversation: Conversation) -> World:
            blueprint, at = self._blueprint_in_use(), conversation.at
            return World(blueprint=replace(blueprint, at=blueprint.at if at is None else micros(at)), counts=False)

        return await grade(read_conversations(conversations), graders, floor, begin, (account, channel))

    @property
    def bridge(self) -> Bridge:
        """The one that is alive."""
        return self._begun().life.bridge

    def emulator(self, account: str) -> Emulator:
        """The other end of an account."""
        return self._stage.emulators[account]

    def file(self, contact: Contact, data: bytes, *, lasts: str | float | timedelta | None = None) -> str:
        """A link to these bytes at a contact's gateway, for `contact.sends`; it is dead after `lasts`.

        The bridge fetches it where `settings={"media": {"store": "media"}}` says so; the bytes stay in memory.
        """
        path = self._stage.files[contact.account].add(data, lasts=None if lasts is None else seconds_of(lasts))
        return f"{self._blueprint.config.accounts[contact.account].provider.base_url}{path}"

    def post(self, contact: Contact, hooks: Sequence[tuple[Hook, str]], speaker: object = None) -> None:
        """Webhooks that a contact sets off at once, each with a word for it. They arrive when things happen.

        Those that a `speaker` other than the contact sets off keep no order with the contact's.
        """
        before = self._last.get(speaker or contact, ())
        made: list[Posting] = []
        for hook, label in hooks:
            loose = "reorder" in self._faults
            posting = Posting(contact.account, hook, label, after=(*before, *(() if loose else made)))
            made.append(posting)
            self._stage.post(posting)
            if contact.conversation_id is None:
                contact.conversation_id = self._blueprint.inbound(contact.account, hook)[0].conversation_id
        if made:
            self._last[speaker or contact] = made

    def close(self) -> None:
        """The end of this world."""
        if not self._closed:
            self._closed = True
            if self.exploration is not None:
                self.exploration.close()
            self._stage.close()

    def _settle(self, until: int) -> None:
        stage = self._begun()
        while stage.step() or not stage.is_quiet:
            if not stage.step() and not stage.is_quiet and not stage.pass_time(until):
                raise Stuck(f"not everything came to its end.\n{self.story()}")

    def _begun(self) -> Stage:
        self._stage.begin(self._router)
        return self._stage

    def _blueprint_in_use(self) -> Blueprint:
        return self._blueprint.with_router(self._router)
