"""A list too long for one message, page by page."""

from __future__ import annotations

from bridge import Button, Buttons, Key, Router, Turn

router = Router("catalogue")
BOOKS = ["Emma", "Dracula", "Ulysses", "Walden", "Candide", "Middlemarch", "Persuasion"]
SIZE = 3


class Page(Key):
    page: int


def show(page: int) -> Buttons:
    buttons = [Button(Page(page=page - 1), "Back")] if page else []
    if (page + 1) * SIZE < len(BOOKS):
        buttons.append(Button(Page(page=page + 1), "More"))
    return Buttons("\n".join(BOOKS[page * SIZE : (page + 1) * SIZE]), buttons)


@router.message(text="books")
async def first(_turn: Turn) -> Buttons:
    return show(0)


@router.postback(Page)
async def other(_turn: Turn, press: Page) -> Buttons:
    return show(press.page)
