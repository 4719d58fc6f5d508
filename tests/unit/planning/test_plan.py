"""What each message becomes on channels of different means: golden tables, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from bridge.messages import (
    Audio,
    Button,
    Buttons,
    Card,
    Cards,
    Document,
    Image,
    Location,
    Menu,
    Outgoing,
    Raw,
    Row,
    Section,
    Template,
    Text,
    Video,
    Voice,
    choices_of,
)
from bridge.planning.choices import Choice
from bridge.planning.plan import Plan
from bridge.providers.konnek.outbound import CAPABILITIES as KONNEK
from bridge.units import moment
from tests.support.channel_profiles import NOW, PICTURES, PLAIN, QUICK, RICH, SHOWCASE, WINDOWED, planned

if TYPE_CHECKING:
    from bridge.planning.capabilities import Capabilities


def text_of(made: Plan) -> str:
    (part,) = made.parts
    assert isinstance(part, Text)
    return part.text


def buttons(*titles: str) -> list[Button]:
    return [Button(f"key-{title}", title) for title in titles]


SIZES: Final = Menu(
    "What size?",
    "Menu",
    [
        Section("Pizza", [Row("s", "Small", "20 cm"), Row("l", "Large")], "from the oven"),
        Section("", [Row("c", "Cheese")]),
    ],
    header="Luigi's",
    footer="Tax in",
)
ASK: Final = Buttons("Really?", buttons("Yes", "No"), header="Order 7", footer="Shop")


@pytest.mark.parametrize(
    ("message", "capabilities"),
    [
        (Text("hello"), PLAIN),
        (Text("x" * 4096), PLAIN),
        (Text("hello", reply_to="m1"), RICH),
        (Image("https://x/a.png", caption="A"), RICH),
        (Image("https://x/a.png"), PICTURES),
        (Voice("https://x/a.ogg"), PICTURES),
        (Location(52.5, 13.4, name="Home"), RICH),
        (ASK, RICH),
        (replace(ASK, header=Image("https://x/a.png", name="a")), RICH),
        (SIZES, RICH),
        (Buttons("Really?", buttons("Yes", "No")), QUICK),
        (Cards([Card("A", buttons=buttons("Buy A")), Card("B", image="https://x/b.png")]), SHOWCASE),
        (Cards([Card("A", buttons=buttons("Buy", "More", "Back"))]), SHOWCASE),
        (Template("hello", params={"name": "Ann"}), WINDOWED),
        (Raw({"type": "sticker"}), WINDOWED),
    ],
)
def test_what_a_channel_carries_goes_as_it_is(message: Outgoing, capabilities: Capabilities) -> None:
    choices = tuple(Choice(number=None, key=each.key, title=each.title) for each in choices_of(message))
    assert planned(message, capabilities) == Plan(parts=(message,), choices=choices)


@pytest.mark.parametrize(
    ("message", "text", "given_up"),
    [
        (Image("https://x/a.png", caption="Look"), "Look\nhttps://x/a.png", ("image: sent as a link",)),
        (Video("https://x/a.mp4"), "https://x/a.mp4", ("video: sent as a link",)),
        (Audio("https://x/a.mp3"), "https://x/a.mp3", ("audio: sent as a link",)),
        (
            Document("https://x/7", name="invoice.pdf", caption="Yours"),
            "Yours\ninvoice.pdf\nhttps://x/7",
            ("document: sent as a link",),
        ),
        (
            Location(52.5, -0.0000125, name="Home"),
            "Home\nhttps://www.google.com/maps/search/?api=1&query=52.5,-0.0000125",
            ("location: sent as a map link",),
        ),
        (
            ASK,
            "Order 7\n\nReally?\n\n1. Yes\n2. No\n\nShop",
            (
                "buttons: not carried here, menu: not carried here; shown as numbered text",
                "header: folded into the text",
                "footer: folded into the text",
            ),
        ),
        (
            replace(ASK, header=Image("https://x/a.png", caption="Shoes"), footer=None),
            "Shoes\nhttps://x/a.png\n\nReally?\n\n1. Yes\n2. No",
            (
                "buttons: not carried here, menu: not carried here; shown as numbered text",
                "header: folded into the text as a link",
            ),
        ),
        (
            SIZES,
            "Luigi's\n\nWhat size?\n\nMenu\n\nPizza — from the oven\n1. Small — 20 cm\n2. Large\n\n3. Cheese\n\nTax in",
            (
                "menu: not carried here; shown as numbered text",
                "header: folded into the text",
                "footer: folded into the text",
            ),
        ),
        (
            Menu("How many?", "Number", [Section("Number", [Row("two", "2"), Row("four", "4"), Row("m", "More")])]),
            "How many?\n\nNumber\n2\n4\n1. More",
            ("menu: not carried here; shown as numbered text",),
        ),
        (
            Cards([Card("A", buttons=buttons("Buy", "More"), image="https://x/a.png"), Card("B")]),
            "A\nhttps://x/a.png\n1. Buy\n2. More\n\nB",
            ("cards: not carried here; shown as numbered text",),
        ),
    ],
)
def test_where_there_is_only_text_everything_becomes_text(
    message: Outgoing, text: str, given_up: tuple[str, ...]
) -> None:
    made = planned(message, PLAIN)
    assert (text_of(made), made.given_up) == (text, given_up)
    assert [choice.key for choice in made.choices] == [each.key for each in choices_of(message)]
    assert made.dropped is None


def test_buttons_beyond_the_limit_become_a_list() -> None:
    made = planned(Buttons("Pick", buttons("A", "B", "C", "D"), footer="f"), RICH)
    (part,) = made.parts
    assert isinstance(part, Menu)
    assert [(row.key, row.title) for row in part.sections[0].rows] == [(f"key-{each}", each) for each in "ABCD"]
    assert (part.text, part.footer) == ("Pick", "f")
    assert made.choices[3] == Choice(number=None, key="key-D", title="D")
    assert made.given_up == ("buttons: 4 are more than 3; shown as a list",)


@pytest.mark.parametrize(
    ("message", "capabilities", "why"),
    [
        (Buttons("Pick", buttons(*"ABCDEFGHIJK")), RICH, "buttons: 11 are more than 3, menu: 11 are more than 10"),
        (Buttons("Pick", [Button("k" * 257, "A")]), RICH, "buttons: a key is longer than 256 bytes"),
        (Buttons("Pick", [Button("1", "Same"), Button("2", "SAME")]), RICH, "buttons: two titles would read the same"),
        (
            Buttons("Pick", buttons("The very long title of one", "The very long title of two")),
            QUICK,
            "buttons: two titles would read the same",
        ),
        (SIZES, QUICK, "menu: not carried here"),
        (SIZES, replace(RICH, rows=2), "menu: 3 are more than 2"),
    ],
)
def test_what_cannot_be_pressed_is_numbered(message: Outgoing, capabilities: Capabilities, why: str) -> None:
    made = planned(message, capabilities)
    assert [choice.key for choice in made.choices] == [each.key for each in choices_of(message)]
    assert [choice.number for choice in made.choices] == list(range(1, len(made.choices) + 1))
    assert made.given_up[0].startswith(why)
    assert made.given_up[0].endswith("shown as numbered text")
    assert all(f"{choice.number}. {choice.title}" in text_of(made) for choice in made.choices)


def test_a_long_title_is_cut_and_answers_as_it_is_read() -> None:
    made = planned(Buttons("Pick", buttons("Delivery to my house", "Delivery to my office")), QUICK)
    assert [each.title for each in choices_of(made.parts[0])] == ["Delivery to my house", "Delivery to my offi…"]
    assert made.choices[1].title == "Delivery to my offi…"
    assert made.given_up == ("title 'Delivery to my office': cut to 20 characters",)


def test_titles_too_alike_for_buttons_may_still_fit_a_list() -> None:
    made = planned(Buttons("Pick", buttons("Delivery to my house 1", "Delivery to my house 2")), RICH)
    assert made.parts[0].kind == "menu"
    assert made.given_up == ("buttons: two titles would read the same; shown as a list",)


def test_a_header_medium_that_is_no_header_here_goes_ahead() -> None:
    message = Buttons("Really?", buttons("Yes"), header=Image("https://x/a.png", caption="Shoes"))
    made = planned(message, replace(RICH, header=frozenset()))
    assert made.parts == (Image("https://x/a.png", caption="Shoes"), Buttons("Really?", buttons("Yes")))
    assert made.given_up == ("header: sent ahead",)


def test_the_caption_of_a_native_header_is_folded_into_the_text() -> None:
    made = planned(Buttons("Really?", buttons("Yes"), header=Image("https://x/a.png", caption="Shoes")), RICH)
    assert made.parts == (Buttons("Shoes\n\nReally?", buttons("Yes"), header=Image("https://x/a.png")),)
    assert made.given_up == ("header's caption: folded into the text",)


def test_a_text_too_long_for_its_buttons_goes_ahead_of_them_under_its_header() -> None:
    short = replace(RICH, text=30)
    made = planned(Buttons("First sentence is here. Second sentence.", buttons("Yes"), header="H", footer="F"), short)
    assert made.parts == (
        Text("H\n\nFirst sentence is here."),
        Buttons("Second sentence.", buttons("Yes"), footer="F"),
    )
    assert made.given_up == ("header: folded into the text", "text: split into 2 messages")


@pytest.mark.parametrize("capabilities", [PICTURES, replace(RICH, text=3)])
def test_a_caption_that_cannot_ride_along_follows(capabilities: Capabilities) -> None:
    made = planned(Image("https://x/a.png", caption="Look"), replace(capabilities, text=3))
    assert made.parts == (Image("https://x/a.png"), Text("Loo"), Text("k"))
    assert made.given_up == ("caption: sent as a text after it", "text: split into 2 messages")


def test_cards_that_can_be_told_apart_go_one_by_one() -> None:
    cards = Cards([Card("A", buttons=buttons("Buy A"), image="https://x/a.png"), Card("B", image="https://x/b.png")])
    made = planned(cards, RICH)
    assert made.parts == (
        Buttons("A", buttons("Buy A"), header=Image("https://x/a.png")),
        Image("https://x/b.png", caption="B"),
    )
    assert made.given_up == ("cards: not carried here; sent one by one",)


def test_cards_whose_buttons_read_the_same_are_numbered_under_their_titles() -> None:
    cards = [Card(each, buttons=[Button(f"buy-{each}", "Buy")], image=f"https://x/{each}.png") for each in "AB"]
    made = planned(Cards(cards), RICH)
    assert made.parts == (
        Image("https://x/A.png", caption="A"),
        Image("https://x/B.png", caption="B"),
        Text("A\n1. Buy\n\nB\n2. Buy"),
    )
    assert [choice.key for choice in made.choices] == ["buy-A", "buy-B"]


TWICE: Final = Menu(
    "What?", "Menu", [Section("Tea", [Row("t1", "Small"), Row("t2", "Large")]), Section("Coffee", [Row("c1", "Small")])]
)
KEYED: Final = replace(RICH, kinds=RICH.kinds | {"cards"}, keys_return=True)


def test_rows_with_one_title_stay_native_where_a_press_brings_its_key() -> None:
    assert planned(TWICE, KEYED).parts == (TWICE,)
    assert "two titles would read the same" in planned(TWICE, replace(KEYED, keys_return=False)).given_up[0]


@pytest.mark.parametrize(
    "sections",
    [
        [Section("Tea", [Row("t1", "Small"), Row("t2", "Small")])],
        [Section("Tea", [Row("t1", "A long title that ends in one"), Row("t2", "A long title that ends in two")])],
    ],
)
def test_rows_that_nobody_could_tell_apart_are_numbered(sections: list[Section]) -> None:
    assert "two titles would read the same" in planned(Menu("What?", "Menu", sections), KEYED).given_up[0]


def test_each_card_may_have_the_same_buttons_where_a_press_brings_its_key() -> None:
    cards = Cards([Card(name, buttons=[Button(f"buy-{name}", "Buy")]) for name in ("Tea", "Coffee")])
    made = planned(cards, KEYED)
    assert made.parts == (cards,)
    assert [choice.key for choice in made.choices] == ["buy-Tea", "buy-Coffee"]
    one_by_one = planned(cards, replace(KEYED, kinds=KEYED.kinds - {"cards"}))
    assert [part.kind for part in one_by_one.parts] == ["buttons", "buttons"]
    assert "two titles would read the same" in planned(cards, replace(KEYED, keys_return=False)).given_up[0]
    double = Cards([Card("Tea", buttons=[Button("a", "Buy"), Button("b", "Buy")])])
    assert "two titles would read the same" in planned(double, KEYED).given_up[0]


def test_a_key_is_counted_in_bytes() -> None:
    message = Buttons("What?", [Button("ключ", "Key")])
    assert planned(message, replace(KEYED, button_key=8)).parts == (message,)
    assert "longer than 7 bytes" in planned(message, replace(KEYED, button_key=7)).given_up[0]


def test_telegram_counts_utf16_units() -> None:
    text = "😀" * 2049
    assert [len(part.text) for part in planned(Text(text), KONNEK["telegram"]).parts if isinstance(part, Text)] == [
        2048,
        1,
    ]
    assert planned(Text(text), KONNEK["whatsapp"]).parts == (Text(text),)


@pytest.mark.parametrize("message", [Template("hello"), Raw({"a": 1}), Cards([Card("")])])
def test_what_no_form_carries_is_dropped_with_its_reason(message: Outgoing) -> None:
    made = planned(message, PLAIN)
    assert made.parts == ()
    assert made.dropped in {f"{message.kind}: not carried here", "cards: nothing to show"}


def test_what_no_form_carries_gives_way_to_the_first_fallback_that_can_go() -> None:
    message = Template("hello", fallback=[Raw({"a": 1}), Text("Hello!", fallback=[Text("?")]), Text("Bye")])
    made = planned(message, PLAIN)
    assert made.parts == (Text("Hello!", fallback=[Text("?")]),)
    assert made.given_up == (
        "template: not carried here",
        "fallback: raw: not carried here",
        "template: the fallback is sent instead",
    )


def test_the_first_part_alone_answers_a_message_and_holds_the_fallback() -> None:
    message = Text("one two", reply_to="m1", tag="T", at=moment(NOW), fallback=[Text("b")])
    made = planned(message, replace(RICH, text=3, tags=frozenset({"T"})))
    assert made.parts == (
        Text("one", reply_to="m1", tag="T", at=moment(NOW), fallback=[Text("b")]),
        Text("two", tag="T", at=moment(NOW)),
    )


def test_what_the_channel_has_no_place_for_is_named() -> None:
    made = planned(Text("a", reply_to="m1", tag="T"), PLAIN)
    assert made == Plan(parts=(Text("a"),), given_up=("tag T: not taken here", "reply_to: not possible here"))
