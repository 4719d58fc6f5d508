"""Cards in a channel's own kinds: natively, as single messages, or as numbered text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.messages import Buttons, Image, Row, choices_of
from bridge.planning.choices import Choice, shorten_titles
from bridge.planning.menus import Block, degrade_choices, misfit, numbered_text
from bridge.planning.plain import Degraded, degrade_medium, degrade_text, joined, noted

if TYPE_CHECKING:
    from bridge.messages import Card, Cards
    from bridge.planning.capabilities import Capabilities


def degrade_cards(message: Cards, capabilities: Capabilities) -> Degraded:
    """Cards natively; else a message each, if all titles differ; else as numbered text."""
    cards = [card for card in message.cards if card.title or card.image or card.buttons]
    if not cards:
        return Degraded(dropped="cards: nothing to show")
    reason = _misfit_cards(message, capabilities)
    if not reason:
        choices = tuple(Choice(number=None, key=button.key, title=button.title) for button in choices_of(message))
        return Degraded(parts=(message,), choices=choices)
    single = _one_by_one(message, cards, capabilities)
    if single is not None:
        return noted(single, f"{reason}; sent one by one")
    listed = _numbered(cards, capabilities)
    return noted(listed, f"{reason}; shown as numbered text")


def _one_by_one(message: Cards, cards: list[Card], capabilities: Capabilities) -> Degraded | None:
    """A message for each card; None where a card has no form of its own, or two titles would read the same."""
    titles = [button.title for button in choices_of(message)]
    if (
        shorten_titles(titles, capabilities.button_title, capabilities.size, places=_places(message, capabilities))
        is None
    ):
        return None
    singles: list[Degraded] = []
    for card in cards:
        if card.buttons:
            if not card.title:
                return None
            buttons = Buttons(card.title, card.buttons, header=Image(card.image) if card.image else None)
            if misfit(buttons, capabilities):
                return None
            singles.append(degrade_choices(buttons, capabilities))
        elif card.image:
            singles.append(degrade_medium(Image(card.image, caption=card.title), capabilities))
        else:
            singles.append(degrade_text(card.title, capabilities))
    return joined(singles)


def _numbered(cards: list[Card], capabilities: Capabilities) -> Degraded:
    """The images ahead, then titles and buttons as lines of text."""
    blocks: list[Block] = []
    images: list[Degraded] = []
    for card in cards:
        heading = card.title
        if card.image and "image" in capabilities.kinds:
            images.append(degrade_medium(Image(card.image, caption=card.title), capabilities))
        elif card.image:
            heading = "\n".join(filter(None, (card.title, card.image)))
        blocks.append(Block(heading, [Row(button.key, button.title) for button in card.buttons]))
    ahead = joined(images)
    return noted(numbered_text(blocks, capabilities, ahead.parts), *ahead.notes)


def _misfit_cards(message: Cards, capabilities: Capabilities) -> str:
    """The reason why a channel cannot show these cards; "" when it can."""
    buttons = choices_of(message)
    titles = [button.title for button in buttons]
    if "cards" not in capabilities.kinds:
        return "cards: not carried here"
    if any(len(card.buttons) > capabilities.buttons for card in message.cards):
        return f"cards: one has more than {capabilities.buttons} buttons"
    if not all(capabilities.takes_key(button.key) for button in buttons):
        return f"cards: a key is longer than {capabilities.button_key} bytes"
    places = _places(message, capabilities)
    if shorten_titles(titles, capabilities.button_title, capabilities.size, places=places) != titles:
        return "cards: two titles would read the same, or one is too long"
    return ""


def _places(message: Cards, capabilities: Capabilities) -> list[int]:
    """The card of each button, where a press brings its key: there each card may have the same buttons."""
    return [at for at, card in enumerate(message.cards) for _ in card.buttons] if capabilities.keys_return else []
