"""How answers in words and digits find their choice, and how long choices stay open."""
# ruff: noqa: RUF001 - digits and marks of many scripts are the matter here

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.events import Contact, Message, MessageKind
from bridge.planning.choices import Choice, answer, next_choices, number_choices, shorten_titles

ANN = Contact(id="ann", name="Ann")
AT = datetime(2025, 10, 10, 8, 15, tzinfo=UTC)


def says(text: str, kind: MessageKind = "text") -> Message:
    return Message(id="e1", contact=ANN, at=AT, raw={"x": 1}, text=text, kind=kind, reply_to="m7")


def listed(*titles: str) -> list[Choice]:
    return [Choice(number=number, key=f"k:{title}", title=title) for number, title in enumerate(titles, 1)]


def pressed(*titles: str) -> list[Choice]:
    return [Choice(number=None, key=f"k:{title}", title=title) for title in titles]


def key_of(text: str, choices: list[Choice]) -> str | None:
    postback = answer(says(text), choices)
    return postback.key if postback else None


def test_the_postback_keeps_what_the_message_was() -> None:
    postback = answer(says(" 1. "), listed("Refund"))
    assert postback is not None
    assert (postback.key, postback.title) == ("k:Refund", "Refund")
    assert (postback.id, postback.contact, postback.at, postback.raw) == ("e1", ANN, AT, {"x": 1})
    assert postback.reply_to == "m7"


@pytest.mark.parametrize(
    "text",
    [
        "2",
        " 2 ",
        "2.",
        "2)",
        "(2)",
        "[2]",
        "#2",
        "2.)",
        "２",
        "２．",
        "２。",
        "٢",
        "٢.",
        "۲",
        "२",
        "②",
        "2️⃣",
        "\u200f2",
        "02",
        "2!",
        "«2»",
        "2 👍",
    ],
)
def test_a_number_in_any_spelling_is_its_choice(text: str) -> None:
    assert key_of(text, listed("Track order", "Refund", "Human")) == "k:Refund"


@pytest.mark.parametrize("text", ["4", "0", "-2", "2.5", "2 3", "22", "½", "12345678901234567890", "two", "", " ", "."])
def test_what_is_no_number_of_a_choice_is_no_answer(text: str) -> None:
    assert key_of(text, listed("Track order", "Refund", "Human")) is None


def test_a_number_means_nothing_where_buttons_were_native() -> None:
    assert key_of("2", pressed("Track order", "Refund")) is None
    assert key_of("refund", pressed("Track order", "Refund")) == "k:Refund"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("track order", "Track order"),
        ("  TRACK   ORDER ", "Track order"),
        ("Track order.", "Track order"),
        ("Track order!", "Track order"),
        ("*Track order*", "Track order"),
        ("trackorder", "Track order"),
        ("track order", "📦 Track order"),
        ("Ｔｒａｃｋ order", "Track order"),
        ("STRASSE", "Straße"),
        ("cafe", "Café"),
        ("елка", "Ёлка"),
        ("iptal", "İptal"),
        ("check in", "Check-in"),
        ("dont know", "Don’t know"),
        ("No thanks", "No, thanks"),
        ("NO, THANKS!", "No thanks"),
        ("pizza large", "Pizza (large)"),
        ("st\u00adop", "Stop"),
        ("2. Track order", "Track order"),
        ("2) track order — by its number", "Track order"),
        ("Delivery to my ho", "Delivery to my ho…"),
        ("取消订单", "取消订单"),
        ("👍", "👍"),
        ("٥ ★", "5 ★"),
    ],
)
def test_a_title_in_any_dress_is_its_choice(text: str, title: str) -> None:
    assert key_of(text, listed("Something else", title)) == f"k:{title}"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("refnud", "Refund"),
        ("refnd", "Refund"),
        ("reffund", "Refund"),
        ("refumd", "Refund"),
        ("trcak order", "Track order"),
        ("trak ordr", "Track order"),
        ("mneu", "Menu"),
        ("cancelation", "Cancellation"),
        ("subscirptoin", "Subscription"),
        ("dleivrey", "Delivery"),
        ("of all " * 8 + "delivrey", "Of all " * 8 + "delivery"),
    ],
)
def test_a_slip_of_the_finger_is_forgiven(text: str, title: str) -> None:
    assert key_of(text, listed("Opening hours", title)) == f"k:{title}"


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("order 14", ["Order 12", "Order 99"]),
        ("25", ["2.5 litres", "2.5"]),
        ("unsubscribe", ["Subscribe", "Help"]),
        ("i dont agree", ["I do agree", "Help"]),
        ("i cant", ["I can", "Help"]),
        ("except", ["Accept", "Help"]),
        ("cart", ["Card", "Help"]),
        ("yea", ["Yes", "No"]),
        ("tursday", ["Tuesday", "Thursday"]),
        ("jume", ["June", "July"]),
        ("oorder", ["Order", "Border"]),
        ("查询订单", ["取消订单", "帮助"]),
        ("track", ["Track order", "Help"]),
        ("i want to track order please", ["Track order", "Help"]),
        ("refund" * 50, ["Refund", "Help"]),
        ("of all " * 8 + "addresess", ["Of all " * 8 + "addresses", "Help"]),
    ],
)
def test_what_may_mean_something_else_is_no_answer(text: str, titles: list[str]) -> None:
    assert key_of(text, listed(*titles)) is None


def test_two_choices_that_read_the_same_are_told_apart_by_number_only() -> None:
    choices = [Choice(number=1, key="a", title="Buy"), Choice(number=2, key="b", title="buy")]
    assert key_of("buy", choices) is None
    assert key_of("buuy", choices) is None
    assert key_of("2", choices) == "b"


def test_an_exact_title_beats_one_that_differs_in_its_picture() -> None:
    choices = pressed("👍 Yes", "👎 Yes")
    assert key_of("👎 yes", choices) == "k:👎 Yes"
    assert key_of("yes", choices) is None


def test_a_number_that_is_another_choices_title_is_no_answer() -> None:
    assert key_of("2", listed("2", "4", "6")) is None


@pytest.mark.parametrize("kind", ["image", "document", "location", "unknown"])
def test_only_text_answers(kind: MessageKind) -> None:
    assert answer(says("1", kind), listed("Refund")) is None


def test_nothing_open_means_no_answer() -> None:
    assert answer(says("1"), ()) is None


@pytest.mark.parametrize(
    ("titles", "numbers"),
    [
        (["a", "b", "c"], [1, 2, 3]),
        (["5", "4", "3"], [5, 4, 3]),
        (["2", "4", "More"], [2, 4, 1]),
        (["More", "1", "Less"], [2, 1, 3]),
        (["5 ★", "4 ★"], [5, 4]),
        (["2", "２", "x"], [2, 1, 3]),
        (["2 persons", "4 persons"], [1, 2]),
        ([], []),
    ],
)
def test_a_title_that_is_a_number_has_that_number(titles: list[str], numbers: list[int]) -> None:
    assert number_choices(titles) == numbers


@pytest.mark.parametrize(
    ("titles", "limit", "short"),
    [
        (["Refund", "Help"], 6, ["Refund", "Help"]),
        (["Refund me", "Help"], 6, ["Refun…", "Help"]),
        (["Track order", "Track parcel"], 6, None),
        (["Help", "HELP"], None, None),
        (["👨‍👩‍👧‍👦👨‍👩‍👧‍👦", "b"], 9, ["👨‍👩‍👧‍👦…", "b"]),
        (["ab", "b"], 1, None),
    ],
)
def test_titles_are_cut_only_while_they_differ(titles: list[str], limit: int | None, short: list[str] | None) -> None:
    assert shorten_titles(titles, limit) == short


OLD, NEW, NEWER = tuple(listed("Old")), tuple(listed("New")), tuple(listed("Newer"))


@pytest.mark.parametrize(
    ("offered", "answered", "asked", "left"),
    [
        ([], None, False, OLD),
        ([()], None, False, OLD),
        ([], "k:Old", False, ()),
        ([], "k:Else", False, OLD),
        ([], None, True, ()),
        ([NEW], None, False, NEW),
        ([NEW], "k:Old", False, NEW),
        ([NEW], None, True, NEW),
        ([NEW, NEWER, ()], None, False, NEWER),
    ],
)
def test_choices_stay_open_until_answered_or_replaced(
    offered: list[tuple[Choice, ...]],
    answered: str | None,
    asked: bool,  # noqa: FBT001 - a column of the table
    left: tuple[Choice, ...],
) -> None:
    assert next_choices(OLD, offered, answered=answered, asked=asked) == left


LIST = (*listed("Tea", "Cancel"), Choice(number=5, key="k:5", title="5"))


@pytest.mark.parametrize(
    ("typed", "before", "after"),
    [
        ("2", "k:Cancel", None),
        ("2.", "k:Cancel", None),
        ("5", "k:5", None),
        ("cancel", "k:Cancel", "k:Cancel"),
        ("2. Cancel", "k:Cancel", "k:Cancel"),
        ("0", None, None),
    ],
)
def test_a_bare_number_answers_the_last_thing_said(typed: str, before: str | None, after: str | None) -> None:
    said_more = next_choices(LIST, [()], spoke=True)
    assert key_of(typed, list(LIST)) == before
    assert key_of(typed, list(said_more)) == after
    assert key_of(typed, list(next_choices(said_more, [()], spoke=True, keys_return=True))) == after
    assert next_choices(LIST, [()]) == LIST


def test_a_bare_title_of_native_buttons_answers_the_last_thing_said_where_a_press_brings_its_key() -> None:
    choices = pressed("Tea", "Cancel")
    assert next_choices(choices, [()], spoke=True, keys_return=True) == ()
    assert next_choices(choices, [()], spoke=True) == tuple(choices)


words = st.text(st.sampled_from("abcdeéßŁж取 -'5٢"), min_size=1, max_size=12)


@settings(max_examples=60)
@given(st.lists(words, min_size=1, max_size=6), st.data())
def test_a_listed_choice_is_found_by_its_number_and_by_nobody_elses_title(
    titles: list[str], data: st.DataObject
) -> None:
    choices = [
        Choice(number=number, key=str(at), title=title)
        for at, (number, title) in enumerate(zip(number_choices(titles), titles, strict=True))
    ]
    choice = data.draw(st.sampled_from(choices))
    zero = data.draw(st.sampled_from("0０٠۰०๐"))
    digits = "".join(chr(ord(zero) + int(each)) for each in str(choice.number))
    tail = data.draw(st.sampled_from(["", ".", ")", " "]))
    reached = {key_of(digits + tail, choices), key_of(choice.title, choices)}
    assert reached <= {choice.key, None}
    same_number = [each for each in choices if each.title.strip(" -'") == str(choice.number)]
    assert same_number or key_of(digits + tail, choices) == choice.key
