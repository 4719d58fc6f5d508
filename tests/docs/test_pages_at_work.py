"""The pages' promises, tried out: the tutorial's bot takes an order, the backup opens, each pain has its page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson

from bridge.app.http import BRIDGE, create_app
from bridge.engine.delivery.outcomes import SILENCED
from bridge.events import ThreadRef
from bridge.messages import decode_message
from bridge.routing.loading import load_routers
from bridge.routing.router import combine
from tests.docs.pages import DOCS, blocks_of

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web
    from pytest_aiohttp.plugin import AiohttpClient


async def say(app: web.Application, number: int, text: str) -> list[str]:
    """Type something at the console; return all texts of the bot so far."""
    bridge = app[BRIDGE]
    posted = {"id": str(number), "conversation": "ann", "name": "Ann", "text": text}
    await bridge.webhooks.accept(bridge.config.accounts["console"], orjson.dumps(posted), None)
    await bridge.settle()
    thread = await bridge.store.find_thread(ThreadRef("console", "playground", "console", "ann"))
    assert thread is not None
    entries = await bridge.store.history(thread, limit=100)
    return [str(getattr(decode_message(entry.content), "text", "")) for entry in entries if entry.direction == "out"]


async def test_the_tutorials_bot_takes_an_order_by_title_number_and_word(
    aiohttp_client: AiohttpClient, tmp_path: Path
) -> None:
    bakery = [block for block in blocks_of(DOCS / "tutorial.md", "python") if block.file == "bakery.py"][-1]
    (tmp_path / "tutorial_bakery.py").write_text(bakery.code)
    router = combine(load_routers(["tutorial_bakery"], tmp_path))
    storage = {"url": f"sqlite:///{tmp_path}/bakery.db"}
    app = create_app({"storage": storage, "accounts": {"console": {"provider": "playground"}}}, router=router)
    await aiohttp_client(app)
    texts: list[str] = []
    for number, text in enumerate(["hello", "spelt bread", "many", "3", "YES"]):
        texts = await say(app, number, text)

    assert texts == [
        "Good morning! What may it be?",
        "Spelt bread, a good choice. How many?",
        "A number from 1 to 20, please.",
        "3 x Spelt bread, 15 euro. Shall I pack it?",
        "Thank you! Parcel P1 is packed, your order no. 1.",
    ]


def test_each_of_the_twenty_pains_has_a_page_with_code_or_says_that_it_has_none_yet() -> None:
    page = DOCS / "how-to" / "README.md"
    rows = re.findall(r"^\| (\d+) \| \"(.+)\" \| (.+) \| (.+) \|$", page.read_text("utf-8"), re.MULTILINE)
    assert [int(number) for number, *_ in rows] == list(range(1, 21))
    for _, pain, answer, where in rows:
        pages = [(page.parent / target).resolve() for target in re.findall(r"\]\(([^)#]+)", where)]
        assert pages, pain
        assert "**Not yet**" in answer or any(blocks_of(target, "python", "sh") for target in pages), pain


def test_the_page_on_handoff_quotes_the_reason_of_its_dead_letters() -> None:
    assert f'"{SILENCED}"' in (DOCS / "how-to" / "hand-off.md").read_text("utf-8")
