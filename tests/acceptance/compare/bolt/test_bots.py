"""The twelve bots for Bolt in the same conversations, and what its defaults do when something goes wrong.

Runs where slack_bolt is installed; it is no dependency of this project.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import time
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

pytest.importorskip("slack_bolt", reason="slack_bolt is not installed, and is no dependency of this project")

from aiohttp import ClientConnectorError, web
from aiohttp.test_utils import TestServer
from slack_bolt.async_app import AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier

from tests.acceptance.compare.conversations import BOTS, CONVERSATIONS, Step, says, waits
from tests.acceptance.compare.facts import misquoted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from slack_bolt import BoltResponse

DATE = 1_760_086_800
FORM = {"food": {"selected_option": {"value": "5"}}, "service": {"selected_option": {"value": "4"}}}
THERE = {
    **CONVERSATIONS,
    "survey": [says("/rate", "Your visit"), waits(0, "Thank you! Food 5, service 4: nice soup")],
}
"""The survey is a form here, handed in at once; everything else is the same."""

every_bot = pytest.mark.parametrize("bot", BOTS)


class Slack:
    """The other end: remembers what is sent, and may be down."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.shown: list[dict[str, Any]] = []
        self.scheduled: list[str] = []
        self.down = False
        self.up = ""
        """What can be called nevertheless."""
        self.calls = 0
        app = web.Application()
        app.router.add_post("/api/{method}", self.answer)
        app.router.add_post("/respond", self.respond)
        self.server = TestServer(app)

    async def answer(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        given = dict(await request.post()) if "form" in request.content_type else await request.json()
        if method == "auth.test":
            told = {"ok": True, "user_id": "UBOT", "bot_id": "BBOT", "team_id": "T", "user": "bot", "team": "T"}
            return web.json_response(told)
        self.calls += 1
        if self.down and method != self.up:
            return web.json_response({"ok": False}, status=503)
        if method == "chat.scheduleMessage":
            self.scheduled.append(given["text"])
        elif method == "views.open":
            view = given["view"] if isinstance(given["view"], dict) else json.loads(given["view"])
            self.texts.append(view["title"]["text"])
        else:
            self._show(given)
        return web.json_response({"ok": True, "ts": str(DATE), "channel": "C1"})

    async def respond(self, request: web.Request) -> web.Response:
        self._show(await request.json())
        return web.Response(text="ok")

    def _show(self, given: dict[str, Any]) -> None:
        blocks = given.get("blocks") or []
        self.shown.append({**given, "blocks": json.loads(blocks) if isinstance(blocks, str) else blocks})
        self.texts.append(given["text"])


class Talk:
    """One process of a bot, with every default, and Ann."""

    def __init__(self, name: str, slack: Slack) -> None:
        self.slack = slack
        self.module = load(name)
        self.app = self.module.app
        self.app.client.base_url = str(slack.server.make_url("/api/"))
        self.numbers = count(1)

    async def do(self, step: Step) -> BoltResponse | None:
        if step.kind == "waits":
            if self.module.__name__.endswith("survey"):
                values = {**FORM, "remark": {"value": "nice soup"}}
                state = {"values": {name: {"answer": value} for name, value in values.items()}}
                view = {"type": "modal", "callback_id": "survey", "state": state}
                return await self.post(form=True, body={"type": "view_submission", "view": view, **self.who()})
            self.slack.texts += self.slack.scheduled
            return None
        if step.what.startswith("/"):
            command = {"command": step.what, "text": "", "user_id": "UANN", "channel_id": "C1", "team_id": "T"}
            return await self.post(raw=urlencode({**command, "trigger_id": "t", "api_app_id": "A"}))
        return await (self.press(self.button(step.what)) if step.kind == "clicks" else self.post(body=self.said(step)))

    def said(self, step: Step) -> dict[str, Any]:
        number = next(self.numbers)
        event = {"type": "message", "channel": "C1", "user": "UANN", "ts": f"{DATE}.{number:06}", "text": step.what}
        if step.kind == "sends":
            event |= {
                "subtype": "file_share",
                "text": "",
                "files": [{"url_private": step.what, "mimetype": "image/jpeg"}],
            }
        return {"type": "event_callback", "team_id": "T", "api_app_id": "A", "event_id": f"E{number}", "event": event}

    def button(self, title: str) -> dict[str, Any]:
        """The latest button of that title."""
        for message in reversed(self.slack.shown):
            for block in message["blocks"]:
                for each in block.get("elements", []):
                    if each["text"]["text"] == title:
                        return {"type": "button", "block_id": "b", "action_ts": "1", **each}
        raise AssertionError(title)

    async def press(self, action: dict[str, Any]) -> BoltResponse:
        url = str(self.slack.server.make_url("/respond"))
        press = {"type": "block_actions", "actions": [action], "response_url": url, "channel": {"id": "C1"}}
        return await self.post(form=True, body={**press, **self.who()})

    def who(self) -> dict[str, Any]:
        return {"user": {"id": "UANN"}, "team": {"id": "T"}, "api_app_id": "A", "trigger_id": "t"}

    async def post(
        self,
        *,
        body: dict[str, Any] | None = None,
        raw: str = "",
        form: bool = False,
        wait: bool = True,
        secret: str = "",
    ) -> BoltResponse:
        """A signed request from Slack; returns when the listener is done."""
        text = raw or (urlencode({"payload": json.dumps(body)}) if form else json.dumps(body))
        now = str(int(time.time()))
        signature = SignatureVerifier(secret or "secret").generate_signature(timestamp=now, body=text)
        kind = "application/json" if body is not None and not form else "application/x-www-form-urlencoded"
        headers = {"content-type": kind, "x-slack-request-timestamp": now, "x-slack-signature": signature}
        answer = await self.app.async_dispatch(AsyncBoltRequest(body=text, headers=headers))
        if wait:
            await asyncio.gather(*listeners(), return_exceptions=True)
        return answer


def listeners() -> list[asyncio.Task[Any]]:
    """What still runs after the answer."""
    return [each for each in asyncio.all_tasks() if "run_ack_function" in str(each.get_coro())]


def load(name: str) -> ModuleType:
    """A bot's module, as new."""
    spec = importlib.util.spec_from_file_location(f"compared_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def slack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Slack]:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "secret")
    made = Slack()
    async with made.server:
        yield made


@every_bot
async def test_a_whole_conversation(bot: str, slack: Slack) -> None:
    talk = Talk(bot, slack)
    for step in THERE[bot]:
        before = len(slack.texts)
        await talk.do(step)
        assert slack.texts[before:] == list(step.replies)


@every_bot
async def test_a_repeated_request_is_answered_again(bot: str, slack: Slack) -> None:
    if bot == "survey":
        pytest.skip("a command is not repeated by Slack, and a form is handed in once")
    talk = Talk(bot, slack)
    body = talk.said(THERE[bot][0])
    await talk.post(body=body)
    await talk.post(body=body)
    assert len(slack.texts) == 2


@pytest.mark.parametrize("bot", ["order", "approval", "photos", "helpdesk", "tip"])
async def test_a_restart_forgets_the_conversation(bot: str, slack: Slack) -> None:
    expected: list[str] = []
    for step in THERE[bot]:
        await Talk(bot, slack).do(step)
        expected += step.replies
    assert slack.texts != expected


@pytest.mark.parametrize("bot", ["echo", "greeting", "menu", "catalogue", "reminder", "survey", "sorry"])
async def test_a_restart_is_not_noticed_where_slack_keeps_what_matters(bot: str, slack: Slack) -> None:
    expected: list[str] = []
    for step in THERE[bot]:
        await Talk(bot, slack).do(step)
        expected += step.replies
    assert slack.texts == expected


@every_bot
async def test_a_reply_that_cannot_be_sent_is_gone(bot: str, slack: Slack) -> None:
    talk = Talk(bot, slack)
    slack.down = True
    await talk.do(THERE[bot][0])
    slack.down = False
    await asyncio.sleep(0)
    assert slack.calls >= 1
    assert slack.texts == []


def test_the_lines_that_are_quoted_read_so() -> None:
    assert misquoted("slack_bolt") == []
    assert misquoted("slack_sdk") == []


async def test_a_reminder_is_kept_where_its_confirmation_was_not_sent(slack: Slack) -> None:
    talk = Talk("reminder", slack)
    slack.down, slack.up = True, "chat.scheduleMessage"
    await talk.do(CONVERSATIONS["reminder"][0])
    assert slack.texts == []
    assert slack.scheduled == ["Reminder: call Bob"]


@pytest.mark.parametrize("bot", ["order", "approval", "photos", "helpdesk", "tip"])
async def test_state_is_kept_where_its_reply_was_not_sent(bot: str, slack: Slack) -> None:
    talk = Talk(bot, slack)
    slack.down = True
    await talk.do(next(each for each in CONVERSATIONS[bot] if each.what != "hello"))
    assert slack.texts == []
    assert any(getattr(talk.module, name, None) for name in ("steps", "waiting", "photos", "with_people", "seen"))


async def test_a_connection_that_breaks_is_tried_once_more(slack: Slack) -> None:
    talk = Talk("echo", slack)
    await talk.do(THERE["echo"][0])
    await slack.server.close()
    with pytest.raises(ClientConnectorError):
        await talk.app.client.chat_postMessage(channel="C1", text="hello")
    assert [type(each).__name__ for each in talk.app.client.retry_handlers] == ["AsyncConnectionErrorRetryHandler"]


async def test_made_up_values_are_taken(slack: Slack) -> None:
    talk = Talk("approval", slack)
    await talk.do(THERE["approval"][0])
    value = json.dumps({"number": 1, "amount": 9999, "payee": "Eve"})
    await talk.press({**talk.button("Pay"), "value": value})
    assert slack.texts[-1] == "Paid 9999 euro to Eve."


async def test_a_request_that_slack_did_not_sign_is_refused(slack: Slack) -> None:
    talk = Talk("echo", slack)
    answer = await talk.post(body=talk.said(THERE["echo"][0]), secret="another")
    assert answer.status == 401
    assert slack.texts == []


async def test_200_is_answered_before_the_listener_ends(slack: Slack) -> None:
    talk = Talk("echo", slack)
    never = asyncio.Event()

    async def stuck(**_: Any) -> None:
        await never.wait()

    talk.app._async_listeners[0].ack_function = stuck
    answer = await talk.post(body=talk.said(THERE["echo"][0]), wait=False)
    assert answer.status == 200
    assert len(listeners()) == 1
    for each in listeners():
        each.cancel()
