"""The console's page in a real browser: typed, pressed, read; through a restart; and nothing a person writes runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, Page, expect

from bridge.events import Postback
from bridge.messages import Button, Buttons, Card, Cards, Document, Image, Location, Menu, Raw, Row, Section, Text
from bridge.store.lifecycle import OutboxState
from bridge.web.console.routes import add_console
from bridge.web.refusals import clean_errors
from tests.support.browsers import BROWSING, XSS, page_of
from tests.support.console_bridge import ACCOUNT, MemoryBridge, silent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bridge.events import Event
    from bridge.messages import Outgoing

pytestmark = BROWSING
UNSTORED = re.compile("sending|retrying")


def shop(event: Event) -> Sequence[Outgoing]:
    """A bot with a button and a list."""
    if isinstance(event, Postback):
        return [Text(f"You chose {event.key}.")]
    match getattr(event, "text", ""):
        case "hi":
            return [Buttons("Hello", [Button("teas", "See the teas")], header="Shop", footer="Open until six")]
        case "list":
            rows = [Row("sencha", "Sencha", "green and fresh"), Row("assam", "Assam", "black")]
            return [Menu("Which tea?", "Our teas", [Section("Packs", rows)])]
        case text:
            return [Text(f"echo: {text}")]


class Served:
    """A console on a port of its own, which can be stopped and started again like the process it stands for."""

    def __init__(self) -> None:
        self.bridge = MemoryBridge(bot=shop)
        self.port = 0
        self.url = ""

    async def start(self) -> None:
        app = web.Application(middlewares=[clean_errors(lambda _: None)])
        add_console(app, self.bridge, account=ACCOUNT, hosts=frozenset({"127.0.0.1"}))
        self.runner = web.AppRunner(app, shutdown_timeout=1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self.runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}/console"

    async def stop(self) -> None:
        await self.runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def served() -> AsyncIterator[Served]:
    served = Served()
    await served.start()
    yield served
    await served.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, served: Served) -> AsyncIterator[Page]:
    """The page, opened."""
    async with page_of(browser, width=1100, height=700) as page:
        await page.goto(served.url)
        await expect(page.locator("#link")).to_have_text("live")
        yield page


def bubbles(page: Page, direction: str = "in") -> Any:
    return page.locator(f".message.{direction} .bubble")


async def write(page: Page, text: str) -> None:
    await page.fill("#text", text)
    await page.keyboard.press("Enter")


async def begun(page: Page, served: Served) -> str:
    """The conversation that was begun, once its first message is stored: the page shows that before."""
    await expect(page.locator(".message.in").last).not_to_have_attribute("data-state", UNSTORED)
    return next(iter(served.bridge.entries))


async def test_a_newcomer_is_told_what_to_do_and_can_begin_with_one_press(page: Page) -> None:
    await expect(page.get_by_role("heading", name="Say something to your bot")).to_be_visible()
    await page.get_by_role("button", name="hi", exact=True).click()
    await expect(bubbles(page)).to_have_text(["hi"])
    await expect(bubbles(page, "out")).to_contain_text(["Hello"])
    await expect(page.locator("#empty")).to_be_hidden()


async def test_a_whole_conversation_by_keyboard_alone(page: Page, served: Served) -> None:
    await page.keyboard.type("hi")
    await page.keyboard.press("Enter")
    await expect(bubbles(page, "out")).to_contain_text(["Open until six"])
    assert await page.input_value("#text") == ""
    await page.keyboard.press("Shift+Tab")
    while await page.evaluate("document.activeElement.className") != "choice":
        await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await expect(bubbles(page, "out")).to_contain_text(["Hello", "You chose teas."])
    await expect(bubbles(page)).to_have_text(["hi", "See the teas"])
    await expect(page.locator(".message.out .state").last).to_have_text("delivered")
    assert len(served.bridge.posted) == 2


async def test_a_line_of_a_list_is_pressed(page: Page) -> None:
    await write(page, "list")
    await page.get_by_role("button", name="Assam").click()
    await expect(bubbles(page, "out").last).to_have_text("You chose assam.")


async def test_a_double_press_is_one(page: Page, served: Served) -> None:
    await write(page, "hi")
    await page.get_by_role("button", name="See the teas").dblclick()
    await expect(bubbles(page, "out")).to_have_count(2)
    assert len(served.bridge.posted) == 2


async def test_shift_and_enter_is_a_new_line(page: Page) -> None:
    await page.focus("#text")
    await page.keyboard.type("one")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("two")
    await page.keyboard.press("Enter")
    await expect(bubbles(page).first).to_have_text("one\ntwo")


async def test_every_kind_can_be_read(page: Page, served: Served) -> None:
    served.bridge.bot = silent
    await write(page, "start")
    conversation = await begun(page, served)
    served.bridge.answer(
        conversation,
        Document("https://files.example/a/list.pdf", name="list.pdf"),
        Location(52.3676, 4.9041, name="Dam"),
        Cards([Card("Sencha", buttons=[Button("s", "Order one")]), Card("Assam")]),
        Raw({"native": True}),
        Image("http://127.0.0.1/plain.png"),
        Image("javascript:alert(1)", name="trick"),
    )
    await expect(bubbles(page, "out")).to_have_count(6)
    link = page.get_by_role("link", name="list.pdf")
    assert await link.get_attribute("href") == "https://files.example/a/list.pdf"
    assert await link.get_attribute("rel") == "noopener noreferrer"
    await expect(page.get_by_role("link", name="52.36760, 4.90410")).to_be_visible()
    await expect(page.get_by_role("button", name="Order one")).to_be_visible()
    await expect(page.locator("pre")).to_contain_text('"native": true')
    await expect(page.get_by_text("http://127.0.0.1/plain.png")).to_be_visible()
    hrefs = await page.locator("#messages a").evaluate_all("links => links.map(link => link.href)")
    assert all(href.startswith("https://") for href in hrefs)
    assert await page.locator("#messages img").count() == 0


async def test_a_status_is_updated_in_its_place(page: Page, served: Served) -> None:
    served.bridge.bot = silent
    await write(page, "start")
    conversation = await begun(page, served)
    served.bridge.answer(conversation, Text("first"), state=OutboxState.OPEN, status="")
    served.bridge.answer(conversation, Text("second"))
    states = page.locator(".message.out .state")
    await expect(states).to_have_text(["waiting…", "delivered"])
    key = served.bridge.entries[conversation][1].key
    served.bridge.change(conversation, key, state=OutboxState.SENT, status="read")
    await expect(states).to_have_text(["read", "delivered"])
    await expect(bubbles(page, "out")).to_have_text(["first", "second"])


async def test_what_is_typed_during_a_restart_is_kept_and_said_once(page: Page, served: Served) -> None:
    await write(page, "before")
    await expect(bubbles(page, "out")).to_have_text(["echo: before"])
    await served.stop()
    await expect(page.locator("#link")).to_have_text("reconnecting…")
    await write(page, "during")
    await expect(page.locator(".message.in .state").last).to_have_text("not sent yet, trying again…")
    await expect(bubbles(page, "out")).to_have_text(["echo: before"])
    await served.start()
    await expect(page.locator("#link")).to_have_text("live")
    await expect(bubbles(page, "out")).to_have_text(["echo: before", "echo: during"])
    await expect(bubbles(page)).to_have_text(["before", "during"])
    await expect(page.locator(".message.in .state").last).to_have_text("stored")
    await expect(page.locator("#away")).to_be_hidden()


async def test_what_could_not_be_sent_survives_a_reload_and_is_said_once(page: Page, served: Served) -> None:
    served.bridge.refusing = True
    await write(page, "early")
    await expect(page.locator(".message.in .state")).to_have_text("not sent yet, trying again…")
    await page.reload()
    await expect(bubbles(page)).to_have_text(["early"])
    served.bridge.refusing = False
    await expect(bubbles(page, "out")).to_have_text(["echo: early"])
    assert len(next(iter(served.bridge.entries.values()))) == 2


async def test_a_stored_message_whose_answer_was_lost_is_not_said_twice(page: Page) -> None:
    lost = 0

    async def lose(route: Any) -> None:
        nonlocal lost
        await route.fetch()
        lost += 1
        if lost < 3:
            await route.abort()
        else:
            await route.continue_()

    await page.route("**/console/say", lose)
    await write(page, "once")
    await expect(bubbles(page, "out")).to_have_text(["echo: once"])
    await expect(page.locator(".message.in .state")).to_have_text("stored")
    await write(page, "next")
    await expect(bubbles(page, "out")).to_have_text(["echo: once", "echo: next"])
    await expect(bubbles(page)).to_have_text(["once", "next"])


async def test_conversations_are_kept_apart_and_found_again_by_address(page: Page, served: Served) -> None:
    await write(page, "one")
    await expect(bubbles(page, "out")).to_have_text(["echo: one"])
    first = page.url
    assert re.search(r"#guest-[0-9a-f]{12}$", first)
    await page.get_by_role("button", name="New conversation").click()
    await expect(page.locator("#empty")).to_be_visible()
    await page.fill("#name", "Bob")
    await write(page, "two")
    await expect(bubbles(page, "out")).to_have_text(["echo: two"])
    assert page.url != first
    await expect(page.locator("#conversations .name")).to_have_text(["Bob", "Guest 1"])
    await page.get_by_role("link", name="Guest 1").click()
    await expect(bubbles(page, "out")).to_have_text(["echo: one"])
    await page.goto(served.url)
    await page.reload()
    await expect(bubbles(page, "out")).to_have_text(["echo: two"])
    assert await page.input_value("#name") == "Bob"


async def test_the_page_stays_at_the_newest_message_unless_one_reads_further_up(page: Page, served: Served) -> None:
    served.bridge.bot = silent
    await write(page, "start")
    conversation = await begun(page, served)
    served.bridge.answer(conversation, *[Text(f"line {number}") for number in range(40)])
    await expect(page.get_by_text("line 39")).to_be_in_viewport()
    await page.locator("#log").evaluate("log => log.scrollTo(0, 0)")
    await expect(page.get_by_text("line 0", exact=True)).to_be_in_viewport()
    served.bridge.answer(conversation, Text("news"))
    await page.get_by_role("button", name="New messages").click()
    await expect(page.get_by_text("news", exact=True)).to_be_in_viewport()


async def test_a_narrow_screen_shows_the_chat_and_the_list_on_demand(page: Page) -> None:
    await write(page, "hi")
    await page.set_viewport_size({"width": 360, "height": 640})
    await expect(page.get_by_role("button", name="New conversation")).to_be_hidden()
    await page.get_by_role("button", name="Conversations").click()
    await expect(page.get_by_role("button", name="New conversation")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="New conversation")).to_be_hidden()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_what_a_person_or_a_bot_writes_is_shown_and_never_run(page: Page, served: Served) -> None:
    served.bridge.bot = silent
    await page.fill("#name", XSS)
    await write(page, XSS)
    await expect(bubbles(page)).to_have_text([XSS])
    conversation = await begun(page, served)
    served.bridge.answer(
        conversation,
        Buttons(XSS, [Button(XSS, XSS)], header=XSS, footer=XSS),
        Menu(XSS, XSS, [Section(XSS, [Row(XSS, XSS, XSS)])]),
        Cards([Card(XSS, image=XSS)]),
        Document("https://x.example/" + XSS, name=XSS, caption=XSS),
        Location(1, 2, name=XSS),
        Raw({XSS: XSS}),
    )
    await expect(bubbles(page, "out")).to_have_count(6)
    await expect(page.locator("#conversations .name").first).to_have_text(XSS)
    await page.reload()
    await expect(bubbles(page, "out")).to_have_count(6)
    assert await page.evaluate("window.broken") is None
    assert await page.locator("#messages script, #messages img[src=x], #conversations img").count() == 0


async def test_a_page_elsewhere_cannot_frame_read_or_post(browser: Browser, served: Served) -> None:
    async def elsewhere(_request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>elsewhere</title>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    page = await browser.new_page()
    await page.goto(f"http://localhost:{runner.addresses[0][1]}/")
    tried = await page.evaluate(
        """async (url) => {
            const post = (type) => fetch(url + "/say", {
                method: "POST", mode: "no-cors", headers: {"Content-Type": type},
                body: JSON.stringify({id: "x", conversation: "x", text: "x"}),
            }).then(() => "sent", () => "failed");
            const stream = await new Promise((resolve) => {
                const source = new EventSource(url + "/stream?conversation=x");
                source.onopen = () => resolve("open");
                source.onerror = () => { source.close(); resolve("closed"); };
            });
            const frame = document.createElement("iframe");
            frame.src = url;
            const loaded = new Promise((resolve) => { frame.onload = resolve; });
            document.body.append(frame);
            await loaded;
            return [await post("application/json"), await post("text/plain"), stream];
        }""",
        served.url,
    )
    assert tried[2] == "closed"
    (framed,) = page.frames[1:]
    await framed.wait_for_url("chrome-error://chromewebdata/")  # "load" comes before the refusal is shown
    assert served.bridge.posted == []
    await page.close()
    await runner.cleanup()
