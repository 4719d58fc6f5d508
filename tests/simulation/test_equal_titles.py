"""Equal titles where a press brings its key: the choice stays native, and the press reaches its own rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from bridge import Button, Card, Cards, Menu, Router, Row, Section, Turn

if TYPE_CHECKING:
    from bridge.messages import Outgoing
    from bridge.testing.world import World

MENU: Final = Menu(
    "What?", "Menu", [Section("Tea", [Row("get-tea", "Small")]), Section("Coffee", [Row("get-coffee", "Small")])]
)
CARDS: Final = Cards([Card(name, buttons=[Button(f"get-{name}", "Buy")]) for name in ("tea", "coffee")])


@pytest.fixture
def router() -> Router:
    router = Router()

    @router.postback("get-{name}")
    def get(_: Turn[Any], name: str) -> str:
        return f"got {name}"

    @router.message(text="menu")
    def menu(_: Turn[Any]) -> Outgoing:
        return MENU

    @router.message(text="cards")
    def cards(_: Turn[Any]) -> Outgoing:
        return CARDS

    return router


@pytest.mark.parametrize("name", ["tea", "coffee"])
@pytest.mark.parametrize(("asked", "kinds"), [("menu", ["menu"]), ("cards", ["buttons", "buttons"])])
async def test_a_press_of_an_equal_title_reaches_the_rule_of_its_key(
    world: World, asked: str, kinds: list[str], name: str
) -> None:
    ann = world.contact("konnek", "whatsapp", "ann")
    await ann.says(asked)
    await world.settle()
    assert [seen.kind for seen in ann.seen] == kinds
    await ann.clicks(f"get-{name}")
    await world.settle()
    assert ann.texts[-1] == f"got {name}"
