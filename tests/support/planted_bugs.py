"""Twenty bugs as bots have them: each with what is right, and the conversation in which it came to light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from bridge.testing import World

HEAD: Final = """
from bridge import (
    Button, Buttons, Depends, Dialog, Key, Message, Postback, Returned, Router, Status, Text, Turn, debounce
)
router = Router("bot")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """A bot whose text has `wrong` in the place of `right`. `raises`: the class of its error; "": it says the wrong.

    A batch whose turn fails is one of these: its events have their turns alone then, and are answered one by one.
    """

    name: str
    bot: str
    wrong: str
    right: str
    happens: Callable[[World], Coroutine[Any, Any, None]]
    raises: str = ""

    def source(self, *, mended: bool) -> str:
        """The text of the bot."""
        assert self.bot.count("BUG") == 1
        return HEAD + self.bot.replace("BUG", self.right if mended else self.wrong)


def says(
    *texts: str, account: str = "konnek", channel: str = "whatsapp"
) -> Callable[[World], Coroutine[Any, Any, None]]:
    """A person says these things one after the other; `click:` is a press, `wait:` a span."""

    async def happens(world: World) -> None:
        person = world.contact(account, channel, "Maria")
        for text in texts:
            act, _, rest = text.partition(":")
            if act == "click":
                await person.clicks(rest)
            elif act == "wait":
                await world.advance(rest)
                continue
            elif act == "agent":
                await (
                    world.agent(person).takes("Maria is angry") if rest == "takes" else world.agent(person).returns()
                )
            else:
                await person.says(*text.split("|"))
            await world.settle()

    return happens


async def _photo(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "Maria")
    await ann.says("here it comes")
    await ann.sends("image", "https://files.example/photo-6281234500099.png", "my living room")
    await world.settle()


async def _place(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "Maria")
    await ann.locates(-6.21462, 106.84513)
    await world.settle()


async def _read(world: World) -> None:
    ann = world.contact("konnek", "whatsapp", "Maria")
    await ann.says("hello")
    await world.settle()
    await ann.reads()
    await world.settle()


async def _named(world: World) -> None:
    await world.contact("konnek", "whatsapp", "O'Brien").says("hello")
    await world.settle()


_ECHO: Final = """
@router.default()
def answer(turn: Turn):
    BUG
    return "ok"
"""
_COUNT: Final = """
@router.default()
def answer(turn: Turn):
    count = turn.state["count"] = turn.state.get("count", 0) + 1
    BUG
    return f"message {count}"
"""
_SEATS: Final = """
class Seat(Key):
    no: int

@router.message(text="seats")
def seats(turn: Turn):
    return Buttons("Which one?", [Button(Seat(no=no), f"Seat {no}") for no in (1, 2, 3)])

@router.postback(Seat)
def seat(turn: Turn[Postback], click: Seat):
    BUG
    return f"Seat {click.no} it is"

@router.default()
def other(turn: Turn):
    return "?"
"""
_DIALOG: Final = """
@router.message(text="book")
async def book(turn: Turn):
    await turn.begin(booking)

@router.dialog(version=1)
async def booking(d: Dialog):
    name = await d.ask("Whose name?")
    many = await d.ask("How many?")
    BUG
    return f"Booked for {many}"

@router.default()
def other(turn: Turn):
    return "?"
"""
_TIMER: Final = """
@router.message(text="remind me")
def remind(turn: Turn):
    turn.after("2h", nudge, name="tea")
    return "Later."

def nudge(turn: Turn):
    BUG
    return "Tea!"

@router.default()
def other(turn: Turn):
    return "?"
"""
_NOTES: Final = """
@router.default(overlap=debounce(2))
def notes(turn: Turn):
    BUG
    return f"{len(turn.events)} notes"
"""
_FILTER: Final = """
def is_discount(event) -> bool:
    BUG
    return event.text.startswith("-")

@router.message(is_discount)
def discount(turn: Turn):
    return "less"

@router.default()
def other(turn: Turn):
    return "?"
"""
_DEPENDS: Final = """
def price(turn: Turn) -> int:
    BUG
    return 7

@router.message(regex="^price")
def tell(turn: Turn, price: int = Depends(price)):
    return f"{price} euro"

@router.default()
def other(turn: Turn):
    return "?"
"""
_RETURNED: Final = """
@router.on(Returned)
def back(turn: Turn[Returned]):
    BUG
    return "I am back"

@router.default()
def other(turn: Turn):
    return "?"
"""
_STATUS: Final = """
@router.on(Status)
def news(turn: Turn[Status]):
    BUG

@router.default()
def other(turn: Turn):
    return "?"
"""
_ORDER: Final = """
@router.message(regex=r"(?i)^order (?P<no>\\w+)$")
def order(turn: Turn, no: str):
    turn.state["order"] = BUG
    return f"Order {turn.state['order']}"

@router.default()
def other(turn: Turn):
    return f"About order {turn.state['order']}?" if "order" in turn.state else "Which order?"
"""
_MEDIUM: Final = """
@router.message(kind="image")
def image(turn: Turn[Message]):
    BUG
    return "A picture!"

@router.message(kind="location")
def place(turn: Turn[Message]):
    return "A place!"

@router.default()
def other(turn: Turn):
    return "?"
"""
_PLACE: Final = """
@router.message(kind="location")
def place(turn: Turn[Message]):
    BUG
    return "A place!"
"""

BUGS: Final = (
    Bug(
        name="each message",
        bot=_ECHO,
        wrong="1 / 0",
        right="pass",
        happens=says("hi there"),
        raises="ZeroDivisionError",
    ),
    Bug(
        name="the third message",
        bot=_COUNT,
        wrong="['a', 'b'][count - 1]",
        right="pass",
        happens=says("one thing", "another thing", "a last thing"),
        raises="IndexError",
    ),
    Bug(
        name="a word in a text",
        bot=_ECHO,
        wrong="assert 'refund' not in turn.event.text",
        right="pass",
        happens=says("hello, I am Maria", "I want a refund for my broken lamp"),
        raises="AssertionError",
    ),
    Bug(
        name="letters of another alphabet",
        bot=_ECHO,
        wrong="turn.event.text.encode('ascii')",
        right="pass",
        happens=says("bonjour", "un café s'il vous plaît"),
        raises="UnicodeEncodeError",
    ),
    Bug(
        name="a long text",
        bot=_ECHO,
        wrong="assert len(turn.event.text) < 40",
        right="pass",
        happens=says("short", "this is what I have to say about the matter at hand, Sir"),
        raises="AssertionError",
    ),
    Bug(
        name="a number that is none",
        bot=_ORDER,
        wrong="int(no)",
        right="no",
        happens=says("hello", "Order 7", "order 7a"),
        raises="ValueError",
    ),
    Bug(
        name="a press",
        bot=_SEATS,
        wrong="{1: 'a', 3: 'c'}[click.no]",
        right="pass",
        happens=says("seats", "click:Seat 1", "seats", "click:Seat 2"),
        raises="KeyError",
    ),
    Bug(
        name="a second answer of a dialog",
        bot=_DIALOG,
        wrong="many = int(many)",
        right="pass",
        happens=says("book", "Maria", "a few"),
        raises="ValueError",
    ),
    Bug(
        name="a timer",
        bot=_TIMER,
        wrong="turn.state['tea']",
        right="pass",
        happens=says("hello", "remind me", "wait:3h"),
        raises="KeyError",
    ),
    Bug(
        name="a batch",
        bot=_NOTES,
        wrong="assert len(turn.events) < 3",
        right="pass",
        happens=says("just one", "one|two|three"),
    ),
    Bug(
        name="a filter",
        bot=_FILTER,
        wrong="event.text % ()",
        right="pass",
        happens=says("fine", "give me 50% off"),
        raises="TypeError",
    ),
    Bug(
        name="a dependency",
        bot=_DEPENDS,
        wrong="turn.state['currency']",
        right="pass",
        happens=says("hello", "price of the lamp"),
        raises="KeyError",
    ),
    Bug(
        name="no reply",
        bot=_ECHO,
        wrong="return 5",
        right="pass",
        happens=says("hello there"),
        raises="HandlerError",
    ),
    Bug(
        name="a picture",
        bot=_MEDIUM,
        wrong="turn.event.media.url.rsplit('.', 3)[3]",
        right="pass",
        happens=_photo,
        raises="IndexError",
    ),
    Bug(
        name="a place in the south",
        bot=_PLACE,
        wrong="assert turn.event.location.latitude > 0",
        right="pass",
        happens=_place,
        raises="AssertionError",
    ),
    Bug(
        name="a return from a person",
        bot=_RETURNED,
        wrong="turn.event.missed[5]",
        right="pass",
        happens=says("hello", "agent:takes", "are you there?", "agent:returns"),
        raises="IndexError",
    ),
    Bug(
        name="news of a message",
        bot=_STATUS,
        wrong="assert turn.event.value != 'read'",
        right="pass",
        happens=_read,
        raises="AssertionError",
    ),
    Bug(
        name="a wrong number in an answer",
        bot=_COUNT,
        wrong="count += count > 2",
        right="pass",
        happens=says("one thing", "another thing", "a last thing"),
    ),
    Bug(
        name="an order that is forgotten",
        bot=_ORDER,
        wrong="no if 'order' not in turn.state else turn.state['order']",
        right="no",
        happens=says("order 7", "order 8", "where is it?"),
    ),
    Bug(
        name="a name with an apostrophe",
        bot=_ECHO,
        wrong="assert turn.event.contact.name.isalpha()",
        right="pass",
        happens=_named,
        raises="AssertionError",
    ),
)
