"""Who comes in to the operator's console, for how long, and what no other page can do in their name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import DummyCookieJar
from pydantic import SecretStr

from bridge.app.http import create_app
from bridge.web.operator import access
from tests.support.api_program import bot, settings
from tests.support.manual_clock import ManualClock
from tests.support.operators import PASSWORD, VIEWER, Person, person, sections
from tests.support.whole_bridges import OurServer

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_aiohttp import AiohttpClient

__all__ = ["person", "sections"]

PAGES = ["inbox", "threads/1", "contacts", "contacts/1", "news"]


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_COST", 2)


async def test_without_a_password_there_is_no_console(tmp_path: Path, aiohttp_client: AiohttpClient) -> None:
    app = create_app(settings(tmp_path, accounts={}), router=bot(), clock=ManualClock())
    stranger = Person(await aiohttp_client(OurServer(app)), ManualClock())
    for path in ("", "login", "inbox", "assets/operator.css"):
        assert (await stranger.open(path)).status == 404


@pytest.mark.parametrize("path", PAGES)
async def test_who_is_not_logged_in_is_sent_to_the_login_and_back(person: Person, path: str) -> None:
    shown = await person.open(path)
    assert shown.status == 303
    login = shown.headers["Location"].rpartition("/")[2]
    assert login == f"login?next={path.replace('/', '%2F')}"
    assert f'name="next" value="{path}"' in (await person.open(login)).text


async def test_a_password_begins_a_session_that_ends_with_the_logout(person: Person) -> None:
    shown = await person.log_in()
    assert (shown.status, shown.headers["Location"]) == (303, "./inbox")
    kept = person.cookie
    assert (await person.open("inbox")).status == 200
    assert (await person.post("logout")).status == 303
    person.cookie = kept
    assert (await person.open("inbox")).status == 303
    whats = [entry["what"] for entry in (await person.get("/audit"))["items"]]
    assert whats == ["logout", "login"]


async def test_the_cookie_is_the_servers_alone_and_for_https(person: Person) -> None:
    shown = await person.log_in()
    (cookie,) = shown.cookies.values()
    assert cookie.key == "threadbridge"
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "Strict", "/", "")
    for reached in ({"X-Forwarded-Proto": "https"}, {"Host": "bot.example.org"}):
        (cookie,) = (await person.log_in(**reached)).cookies.values()
        assert cookie.key == "__Host-threadbridge"
        assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "Strict", "/", True)


async def test_each_login_has_a_new_token_and_ends_the_session_before(person: Person) -> None:
    await person.log_in()
    before = person.cookie
    person.cookie = f"{before}; theme=x"
    await person.log_in()
    assert before != person.cookie
    assert len(person.cookie.partition("=")[2]) == 43  # 256 bits
    person.cookie = before
    assert (await person.open("inbox")).status == 303


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "é" * 43, "A" * 5000, "../" * 14])
async def test_a_token_that_nobody_gave_is_no_session(person: Person, token: str) -> None:
    await person.log_in()
    person.cookie = f"threadbridge={token}"
    assert (await person.open("inbox")).status == 303


async def test_a_token_in_the_place_of_anothers_session_is_none(person: Person) -> None:
    await person.log_in()
    name, _, token = person.cookie.partition("=")
    person.cookie = f"{name}={token[:2]}{'A' * 41}"
    assert (await person.open("inbox")).status == 303
    person.cookie = f"{name}={token}"
    assert (await person.open("inbox")).status == 200


async def test_a_session_ends_when_nobody_does_anything_and_news_do_not_count(person: Person) -> None:
    await person.log_in()
    for _ in range(3):
        person.clock.advance(14 * 60)
        assert (await person.open("inbox")).status == 200
    for _ in range(3):
        person.clock.advance(4 * 60)
        assert (await person.open("inbox", **{"X-Live": "1"})).status == 200
    person.clock.advance(4 * 60)
    assert (await person.open("inbox", **{"X-Live": "1"})).status == 303


async def test_no_session_is_longer_than_a_day_of_work(person: Person) -> None:
    await person.log_in()
    for _ in range(48):
        assert (await person.open("inbox")).status == 200
        person.clock.advance(10 * 60)
    person.clock.advance(60)
    assert (await person.open("inbox")).status == 303


async def test_no_token_is_stored_and_a_session_survives_a_restart_until_the_password_changes(
    tmp_path: Path, aiohttp_client: AiohttpClient, person: Person
) -> None:
    await person.log_in()
    token = person.cookie.partition("=")[2]
    await person.client.close()
    assert (contents := _contents(tmp_path))
    assert not any(token.encode() in content for content in contents)
    for password, status in ((PASSWORD, 200), (f"{PASSWORD}!", 303)):
        made = settings(tmp_path, console={"password": SecretStr(password)})
        app = create_app(made, router=bot(), clock=person.clock)
        client: Any = await aiohttp_client(OurServer(app), cookie_jar=DummyCookieJar())
        back = Person(client, person.clock)
        back.cookie = person.cookie
        assert (await back.open("inbox")).status == status
        await client.close()


def _contents(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.iterdir() if file.is_file()]


async def test_wrong_passwords_take_longer_and_longer(person: Person) -> None:
    for _ in range(access.FREE_TRIES):
        shown = await person.log_in("wrong")
        assert shown.status == 403
        assert "This is not the password." in shown.words
    for wait in (1, 2, 4):
        shown = await person.log_in()
        assert (shown.status, shown.cookies) == (429, {})
        person.clock.advance(wait)
        assert (await person.log_in("wrong")).status == 403
    person.clock.advance(8)
    assert (await person.log_in()).status == 303


async def test_tries_side_by_side_are_no_way_around_the_limit(person: Person) -> None:
    shown = await asyncio.gather(*(person.log_in("wrong") for _ in range(20)))
    assert [each.status for each in shown].count(403) == access.FREE_TRIES


async def test_a_viewer_looks_and_changes_nothing(person: Person) -> None:
    await person.hears("hello")
    await person.log_in(VIEWER)
    for path in ("inbox", "threads/1", "contacts/1"):
        shown = await person.open(path)
        assert shown.status == 200
        assert '<form class="write"' not in shown.text
        assert 'action="../contacts/1/erase"' not in shown.text
    for path in ("threads/1/write", "threads/1/take", "threads/1/return", "contacts/1/erase"):
        assert (await person.post(path, {"text": "x", "sure": "yes"})).status == 403
    assert [entry["what"] for entry in (await person.get("/audit"))["items"]] == ["login"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "", "Origin": "null"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": ""},
    ],
    ids=["cross-site", "same-site", "null origin", "other origin", "no word"],
)
async def test_other_pages_change_nothing_not_even_with_the_token(person: Person, headers: dict[str, str]) -> None:
    await person.hears("hello")
    await person.log_in()
    shown = await person.post("threads/1/take", None, **headers)
    assert shown.status == 403
    assert (await person.get("/threads/1"))["held"] is False
    if headers.get("Sec-Fetch-Site") != "same-site":
        assert (await person.log_in(**headers)).status == 403


@pytest.mark.parametrize(("scheme", "status"), [("https", 303), ("http", 403)])
async def test_no_password_is_taken_that_came_over_plain_http_from_elsewhere(
    person: Person, scheme: str, status: int
) -> None:
    reached = {"Sec-Fetch-Site": "", "Host": "bot.example.org", "Origin": f"{scheme}://bot.example.org"}
    assert (await person.log_in(**reached)).status == status


async def test_a_form_is_for_its_session_alone(person: Person) -> None:
    await person.hears("hello")
    await person.log_in()
    others = await person.csrf()
    await person.log_in()
    for token in (others, "", "é", "0" * 64):
        assert (await person.post("threads/1/take", {"csrf": token})).status == 403
    own = await person.csrf()
    shown = await person.open("threads/1/take", method="POST", data={"note": "mine"}, **{"X-CSRF-Token": own})
    assert shown.status == 303
    assert (
        await person.post("threads/1/return", None, **{"Sec-Fetch-Site": "", "Origin": person.origin})
    ).status == 303


async def test_no_address_changes_anything_when_it_is_only_looked_at(person: Person) -> None:
    await person.hears("hello")
    await person.log_in()
    for path in ("threads/1/write", "threads/1/take", "contacts/1/erase", "logout", "language"):
        assert (await person.open(path)).status in {404, 405}
    assert (await person.open("inbox")).status == 200


@pytest.mark.parametrize("path", ["login", "inbox", "threads/1", "threads/99", "assets/operator.js", "news"])
@pytest.mark.slow
async def test_every_answer_is_kept_from_caches_frames_and_other_pages(person: Person, path: str) -> None:
    await person.hears("hello")
    if path != "login":
        await person.log_in()
    async with person.client.get(f"/console/{path}", headers={"Cookie": person.cookie}) as answer:
        headers = answer.headers
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
    assert (headers["Cache-Control"], headers["Cross-Origin-Opener-Policy"]) == ("no-store", "same-origin")


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "../../x", "a//b", "inbox?x=1", "%0d"])
async def test_the_login_leads_to_no_other_place(person: Person, elsewhere: str) -> None:
    shown = await person.open("login", method="POST", data={"password": PASSWORD, "next": elsewhere})
    assert shown.headers["Location"] == "./inbox"


async def test_a_form_that_is_none_is_refused(person: Person) -> None:
    await person.log_in()
    token = {"X-CSRF-Token": await person.csrf()}
    for data, kind, status in (
        (b"{}", "application/json", 415),
        (b"text=\xff", "application/x-www-form-urlencoded", 400),
        (b"x=1&" * 2000, "application/x-www-form-urlencoded", 400),
        (b"x=" + b"1" * 70_000, "application/x-www-form-urlencoded", 413),
    ):
        shown = await person.open("language", method="POST", data=data, **{"Content-Type": kind, **token})
        assert shown.status == status
