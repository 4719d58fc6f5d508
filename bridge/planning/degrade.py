"""The shapes a message can take: natively, or in the next best form a channel carries, each step down named."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias

from bridge.messages import (
    Audio,
    Button,
    Buttons,
    Cards,
    Document,
    Image,
    Location,
    Menu,
    Row,
    Section,
    Text,
    Video,
    Voice,
    choices_of,
)
from bridge.planning.choices import Choice, number_choices, shorten_titles, title_number
from bridge.planning.split import split_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.messages import Card, Outgoing
    from bridge.planning.capabilities import Capabilities

_Medium: TypeAlias = Image | Video | Audio | Voice | Document
_LIST_SIGN: Final = "☰"
"""The title of a list made of buttons: a bot may speak any language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaped:
    """A message in a channel's own kinds; without parts it is not carried at all, for the reason in `dropped`."""

    parts: tuple[Outgoing, ...] = ()
    choices: tuple[Choice, ...] = ()
    notes: tuple[str, ...] = ()
    dropped: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """What stands around a choice: messages ahead of it, and header, text and footer as the channel has them."""

    ahead: tuple[Outgoing, ...] = ()
    header: str | Image | Video | Document | None = None
    text: str = ""
    footer: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines of a numbered text that belong together: a heading, and rows to choose from."""

    heading: str
    rows: Sequence[Row] = field(default=())


def shape(message: Outgoing, capabilities: Capabilities) -> Shaped:
    """The message in kinds the channel carries; the fields all messages have are the planner's to set.

    Text is split; media become links with their captions, a location a map link; more buttons than fit a list;
    what cannot be chosen natively is numbered, in plain text.
    """
    match message:
        case Text(text=text):
            return _text(text, capabilities)
        case Image() | Video() | Audio() | Voice() | Document():
            return _medium(message, capabilities)
        case Buttons() | Menu():
            return _choosing(message, capabilities)
        case Cards():
            return _cards(message, capabilities)
        case _:
            return _as_it_is(message, capabilities)


def _as_it_is(message: Outgoing, capabilities: Capabilities) -> Shaped:
    if message.kind in capabilities.kinds:
        return Shaped(parts=(message,))
    if isinstance(message, Location):
        return _noted(_text(_map_link(message), capabilities), "location: sent as a map link")
    return Shaped(dropped=f"{message.kind}: not carried here")


def _text(text: str, capabilities: Capabilities) -> Shaped:
    if "text" not in capabilities.kinds or capabilities.text == 0:
        return Shaped(dropped="text: not carried here")
    pieces = split_text(text, capabilities.text)
    return Shaped(parts=tuple(map(Text, pieces)), notes=_divided(text, pieces))


def _divided(text: str, pieces: Sequence[str]) -> tuple[str, ...]:
    """What splitting changed; where the text ends in white space that may be all that was too long."""
    if len(pieces) > 1:
        return (f"text: split into {len(pieces)} messages",)
    return () if list(pieces) == [text] else ("text: white space at its end left out",)


def _medium(medium: _Medium, capabilities: Capabilities) -> Shaped:
    caption, most = medium.caption, capabilities.text
    if medium.kind not in capabilities.kinds:
        cut = () if most is None or len(medium.url) <= most else ("url: longer than a text may be, and cut",)
        return _noted(_text(_link(medium), capabilities), f"{medium.kind}: sent as a link", *cut)
    if not caption or (capabilities.caption and (most is None or len(caption) <= most)):
        return Shaped(parts=(medium,))
    said = _text(caption, capabilities)
    how = "lost, for text is not carried here" if said.dropped else "sent as a text after it"
    return Shaped(parts=(replace(medium, caption=""), *said.parts), notes=(f"caption: {how}", *said.notes))


def _link(medium: _Medium) -> str:
    return "\n".join(filter(None, (medium.caption, medium.name, medium.url)))


def _map_link(place: Location) -> str:
    """A link every phone opens, in its map application if it has one (Google's "Maps URLs")."""
    latitude, longitude = (f"{Decimal(repr(degrees)):f}" for degrees in (place.latitude, place.longitude))
    link = f"https://www.google.com/maps/search/?api=1&query={latitude},{longitude}"
    return f"{place.name}\n{link}" if place.name else link


def _choosing(message: Buttons | Menu, capabilities: Capabilities) -> Shaped:
    """Natively, else buttons as a list, else as numbered text."""
    why: list[str] = []
    for form in (message, _as_menu(message)) if isinstance(message, Buttons) else (message,):
        reason = _misfit(form, capabilities)
        if not reason:
            notes = (f"{', '.join(why)}; shown as a list",) if why else ()
            return _noted(_native(form, capabilities), *notes)
        why.append(reason)
    return _noted(_numbered(message, capabilities), f"{', '.join(why)}; shown as numbered text")


def _as_menu(message: Buttons) -> Menu:
    rows = tuple(Row(button.key, button.title) for button in message.buttons)
    sections = (Section(_LIST_SIGN, rows),)
    return Menu(message.text, _LIST_SIGN, sections, header=message.header, footer=message.footer)


def _misfit(form: Buttons | Menu, capabilities: Capabilities) -> str:
    """Why a channel cannot show these buttons or this list as such; "" when it can."""
    buttons = choices_of(form)
    most, room = _limits(form, capabilities)
    longest = capabilities.button_key
    if form.kind not in capabilities.kinds or not most or capabilities.text == 0:
        return f"{form.kind}: not carried here"
    if len(buttons) > most:
        return f"{form.kind}: {len(buttons)} are more than {most}"
    if longest is not None and any(len(button.key) > longest for button in buttons):
        return f"{form.kind}: a key is longer than {longest} characters"
    if shorten_titles([button.title for button in buttons], room) is None:
        return f"{form.kind}: two titles would read the same"
    return ""


def _limits(form: Buttons | Menu, capabilities: Capabilities) -> tuple[int, int | None]:
    if isinstance(form, Buttons):
        return capabilities.buttons, capabilities.button_title
    return capabilities.rows, capabilities.row_title


def _native(form: Buttons | Menu, capabilities: Capabilities) -> Shaped:
    """A form that fits, after whatever of its text has to go ahead of it."""
    frame = _frame(form, capabilities)
    if capabilities.text is not None and len(frame.text) > capabilities.text:
        # The header belongs over the first words, and they go ahead in messages that have none.
        frame = _frame(form, replace(capabilities, header=frozenset()))
    *texts, text = split_text(frame.text, capabilities.text)
    form, notes = _retitled(form, _limits(form, capabilities)[1])
    if texts and "text" not in capabilities.kinds:
        return Shaped(dropped="text: not carried here")
    notes = (*notes, *_divided(frame.text, [*texts, text]))
    form = replace(form, text=text, header=frame.header, footer=frame.footer)
    choices = tuple(Choice(number=None, key=button.key, title=button.title) for button in choices_of(form))
    return Shaped(parts=(*frame.ahead, *map(Text, texts), form), choices=choices, notes=(*frame.notes, *notes))


def _retitled(form: Buttons | Menu, room: int | None) -> tuple[Buttons | Menu, tuple[str, ...]]:
    """The form with its titles cut to `room` characters."""
    buttons = choices_of(form)
    titles = shorten_titles([button.title for button in buttons], room) or []
    notes = tuple(
        f"title {button.title!r}: cut to {room} characters"
        for button, title in zip(buttons, titles, strict=True)
        if button.title != title
    )
    if not notes:
        return form, ()
    if isinstance(form, Buttons):
        cut = tuple(Button(button.key, title) for button, title in zip(buttons, titles, strict=True))
        return replace(form, buttons=cut), notes
    rest = iter(titles)
    sections = tuple(
        replace(section, rows=tuple(replace(row, title=next(rest)) for row in section.rows))
        for section in form.sections
    )
    return replace(form, sections=sections), notes


def _frame(form: Buttons | Menu, capabilities: Capabilities) -> _Frame:
    """Header and footer natively, or folded into the text; a medium that is no header here goes ahead."""
    header, text, footer = form.header or None, form.text, form.footer or None
    ahead: tuple[Outgoing, ...] = ()
    notes: tuple[str, ...] = ()
    fold = ""
    if isinstance(header, str) and "text" not in capabilities.header:
        fold, header = header, None
        notes = ("header: folded into the text",)
    elif header is not None and not isinstance(header, str):
        if header.kind in capabilities.header:
            fold = header.caption
            notes = ("header's caption: folded into the text",) if fold else ()
            header = type(header)(header.url, name=header.name)
        elif header.kind in capabilities.kinds:
            sent = _medium(header, capabilities)
            ahead, header = sent.parts, None
            notes = ("header: sent ahead", *sent.notes)
        else:
            fold, header = _link(header), None
            notes = ("header: folded into the text as a link",)
    if fold:
        text = f"{fold}\n\n{text}"
    if footer and not capabilities.footer:
        text, footer = f"{text}\n\n{footer}", None
        notes = (*notes, "footer: folded into the text")
    return _Frame(ahead=ahead, header=header, text=text, footer=footer, notes=notes)


def _numbered(message: Buttons | Menu, capabilities: Capabilities) -> Shaped:
    """The choices as lines of text: the list's title and its sections as headings, header above, footer below."""
    plain = replace(capabilities, header=frozenset(), footer=True)
    frame = _frame(message, plain)
    blocks = [_Block(frame.text)]
    if isinstance(message, Buttons):
        blocks.append(_Block("", [Row(button.key, button.title) for button in message.buttons]))
    else:
        sections = [_Block(_line(each.title, each.description), each.rows) for each in message.sections]
        if len(sections) == 1 and sections[0].heading in {"", message.title}:
            sections = [replace(sections[0], heading=message.title)]
        else:
            blocks.append(_Block(message.title))
        blocks += sections
    notes = frame.notes
    if frame.footer:
        blocks.append(_Block(frame.footer))
        notes = (*notes, "footer: folded into the text")
    return _noted(_listed(blocks, capabilities, frame.ahead), *notes)


def _listed(blocks: Sequence[_Block], capabilities: Capabilities, ahead: tuple[Outgoing, ...]) -> Shaped:
    """Blocks as one text, an empty line between them, their rows numbered throughout."""
    rows = [row for block in blocks for row in block.rows]
    choices = tuple(
        Choice(number=number, key=row.key, title=row.title)
        for number, row in zip(number_choices([row.title for row in rows]), rows, strict=True)
    )
    lines = iter(_choice_line(choice, row) for choice, row in zip(choices, rows, strict=True))
    texts = ["\n".join(filter(None, (block.heading, *(next(lines) for _ in block.rows)))) for block in blocks]
    said = _text("\n\n".join(filter(None, texts)), capabilities)
    return said if said.dropped else replace(said, parts=(*ahead, *said.parts), choices=choices)


def _choice_line(choice: Choice, row: Row) -> str:
    line = _line(row.title, row.description)
    return line if title_number(row.title) == choice.number else f"{choice.number}. {line}"


def _line(title: str, description: str) -> str:
    return " — ".join(filter(None, (title, description)))


def _cards(message: Cards, capabilities: Capabilities) -> Shaped:
    """Cards as such, else a message each where their titles tell them apart, else as numbered text."""
    cards = [card for card in message.cards if card.title or card.image or card.buttons]
    if not cards:
        return Shaped(dropped="cards: nothing to show")
    reason = _misfit_cards(message, capabilities)
    if not reason:
        choices = tuple(Choice(number=None, key=each.key, title=each.title) for each in choices_of(message))
        return Shaped(parts=(message,), choices=choices)
    titles = [button.title for button in choices_of(message)]
    singles = [single for card in cards if (single := _single(card))]
    fit = not any(_misfit(single, capabilities) for single in singles if isinstance(single, Buttons))
    if fit and len(singles) == len(cards) and shorten_titles(titles, capabilities.button_title) is not None:
        return _noted(_joined([shape(single, capabilities) for single in singles]), f"{reason}; sent one by one")
    blocks: list[_Block] = []
    images: list[Shaped] = []
    for card in cards:
        heading = card.title
        if card.image and "image" in capabilities.kinds:
            images.append(_medium(Image(card.image, caption=card.title), capabilities))
        elif card.image:
            heading = "\n".join(filter(None, (card.title, card.image)))
        blocks.append(_Block(heading, [Row(button.key, button.title) for button in card.buttons]))
    ahead = _joined(images)
    listed = _listed(blocks, capabilities, ahead.parts)
    return _noted(listed, f"{reason}; shown as numbered text", *ahead.notes)


def _misfit_cards(message: Cards, capabilities: Capabilities) -> str:
    """Why a channel cannot show these cards as such; "" when it can."""
    buttons, longest = choices_of(message), capabilities.button_key
    titles = [button.title for button in buttons]
    if "cards" not in capabilities.kinds:
        return "cards: not carried here"
    if any(len(card.buttons) > capabilities.buttons for card in message.cards):
        return f"cards: one has more than {capabilities.buttons} buttons"
    if longest is not None and any(len(button.key) > longest for button in buttons):
        return f"cards: a key is longer than {longest} characters"
    if shorten_titles(titles, capabilities.button_title) != titles:
        return "cards: two titles would read the same, or one is too long"
    return ""


def _single(card: Card) -> Outgoing | None:
    """A card as a message of its own; None for buttons under no title."""
    if card.buttons:
        header = Image(card.image) if card.image else None
        return Buttons(card.title, card.buttons, header=header) if card.title else None
    return Image(card.image, caption=card.title) if card.image else Text(card.title)


def _joined(all_shaped: Sequence[Shaped]) -> Shaped:
    """Several as one; dropped when one of them is."""
    return Shaped(
        parts=tuple(part for each in all_shaped for part in each.parts),
        choices=tuple(choice for each in all_shaped for choice in each.choices),
        notes=tuple(note for each in all_shaped for note in each.notes),
        dropped=next((each.dropped for each in all_shaped if each.dropped), None),
    )


def _noted(shaped: Shaped, *notes: str) -> Shaped:
    return shaped if shaped.dropped else replace(shaped, notes=(*notes, *shaped.notes))
