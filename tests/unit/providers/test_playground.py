"""The playground provider: its webhook convention, and a send that sends nothing."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import Unmappable
from bridge.events import Contact, Event, Media, Message, Place, Postback, ThreadRef, Unrecognised
from bridge.messages import MESSAGE_TYPES, Button, Text
from bridge.providers.playground import Playground, PlaygroundSettings
from bridge.providers.playground.emulator import Emulator
from bridge.providers.port import Emulator as Port
from bridge.providers.port import Hook, Outbound, Provider, Request, Sent, Webhook
from bridge.units import moment

NOW = 1_700_000_000_000_000
WHO: dict[str, Any] = {"id": "e-1", "contact": Contact(id="ann", name="Ann"), "at": moment(NOW)}
KEY = "0b1e6a3c-6a0f-5b0e-9d0a-111111111111"


def playground() -> Provider:
    return Playground("page", PlaygroundSettings(provider="playground"))


def webhook(said: dict[str, Any]) -> Webhook:
    return Webhook(channel=None, body=b"", json=said, received_at=NOW)


def said(**content: Any) -> dict[str, Any]:
    return {"id": "e-1", "conversation": "ann", "name": "Ann", **content}


UNDERSTOOD: list[tuple[dict[str, Any], Event]] = [
    ({"text": "hi"}, Message(text="hi", **WHO)),
    ({"text": "hi", "extra": [1]}, Message(text="hi", **WHO)),
    ({"key": "yes", "title": "Yes!"}, Postback(key="yes", title="Yes!", **WHO)),
    ({"key": "yes"}, Postback(key="yes", **WHO)),
    (
        {"media": {"url": "https://x/y.png", "mime_type": "image/png", "name": "y.png"}},
        Message(kind="image", media=Media(url="https://x/y.png", mime_type="image/png", name="y.png"), **WHO),
    ),
    (
        {"media": {"url": "https://x/y.ogg", "mime_type": "audio/ogg", "kind": "voice", "caption": "c"}},
        Message(kind="voice", text="c", media=Media(url="https://x/y.ogg", mime_type="audio/ogg", caption="c"), **WHO),
    ),
    ({"media": {"url": "https://x/y"}}, Message(kind="document", media=Media(url="https://x/y"), **WHO)),
    (
        {"location": {"latitude": 90, "longitude": -180.0, "name": "Up"}},
        Message(kind="location", location=Place(latitude=90.0, longitude=-180.0, name="Up"), **WHO),
    ),
    ({"sticker": {"id": 1}, "mood": 2}, Unrecognised(type="mood, sticker", **WHO)),
]


@pytest.mark.parametrize(("content", "event"), UNDERSTOOD, ids=lambda case: str(case)[:40])
def test_what_the_page_posts_becomes_one_event_of_its_conversation(content: dict[str, Any], event: Event) -> None:
    [inbound] = playground().parse(webhook(said(**content)))
    assert inbound.event == event
    assert inbound.event.raw == said(**content)
    assert (inbound.key, inbound.channel, inbound.conversation_id) == ("e-1", "console", "ann")


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"conversation": "ann", "text": "hi"},
        {"id": "e-1", "text": "hi"},
        {"id": "", "conversation": "ann", "text": "hi"},
        {"id": 7, "conversation": "ann", "text": "hi"},
        {"id": "e" * 201, "conversation": "ann", "text": "hi"},
        {"id": "e-1", "conversation": "a" * 201, "text": "hi"},
        said(),
        said(title="a title alone"),
        said(text=""),
        said(text=None),
        said(text={"a": 1}),
        said(text="hi", name=5),
        said(text="hi", key="yes"),
        said(key=""),
        said(media="https://x"),
        said(media={"name": "x"}),
        said(media={"url": "https://x", "kind": "hologram"}),
        said(location={"latitude": 1}),
        said(location={"latitude": True, "longitude": 1}),
        said(location={"latitude": "1", "longitude": 1}),
        said(location={"latitude": 90.1, "longitude": 1}),
        said(location={"latitude": 1, "longitude": float("nan")}),
        said(location={"latitude": 1, "longitude": 10**400}),
    ],
    ids=lambda case: str(case)[:60],
)
def test_what_no_page_would_post_is_unmappable(broken: dict[str, Any]) -> None:
    with pytest.raises(Unmappable):
        playground().parse(webhook(broken))


PLACES = st.fixed_dictionaries(
    {}, optional={"url": st.just("https://x"), "latitude": st.floats(), "kind": st.booleans()}
)
JSON: st.SearchStrategy[Any] = st.sampled_from([None, True, 0, 2**70, "", "a", "\0", "x" * 201, [], [1], {}]) | PLACES
FIELDS = st.sampled_from(["id", "conversation", "name", "text", "key", "title", "media", "location", "other"])


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(FIELDS, JSON, max_size=9))
def test_any_object_is_one_event_or_unmappable(content: dict[str, Any]) -> None:
    try:
        found = playground().parse(webhook(content))
    except Unmappable:
        return
    [inbound] = found
    assert inbound.key == content["id"] == inbound.event.id


def test_a_send_makes_no_request_and_is_delivered() -> None:
    thread = ThreadRef("page", "playground", "console", "ann")
    sending = playground().send(Outbound(key=KEY, thread=thread, message=Text("hi"), created_at=NOW), None)
    with pytest.raises(StopIteration) as end:
        next(sending)
    assert end.value.value == Sent(message_id=KEY, status="delivered")


def test_the_playground_carries_every_kind_and_needs_no_login() -> None:
    provider = playground()
    assert provider.capabilities("console").kinds == set(MESSAGE_TYPES)
    assert provider.authenticate(NOW) is None
    assert provider.auth == ()
    assert provider.channels is None


def test_an_account_takes_no_keys_of_its_own() -> None:
    with pytest.raises(ValueError, match="token"):
        PlaygroundSettings(provider="playground", token="x")  # type: ignore[call-arg]


def test_the_emulator_makes_what_the_provider_reads_and_never_the_same_twice() -> None:
    emulator: Port = Emulator(lambda: NOW, Random(1))
    hooks: list[tuple[Hook, type[Event], str]] = [
        (emulator.says("console", "ann", "hi"), Message, "text"),
        (emulator.says("console", "ann", "hi"), Message, "text"),
        (emulator.presses("console", "ann", Button("yes", "Yes")), Postback, ""),
        (emulator.sends("console", "ann", "voice", "https://x/v.ogg", "c"), Message, "voice"),
        (emulator.locates("console", "ann", 1, 2), Message, "location"),
    ]
    keys = set()
    for hook, cls, kind in hooks:
        [inbound] = playground().parse(webhook(orjson.loads(hook.body)))
        assert type(inbound.event) is cls
        assert getattr(inbound.event, "kind", "") == kind
        keys.add(inbound.key)
    assert len(keys) == len(hooks)


def test_the_emulator_answers_nothing_and_knows_one_channel() -> None:
    emulator = Emulator(lambda: NOW, Random(1))
    request = Request(method="POST", path="/")
    assert emulator.handle(request).status == 404
    assert emulator.requests[0][0] is request
    with pytest.raises(ValueError, match="whatsapp"):
        emulator.says("whatsapp", "ann", "hi")
