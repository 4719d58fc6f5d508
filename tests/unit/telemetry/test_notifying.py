"""Where notices go: a URL that takes nothing holds nobody up, and each kind of URL is told in its way."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiohttp import web
from pydantic import ValidationError
from structlog.testing import capture_logs

from bridge.config.telemetry import Alerts
from bridge.telemetry.findings import Kind
from bridge.telemetry.grouping import Notice
from bridge.telemetry.notifying import Outgoing, Posted, Refused, notifier_of
from tests.support.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.test_utils import TestServer

URL: Final = "https://chat.example/hooks/T0K3N-canary"


class Phone:
    """Takes notices, and none while it is out of order."""

    def __init__(self, out_of_order: int) -> None:
        self.notices: list[Notice] = []
        self.out_of_order = out_of_order

    async def tell(self, notice: Notice) -> None:
        if self.out_of_order:
            self.out_of_order -= 1
            raise Refused("HTTP 503")
        self.notices.append(notice)


def notice(number: int = 1) -> Notice:
    return Notice(bridge="bot", at=0, firing=[(Kind.DISK, "", f"text {number}")])


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_url_that_takes_nothing_is_tried_again_in_order_and_nobody_waits_for_it() -> None:
    phone, clock, counts = Phone(out_of_order=2), ManualClock(), Counter[str]()
    outgoing = Outgoing("alerts.urls[0]", phone, clock, counts)
    with capture_logs() as log:
        outgoing.put(notice(1))
        outgoing.put(notice(2))
        for pause in (4, 1, 14, 1):
            await settled()
            clock.advance(pause)
        await settled()
    assert [each.firing[0][2] for each in phone.notices] == ["text 1", "text 2"]
    assert [line["event"] for line in log] == ["alert_not_sent", "alert_not_sent", "alert_sent", "alert_sent"]
    assert log[0]["reason"] == "HTTP 503"
    assert counts == {"failed": 2, "sent": 2}
    await outgoing.stop(0)


async def test_a_url_that_never_answers_holds_no_more_than_some_notices() -> None:
    phone, clock, counts = Phone(out_of_order=1), ManualClock(), Counter[str]()
    outgoing = Outgoing("alerts.urls[0]", phone, clock, counts)
    for number in range(25):
        outgoing.put(notice(number))
    await settled()
    clock.advance(5)
    await settled()
    assert [each.firing[0][2] for each in phone.notices] == [f"text {number}" for number in range(5, 25)]
    assert counts["dropped"] == 5


async def test_a_notice_is_posted_as_json_and_a_redirect_is_not_followed(
    aiohttp_server: Callable[[web.Application], Awaitable[TestServer]],
) -> None:
    got: list[Any] = []

    async def hook(request: web.Request) -> web.Response:
        got.append(await request.json())
        if request.path == "/moved":
            raise web.HTTPTemporaryRedirect("/hook")
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/{name}", hook)
    server = await aiohttp_server(app)
    await Posted(str(server.make_url("/hook"))).tell(notice())
    assert got == [
        {
            "text": "threadbridge bot: alerts, 1 new\n- text 1",
            "bridge": "bot",
            "at": "1970-01-01T00:00:00+00:00",
            "alerts": [{"status": "firing", "kind": "disk", "account": None, "text": "text 1"}],
        }
    ]
    with pytest.raises(Refused, match="HTTP 307"):
        await Posted(str(server.make_url("/moved"))).tell(notice())
    assert len(got) == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise's own imports
async def test_a_url_of_apprise_is_told_by_apprise(
    aiohttp_server: Callable[[web.Application], Awaitable[TestServer]],
) -> None:
    got: list[Any] = []

    async def hook(request: web.Request) -> web.Response:
        got.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", hook)
    server = await aiohttp_server(app)
    notifier = notifier_of(str(server.make_url("/hook")).replace("http:", "json:"))
    await notifier.tell(notice())
    assert (got[0]["title"], got[0]["message"]) == ("threadbridge bot: alerts, 1 new", "- text 1")
    await server.close()
    with pytest.raises(Refused):
        await notifier.tell(notice())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise's own imports
@pytest.mark.parametrize("url", ["chat.example/hook", "https:///hook", "nonsense://x", ""])
def test_what_is_no_url_is_a_problem_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Alerts.model_validate({"urls": [url]})
    assert not url or url not in str(refused.value.errors()[0]["msg"])


def test_a_url_may_be_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTS", URL)
    alerts = Alerts.model_validate({"urls": ["env:ALERTS", "https://other.example/hook"]})
    assert [url.get_secret_value() for url in alerts.urls] == [URL, "https://other.example/hook"]
    assert "T0K3N" not in repr(alerts)
