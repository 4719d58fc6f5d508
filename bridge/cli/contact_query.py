"""Recipients out of the known contacts of an account, by their tags and fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer

from bridge.cli.persons import reading
from bridge.cli.recipient_files import Recipients
from bridge.engine.broadcasts.composing import Row
from bridge.store.reading import MANY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.config.load import Config
    from bridge.events import ThreadRef
    from bridge.store.people.cards import CardThread, ContactCard
    from bridge.store.port import StoreReader

Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="With --contacts: those with this tag; repeatable.")
]
Fields = Annotated[
    list[str] | None,
    typer.Option("--field", metavar="NAME=VALUE", help="With --contacts: those with this field; repeatable."),
]
_PAGE: Final = 200
_NAME: Final = "name"


async def people_asked_for(
    config: Config, account: str, channel: str | None, tags: Sequence[str], fields: Sequence[str]
) -> Recipients:
    """Those of `matching` in the store of a configuration; `fields` are NAME=VALUE. Raises typer.BadParameter."""
    wanted = dict(map(_field, fields))
    return await reading(config, lambda store: matching(store, account, channel, tags, wanted))


async def matching(
    store: StoreReader, account: str, channel: str | None, tags: Sequence[str], fields: Mapping[str, str]
) -> Recipients:
    """Each contact of an account with these tags and fields, in the conversation in which they were heard last.

    A contact who opted out there is left out. Their name and fields are the columns.
    """
    rows: list[Row] = []
    threads: dict[int, ThreadRef] = {}
    before = MANY
    while page := await store.contacts(before=before, limit=_PAGE):
        before = page[-1].id
        for card in page:
            thread, kept = _thread(card, account, channel), orjson.loads(card.kept)
            if thread is not None and {*tags} <= {*kept["tags"]} and _fits(kept["fields"], fields):
                rows.append(Row(card.id, thread.id, _columns(card, thread, kept["fields"])))
                threads[thread.id] = thread.ref
    return Recipients(None, sorted(rows, key=lambda row: row.number), [], threads)


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter("want NAME=VALUE, like city=Jakarta", param_hint="--field")
    return name, value


def _fits(fields: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    return all(name in fields and str(fields[name]) == value for name, value in wanted.items())


def _thread(card: ContactCard, account: str, channel: str | None) -> CardThread | None:
    threads = [
        thread
        for thread in card.threads
        if thread.ref.account == account and channel in {None, thread.ref.channel}
        if not (thread.is_alias or thread.is_lost or thread.opted_out)
    ]
    return max(threads, key=lambda thread: thread.last_heard or 0, default=None)


def _columns(card: ContactCard, thread: CardThread, fields: Mapping[str, Any]) -> Mapping[str, str]:
    name = card.name or (thread.contact.name if thread.contact is not None else "") or ""
    return {
        **{key: str(value) for key, value in fields.items() if value is not None},
        **({_NAME: name} if name else {}),
    }
