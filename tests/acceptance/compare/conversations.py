"""What is said to each of the twelve bots, and what they answer: the same in all three frameworks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Step:
    """Something a person does, or seconds that pass, and the texts that come of it.

    `returns` is the bot's having the conversation again: the person who had it gives it back, or, where bot and people
    share no inbox, the contact says `what`.
    """

    kind: Literal["says", "clicks", "sends", "waits", "returns"]
    what: str
    replies: tuple[str, ...]


def says(text: str, *replies: str) -> Step:
    return Step("says", text, replies)


def clicks(title: str, *replies: str) -> Step:
    return Step("clicks", title, replies)


def sends(url: str, *replies: str) -> Step:
    return Step("sends", url, replies)


def waits(seconds: int, *replies: str) -> Step:
    return Step("waits", str(seconds), replies)


def returns(word: str, *replies: str) -> Step:
    return Step("returns", word, replies)


CONVERSATIONS: Final[Mapping[str, Sequence[Step]]] = {
    "echo": [says("hello", "hello"), says("Guten Tag", "Guten Tag")],
    "greeting": [says("Hi, my name is Ann.", "Hello, Ann!"), says("and now?")],
    "menu": [
        says("Menu", "What would you like to know?"),
        clicks("Opening hours", "We are open from 9 to 17."),
        clicks("Address", "High Street 7."),
    ],
    "catalogue": [
        says("books", "Emma\nDracula\nUlysses"),
        clicks("More", "Walden\nCandide\nMiddlemarch"),
        clicks("Back", "Emma\nDracula\nUlysses"),
    ],
    "order": [
        says("order", "Which tea?"),
        says("sencha", "How many packs?"),
        says("many", "A number, please."),
        says("3", "Order 1: 3 x sencha."),
        says("order", "Which tea?"),
        says("assam", "How many packs?"),
        says("1", "Order 2: 1 x assam."),
    ],
    "reminder": [says("remind me in 10 minutes to call Bob", "I will."), waits(660, "Reminder: call Bob")],
    "approval": [
        says("pay 120 to Bob", "Pay 120 euro to Bob?"),
        clicks("Pay", "Paid 120 euro to Bob."),
        clicks("Pay", "That was decided already."),
        clicks("Refuse", "That was decided already."),
    ],
    "survey": [
        says("rate", "How was the food, 1 to 5?"),
        says("good", "A number from 1 to 5, please."),
        says("5", "And the service, 1 to 5?"),
        says("4", "Anything to add?"),
        says("nice soup", "Thank you! Food 5, service 4: nice soup"),
    ],
    "photos": [
        sends("https://phone.example/1.jpg", "Thank you, that is photo 1."),
        says("and?", "A photo, please."),
        sends("https://phone.example/2.jpg", "Thank you, that is photo 2."),
    ],
    "helpdesk": [
        says("hello", 'Write "human" to talk to a person.'),
        says("human", "A person will take over."),
        says("hello?"),
        returns("bot", "I am back."),
        says("hello", 'Write "human" to talk to a person.'),
    ],
    "sorry": [
        says("price of tea", "6 euro."),
        says("price of gold", "We do not sell that."),
        says("price of soup", "Sorry, something went wrong here."),
        says("price of tea", "6 euro."),
    ],
    "tip": [says("tip", "Go for a walk."), says("Tip", "That was it for today.")],
}

BOTS: Final = tuple(CONVERSATIONS)
