"""The pictures of the pages, taken of the real demo in a real browser: `python -m tests.docs.pictures`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import expect, sync_playwright

from tests.docs.pages import DOCS, ROOT
from tests.release.tryout import clean, serving, wait_until_ready
from tests.support.browsers import ARGUMENTS, CHROMIUM

CONSOLE: Final = "console.png"
_ORDER: Final = ("hello", "teas", "matcha", "2")


def take(folder: Path) -> None:
    """Order tea at the console of `threadbridge demo`, and keep what is seen."""
    command, environment = [sys.executable, "-m", "bridge"], {**clean(), "PYTHONPATH": str(ROOT)}
    with (
        tempfile.TemporaryDirectory() as home,
        serving(command, Path(home), environment) as port,
        sync_playwright() as driver,
    ):
        wait_until_ready(port)
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 860, "height": 640})
        page.goto(f"http://127.0.0.1:{port}/console")
        expect(page.locator("#link")).to_have_text("live")
        for number, text in enumerate(_ORDER, start=1):
            page.fill("#text", text)
            page.keyboard.press("Enter")
            expect(page.locator(".message.out .state").nth(number - 1)).to_have_text("delivered")
        expect(page.locator(".message.out .bubble").last).to_contain_text("2 x Matcha, 30 euro. Shall I order it?")
        page.screenshot(path=folder / CONSOLE)
        browser.close()


if __name__ == "__main__":
    take(DOCS / "images")
