"""What holds for every message on every channel."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.events import Contact, Message
from bridge.messages import (
    Button,
    Buttons,
    Card,
    Cards,
    Document,
    Image,
    Location,
    Menu,
    Outgoing,
    Row,
    Section,
    Text,
    Video,
    choices_of,
)
from bridge.planning.capabilities import Capabilities
from bridge.planning.choices import answer
from bridge.planning.plan import Plan, plan
from bridge.text.equal_text import is_blank
from bridge.units import moment
from tests.support.channel_profiles import NOW, PLAIN, PROFILES


def planned(message: Outgoing, capabilities: Capabilities) -> Plan:
    return plan(message, capabilities, now=NOW, last_heard=NOW)


letters = st.sampled_from(
    ["a", "b", "5", " ", "\n", ". ", "。", "é", "e\u0301", "👨‍👩‍👧‍👦", "🇩🇪", "한", "क्षि", " \u0301", "\r\n"]
)
prose = st.lists(letters, min_size=1, max_size=60).map("".join).filter(lambda text: not is_blank(text))
words = st.lists(letters, min_size=1, max_size=30).map("".join).filter(lambda text: not is_blank(text))
keys = st.text("abc", min_size=1, max_size=8)
urls = st.text("abc/", max_size=30).map("https://x/".__add__)
media = st.sampled_from([Image, Video, Document])
pictures = st.builds(lambda cls, url, caption: cls(url, caption=caption), media, urls, words)
headers = st.one_of(st.none(), words, pictures)
pressables = st.lists(st.builds(Button, keys, words), min_size=1, max_size=6, unique_by=lambda each: each.key)


@st.composite
def menus(draw: st.DrawFn) -> Menu:
    rows = [Row(each.key, each.title, draw(st.one_of(st.just(""), words))) for each in draw(pressables)]
    at = draw(st.integers(0, len(rows)))
    sections = [Section(draw(words), rows[:at]), Section("", rows[at:])]
    return Menu(draw(words), draw(words), sections, header=draw(headers), footer=draw(st.one_of(st.none(), words)))


@st.composite
def cards(draw: st.DrawFn) -> Cards:
    pressable = draw(pressables)
    at = draw(st.integers(0, len(pressable)))
    first = Card(draw(words), buttons=pressable[:at], image=draw(st.one_of(st.none(), urls)))
    return Cards([first, Card(draw(words), buttons=pressable[at:])])


messages: st.SearchStrategy[Outgoing] = st.one_of(
    st.builds(Text, prose),
    pictures,
    st.builds(Location, st.floats(-90, 90), st.floats(-180, 180), name=words),
    st.builds(Buttons, words, pressables, header=headers, footer=st.one_of(st.none(), words)),
    menus(),
    cards(),
)
channels = st.builds(
    lambda profile, text, **limits: replace(profile, text=text, **limits),
    st.sampled_from(PROFILES),
    st.one_of(st.none(), st.integers(11, 60)),
    button_title=st.one_of(st.none(), st.integers(1, 20)),
    button_key=st.one_of(st.none(), st.integers(1, 8)),
    rows=st.integers(0, 6),
)


@pytest.mark.slow
@settings(max_examples=150)
@example(Text("only white space is too long "), Capabilities(kinds=frozenset({"text"}), text=28))
@given(messages, channels)
def test_on_every_channel_each_part_is_native_and_no_key_is_lost(message: Outgoing, capabilities: Capabilities) -> None:
    made = planned(message, capabilities)
    assert made.dropped is None
    assert made.parts
    limit = capabilities.text
    for part in made.parts:
        assert part.kind in capabilities.kinds
        said = [getattr(part, "text", ""), getattr(part, "caption", "")]
        assert limit is None or all(len(each) <= limit for each in said)
        assert planned(part, capabilities).parts == (part,)
        assert planned(part, capabilities).given_up == ()
    assert [each.key for each in made.choices] == [each.key for each in choices_of(message)]
    native = {each.key for part in made.parts for each in choices_of(part)}
    assert all((each.key in native) == (each.number is None) for each in made.choices)
    assert made.given_up or made.parts == (message,) or isinstance(message, Buttons | Menu)


@pytest.mark.slow
@settings(max_examples=100)
@given(messages)
def test_a_numbered_answer_comes_back_as_the_very_key(message: Outgoing) -> None:
    made = planned(message, PLAIN)
    contact = Contact(id="ann")
    for choice in made.choices:
        said = Message(id="e", contact=contact, at=moment(NOW), text=f" ({choice.number})")
        postback = answer(said, made.choices)
        assert postback is not None
        assert postback.key == choice.key
