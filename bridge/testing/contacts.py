"""People in a world: what they do, and what they have on the phone."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import orjson

from bridge.conversation.journal import decode_journal
from bridge.events import ThreadRef
from bridge.log.tracebacks import readable
from bridge.messages import Button

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bridge.events import StatusValue
    from bridge.providers.port import Emulator, Hook, Seen
    from bridge.store.records import ThreadRow

_LINE: Final = r"^\s*(\d+)\W+{}\b"
"""Where buttons cannot be had, a choice is a line with its number."""


class Scene(Protocol):
    """What a contact needs of the world."""

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is on its way."""
        ...

    @property
    def errors(self) -> Sequence[BaseException]:
        """What turns that failed raised, oldest first."""
        ...

    def emulator(self, account: str) -> Emulator:
        """The other end of an account."""
        ...

    def identify(self, contact: Contact, identities: Mapping[str, str]) -> None:
        """From now on the contact's webhooks name them so; see World.contact."""
        ...

    def post(self, contact: Contact, hooks: Sequence[tuple[Hook, str]], speaker: object = None) -> None:
        """Send off webhooks, each with a label for the trace; see World.post."""
        ...

    async def until(self, happened: Callable[[], bool]) -> bool:
        """Let things happen until this one did; whether it did before all was quiet."""
        ...

    async def state(self, contact: Contact) -> Mapping[str, Any]:
        """What the bot remembers of a contact, as committed."""
        ...

    async def row(self, contact: Contact) -> ThreadRow | None:
        """The contact's conversation in the store; None before its first event."""
        ...


class Contact:
    """A person at one account. What the contact does arrives when the world goes on: see World.settle.

    A pattern is the whole text of a message; "~refund" is a part of it, or of a button's title, in any case; a
    compiled regular expression is searched for.
    """

    def __init__(
        self, scene: Scene, account: str, provider: str, channel: str, name: str, address: str, begun: str | None
    ) -> None:
        """Made by World.contact; `address` is what the provider knows the person by.

        `begun` is the conversation of one to whom the bot speaks first; None where it cannot.
        """
        self.name = name
        self.account = account
        self.provider = provider
        self.channel = channel
        self.address = address
        self.conversation_id: str | None = None
        """The thread's, as soon as the contact said anything."""
        self._spans: list[tuple[str, int, int | None]] = []
        """Other conversation ids that reach the phone: from which message at the gateway on, and up to which."""
        self._since = 0
        self._begun = begun
        self._scene = scene
        self._cleared = 0
        self._told: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<{self.name} at {self.account}, {self.channel}>"

    @property
    def thread(self) -> ThreadRef:
        """The conversation, once the contact said anything. Raises ValueError before."""
        if self.conversation_id is None:
            raise ValueError(f"{self.name} did not say anything yet")
        return ThreadRef(self.account, self.provider, self.channel, self.conversation_id)

    async def state(self) -> Mapping[str, Any]:
        """What the bot remembers of this conversation, as committed; see Turn.state."""
        return await self._scene.state(self)

    async def fields(self) -> Mapping[str, Any]:
        """What the bot keeps of the person, as committed; see Turn.contact."""
        row = await self._scene.row(self)
        kept: Mapping[str, Any] = orjson.loads(row.person)["fields"] if row and row.person else {}
        return kept

    async def dialog(self) -> str | None:
        """The dialog that waits for this contact, and its question: "refund: What went wrong?"; None without one.

        A question of more than 40 characters is cut short.
        """
        row = await self._scene.row(self)
        if row is None or row.dialog is None:
            return None
        journal = decode_journal(row.dialog)
        name = re.split("[:.]", journal.name)[-1]
        return f"{name}: {journal.entries[-1].label if journal.entries else '(is to begin again)'}"

    async def handoff(self) -> str | None:
        """The note to the person who has this conversation; None while the bot has it."""
        row = await self._scene.row(self)
        return row.hold.note if row else None

    def goes_by(self, address: str, *, identities: Mapping[str, str] | None = None) -> None:
        """From now on the gateway knows the person by another name, like a user id in place of a phone number.

        The former names reach them too; see `loses`. `identities` are what webhooks name beside it; see World.contact.
        """
        if (former := self.conversation_id or self._begun) is not None:
            self._spans.append((former, self._since, None))
        self._since = len(self._scene.emulator(self.account).seen)
        self.address, self.conversation_id, self._begun = address, None, None
        self._scene.identify(self, identities or {})

    def loses(self, conversation_id: str) -> None:
        """From now on what is sent to a former name is another person's."""
        now = len(self._scene.emulator(self.account).seen)
        self._spans = [
            (name, since, now if name == conversation_id and until is None else until)
            for name, since, until in self._spans
        ]

    async def says(self, *texts: str) -> None:
        """Type a text, or several at once: with the fault "reorder" those may overtake each other."""
        emulator = self._scene.emulator(self.account)
        hooks = [emulator.says(self.channel, self.address, text) for text in texts]
        self._scene.post(self, [(hook, f"{self.name} says {text!r}") for hook, text in zip(hooks, texts, strict=True)])

    async def clicks(self, choice: str) -> None:
        """Wait for a button (by its title or key) and press it; where it is but a line with a number, type that.

        Raises:
            AssertionError: all is quiet, and there is no such thing to press.
        """
        await self._scene.until(lambda: self._choice(choice) is not None)
        found = self._choice(choice)
        if found is None:
            raise AssertionError(f"{self.name} sees nothing like {choice!r} to press.\n{self.phone()}")
        emulator = self._scene.emulator(self.account)
        if isinstance(found, Button):
            hook = emulator.presses(self.channel, self.address, found)
        else:
            hook = emulator.says(self.channel, self.address, found)
        self._scene.post(self, [(hook, f"{self.name} clicks {choice!r}")])

    async def sends(self, kind: str, url: str, caption: str = "") -> None:
        """Send a medium: image, video, audio, voice or document."""
        hook = self._scene.emulator(self.account).sends(self.channel, self.address, kind, url, caption)
        self._scene.post(self, [(hook, f"{self.name} sends {kind} {url}")])

    async def locates(self, latitude: float, longitude: float) -> None:
        """Send a place, in degrees."""
        hook = self._scene.emulator(self.account).locates(self.channel, self.address, latitude, longitude)
        self._scene.post(self, [(hook, f"{self.name} sends a location")])

    async def reads(self) -> None:
        """Have the provider tell that all on the phone was delivered and read, where it tells such things.

        With the fault "reorder" the news come in any order.
        """
        values: tuple[StatusValue, ...] = ("sent", "delivered", "read")
        news: list[tuple[Hook, str]] = []
        for seen in self._all():
            for value in values[self._told.get(seen.message_id, 0) :]:
                hook = self._scene.emulator(self.account).status(seen, value)
                if hook is not None:
                    news.append((hook, f"{self.name}'s phone: {value} {seen.text!r}"))
            self._told[seen.message_id] = len(values)
        self._scene.post(self, news)

    async def sees(self, pattern: str | re.Pattern[str]) -> Seen:
        """Wait until a message shows up, and return it. Raises AssertionError when all is quiet and there is none."""
        await self._scene.until(lambda: any(_fits(pattern, each) for each in self.seen))
        return self.saw(pattern).message

    @property
    def seen(self) -> Sequence[Seen]:
        """The messages on the phone since it was cleared, in order."""
        return self._all()[self._cleared :]

    @property
    def texts(self) -> list[str]:
        """Their texts."""
        return [each.text for each in self.seen]

    def clears(self) -> None:
        """Clear the phone: expectations count from now on."""
        self._cleared = len(self._all())

    def saw(self, *patterns: str | re.Pattern[str], kind: str | None = None) -> Sighting:
        """Expect messages, the first one before the second and so on; `kind` as in bridge.messages.

        Raises:
            AssertionError: they are not there, or not in this order; the text shows the phone.
        """
        sighting = Sighting(self, -1)
        for pattern in patterns or ("~",):
            sighting = sighting.then(pattern, kind=kind)
        return sighting

    def saw_once(self, pattern: str | re.Pattern[str], *, kind: str | None = None) -> Seen:
        """Expect a message exactly once. Raises AssertionError."""
        found = [each for each in self.seen if _fits(pattern, each, kind)]
        if len(found) != 1:
            raise AssertionError(f"{self.name} saw {_shown(pattern)} {len(found)} times, not once.\n{self.phone()}")
        return found[0]

    def saw_nothing(self, pattern: str | re.Pattern[str] = "~") -> None:
        """Expect no message (with a pattern: none like it). Raises AssertionError."""
        if any(_fits(pattern, each) for each in self.seen):
            what = "something" if pattern == "~" else _shown(pattern)
            raise AssertionError(f"{self.name} saw {what}.\n{self.phone()}")

    def phone(self) -> str:
        """What is on the phone, for people to read."""
        lines = [
            f"  {number}. [{each.kind}] {each.text or each.url}" + "".join(f" [{c.title}]" for c in each.choices)
            for number, each in enumerate(self.seen, 1)
        ]
        what = "\n".join([f"{self.name}'s phone at {self.account}, {self.channel}:", *(lines or ["  (nothing)"])])
        what += _last_failure(self._scene.errors)
        return what if self._scene.is_quiet else f"{what}\n(Something is still on its way: await world.settle() first.)"

    def _all(self) -> Sequence[Seen]:
        every, spans = self._scene.emulator(self.account).seen, self._spans
        if (conversation_id := self.conversation_id or self._begun) is not None:
            spans = [*spans, (conversation_id, self._since, None)]
        return [
            seen
            for number, seen in enumerate(every)
            if seen.channel == self.channel
            and any(
                seen.conversation_id == name and since <= number and (until is None or number < until)
                for name, since, until in spans
            )
        ]

    def _choice(self, wanted: str) -> Button | str | None:
        """A button to press, or a number to type, in the latest message that has it."""
        folded = wanted.casefold()
        for seen in reversed(self.seen):
            for each in seen.choices:
                if folded in {each.title.casefold(), each.key.casefold()}:
                    return each
            if found := _line_of(wanted).search(seen.text):
                return found[1]
        return None


class Sighting:
    """A message that was seen, and where."""

    def __init__(self, contact: Contact, at: int) -> None:
        """The message at this place of the phone; -1 is before all of them."""
        self._contact = contact
        self._at = at

    @property
    def message(self) -> Seen:
        """The message."""
        return self._contact.seen[self._at]

    def then(self, pattern: str | re.Pattern[str], *, kind: str | None = None) -> Self:
        """Expect another one after it. Raises AssertionError."""
        contact = self._contact
        for at, each in enumerate(contact.seen):
            if at > self._at and _fits(pattern, each, kind):
                return type(self)(contact, at)
        after = f" after message {self._at + 1}" if self._at >= 0 else ""
        what = f"{_shown(pattern)}{f' ({kind})' if kind else ''}"
        raise AssertionError(f"{contact.name} did not see {what}{after}.\n{contact.phone()}")


def _last_failure(errors: Sequence[BaseException]) -> str:
    """The latest error of the bot's own code, for people to read; "" without one."""
    if not errors:
        return ""
    trace = readable(errors[-1]).replace("\n", "\n  ")
    return f"\nA turn failed, the last one so:\n  {trace}"


@lru_cache(256)
def _line_of(choice: str) -> re.Pattern[str]:
    return re.compile(_LINE.format(re.escape(choice)), re.IGNORECASE | re.MULTILINE)


def _fits(pattern: str | re.Pattern[str], seen: Seen, kind: str | None = None) -> bool:
    if kind is not None and seen.kind != kind:
        return False
    if isinstance(pattern, re.Pattern):
        return pattern.search(seen.text) is not None
    if pattern.startswith("~"):
        shown = "\n".join((seen.text, seen.url, *(each.title for each in seen.choices)))
        return pattern[1:].casefold() in shown.casefold()
    return seen.text == pattern


def _shown(pattern: str | re.Pattern[str]) -> str:
    return repr(pattern.pattern if isinstance(pattern, re.Pattern) else pattern)
