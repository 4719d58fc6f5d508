"""The operator's console in a real browser: search, write, take over, return, erase; no word of a contact runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect
from pydantic import SecretStr

from bridge.messages import Button, Buttons
from bridge.routing.router import Router
from bridge.web.operator import access
from tests.support.browsers import BROWSING, XSS, come_in, log_in, no_serious_fault, page_of
from tests.support.whole_bridges import Served, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

    from bridge import Turn

pytestmark = BROWSING
PASSWORD: Final = "correct horse battery"
VIEWER: Final = "only looking at it"


def shop() -> Router:
    """A bot that answers, hands over, remembers and fails."""
    router = Router("shop")

    @router.message(text="person")
    async def person(turn: Turn[Any]) -> str:
        turn.handoff(f"wants a person {XSS}")
        return "Somebody will be with you shortly."

    @router.message(text="boom")
    async def boom(_: Turn[Any]) -> None:
        raise RuntimeError(XSS)

    @router.message(text="buttons")
    async def buttons(_: Turn[Any]) -> Buttons:
        return Buttons(XSS, [Button("yes", XSS[:60])], header=XSS, footer=XSS)

    @router.message()
    async def other(turn: Turn[Any]) -> str:
        turn.contact.fields["liked"] = turn.event.text
        return f"echo: {turn.event.text}"

    return router


class Desk:
    """A bridge with contacts who write, and its console."""

    def __init__(self, bridge: Served) -> None:
        self._bridge = bridge
        self._number = 0
        self.url = f"http://127.0.0.1:{bridge.port}/console"

    async def hears(self, *texts: str, conversation: str = "ann", name: str = "Ann") -> None:
        """A contact writes, and the bot answers each."""
        bridge = self._bridge.bridge
        for text in texts:
            self._number += 1
            said = {"id": f"e{self._number}", "conversation": conversation, "name": name, "text": text}
            await bridge.webhooks.accept(bridge.config.accounts["demo"], orjson.dumps(said), None)
            await bridge.settle()

    async def settle(self) -> None:
        await self._bridge.bridge.settle()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    config = {
        "storage": {"url": f"sqlite:///{tmp_path}/test.db"},
        "accounts": {"demo": {"provider": "playground"}},
        "handlers": {"attempts": 1},
        "console": {"password": SecretStr(PASSWORD), "viewer_password": SecretStr(VIEWER)},
    }
    async with served(config, shop()) as bridge:
        yield Desk(bridge)


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Page]:
    """An empty page of somebody who is logged in; a login that is typed has the price of production."""
    monkeypatch.setattr(access, "_COST", 2)
    async with page_of(browser) as page:
        await come_in(page, desk.url, PASSWORD)
        yield page


async def test_a_wrong_password_is_told_and_the_right_one_leads_on(browser: Browser, desk: Desk) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await desk.hears("hello")
    await page.goto(f"{desk.url}/threads/1")
    assert page.url.endswith("/login?next=threads%2F1")
    await no_serious_fault(page)
    await page.fill("#password", "wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").last).to_have_text("This is not the password.")
    await page.fill("#password", PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Ann")
    await page.get_by_role("button", name="Log out").click()
    await page.goto(f"{desk.url}/inbox")
    await expect(page.locator("#password")).to_be_visible()
    await context.close()


async def test_conversations_are_searched_as_one_types_and_filtered(page: Page, desk: Desk) -> None:
    for number in range(6):
        await desk.hears("person" if number == 2 else "hello", conversation=f"guest-{number}", name=f"Guest {number}")
    await desk.hears("boom", conversation="eve", name="Eve")
    await page.goto(f"{desk.url}/inbox")
    rows = page.locator("a.row")
    await expect(rows).to_have_count(7)
    await page.keyboard.press("Control+k")
    await page.keyboard.type("guest 4")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text(["Guest 4"])
    assert re.search(r"text=guest(%20|\+)4", page.url)
    await page.reload()
    await expect(page.locator("#text")).to_have_value("guest 4")
    await page.fill("#text", "")
    await page.select_option("#held", "true")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text(["Guest 2"])
    await page.select_option("#held", "")
    await page.get_by_label("Given up").check()
    await expect(rows).to_contain_text(["Eve"])
    await expect(rows).to_have_count(1)
    await page.fill("#text", "%")
    await expect(page.get_by_text("No conversation fits.")).to_be_visible()


async def test_the_inbox_is_live_and_arrow_keys_walk_it(page: Page, desk: Desk) -> None:
    await desk.hears("hello", conversation="ann")
    await page.goto(f"{desk.url}/inbox")
    await expect(page.locator("#link")).to_have_text("live")
    await desk.hears("hello", conversation="bob", name="Bob")
    rows = page.locator("a.row")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("Bob")
    await rows.first.focus()
    await page.keyboard.press("ArrowDown")
    await expect(rows.nth(1)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Ann")


async def test_what_happens_before_a_page_hears_of_news_is_shown(page: Page, desk: Desk) -> None:
    await desk.hears("hello")

    async def late(route: Route) -> None:
        await desk.hears("more")
        await route.continue_()

    await page.route("**/news", late, times=1)
    await page.goto(f"{desk.url}/threads/1")
    await expect(page.locator(".said.contact .bubble")).to_have_text(["hello", "more"])


async def test_a_person_writes_takes_over_and_returns(page: Page, desk: Desk) -> None:
    await desk.hears("hello")
    await page.goto(f"{desk.url}/threads/1")
    await expect(page.locator("#facts")).to_contain_text("The bot has it")
    await page.fill("#words", "Bob here, how can I help?")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".said.person .bubble")).to_have_text(["Bob here, how can I help?"])
    await expect(page.locator("#facts")).to_contain_text("A person has it")
    await expect(page.locator("#words")).to_have_value("")
    await desk.hears("thanks")
    await expect(page.locator(".said.contact .bubble")).to_have_text(["hello", "thanks"])
    await expect(page.locator(".said.bot .bubble")).to_have_text(["echo: hello"])
    await page.fill("#words", "Bye")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".said.person .bubble")).to_have_text(["Bob here, how can I help?", "Bye"])
    await page.get_by_role("button", name="Return to the bot").click()
    await expect(page.locator("#facts")).to_contain_text("The bot has it")
    await page.fill("#note", "he is angry")
    await page.get_by_role("button", name="Take over").click()
    await expect(page.locator("#facts .note")).to_have_text("he is angry")
    await desk.hears("hello?")
    await expect(page.locator(".said.bot .bubble")).to_have_text(["echo: hello"])


async def test_a_draft_and_an_open_detail_survive_news(page: Page, desk: Desk) -> None:
    await desk.hears("hello")
    await page.goto(f"{desk.url}/threads/1")
    await page.locator(".said.bot summary").click()
    await expect(page.locator(".said.bot dl")).to_contain_text("Key")
    await page.fill("#words", "half a sen")
    await desk.hears("more")
    await expect(page.locator(".said.contact .bubble")).to_have_text(["hello", "more"])
    await expect(page.locator("#words")).to_have_value("half a sen")
    await expect(page.locator(".said.bot dl").first).to_be_visible()
    await expect(page.locator("#said")).to_have_text("New messages")


async def test_nothing_that_a_contact_writes_runs_anywhere(page: Page, desk: Desk) -> None:
    await desk.hears(XSS, "buttons", "boom", "person", conversation="eve", name=XSS)
    for path in ("inbox", "threads/1", "contacts", "contacts/1"):
        await page.goto(f"{desk.url}/{path}")
        await expect(page.locator("main")).to_contain_text('"><img src=x onerror=')
        for summary in await page.locator("summary").all():
            await summary.click()
        assert await page.evaluate("window.broken") is None
        assert await page.locator("main img").count() == 0
    await page.goto(f"{desk.url}/inbox")
    await desk.hears("again", conversation="eve", name=f"{XSS} 2")
    await expect(page.locator("a.row")).to_contain_text([f"{XSS} 2"])
    assert await page.evaluate("window.broken") is None


async def test_a_contact_is_found_and_erased_after_a_second_thought(page: Page, desk: Desk) -> None:
    await desk.hears("tea")
    await page.goto(f"{desk.url}/contacts")
    await page.locator("a.row").click()
    await expect(page.locator("dl").first).to_contain_text("liked")
    await page.get_by_role("button", name="Erase").click()  # the box is not ticked: the browser says so
    await expect(page.get_by_role("heading", level=1)).to_have_text("Ann")
    await page.get_by_label("Erase Ann for good").check()
    await page.get_by_role("button", name="Erase").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Contact 1 is erased")
    await page.goto(f"{desk.url}/inbox")
    await expect(page.get_by_text("No conversation fits.")).to_be_visible()


async def test_two_contacts_are_merged_and_unmerged_by_keyboard(page: Page, desk: Desk) -> None:
    await desk.hears("hello")
    await desk.hears("hello", conversation="bob", name=XSS)
    await page.goto(f"{desk.url}/contacts/1")
    await page.get_by_role("link", name="Merge with another contact").press("Enter")
    await expect(page.locator("#text")).to_be_focused()
    await page.keyboard.type("img")
    await expect(page.locator("a.row")).to_have_count(1)
    await page.locator("a.row").press("Enter")
    await expect(page.get_by_role("heading", level=2)).to_have_text(["Ann", XSS])
    await expect(page.locator(".pair")).to_contain_text("console/bob")
    await no_serious_fault(page)
    await page.get_by_role("link", name="Let 2 be the one that counts").press("Enter")
    await page.get_by_role("button", name="Merge 1 into 2").press("Enter")
    await expect(page.locator(".merged")).to_contain_text("Contact 1")
    await no_serious_fault(page)
    await page.set_viewport_size({"width": 360, "height": 740})
    for path in ("contacts/2", "contacts/1/merge", "contacts/1/merge?other=2"):
        await page.goto(f"{desk.url}/{path}")
        assert await page.evaluate("document.documentElement.scrollWidth") == 360, path
        await no_serious_fault(page)
    await page.goto(f"{desk.url}/contacts/2")
    await page.get_by_role("button", name="Unmerge 1").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Ann")
    await expect(page.locator("a.row")).to_have_count(1)


async def test_a_viewer_sees_no_button_that_changes_anything(browser: Browser, desk: Desk) -> None:
    await desk.hears("hello")
    context = await browser.new_context()
    page = await context.new_page()
    await log_in(page, desk.url, VIEWER)
    await page.goto(f"{desk.url}/threads/1")
    await expect(page.locator("main")).to_contain_text("echo: hello")
    assert await page.locator("main button").count() == 0
    await context.close()


async def test_a_session_that_ended_leads_to_the_login_without_a_reload(page: Page, desk: Desk) -> None:
    await desk.hears("hello")
    await page.goto(f"{desk.url}/threads/1")
    await page.fill("#words", "x")
    await page.context.clear_cookies()
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#password")).to_be_visible()


async def test_the_console_speaks_indonesian_by_the_browser_and_by_choice(page: Page, desk: Desk) -> None:
    await page.goto(f"{desk.url}/inbox")
    await page.get_by_role("button", name="Bahasa Indonesia").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Kotak masuk")
    assert await page.get_attribute("html", "lang") == "id"
    assert page.context.browser is not None
    context = await page.context.browser.new_context(locale="id-ID")
    other = await context.new_page()
    await other.goto(f"{desk.url}/login")
    await expect(other.get_by_role("heading", level=1)).to_have_text("Masuk")
    await context.close()


async def test_no_page_has_a_serious_fault_for_screen_readers_and_keyboards(page: Page, desk: Desk) -> None:
    await desk.hears("hello", "buttons", "boom", "person")
    for path in ("inbox", "inbox?text=nobody", "threads/1", "threads/9", "contacts", "contacts/1"):
        await page.goto(f"{desk.url}/{path}")
        for summary in await page.locator("summary").all():
            await summary.click()
        await no_serious_fault(page)
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()


async def test_a_phone_shows_every_page_without_scrolling_aside(page: Page, desk: Desk) -> None:
    await desk.hears("hello", "buttons", "boom", "person", XSS.replace(" ", "_") * 3)
    await page.set_viewport_size({"width": 360, "height": 740})
    for path in ("inbox", "threads/1", "contacts", "contacts/1"):
        await page.goto(f"{desk.url}/{path}")
        for summary in await page.locator("summary").all():
            await summary.click()
        assert await page.evaluate("document.documentElement.scrollWidth") == 360, path
        await no_serious_fault(page)
    await page.get_by_role("button", name="Navigation").click()
    await page.get_by_role("link", name="Inbox").first.click()
    await page.wait_for_url(re.compile("/inbox$"))
