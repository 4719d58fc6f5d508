"""The pictures of the pages, taken of the real demo in a real browser: `python -m tests.docs.pictures`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import expect, sync_playwright

from tests.docs.pages import DOCS, ROOT
from tests.release.tryout import clean, serving, wait_until_ready
from tests.support.browsers import ARGUMENTS, CHROMIUM
from tests.support.warm_python import python

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CONSOLE: Final = "console.png"
INBOX: Final = "inbox.png"
CONVERSATION: Final = "conversation.png"
TRY: Final = "try.png"
PICTURES: Final = (CONSOLE, INBOX, CONVERSATION, TRY)
_ORDER: Final = ("hello", "teas", "matcha", "2")
_PEOPLE: Final = {
    "Siti Rahma": ("hello",),
    "Made Wirawan": ("hello", "teas"),
    "Jan de Vries": ("Do you have jasmine tea?",),
    "Putri Ayu": ("hello", "teas", "sencha"),
    "Tom O'Hara": ("good morning",),
    "Dewi Lestari": ("hello", "teas", "matcha", "3"),
    "Lina Hartono": ("help",),
    "Budi Santoso": ("hello", "I need the invoice of October"),
}
"""Who writes to the shop, and what they say."""
_SAY: Final = """
([id, name, text]) => fetch("say", {
    method: "POST", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({id, conversation: name.split(" ")[0].toLowerCase(), name, text}),
}).then((answer) => answer.status)
"""


def take(folder: Path) -> None:
    """Be customers and a colleague at `threadbridge demo`, and keep what is seen."""
    command, environment = [python(), "-m", "bridge"], {**clean(), "PYTHONPATH": str(ROOT)}
    with (
        tempfile.TemporaryDirectory() as home,
        serving(command, Path(home), environment) as port,
        sync_playwright() as driver,
    ):
        wait_until_ready(port)
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        url = f"http://127.0.0.1:{port}/console"
        _order(browser, url).screenshot(path=folder / CONSOLE)
        page = browser.new_page(viewport={"width": 1280, "height": 760}, locale="en-GB")
        _write(page, url)
        _answer(page)
        page.screenshot(path=folder / CONVERSATION)
        _look(page, url)
        page.screenshot(path=folder / INBOX)
        page.set_viewport_size({"width": 1280, "height": 860})
        _try(page, url)
        page.screenshot(path=folder / TRY)
        browser.close()


def _order(browser: Browser, url: str) -> Page:
    """A customer orders tea."""
    page = browser.new_page(viewport={"width": 860, "height": 640})
    page.goto(url)
    expect(page.locator("#link")).to_have_text("live")
    for number, text in enumerate(_ORDER, start=1):
        page.fill("#text", text)
        page.keyboard.press("Enter")
        expect(page.locator(".message.out .state").nth(number - 1)).to_have_text("delivered")
    expect(page.locator(".message.out .bubble").last).to_contain_text("2 x Matcha, 30 euro. Shall I order it?")
    return page


def _write(page: Page, url: str) -> None:
    """More people write, and the bot answers each."""
    page.goto(f"{url}/inbox")
    for name, texts in _PEOPLE.items():
        for text in texts:
            assert page.evaluate(_SAY, [text, name, text]) == 200
            page.goto(f"{url}/inbox")
            expect(page.locator(".chip.waits")).to_have_count(0)


def _look(page: Page, url: str) -> None:
    """Somebody is glad, and the inbox shows it."""
    page.goto(f"{url}/inbox")
    assert page.evaluate(_SAY, ["glad", "Budi Santoso", "Thank you, Ann!"]) == 200
    page.goto(f"{url}/inbox")
    expect(page.locator("#link")).to_have_text("live")
    expect(page.locator("a.row")).to_have_count(len(_PEOPLE) + 1)
    expect(page.locator("a.row .last.in")).to_have_count(1)


def _answer(page: Page) -> None:
    """A colleague takes over."""
    page.get_by_role("link", name="Budi Santoso").click()
    page.fill("#note", "asks about an invoice")
    page.get_by_role("button", name="Take over").click()
    expect(page.locator("#facts .note")).to_have_text("asks about an invoice")
    page.fill("#words", "Hello Budi, this is Ann from accounting. I have just sent you the invoice by email.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".said.person .state")).to_have_text("delivered")
    expect(page.locator("#link")).to_have_text("live")


def _try(page: Page, url: str) -> None:
    """A contact of an emulated gateway, which has no buttons."""
    page.goto(f"{url}/try?account=ginalne")
    for text in ("hello", "1"):
        said = page.locator(".said.bot").count()
        page.fill("#words", text)
        page.keyboard.press("Control+Enter")
        expect(page.locator(".said.bot .state")).to_have_text(["sent"] * (said + 1))
    expect(page.locator("#link")).to_have_text("live")
    page.evaluate("scrollTo(0, 0)")


if __name__ == "__main__":
    take(DOCS / "images")
