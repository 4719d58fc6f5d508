"""The twelve bots for aiogram in the same conversations, and what its defaults do when something goes wrong.

Runs where aiogram is installed; it is no dependency of this project.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

aiogram = pytest.importorskip("aiogram", reason="aiogram is not installed, and is no dependency of this project")

from aiogram import Bot, Dispatcher  # noqa: E402
from aiogram.client.session.base import BaseSession  # noqa: E402
from aiogram.exceptions import TelegramNetworkError  # noqa: E402
from aiogram.fsm.storage.memory import MemoryStorage, SimpleEventIsolation  # noqa: E402
from aiogram.types import Message, Update  # noqa: E402
from aiogram.webhook.aiohttp_server import SimpleRequestHandler  # noqa: E402
from aiohttp import web  # noqa: E402
from aiohttp.test_utils import TestClient, TestServer  # noqa: E402

from tests.acceptance.compare.conversations import BOTS, CONVERSATIONS, Step  # noqa: E402
from tests.acceptance.compare.facts import misquoted  # noqa: E402

ANN = 1
DATE = 1_760_086_800
every_bot = pytest.mark.parametrize("bot", BOTS)


class Telegram(BaseSession):
    """The other end: remembers what is sent, and may be down."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[int, dict[str, Any]] = {}
        self.texts: list[str] = []
        self.down = False
        self.slow = False

    async def make_request(self, bot: Bot, method: Any, timeout: int | None = None) -> Any:  # noqa: ASYNC109 - as aiogram calls it
        del timeout
        await asyncio.sleep(0.01 if self.slow else 0)
        if self.down:
            raise TelegramNetworkError(method, "connection refused")
        name = method.__api_method__
        if name == "answerCallbackQuery":
            return True
        shown = method.model_dump(exclude_none=True, warnings=False)
        number = shown.get("message_id") if name == "editMessageText" else len(self.sent) + 1000
        chat = {"id": method.chat_id, "type": "private"}
        raw = {"message_id": number, "date": DATE, "chat": chat, "text": shown.get("text", "")}
        raw |= {"reply_markup": shown["reply_markup"]} if "reply_markup" in shown else {}
        self.sent[number] = raw
        if method.chat_id == ANN:
            self.texts.append(raw["text"])
        return Message.model_validate(raw).as_(bot)

    async def close(self) -> None: ...

    async def stream_content(self, *args: Any, **kwargs: Any) -> Any: ...


class Talk:
    """One process of a bot: a dispatcher with every default, and Ann."""

    def __init__(self, name: str, telegram: Telegram | None = None, **settings: Any) -> None:
        self.telegram = telegram or Telegram()
        self.module = load(name)
        self.due = asyncio.Event()
        if name == "reminder":
            hurried = {"sleep": lambda _: self.due.wait(), "create_task": asyncio.create_task}
            self.module.asyncio = SimpleNamespace(**hurried)
        self.dispatcher = Dispatcher(**getattr(self.module, "INJECTED", {}), **settings)
        self.dispatcher.include_router(self.module.router)
        self.bot = Bot("42:TEST", session=self.telegram)
        self.numbers = count(1)

    async def feed(self, update: dict[str, Any]) -> None:
        await self.dispatcher.feed_raw_update(self.bot, update)

    async def do(self, step: Step) -> None:
        if step.kind == "waits":
            self.due.set()
            await asyncio.gather(*self.module.tasks)
        else:
            await self.feed(self.update(step))

    def update(self, step: Step) -> dict[str, Any]:
        number = next(self.numbers)
        if step.kind == "clicks":
            return self.press(self.data(step.what))
        photo = [{"file_id": step.what, "file_unique_id": step.what, "width": 1, "height": 1}]
        return {
            "update_id": number,
            "message": self.said(number, **({"photo": photo} if step.kind == "sends" else {"text": step.what})),
        }

    def said(self, number: int, **what: Any) -> dict[str, Any]:
        ann = {"id": ANN, "is_bot": False, "first_name": "Ann"}
        return {"message_id": number, "date": DATE, "chat": {"id": ANN, "type": "private"}, "from": ann, **what}

    def data(self, title: str) -> str:
        """What is behind the latest button of that title."""
        for message in reversed(self.telegram.sent.values()):
            for row in message.get("reply_markup", {}).get("inline_keyboard", []):
                for button in row:
                    if button["text"] == title:
                        return str(button["callback_data"])
        raise AssertionError(title)

    def press(self, data: str) -> dict[str, Any]:
        number = next(self.numbers)
        ann = {"id": ANN, "is_bot": False, "first_name": "Ann"}
        query = {"id": str(number), "from": ann, "chat_instance": "1", "data": data}
        return {"update_id": number, "callback_query": {**query, "message": list(self.telegram.sent.values())[-1]}}


def load(name: str) -> ModuleType:
    """A bot's module, as new."""
    spec = importlib.util.spec_from_file_location(f"compared_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@every_bot
async def test_a_whole_conversation(bot: str) -> None:
    talk = Talk(bot)
    for step in CONVERSATIONS[bot]:
        before = len(talk.telegram.texts)
        await talk.do(step)
        assert talk.telegram.texts[before:] == list(step.replies)


async def test_staff_answers_through_the_bot() -> None:
    talk = Talk("helpdesk")
    await talk.do(Step("says", "human", ()))
    await talk.do(Step("says", "I have a question", ()))
    forwarded = {"message_id": 7, "date": DATE, "chat": {"id": talk.module.DESK, "type": "group"}, "text": "?"}
    origin = {"type": "user", "date": DATE, "sender_user": {"id": ANN, "is_bot": False, "first_name": "Ann"}}
    answer = {**talk.said(8, text="Yes?"), "chat": forwarded["chat"]}
    await talk.feed(
        {"update_id": 99, "message": {**answer, "reply_to_message": {**forwarded, "forward_origin": origin}}}
    )
    assert len(talk.telegram.texts) == 2


@every_bot
async def test_a_repeated_update_is_answered_again(bot: str) -> None:
    talk = Talk(bot)
    update = talk.update(CONVERSATIONS[bot][0])
    await talk.feed(update)
    once = len(talk.telegram.texts)
    await talk.feed(update)
    assert once == 1
    assert len(talk.telegram.texts) == 2


@pytest.mark.parametrize("bot", ["order", "approval", "survey", "photos", "helpdesk", "tip"])
async def test_a_restart_forgets_the_conversation(bot: str) -> None:
    telegram = Telegram()
    expected: list[str] = []
    for step in CONVERSATIONS[bot]:
        await Talk(bot, telegram).do(step)
        expected += step.replies
    assert telegram.texts != expected


@pytest.mark.parametrize("bot", ["echo", "greeting", "menu", "catalogue", "sorry"])
async def test_a_restart_is_not_noticed_where_the_button_says_it_all(bot: str) -> None:
    telegram = Telegram()
    for step in CONVERSATIONS[bot]:
        await Talk(bot, telegram).do(step)
    assert telegram.texts == [each for step in CONVERSATIONS[bot] for each in step.replies]


async def test_a_reminder_is_kept_where_its_confirmation_was_not_sent() -> None:
    talk = Talk("reminder")
    talk.telegram.down = True
    with pytest.raises(TelegramNetworkError):
        await talk.do(CONVERSATIONS["reminder"][0])
    assert len(talk.module.tasks) == 1
    for task in talk.module.tasks:
        task.cancel()


async def test_a_restart_forgets_a_reminder() -> None:
    first = Talk("reminder")
    await first.do(CONVERSATIONS["reminder"][0])
    again = Talk("reminder", first.telegram)
    assert not again.module.tasks
    for task in first.module.tasks:
        task.cancel()


@every_bot
async def test_a_reply_that_cannot_be_sent_is_gone(bot: str) -> None:
    talk = Talk(bot)
    talk.telegram.down = True
    with pytest.raises(TelegramNetworkError):
        await talk.do(CONVERSATIONS[bot][0])
    talk.telegram.down = False
    await asyncio.sleep(0)
    assert talk.telegram.texts == []


def test_the_lines_that_are_quoted_read_so() -> None:
    assert misquoted("aiogram") == []


@pytest.mark.parametrize("bot", ["order", "approval", "survey", "photos", "helpdesk", "tip"])
async def test_state_is_kept_where_its_reply_was_not_sent(bot: str) -> None:
    talk = Talk(bot)
    talk.telegram.down = True
    step = next(each for each in CONVERSATIONS[bot] if each.what != "hello")
    with pytest.raises(TelegramNetworkError):
        await talk.do(step)
    assert [each for each in talk.dispatcher.storage.storage.values() if each.state or each.data]


async def test_two_messages_at_once_are_handled_at_once() -> None:
    talk = Talk("survey")
    talk.telegram.slow = True
    await talk.do(CONVERSATIONS["survey"][0])
    same = [talk.update(Step("says", "5", ())) for _ in range(2)]
    most = running = 0
    original = talk.telegram.make_request

    async def watched(*args: Any, **kwargs: Any) -> Any:
        nonlocal most, running
        running += 1
        most = max(most, running)
        try:
            return await original(*args, **kwargs)
        finally:
            running -= 1

    talk.telegram.make_request = watched
    await asyncio.gather(*map(talk.feed, same))
    assert most == 2


class Waiting(MemoryStorage):
    """A storage somewhere else: it takes a moment to answer."""

    async def get_data(self, key: Any) -> dict[str, Any]:
        found = await super().get_data(key)
        await asyncio.sleep(0.05)
        return found

    async def get_value(self, *args: Any, **kwargs: Any) -> Any:
        found = await super().get_value(*args, **kwargs)
        await asyncio.sleep(0.05)
        return found


@pytest.mark.parametrize(
    ("storage", "isolation", "last"),
    [(MemoryStorage, None, 2), (Waiting, None, 1), (Waiting, SimpleEventIsolation, 2)],
)
async def test_of_two_at_once_one_is_lost_when_the_storage_takes_a_moment(
    storage: Any, isolation: Any, last: int
) -> None:
    talk = Talk("photos", storage=storage(), events_isolation=isolation and isolation())
    updates = [talk.update(Step("sends", f"https://phone.example/{n}.jpg", ())) for n in range(2)]
    await asyncio.gather(*map(talk.feed, updates))
    assert talk.telegram.texts[-1] == f"Thank you, that is photo {last}."


async def test_made_up_data_is_taken() -> None:
    talk = Talk("approval")
    await talk.do(CONVERSATIONS["approval"][0])
    await talk.feed(talk.press("decide:1:9999:Eve:1"))
    assert talk.telegram.texts[-1] == "Paid 9999 euro to Eve."


async def test_200_is_answered_before_the_handler_ends() -> None:
    talk = Talk("echo")
    never = asyncio.Event()

    @talk.dispatcher.update.outer_middleware
    async def stuck(handler: Any, event: Update, data: dict[str, Any]) -> Any:
        await never.wait()
        return await handler(event, data)

    app = web.Application()
    handler = SimpleRequestHandler(talk.dispatcher, talk.bot)
    handler.register(app, "/")
    async with TestClient(TestServer(app)) as client:
        answer = await client.post("/", json=talk.update(CONVERSATIONS["echo"][0]))
        assert answer.status == 200
        assert talk.telegram.texts == []
        for task in handler._background_feed_update_tasks:
            task.cancel()
