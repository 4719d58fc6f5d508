"""`threadbridge contacts`: the people behind the conversations, and which of them are one."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import orjson
import typer

from bridge.cli.commands import Command, Group
from bridge.cli.control import Control
from bridge.cli.erase import ReceiptFile, Yes, erase
from bridge.cli.looking import OfDemo, OfDev, StoreUrl, looked_at
from bridge.cli.output import DEFAULT, AsJson, ConfigFile, clean, complain, exits, leave, listing, say, time_of
from bridge.cli.persons import reading, whom
from bridge.cli.threads import Limit, no_store_yet
from bridge.clock import SystemClock
from bridge.config.load import load_config
from bridge.errors import NoContact
from bridge.store.opening import open_store
from bridge.web.control_protocol import NO_CONTACT, NOT_MERGED, ONE_PERSON, number_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from bridge.config.load import Config
    from bridge.store.people.asking import Asserted
    from bridge.store.people.cards import CardThread, ContactCard
    from bridge.store.port import Store, StoreReader

    T = TypeVar("T")

contacts = typer.Typer(
    cls=Group, no_args_is_help=True, help="List, show, merge, unmerge, export and erase the people who write."
)

Who = Annotated[
    str,
    typer.Argument(
        metavar="CONTACT", help="A number from the first column of `contacts list`, a phone number or another identity."
    ),
]
Number = Annotated[str, typer.Argument(metavar="ID", help="The number of a contact, from `contacts list`.")]
Other = Annotated[str, typer.Argument(metavar="OTHER", help="The number of the contact that is merged into it.")]
ToFile = Annotated[
    str | None, typer.Argument(metavar="FILE", help="The file to write, for its owner alone; else standard output.")
]

_PAGE: Final = 100
_COLUMNS: Final = ("id", "name", "identities", "threads", "opted_out", "last_heard")


@contacts.command("list", cls=Command)
def list_(
    config: ConfigFile = DEFAULT,
    limit: Limit = 1000,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
    as_json: AsJson = False,
) -> None:
    """List the people who write, the newest first: number, name, identities, and when they were last heard.

    Several contacts that were merged are one person, under the number of the one that goes on. The list takes no lock,
    and works while the bridge runs.

    Example: `threadbridge contacts list --json`
    """
    with exits():
        people = asyncio.run(people_of(looked_at(config, store, dev=dev, demo=demo, accounts=False), limit))
        rows = people if as_json else [_line(person) for person in people]
        listing(rows, columns=_COLUMNS, as_json=as_json, empty="no contacts yet")


@contacts.command(cls=Command)
def show(
    who: Who,
    config: ConfigFile = DEFAULT,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
    as_json: AsJson = False,
) -> None:
    """Show a person: identities, fields, tags, locale, time zone, conversations, merged contacts and conflicts.

    A conflict is an identity under which the person came, and which is another contact's. A conversation says when its
    id is another person's now: the bot does not write under that id any more.

    Example: `threadbridge contacts show +6281234567890`
    """
    with exits():
        card = whom(looked_at(config, store, dev=dev, demo=demo, accounts=False), who)
        person = person_of(card)
        if as_json:
            typer.echo(json.dumps(person, indent=2))
            return
        for name, parts in _lines(person):
            typer.echo(f"{name:9} {'  '.join(clean(str(part)) for part in parts if part not in (None, ''))}")


@contacts.command(cls=Command)
def merge(contact_id: Number, other_id: Other, config: ConfigFile = DEFAULT) -> None:
    """Merge two contacts: from now on they are one person, who goes on as ID.

    All their conversations share fields and tags, and whether the person opted out. The conversations themselves stay
    apart, each with its own state. Each of them gets an event, Merged. A running bridge merges at once; otherwise
    the handlers hear of it at the next start.

    Example: `threadbridge contacts merge 3 9`
    """
    other, contact = _number(other_id), _number(contact_id)
    _change(
        config,
        contact_id,
        "merge",
        ONE_PERSON,
        lambda store, at: store.merge_contacts(contact, other, at),
        body=other_id,
    )
    say(f"{other_id}: one person with {contact_id}")


@contacts.command(cls=Command)
def unmerge(contact_id: Number, config: ConfigFile = DEFAULT) -> None:
    """Part a contact from the one that it is merged into: it is a person of its own again.

    Its conversations go on by themselves, with the fields and tags from before. Later ones stay with the person that it
    was merged into. Each conversation of the two gets an event, Unmerged.

    Example: `threadbridge contacts unmerge 9`
    """
    contact = _number(contact_id)
    _change(config, contact_id, "unmerge", NOT_MERGED, lambda store, at: store.unmerge_contact(contact, at))
    say(f"{contact_id}: a person of its own again")


@contacts.command(cls=Command)
def export(
    who: Who,
    file: ToFile = None,
    config: ConfigFile = DEFAULT,
    store: StoreUrl = None,
    dev: OfDev = False,
    demo: OfDemo = False,
) -> None:
    """Export all that is stored of a person as JSON, to answer their request for it.

    The document has the identities, fields and tags, and each conversation with its state. All that either side said is
    in it, with times, the fate of each message and the files by their hashes. Rows of the bot's own tables are not.

    Example: `threadbridge contacts export +6281234567890 ann.json`
    """
    from bridge.cli.exporting import export_to  # noqa: PLC0415 - no other command writes such a document

    with exits():
        looked = looked_at(config, store, dev=dev, demo=demo, accounts=False)
        card = whom(looked, who)
        written = asyncio.run(
            reading(looked, lambda reader: export_to(file, reader, card.id, person_of(card), SystemClock().now()))
        )
        if file is not None:
            say(f"{file}: {written}")


@contacts.command("erase", cls=Command)
def erase_(who: Who, yes: Yes = False, file: ReceiptFile = None, config: ConfigFile = DEFAULT) -> None:
    """Erase a person: all of their conversations, and what is known of them. `threadbridge erase` is the same.

    Example: `threadbridge contacts erase 3 --yes`
    """
    erase(who, yes=yes, file=file, config=config)


def person_of(card: ContactCard) -> dict[str, Any]:
    """A person as JSON shows them."""
    kept = orjson.loads(card.kept)
    heard = max((thread.last_heard for thread in card.threads if thread.last_heard is not None), default=None)
    return {
        "id": card.id,
        "name": card.name,
        "created_at": time_of(card.created_at),
        "last_heard": None if heard is None else time_of(heard),
        "opted_out": any(thread.opted_out for thread in card.threads),
        "identities": [_identity(identity) for identity in card.identities],
        "fields": kept.get("fields", {}),
        "tags": kept.get("tags", []),
        "locale": kept.get("locale"),
        "timezone": kept.get("timezone"),
        "merged": [*card.merged],
        "conflicts": [_identity(identity) for identity in card.conflicts],
        "threads": [_thread(thread) for thread in card.threads],
    }


def _identity(identity: Asserted) -> dict[str, object]:
    """`contact` is whose it is; None: nobody's any more."""
    return {
        "account": identity.account,
        "kind": identity.kind,
        "value": identity.value,
        "contact": identity.contact_id or None,
    }


def _thread(thread: CardThread) -> dict[str, object]:
    return {
        "id": thread.id,
        "contact": thread.contact_id,
        "account": thread.ref.account,
        "provider": thread.ref.provider,
        "channel": thread.ref.channel,
        "conversation": thread.ref.conversation_id,
        "last_heard": None if thread.last_heard is None else time_of(thread.last_heard),
        "opted_out": thread.opted_out,
        "goes_on_in": thread.leads_to,
        "lost": thread.is_lost,
    }


def _line(person: Mapping[str, Any]) -> dict[str, object]:
    """A person in the list."""
    identities = ", ".join(f"{identity['kind']} {identity['value']}" for identity in person["identities"])
    said = "opted out" if person["opted_out"] else None
    return {**person, "identities": identities, "threads": len(person["threads"]), "opted_out": said}


def _lines(person: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[object]]]:
    """A person, one line an item."""
    yield "contact", [person["id"], person["name"]]
    yield "since", [person["created_at"]]
    for identity in person["identities"]:
        yield "identity", [identity["account"], identity["kind"], identity["value"]]
    for name, value in person["fields"].items():
        yield "field", [name, json.dumps(value, ensure_ascii=False)]
    for tag in person["tags"]:
        yield "tag", [tag]
    for name in ("locale", "timezone"):
        if person[name] is not None:
            yield name, [person[name]]
    for number in person["merged"]:
        yield "merged", [number]
    for thread in person["threads"]:
        yield "thread", [thread[name] for name in ("id", "account", "channel", "conversation")] + [*_facts(thread)]
    for conflict in person["conflicts"]:
        owner = f"is contact {conflict['contact']}'s" if conflict["contact"] else "is nobody's any more"
        yield "conflict", [conflict["account"], conflict["kind"], conflict["value"], owner]


def _facts(thread: Mapping[str, Any]) -> Iterator[str]:
    yield f"last heard {thread['last_heard']}" if thread["last_heard"] else "never heard"
    if thread["opted_out"]:
        yield "opted out"
    if thread["goes_on_in"]:
        yield f"goes on in thread {thread['goes_on_in']}"
    if thread["lost"]:
        yield "its id is another person's now"


def _number(text: str) -> int:
    number = number_of(text)
    if number is None:
        raise typer.BadParameter(f"{text}: want the number of a contact; `threadbridge contacts list` has it")
    return number


def _change(
    path: Path,
    contact_id: str,
    verb: str,
    missing: str,
    act: Callable[[Store, int], Awaitable[bool]],
    *,
    body: str = "",
) -> None:
    """Ask the running bridge; when it does not run, change the store here."""
    with exits():
        config = load_config(path, accounts=False)
        try:
            refusal = _asked(config, contact_id, verb, missing, body)
            if refusal is None:
                refusal = "" if asyncio.run(_do(config, act)) else missing
        except NoContact as error:
            refusal = str(error)
        if refusal:
            complain(f"{contact_id}: {refusal}")
            leave(1)


def _asked(config: Config, contact_id: str, verb: str, missing: str, body: str) -> str | None:
    """Why the running bridge refused, or "" when it did not; None when no bridge runs."""
    if (database := config.storage.file) is None:
        return None
    if no_store_yet(config):
        return NO_CONTACT
    try:
        return Control(database).ask("contacts", contact_id, verb, missing=missing, body=body) or ""
    except ConnectionRefusedError:
        return None


async def _do(config: Config, act: Callable[[Store, int], Awaitable[bool]]) -> bool:
    store = await open_store(config.storage.url, config.storage.keys)
    try:
        return await act(store, SystemClock().now())
    finally:
        await store.close()


async def people_of(config: Config, limit: int) -> list[dict[str, object]]:
    """The newest people, at most `limit`."""
    if no_store_yet(config):
        return []

    async def read(store: StoreReader) -> list[ContactCard]:
        cards = await store.contacts(limit=min(limit, _PAGE))
        while cards and len(cards) < limit:
            page = await store.contacts(before=cards[-1].id, limit=min(limit - len(cards), _PAGE))
            if not page:
                break
            cards += page
        return cards

    return [person_of(card) for card in await reading(config, read)]
