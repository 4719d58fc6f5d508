"""The desk in a real browser: dead letters by keyboard and many at once, curves that grow, and no one kept out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from bridge import Job, Message, Router, Turn
from bridge.errors import HandlerError
from bridge.web.operator import access
from tests.support.browsers import BROWSING, XSS, come_in, no_serious_fault, page_of
from tests.support.desk_pages import PASSWORD, Desk, desk_of
from tests.support.whole_bridges import konnek_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = BROWSING
PAGES: Final = ("broadcasts", "letters", "letters/in-1", "dashboard", "timers", "jobs", "audit")


async def remind(turn: Turn) -> None:
    del turn


def bot() -> Router:
    router = Router(XSS.replace('"', ""))

    @router.message(text="remind")
    async def later(turn: Turn[Message]) -> None:
        turn.after("2h", remind, name=XSS)

    @router.message()
    async def fail(turn: Turn[Message]) -> None:
        raise HandlerError(f"no answer to {turn.event.text}")

    @router.every("10min", name="report")
    async def report(turn: Turn[Job]) -> None:
        turn.state["ran"] = True

    return router


@pytest.fixture(autouse=True)
def _quick_logins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of the operator's console log in at the price of production."""
    monkeypatch.setattr(access, "_COST", 2)


@pytest_asyncio.fixture(loop_scope="session")
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(tmp_path, bot(), is_open=False) as desk:
        for number in range(3):
            await desk.webhook(konnek_text(f"m-{number}", f"{XSS} {number}", f"62812345000{number:02}"))
        await desk.webhook({"what": XSS})
        await desk.webhook(konnek_text("m-9", "remind", "6281234500099"))
        yield desk


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, desk: Desk) -> AsyncIterator[Page]:
    """The page after the login."""
    async with page_of(browser, width=1100) as page:
        await come_in(page, desk.url, PASSWORD)
        await page.goto(f"{desk.url}/letters")
        yield page


def letters(page: Page) -> Any:
    return page.locator("ul.rows > li")


async def test_letters_are_found_chosen_and_replayed_by_keyboard_alone(page: Page, desk: Desk) -> None:
    await expect(letters(page)).to_have_count(4)
    await page.keyboard.press("Control+k")
    await page.keyboard.type("given up")
    await expect(letters(page)).to_have_count(3)
    await expect(page).to_have_url(re.compile(r"reason=given(\+|%20)up"))
    replay = page.get_by_role("button", name="Replay", exact=True)
    await expect(replay).to_be_disabled()
    box = page.get_by_label("Choose in-1")
    await box.focus()
    await page.keyboard.press("Space")
    await expect(replay).to_be_enabled()
    await replay.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").filter(has_text="Replayed: 1")).to_be_visible()
    await desk.door.bridge.settle()
    assert len(await desk.door.letters()) == 4  # it failed again


async def test_all_on_a_page_are_chosen_at_once_and_dropped_after_a_question(page: Page, desk: Desk) -> None:
    everything = page.get_by_label("Choose all on this page")
    await page.get_by_label("Choose in-1").check()
    assert await everything.evaluate("box => box.indeterminate")
    await everything.check()
    await expect(page.locator("input[name=id]:checked")).to_have_count(4)
    page.once("dialog", lambda dialog: dialog.dismiss())
    await page.get_by_role("button", name="Drop", exact=True).click()
    assert len(await desk.door.letters()) == 4
    page.once("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name="Drop", exact=True).click()
    await expect(page.get_by_text("No dead letter fits.")).to_be_visible()
    assert await desk.door.letters() == []


async def test_all_that_fit_go_on_by_themselves_to_the_end(
    page: Page, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.web.operator.letters._BATCH", 1)
    await page.get_by_label("State").select_option("Given up")
    await expect(letters(page)).to_have_count(3)
    page.once("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name="Drop all that fit").click()
    await expect(page.get_by_role("status").filter(has_text=re.compile(r"Dropped: 3\s*$"))).to_be_visible()
    assert [letter.state for letter in await desk.door.letters()] == ["quarantined"]


async def test_a_letter_is_read_and_put_aside(page: Page, desk: Desk) -> None:
    await page.locator("a.row").first.click()
    await expect(page.get_by_role("heading", name="The webhook")).to_be_visible()
    await expect(page.locator("pre").last).to_contain_text("onerror")
    await page.get_by_role("button", name="Drop").click()
    await expect(page.get_by_role("heading", name="Dead letters")).to_be_visible()
    assert len(await desk.door.letters()) == 3


async def test_curves_are_drawn_and_grow_while_one_looks(
    page: Page, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.telemetry.sources.FRESH", 0)
    await page.goto(f"{desk.url}/dashboard")
    await expect(page.locator("#link")).to_have_text("live")
    await expect(page.get_by_text("The first values come within twenty seconds.")).to_be_visible()
    await expect(page.locator(".plot canvas")).to_have_count(0)
    dead = page.locator(".tiles dd.bad")
    await expect(dead).to_have_text("4")
    await desk.webhook(konnek_text("m-10", "one more", "6281234500050"))
    await desk.sample()
    await expect(page.locator(".plot canvas")).to_have_count(6)
    await expect(page.get_by_text("The first values come within twenty seconds.")).to_be_hidden()
    await expect(page.locator('[data-of="dead"], .tiles dd.bad')).to_have_text("5")
    await expect(page.locator('[data-of="webhooks"]')).to_have_text(re.compile(r"^\d"))
    await expect(page.locator('[data-of="turn_p95"]')).to_have_text(re.compile(r" m?s$"))
    await page.get_by_role("link", name="A day").click()
    await expect(page.locator(".plot canvas")).to_have_count(6)
    await page.emulate_media(color_scheme="dark")
    await expect(page.locator(".plot canvas")).to_have_count(6)


async def test_a_job_runs_at_a_press(page: Page, desk: Desk) -> None:
    await page.goto(f"{desk.url}/jobs")
    await page.get_by_role("button", name="Run now report").click()
    await expect(page.get_by_role("status").filter(has_text="report runs.")).to_be_visible()
    await desk.door.bridge.settle()
    found = [thread.ref.conversation_id for thread in await desk.door.bridge.store.threads()]
    assert "report" in found


async def test_rows_are_walked_with_the_arrows(page: Page) -> None:
    rows = page.locator("a.row")
    await rows.first.focus()
    await page.keyboard.press("ArrowDown")
    await expect(rows.nth(1)).to_be_focused()


@pytest.mark.parametrize("language", ["en", "id"])
async def test_no_page_keeps_anyone_out(page: Page, desk: Desk, language: str) -> None:
    await page.context.add_cookies([{"name": "threadbridge_language", "value": language, "url": desk.url}])
    await desk.sample()
    for path in PAGES:
        await page.goto(f"{desk.url}/{path}")
        assert await page.evaluate("document.documentElement.lang") == language
        await no_serious_fault(page)


async def test_a_phone_has_every_page_without_scrolling_sideways(page: Page, desk: Desk) -> None:
    await desk.sample()
    await page.set_viewport_size({"width": 360, "height": 700})
    for path in PAGES:
        await page.goto(f"{desk.url}/{path}")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
