"""A real browser for a session of tests, pages that nothing may break, and a look for what keeps people out."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first has no windows to look after: pages are the same, for half the processor time."""
CHROMIUM: Final = next(filter(None, map(shutil.which, _NAMES)), None)
ARGUMENTS: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
BROWSING: Final = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: the console's pages are not tried out"),
    pytest.mark.asyncio(loop_scope="session"),
]
"""What marks a module whose tests have a browser."""
XSS: Final = '"><img src=x onerror="window.broken=1"><script>window.broken=1</script>'
"""What a contact may write; nobody's browser runs it."""
PATIENCE: Final = 30_000
"""Milliseconds that a page may take on a machine with much else to do."""
_AXE: Final = Axe().axe_script
_FAULTS: Final = (
    "options => axe.run(options).then(r => r.violations.map(v => [v.impact, v.id, v.nodes.map(n => n.html)]))"
)
"""All else that axe-core tells, of each rule that holds, costs as much to hand over as the looking."""
_SERIOUS: Final = frozenset({"serious", "critical"})

expect.set_options(timeout=PATIENCE)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@asynccontextmanager
async def page_of(browser: Browser, *, width: int = 1280, height: int = 800) -> AsyncIterator[Page]:
    """An empty page; a script error, a breach of the content security policy, or XSS that ran fails the test."""
    context = await browser.new_context(viewport={"width": width, "height": height}, locale="en-GB")
    context.set_default_timeout(PATIENCE)
    page = await context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda line: troubles.append(line.text) if "Content Security Policy" in line.text else None)
    yield page
    assert await page.evaluate("window.broken") is None
    await context.close()
    assert troubles == []


async def log_in(page: Page, url: str, password: str) -> None:
    """Come to the inbox of the console at an address."""
    await page.goto(f"{url}/login")
    await page.get_by_label("Password").fill(password)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/inbox")


async def come_in(page: Page, url: str, password: str) -> None:
    """The same session without the login's page, which costs more than many a test; the page is still empty."""
    own = {"Sec-Fetch-Site": "same-origin"}
    answer = await page.request.post(f"{url}/login", form={"password": password}, headers=own, max_redirects=0)
    assert (answer.status, answer.headers["location"]) == (303, "./inbox")


async def no_serious_fault(page: Page) -> None:
    """Axe-core finds nothing that would keep a person out, in the light nor in the dark, which differ in colours."""
    await page.evaluate(_AXE)
    schemes: dict[Any, dict[str, Any]] = {"dark": {"runOnly": ["color-contrast"]}, "light": {}}
    for scheme, options in schemes.items():
        await page.emulate_media(color_scheme=scheme)
        faults = await page.evaluate(_FAULTS, {"resultTypes": ["violations"], **options})
        assert [fault for fault in faults if fault[0] in _SERIOUS] == [], page.url
