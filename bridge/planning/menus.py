"""Buttons and menus in a channel's own kinds: natively, as a list, or as numbered text."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from bridge.messages import Button, Buttons, Document, Image, Menu, Row, Section, Text, Video, choices_of
from bridge.planning.choices import Choice, number_choices, shorten_titles, title_number
from bridge.planning.plain import Degraded, degrade_medium, degrade_text, link, noted, split_notes
from bridge.planning.split import split_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.messages import Outgoing
    from bridge.planning.capabilities import Capabilities

_LIST_SIGN: Final = "☰"
"""The title of a list made of buttons: a bot may speak any language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """The surroundings of a choice: messages ahead of it, and header, text and footer as the channel has them."""

    ahead: tuple[Outgoing, ...] = ()
    header: str | Image | Video | Document | None = None
    text: str = ""
    footer: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph of a numbered text: a heading, and rows to choose from."""

    heading: str
    rows: Sequence[Row] = field(default=())


def degrade_choices(message: Buttons | Menu, capabilities: Capabilities) -> Degraded:
    """A choice natively, else buttons as a list, else as numbered text."""
    reasons: list[str] = []
    for form in (message, _as_menu(message)) if isinstance(message, Buttons) else (message,):
        reason = misfit(form, capabilities)
        if not reason:
            notes = (f"{', '.join(reasons)}; shown as a list",) if reasons else ()
            return noted(_native(form, capabilities), *notes)
        reasons.append(reason)
    return noted(_numbered(message, capabilities), f"{', '.join(reasons)}; shown as numbered text")


def _as_menu(message: Buttons) -> Menu:
    rows = tuple(Row(button.key, button.title) for button in message.buttons)
    sections = (Section(_LIST_SIGN, rows),)
    return Menu(message.text, _LIST_SIGN, sections, header=message.header, footer=message.footer)


def misfit(form: Buttons | Menu, capabilities: Capabilities) -> str:
    """The reason why a channel cannot show these buttons or this list; "" when it can."""
    buttons = choices_of(form)
    most, room = _limits(form, capabilities)
    if form.kind not in capabilities.kinds or not most or capabilities.text == 0:
        return f"{form.kind}: not carried here"
    if len(buttons) > most:
        return f"{form.kind}: {len(buttons)} are more than {most}"
    if not all(capabilities.takes_key(button.key) for button in buttons):
        return f"{form.kind}: a key is longer than {capabilities.button_key} bytes"
    if _titles(form, room, capabilities) is None:
        return f"{form.kind}: two titles would read the same"
    return ""


def _titles(form: Buttons | Menu, room: int | None, capabilities: Capabilities) -> list[str] | None:
    """The titles in `room`; None when two would read the same.

    Where a press brings its key, rows of another section or description may have the same title.
    """
    places: list[tuple[int, str]] = []
    if isinstance(form, Menu) and capabilities.keys_return:
        places = [(at, row.description) for at, section in enumerate(form.sections) for row in section.rows]
    return shorten_titles([button.title for button in choices_of(form)], room, capabilities.size, places=places)


def _limits(form: Buttons | Menu, capabilities: Capabilities) -> tuple[int, int | None]:
    if isinstance(form, Buttons):
        return capabilities.buttons, capabilities.button_title
    return capabilities.rows, capabilities.row_title


def _native(form: Buttons | Menu, capabilities: Capabilities) -> Degraded:
    """A form that fits. Text beyond the channel's length goes ahead of it."""
    frame = _frame(form, capabilities)
    if not capabilities.takes_text(frame.text):
        # The header belongs over the first words, and they go ahead in messages that have none.
        frame = _frame(form, replace(capabilities, header=frozenset()))
    *texts, text = split_text(frame.text, capabilities.text, capabilities.size)
    form, notes = _retitled(form, capabilities)
    if texts and "text" not in capabilities.kinds:
        return Degraded(dropped="text: not carried here")
    notes = (*notes, *split_notes(frame.text, [*texts, text]))
    form = replace(form, text=text, header=frame.header, footer=frame.footer)
    choices = tuple(Choice(number=None, key=button.key, title=button.title) for button in choices_of(form))
    return Degraded(parts=(*frame.ahead, *map(Text, texts), form), choices=choices, notes=(*frame.notes, *notes))


def _retitled(form: Buttons | Menu, capabilities: Capabilities) -> tuple[Buttons | Menu, tuple[str, ...]]:
    """The form with its titles cut to the channel's length."""
    buttons, room = choices_of(form), _limits(form, capabilities)[1]
    titles = _titles(form, room, capabilities) or []
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
    """Header and footer natively, or folded into the text; a medium that cannot be a header goes ahead."""
    header, text, footer = form.header or None, form.text, form.footer or None
    ahead: tuple[Outgoing, ...] = ()
    notes: tuple[str, ...] = ()
    above = ""
    if isinstance(header, str) and "text" not in capabilities.header:
        above, header = header, None
        notes = ("header: folded into the text",)
    elif header is not None and not isinstance(header, str):
        if header.kind in capabilities.header:
            above = header.caption
            notes = ("header's caption: folded into the text",) if above else ()
            header = type(header)(header.url, name=header.name)
        elif header.kind in capabilities.kinds:
            medium = degrade_medium(header, capabilities)
            ahead, header = medium.parts, None
            notes = ("header: sent ahead", *medium.notes)
        else:
            above, header = link(header), None
            notes = ("header: folded into the text as a link",)
    if above:
        text = f"{above}\n\n{text}"
    if footer and not capabilities.footer:
        text, footer = f"{text}\n\n{footer}", None
        notes = (*notes, "footer: folded into the text")
    return _Frame(ahead=ahead, header=header, text=text, footer=footer, notes=notes)


def _numbered(message: Buttons | Menu, capabilities: Capabilities) -> Degraded:
    """The choices as lines of text: titles as headings, the header above, the footer below."""
    plain = replace(capabilities, header=frozenset(), footer=True)
    frame = _frame(message, plain)
    blocks = [Block(frame.text)]
    if isinstance(message, Buttons):
        blocks.append(Block("", [Row(button.key, button.title) for button in message.buttons]))
    else:
        sections = [Block(_line(part.title, part.description), part.rows) for part in message.sections]
        if len(sections) == 1 and sections[0].heading in {"", message.title}:
            sections = [replace(sections[0], heading=message.title)]
        else:
            blocks.append(Block(message.title))
        blocks += sections
    notes = frame.notes
    if frame.footer:
        blocks.append(Block(frame.footer))
        notes = (*notes, "footer: folded into the text")
    return noted(numbered_text(blocks, capabilities, frame.ahead), *notes)


def numbered_text(blocks: Sequence[Block], capabilities: Capabilities, ahead: tuple[Outgoing, ...]) -> Degraded:
    """Blocks as one text: an empty line between them, one numbering for all rows."""
    rows = [row for block in blocks for row in block.rows]
    choices = tuple(
        Choice(number=number, key=row.key, title=row.title)
        for number, row in zip(number_choices([row.title for row in rows]), rows, strict=True)
    )
    lines = iter(_choice_line(choice, row) for choice, row in zip(choices, rows, strict=True))
    texts = ["\n".join(filter(None, (block.heading, *(next(lines) for _ in block.rows)))) for block in blocks]
    text = degrade_text("\n\n".join(filter(None, texts)), capabilities)
    return text if text.dropped else replace(text, parts=(*ahead, *text.parts), choices=choices)


def _choice_line(choice: Choice, row: Row) -> str:
    line = _line(row.title, row.description)
    return line if title_number(row.title) == choice.number else f"{choice.number}. {line}"


def _line(title: str, description: str) -> str:
    return " — ".join(filter(None, (title, description)))
