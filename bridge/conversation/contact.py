"""The person on the other side, as a handler holds them: who they are, and what the bot keeps of them."""

from __future__ import annotations

from collections.abc import Iterator, MutableSet
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.errors import HandlerError
from bridge.events import Contact
from bridge.strict_json import not_json
from bridge.units import language_tag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bridge.conversation.draft import Draft
    from bridge.conversation.kept_contact import KeptContact
    from bridge.events import ThreadRef

TAGS_LIMIT: Final = 100
"""Tags that a contact may have."""
_LONGEST_TAG: Final = 100
_OWN: Final = tuple(field.name for field in fields(Contact))
_SLOTS: Final[dict[str, Any]] = {name: vars(Contact)[name] for name in _OWN}
"""Where a contact keeps what the gateway says."""
_KEPT: Final = frozenset({"locale", "timezone"})


class Identity(NamedTuple):
    """What names a person at an account, as its gateway asserts: `kind` is id, user_id, phone, email or username."""

    account: str
    kind: str
    value: str


class ContactThread(NamedTuple):
    """A conversation of a contact. `last_heard` is when they last spoke there."""

    ref: ThreadRef
    last_heard: datetime | None
    opted_out: bool


class People(Protocol):
    """What a running bridge knows of a contact beyond one conversation."""

    async def threads_of_contact(self) -> Sequence[ContactThread]:
        """All conversations of the turn's contact, the one last heard first."""
        ...


class Tags(MutableSet[str]):
    """The tags of a contact: short texts, kept with the turn."""

    __slots__ = ("_kept",)

    def __init__(self, kept: KeptContact) -> None:
        """The tags in what is kept."""
        self._kept = kept

    def __contains__(self, tag: object) -> bool:
        """Whether the contact has a tag."""
        return tag in self._kept.read["tags"]

    def __iter__(self) -> Iterator[str]:
        """All of them, in order."""
        return iter(list(self._kept.read["tags"]))

    def __len__(self) -> int:
        """How many."""
        return len(self._kept.read["tags"])

    def __repr__(self) -> str:
        return repr(set(self))

    def add(self, value: str) -> None:
        """Give the contact a tag. Raises HandlerError for what is none, or for one too many."""
        self._kept.want_open()
        tag: object = value
        if not isinstance(tag, str) or not 0 < len(tag) <= _LONGEST_TAG or not_json(tag, "it"):
            raise HandlerError(f"a tag is a text of 1 to {_LONGEST_TAG} characters")
        if value not in self:
            if len(self) >= TAGS_LIMIT:
                raise HandlerError(f"a contact has at most {TAGS_LIMIT} tags")
            self._kept.read["tags"] = sorted([*self, value])

    def discard(self, value: str) -> None:
        """Take a tag away."""
        self._kept.want_open()
        self._kept.read["tags"] = [tag for tag in self if tag != value]


class Person(Contact):
    """The contact of a turn. What the gateway says of them is that of the event; the rest is kept by the bridge.

    `fields`, `tags`, `locale` and `timezone` are kept when the turn is committed, for all conversations of the person.
    """

    __slots__ = ("_draft", "_people")

    def __init__(self, contact: Contact, draft: Draft, people: People) -> None:
        """The contact of an event, in the turn of a draft."""
        for name, slot in _SLOTS.items():
            slot.__set__(self, getattr(contact, name))
        object.__setattr__(self, "_draft", draft)
        object.__setattr__(self, "_people", people)

    _draft: Draft
    _people: People

    def __eq__(self, other: object) -> bool:
        """Whether it is the same contact, as the gateway describes it."""
        if not isinstance(other, Contact):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _OWN)

    def __hash__(self) -> int:
        return hash(self.id)

    def __setattr__(self, name: str, value: object) -> None:
        """Keep a `locale` or a `timezone`. Raises HandlerError for anything else."""
        if name not in _KEPT:
            raise HandlerError(f"a contact's {name} is what the gateway says: keep your own in .fields or .tags")
        object.__setattr__(self, name, value)

    @property
    def locale(self) -> str | None:
        """The person's language, like "id" or "pt-BR": what is kept of it, else what the gateway says."""
        kept = self._draft.contact
        told: str | None = _SLOTS["locale"].__get__(self)
        return (kept.read.get("locale") or told) if kept.is_known else told

    @locale.setter
    def locale(self, locale: str | None) -> None:
        self._keep("locale", None if locale is None else _locale(locale))

    @property
    def timezone(self) -> str | None:
        """The person's time zone, like Asia/Jakarta: quiet hours are theirs then."""
        zone: str | None = self._draft.contact.read.get("timezone")
        return zone

    @timezone.setter
    def timezone(self, zone: str | None) -> None:
        self._keep("timezone", None if zone is None else _timezone(zone))

    def _keep(self, name: str, value: str | None) -> None:
        self._draft.contact.want_open()
        self._draft.contact.read[name] = value

    @property
    def person(self) -> int | None:
        """The number by which `threadbridge contacts` knows the person; None where the thread is nobody's."""
        kept = self._draft.contact
        number: int | None = kept.read["id"] if kept.is_known else None
        return number

    @property
    def plain(self) -> Contact:
        """What the gateway says of them, and no more."""
        return Contact(**{name: slot.__get__(self) for name, slot in _SLOTS.items()})

    @property
    def identities(self) -> tuple[Identity, ...]:
        """All that gateways assert of who this is."""
        kept = self._draft.contact
        return tuple(Identity(*identity) for identity in kept.read["identities"]) if kept.is_known else ()

    @property
    def username(self) -> str | None:
        """The name that the person has on a channel, where one is known."""
        names = (identity.value for identity in self.identities if identity.kind == "username")
        return next((name.partition(":")[2] for name in names), None)

    @property
    def fields(self) -> Any:  # noqa: ANN401 - a mapping, or the author's model
        """What the bot keeps of the person: JSON values under text keys, or the model that the router names.

        Raises:
            HandlerError: the thread is a group's or a job's, or what is kept does not fit the model.
        """
        return self._draft.contact.fields.seen

    @property
    def tags(self) -> Tags:
        """The tags that the bot gave the person."""
        return Tags(self._draft.contact)

    def opt_out(self) -> None:
        """The person wants no more messages: from the commit on none leaves that answers no later word of theirs."""
        self._consents(opts_out=True)

    def opt_in(self) -> None:
        """The person wants messages again."""
        self._consents(opts_out=False)

    def _consents(self, *, opts_out: bool) -> None:
        self._draft.want_open()
        self._draft.effects.opts_out = opts_out

    async def threads(self) -> list[ContactThread]:
        """All conversations of the person, the one last heard first."""
        self._draft.want_open()
        if self._draft.plays and not self._draft.in_step:
            raise HandlerError("a dialog asks for threads in a step: await d.step(d.turn.contact.threads)")
        return list(await self._people.threads_of_contact())


def _locale(value: object) -> str:
    tag = language_tag(value) if isinstance(value, str) else None
    if tag is None:
        raise HandlerError("a locale is a language, like id or pt-BR")
    return tag


def _timezone(value: object) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise HandlerError("a time zone is a name like Asia/Jakarta") from None
