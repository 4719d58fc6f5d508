"""The desk's pages: dead letters one by one and many at once, the dashboard, timers, jobs, and the audit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

import orjson
import pytest

from bridge import Job, Message, Router, Turn
from bridge.engine.counters import MESSAGE_OUTCOMES
from bridge.errors import HandlerError
from bridge.telemetry.recent import SERIES
from bridge.web.api import models
from bridge.web.operator import dashboard, letters, schedule
from bridge.web.operator.texts import Texts
from tests.support.desk_pages import OWN, PASSWORD, VIEWER, Desk, desk_of, words
from tests.support.whole_bridges import SECRET, konnek_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

XSS = '<img src=x onerror="window.broken=1">'


class Tea(HandlerError):
    pass


class Milk(HandlerError):
    pass


async def remind(turn: Turn) -> str:
    del turn
    return "Still there?"


def bot() -> Router:
    router = Router("bot")

    @router.message(regex="^break")
    async def fail(turn: Turn[Message]) -> None:
        raise Milk if "milk" in turn.event.text else Tea

    @router.message(text="remind")
    async def later(turn: Turn[Message]) -> None:
        turn.after("2h", remind, name="reminder")

    @router.message()
    async def answer(turn: Turn[Message]) -> None:
        turn.state["ran"] = True

    @router.every("10min", name="report")
    async def report(turn: Turn[Job]) -> None:
        turn.state["ran"] = True

    return router


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(tmp_path, bot()) as desk:
        await desk.page("inbox")
        yield desk


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_of(tmp_path, bot(), is_open=False) as desk:
        yield desk


async def break_down(desk: Desk, *texts: str) -> list[str]:
    """Turns that fail; the ids of their dead letters, in their order."""
    for number, text in enumerate(texts):
        await desk.webhook(konnek_text(f"{text}-{number}", f"break {text}", f"62812345000{number:02}"))
    return [letter.id for letter in reversed(await desk.door.letters())]


async def left(desk: Desk) -> list[str]:
    """The reasons of the dead letters that are there."""
    return sorted(letter.reason for letter in await desk.door.letters())


async def test_dead_letters_are_listed_and_found_by_reason_account_state_and_age(desk: Desk) -> None:
    await break_down(desk, "tea", "milk")
    await desk.webhook({"what": "a riddle"})
    page = words(await desk.page("letters"))
    assert "once: Tea" in page
    assert "once: Milk" in page
    assert "Quarantined" in page
    assert "once: Tea" not in words(await desk.page("letters?reason=Milk"))
    assert "once: Milk" in words(await desk.page("letters?reason=once:+Milk&account=shop&state=dead"))
    for nothing in ("reason=M_lk", "reason=%25", "account=relay", "state=quarantined&reason=Tea", "older_than=3600"):
        assert "No dead letter fits." in words(await desk.page(f"letters?{nothing}")), nothing
    for wrong in ("state=open", "older_than=-1", "cursor=x", "older_than=nan"):
        status, _ = await desk.ask("GET", f"letters?{wrong}")
        assert status == 422, wrong


async def test_a_part_of_the_page_is_answered_to_the_page_itself(desk: Desk) -> None:
    await break_down(desk, "tea")
    part = await desk.page("letters?reason=Tea", **{"HX-Request": "true"})
    assert "once: Tea" in part
    assert "<html" not in part


async def test_chosen_letters_are_replayed_and_dropped_and_the_audit_has_each(desk: Desk) -> None:
    first, second, third = await break_down(desk, "tea", "milk", "honey")
    status, page = await desk.post("letters", ("do", "drop"), ("id", second), ("id", first))
    assert (status, "Dropped: 2" in words(page)) == (200, True)
    assert [letter.id for letter in await desk.door.letters()] == [third]
    _, page = await desk.post("letters", ("do", "replay"), ("id", third))
    await desk.door.bridge.settle()
    assert "Replayed: 1" in words(page)
    assert len(await left(desk)) == 1  # it failed again
    audited = words(await desk.page("audit"))
    assert audited.index(f"drop {second} ") < audited.index(
        f"drop {first} "
    )  # as they came; the list has the latest first
    for letter_id, what in ((first, "drop"), (second, "drop"), (third, "replay")):
        assert f"{what} {letter_id} console" in audited
    status, page = await desk.post("letters", ("do", "drop"), ("id", "in-4711"))
    assert (status, "Dropped: 0" in words(page)) == (200, True)
    status, page = await desk.post("letters", ("do", "drop"))
    assert (status, "choose some letters first" in words(page)) == (422, True)
    assert (await desk.post("letters", ("do", "erase"), ("id", third)))[0] == 422


async def test_all_that_fit_are_changed_part_by_part_and_what_fails_again_stays(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.web.operator.letters._BATCH", 2)
    await break_down(desk, "tea 1", "tea 2", "tea 3", "milk", "tea 4", "tea 5")
    status, page = await desk.post("letters?reason=Tea", ("do", "replay all"))
    rounds = 1
    while more := re.search(r'hx-vals="([^"]*)"', page):
        await desk.door.bridge.settle()
        values = orjson.loads(more[1].replace("&#34;", '"'))
        status, page = await desk.post("letters?reason=Tea", *((name, str(each)) for name, each in values.items()))
        rounds += 1
        assert rounds < 9
    assert status == 200
    assert "Replayed: 5" in words(page)
    assert rounds == 3
    await desk.door.bridge.settle()
    assert len(await left(desk)) == 6
    _, page = await desk.post("letters?reason=Milk&account=shop&state=dead", ("do", "drop all"))
    assert "Dropped: 1" in words(page)
    assert len(await left(desk)) == 5


async def test_what_is_still_not_understood_says_so_and_stays(desk: Desk) -> None:
    await desk.webhook({"what": "a riddle"})
    (letter,) = await desk.door.letters()
    for action in ("replay", "replay all"):
        _, page = await desk.post("letters", ("do", action), ("id", letter.id))
        assert "Replayed: 0" in words(page)
        assert "still not understood" in words(page)
    assert len(await desk.door.letters()) == 1
    status, _ = await desk.post(f"letters/{letter.id}/replay")
    assert status == 409


async def test_one_letter_is_shown_whole_without_secrets_and_as_text(desk: Desk) -> None:
    await desk.webhook({"what": XSS, "token": f"Bearer {SECRET}"})
    (letter,) = await desk.door.letters()
    page = await desk.page(f"letters/{letter.id}")
    assert XSS not in page
    assert XSS in words(page).replace('\\"', '"')
    assert SECRET not in page
    assert "****" in page
    status, _ = await desk.post(f"letters/{letter.id}/drop")
    assert (status, await desk.door.letters()) == (303, [])
    status, _ = await desk.ask("GET", f"letters/{letter.id}")
    assert status == 404


async def test_a_letter_leads_to_its_conversation(desk: Desk) -> None:
    (letter_id,) = await break_down(desk, "tea")
    page = await desk.page(f"letters/{letter_id}")
    (thread,) = await desk.door.bridge.store.threads()
    assert f'href="../threads/{thread.id}"' in page


@pytest.mark.parametrize("path", ["letters", "letters/in-1/drop", "letters/in-1/replay", "jobs"])
@pytest.mark.slow
async def test_a_viewer_and_a_form_of_elsewhere_change_nothing(closed: Desk, path: str) -> None:
    await break_down(closed, "tea")
    fields = (("do", "drop all"), ("name", "report"))
    assert (await closed.post(path, *fields))[0] == 401
    await closed.login(VIEWER)
    assert (await closed.post(path, *fields))[0] == 403
    page = await closed.page("letters")
    assert "once: Tea" in words(page)
    assert "Replay" not in words(page)
    assert "Run now" not in words(await closed.page("jobs"))
    await closed.login(PASSWORD)
    closed.csrf = "0" * 64
    assert (await closed.post(path, *fields))[0] == 403
    await closed.page("inbox")
    assert (await closed.post(path, *fields, headers={"Sec-Fetch-Site": "cross-site"}))[0] == 403
    assert len(await closed.door.letters()) == 1


@pytest.mark.parametrize(
    "path", ["letters", "letters/in-1", "dashboard", "dashboard/curves", "timers", "jobs", "audit"]
)
async def test_nobody_sees_a_page_without_a_session(closed: Desk, path: str) -> None:
    status, text = await closed.ask("GET", path)
    assert (status, text) == (303, "")


async def test_the_dashboard_has_each_account_and_curves_as_numbers(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.telemetry.sources.FRESH", 0)
    await break_down(desk, "tea")
    page = await desk.page("dashboard?span=6h")
    assert "shop konnek" in words(page)
    assert 'href="./letters?account=shop"' in page
    part = await desk.page("dashboard", **{"HX-Request": "true"})
    assert "shop konnek" in words(part)
    assert "<html" not in part
    status, text = await desk.ask("GET", "dashboard/curves?span=24h")
    curves = orjson.loads(text)
    assert status == 200
    assert set(curves) == {"every", "times", "values"}
    for chart in re.findall(r'data-series="([^"]*)"', page):
        assert set(chart.split()) <= set(curves["values"])


async def test_timers_are_listed_with_their_conversations(desk: Desk) -> None:
    assert "No timer waits." in words(await desk.page("timers"))
    await desk.webhook(konnek_text("m-1", "remind"))
    page = await desk.page("timers?account=shop")
    (thread,) = await desk.door.bridge.store.threads()
    assert "Ann" in words(page)
    assert "reminder" in words(page)
    assert f'href="./threads/{thread.id}"' in page
    assert "No timer waits." in words(await desk.page("timers?account=relay"))
    assert (await desk.ask("GET", "timers?account=nobody"))[0] == 404


async def test_a_job_is_listed_and_runs_now_with_an_audit(desk: Desk) -> None:
    page = words(await desk.page("jobs"))
    assert "report" in page
    assert "every 600 s" in page
    status, page = await desk.post("jobs", ("name", "report"))
    assert (status, "report runs." in words(page)) == (200, True)
    await desk.door.bridge.settle()
    threads = await desk.door.bridge.store.threads()
    assert [thread.ref.conversation_id for thread in threads] == ["report"]
    assert "run job report console" in words(await desk.page("audit"))
    assert (await desk.post("jobs", ("name", "nothing")))[0] == 404


async def test_the_pages_speak_indonesian(desk: Desk) -> None:
    await break_down(desk, "tea")
    await desk.post("language", ("language", "id"), ("next", "letters"))
    assert "Ulangi semua yang cocok" in words(await desk.page("letters"))
    for path, heading in (("dashboard", "Dasbor"), ("timers", "Pengatur waktu"), ("jobs", "Pekerjaan")):
        assert f"<h1>{heading}</h1>" in await desk.page(path)


def test_every_word_of_the_curves_the_spans_and_the_ages_is_there_in_every_language() -> None:
    words = {title for title, _, _ in dashboard._CHARTS} | {name for _, name in dashboard._SPANS.values()}
    words |= {name for _, _, series in dashboard._CHARTS for _, name in series}
    words |= {name for _, name in letters._AGES} | {*schedule._OWN.values(), schedule._QUESTION}
    words |= {*MESSAGE_OUTCOMES[:4], *get_args(models.Action), "webhook", "run", "write", "erase", "merge", "send"}
    assert words <= Texts("id")._words.keys()


def test_each_series_of_a_chart_is_sampled() -> None:
    assert {name for _, _, series in dashboard._CHARTS for name, _ in series} <= {*SERIES}


@pytest.mark.slow
async def test_a_new_sample_is_told_to_open_pages(desk: Desk) -> None:
    async with desk.session.get(f"{desk.url}/news", headers={"Host": desk.host, **OWN}) as news:
        assert await news.content.readuntil(b"\n\n") == b"retry: 2000\n\n"
        await desk.sample()
        assert await news.content.readuntil(b"\n\n") == b"event: figures\ndata: {}\n\n"
