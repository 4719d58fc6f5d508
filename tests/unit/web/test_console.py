"""The console over HTTP: what is served, who may speak to it, and that nothing a person writes is markup."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson
import pytest
from aiohttp import web

from tests.support.console_bridge import MemoryBridge, parrot
from tests.support.console_client import HOST, Page, console_of, heard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pytest_aiohttp import AiohttpClient

XSS = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>"


@pytest.fixture
def bridge() -> MemoryBridge:
    return MemoryBridge(bot=parrot)


@pytest.fixture
async def page(bridge: MemoryBridge, aiohttp_client: AiohttpClient) -> Page:
    return await console_of(bridge, aiohttp_client)


# What is served.


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/console", "text/html"),
        ("/console/", "text/html"),
        ("/console/static/console.css", "text/css"),
        ("/console/static/console.js", "text/javascript"),
        ("/console/static/icon.svg", "image/svg+xml"),
    ],
)
async def test_the_page_and_its_files_are_served(page: Page, path: str, content_type: str) -> None:
    response = await page.get(path)
    assert (response.status, response.content_type) == (200, content_type)
    assert await response.read()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/console/static/nothing.js", 404),
        ("/console/static/..%2froutes.py", 404),
        ("/console/static/%2e%2e/routes.py", 404),
        ("/console/other", 404),
        ("/console/say", 405),
        ("/console/stream", 400),
        ("/console/stream?conversation=", 400),
        ("/console/stream?conversation=a%00b", 400),
        ("/console/stream?conversation=" + 201 * "a", 400),
        ("/console/stream?conversation=a&after=-1", 400),
        ("/console/stream?conversation=a&after=" + 30 * "1", 400),
        ("/console/stream?conversation=a&after=%D9%A1", 400),
    ],
)
async def test_what_is_not_there_or_makes_no_sense_is_refused_as_json(page: Page, path: str, status: int) -> None:
    response = await page.get(path)
    assert response.status == status
    assert list(await response.json()) == ["error"]


@pytest.mark.parametrize("path", ["/console", "/console/static/console.js", "/console/nothing", "/console/stream"])
async def test_every_answer_carries_the_security_headers(page: Page, path: str) -> None:
    headers = (await page.get(path)).headers
    policy = headers["Content-Security-Policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert "data:" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


async def test_the_page_has_no_inline_script_or_style(page: Page) -> None:
    html = await (await page.get("/console")).text()
    assert "<script>" not in html
    assert "style=" not in html
    assert not re.search(r"\son\w+=", html)
    assert html.count("<script") == html.count('src="console/static/console.js"') == 1


async def test_the_page_opens_the_latest_conversation(page: Page, bridge: MemoryBridge) -> None:
    assert 'data-latest=""' in await (await page.get("/console")).text()
    bridge.hear("ann", heard("hi"))
    bridge.hear("bob", heard("hi", "e-2"))
    assert 'data-latest="bob"' in await (await page.get("/console")).text()


# Who may.


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (HOST, 200),
        ("BOT.example:8080", 200),
        ("localhost", 200),
        ("localhost:9999", 200),
        ("bot.example", 421),
        ("bot.example:8081", 421),
        ("evil.example:8080", 421),
        ("localhost.evil.example", 421),
        ("evil.example:localhost", 421),
        ("127.0.0.1", 421),
        ("[::1]:8080", 421),
    ],
)
async def test_only_known_hosts_are_served(page: Page, host: str, status: int) -> None:
    for path in ("/console", "/console/static/console.js", "/console/nothing"):
        response = await page.get(path, Host=host)
        assert response.status == (404 if status == 200 and path.endswith("nothing") else status)


REFUSED_SOURCES = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://bot.example"},
    {"Origin": "http://localhost:8080"},
    {"Origin": "ftp://bot.example:8080"},
    {"Origin": "http://[bot.example:8080"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"Origin": "http://bot.example:8080", "Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", REFUSED_SOURCES, ids=str)
async def test_other_sites_can_neither_post_nor_listen(
    page: Page, bridge: MemoryBridge, headers: dict[str, str]
) -> None:
    said = await page.say({"id": "e-1", "conversation": "ann", "text": "hi"}, **headers)
    stream = await page.get("/console/stream?conversation=ann", **headers)
    assert (said.status, stream.status) == (403, 403)
    assert bridge.posted == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://bot.example:8080"},
        {"Origin": "https://BOT.example:8080"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=str,
)
async def test_the_page_itself_and_command_line_clients_can_post(
    page: Page, bridge: MemoryBridge, headers: dict[str, str]
) -> None:
    response = await page.say({"id": "e-1", "conversation": "ann", "text": "hi"}, **headers)
    assert response.status == 200
    assert await response.json() == {"ok": True}
    assert len(bridge.posted) == 1


async def test_a_link_from_another_site_may_open_the_page(page: Page) -> None:
    assert (await page.get("/console", **{"Sec-Fetch-Site": "cross-site"})).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Encoding": "bogus"}, 415),
        ({"Content-Type": "application/json; charset=UTF-8"}, 200),
    ],
    ids=str,
)
async def test_only_plain_json_is_taken(page: Page, headers: dict[str, str], status: int) -> None:
    response = await page.say({"id": "e-1", "conversation": "ann", "text": "hi"}, **headers)
    assert response.status == status


async def test_a_body_over_the_limit_is_refused_whether_or_not_it_says_how_long_it_is(
    page: Page, bridge: MemoryBridge
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b" " * 1024

    long = await page.say(b" " * (64 * 1024 + 1))
    headers = {"Host": HOST, "Content-Type": "application/json"}
    chunked = await page.client.post("/console/say", data=endless(), headers=headers)
    assert (long.status, chunked.status) == (413, 413)
    assert bridge.posted == []


async def test_what_the_receive_path_refuses_is_refused_in_its_words(page: Page) -> None:
    response = await page.say(b"{")
    assert (response.status, await response.json()) == (400, {"error": "not JSON"})


async def test_a_store_that_cannot_be_reached_is_a_503_everywhere(page: Page, bridge: MemoryBridge) -> None:
    bridge.down = True
    answers = [
        await page.get("/console"),
        await page.get("/console/stream?conversation=ann"),
        await page.say({"id": "e-1", "conversation": "ann", "text": "hi"}),
    ]
    assert [(answer.status, answer.headers["Retry-After"]) for answer in answers] == [(503, "1")] * 3
    assert "disk" not in await answers[0].text()


async def test_markup_is_stored_and_told_as_it_was_said_and_never_reaches_the_page_as_markup(
    page: Page, bridge: MemoryBridge
) -> None:
    said = {"id": XSS, "conversation": XSS, "name": XSS, "text": XSS + "\n\ndata: forged\n\n"}
    assert (await page.say(said)).status == 200
    stream = await page.stream(XSS)
    heard_entry, echoed = await stream.entries(2)
    assert (heard_entry["text"], echoed["text"]) == (said["text"], "echo: " + said["text"])
    html = await (await page.get("/console")).text()
    assert XSS not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "alert(2)</script>" not in html
    assert bridge.posted == [orjson.dumps(said)]


async def test_a_refusal_repeats_nothing_of_what_was_sent(page: Page) -> None:
    for response in (await page.get(f"/console/{XSS}"), await page.get("/console", Host="<script>")):
        assert "script" not in (await response.text()).lower()
        assert response.content_type == "application/json"


@pytest.mark.parametrize(
    ("peer", "status"),
    [("127.0.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("192.0.2.7", 403), ("2001:db8::1", 403)],
)
async def test_only_this_machine_is_served(page: Page, monkeypatch: pytest.MonkeyPatch, peer: str, status: int) -> None:
    monkeypatch.setattr(web.BaseRequest, "remote", peer)
    assert (await page.get("/console")).status == status
