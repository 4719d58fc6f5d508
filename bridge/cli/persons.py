"""Which person a command means: by number, or by any identity."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from bridge.cli.output import complain, leave
from bridge.cli.threads import no_store_yet
from bridge.store.opening import open_reader
from bridge.web.control_protocol import NO_CONTACT, number_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import TypeVar

    from bridge.config.load import Config
    from bridge.store.people.cards import ContactCard
    from bridge.store.port import StoreReader

    T = TypeVar("T")

_PUNCTUATION: Final = re.compile(r"[\s()./-]")
"""What people write into phone numbers."""


def whom(config: Config, who: str) -> ContactCard:
    """The person of a number or an identity; ends the command where that is not one."""
    cards = asyncio.run(people_named(config, who))
    if len(cards) != 1:
        complain(not_one(who, cards))
        leave(1)
    return cards[0]


async def people_named(config: Config, who: str) -> list[ContactCard]:
    """The people of a number or an identity."""
    return [] if no_store_yet(config) else await reading(config, lambda store: _found(store, who))


def not_one(who: str, cards: Sequence[ContactCard]) -> str:
    """Why a number or an identity does not name one person."""
    several = f"several contacts have it, name one by its number: {', '.join(str(card.id) for card in cards)}"
    return f"{who}: {several if cards else f'{NO_CONTACT}; `threadbridge contacts list` has all'}"


async def _found(store: StoreReader, who: str) -> list[ContactCard]:
    """People by a number, else by an identity."""
    if (number := number_of(who)) is not None and (card := await store.contact(number)) is not None:
        return [card]
    return await store.contacts_named(who) or await store.contacts_named(_PUNCTUATION.sub("", who))


async def reading(config: Config, read: Callable[[StoreReader], Awaitable[T]]) -> T:
    """What a look into the store finds."""
    store = await open_reader(config.storage.url, config.storage.keys)
    try:
        return await read(store)
    finally:
        await store.close()
