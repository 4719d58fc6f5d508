"""Messages that answer nothing: to whom nobody has spoken yet, from turns and from outside, once and in order."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge import Button, Buttons, Dialog, Image, Key, Router, Text, Turn
from bridge.errors import HandlerError, KeyTaken
from bridge.events import Contact, ThreadRef
from bridge.providers.aelyst.emulator import Emulator as Aelyst
from bridge.testing import World
from tests.support.searches import seeds

PHONE = "+62 812-0001-2345"
STRANGERS = [
    ("konnek", "whatsapp", PHONE, "6281200012345"),
    ("konnek", "telegram", "bob", "bob"),
    ("relationlabs", "group", "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
    ("relationlabs", None, "abcde-fghij-klmno-cai", "abcde-fghij-klmno-cai"),
    ("ginalne", None, PHONE, "+6281200012345"),
    ("ginalne", "group", "Kitchen", "Kitchen"),
    ("whautochat", None, PHONE, "+6281200012345"),
    ("whautochat", "messenger", "contact-7", "contact-7"),
    ("aelyst", None, PHONE, "phone:+6281200012345"),
    ("aelyst", "telegram", "40211907", "id:40211907"),
]
router = Router("desk")


class Take(Key, expires="1h"):
    no: int


@router.message(regex=r"^tell (?P<to>\S+) (?P<text>.+)$")
async def tell(turn: Turn, to: str, text: str) -> str:
    turn.send(to, text, channel=turn.thread.channel)
    return "told"


@router.message(regex=r"^offer (?P<to>\S+)$")
async def offer(turn: Turn, to: str) -> None:
    turn.send(to, Buttons("Take it?", [Button(Take(no=7), "Yes")]), channel=turn.thread.channel)


@router.postback(Take)
async def taken(turn: Turn, key: Take) -> str:
    return f"{turn.contact.id} took {key.no}"


@router.message(regex=r"^once (?P<key>\S+) (?P<text>.+)$")
async def once(turn: Turn, key: str, text: str) -> str:
    turn.send("bob", text, channel="telegram", key=key)
    return "sent"


@router.message(text="fail")
async def fail(turn: Turn) -> None:
    turn.send("bob", "never", channel="telegram")
    raise HandlerError("no")


@router.message(text="ask")
async def ask(turn: Turn) -> None:
    await turn.begin(size)


@router.dialog(version=1)
async def size(d: Dialog) -> str:
    d.turn.send("bob", "ann is asked", channel="telegram")
    answer = await d.ask("Which size?")
    return f"size {answer}"


@pytest.mark.parametrize(("account", "channel", "to", "conversation"), STRANGERS)
async def test_a_stranger_is_written_to_as_the_gateway_names_them(
    account: str, channel: str | None, to: str, conversation: str
) -> None:
    with World(router) as world:
        if isinstance(gateway := world.emulator(account), Aelyst):
            gateway.meet(conversation, channel or "whatsapp")
        key = await world.send(account, to, "Your parcel is here.", channel=channel)
        await world.settle()
        (seen,) = world.emulator(account).seen
        assert (seen.text, seen.conversation_id) == ("Your parcel is here.", conversation)
        assert key.startswith("send:")


async def test_a_stranger_answers_in_the_thread_that_the_bot_began() -> None:
    with World(router) as world:
        await world.send("konnek", "bob", Buttons("Take it?", [Button(Take(no=3), "Yes")]), channel="telegram")
        await world.settle()
        bob = world.contact("konnek", "telegram", "bob")
        bob.saw("~take it?")
        await bob.says("yes")
        await world.settle()
        bob.saw("bob took 3")


@pytest.mark.parametrize(
    ("account", "channel", "name"),
    [("konnek", "whatsapp", "6281200012345"), ("konnek", "line", "ann"), ("ginalne", "whatsapp", "+6281200012345")],
)
async def test_the_answer_comes_in_the_thread_where_the_gateway_knows_people_by_one_name(
    account: str, channel: str, name: str
) -> None:
    with World(router) as world:
        ann = world.contact(account, channel, name)
        await world.send(account, ann.address, "Your parcel is here.", channel=channel)
        await world.settle()
        ann.saw("~parcel")
        await ann.says("thanks")
        await world.settle()
        ann.saw("~parcel")
        assert len(await world.inside(world.bridge.store.threads())) == 1


async def test_a_turn_sends_to_another_conversation_with_its_typed_keys() -> None:
    with World(router) as world:
        ann, bob = (world.contact("konnek", "telegram", name) for name in ("ann", "bob"))
        await ann.says("offer bob")
        await world.settle()
        ann.saw_nothing()
        await bob.clicks("Yes")
        await world.settle()
        bob.saw("bob took 7")


async def test_a_turn_that_fails_sends_nothing() -> None:
    with World(router) as world:
        await world.contact("konnek", "telegram", "ann").says("fail")
        await world.settle()
        assert world.emulator("konnek").seen == []


async def test_what_is_sent_waits_for_the_person_who_has_the_thread() -> None:
    with World(router) as world:
        bob = world.contact("konnek", "telegram", "bob")
        await bob.says("tell ann hello")
        await world.settle()
        agent = world.agent(bob)
        await agent.takes("mine")
        await world.settle()
        await world.send("konnek", "bob", "news", channel="telegram")
        await world.settle()
        bob.saw_nothing("news")
        await agent.returns()
        await world.settle()
        bob.saw_once("news")


async def test_what_is_sent_is_no_answer_to_the_question_of_a_dialog() -> None:
    with World(router) as world:
        ann, bob = (world.contact("konnek", "telegram", name) for name in ("ann", "bob"))
        await ann.says("ask")
        await world.settle()
        await world.send("konnek", "ann", "by the way", channel="telegram")
        await world.settle()
        await ann.says("large")
        await world.settle()
        assert ann.texts == ["Which size?", "by the way", "size large"]
        bob.saw_once("ann is asked")


async def test_a_message_for_later_leaves_when_it_is_due() -> None:
    with World(router) as world:
        await world.send("konnek", "bob", "tomorrow", channel="telegram", at=world.now + timedelta(days=1))
        await world.send("konnek", "bob", "today", channel="telegram")
        await world.settle()
        bob = world.contact("konnek", "telegram", "bob")
        assert bob.texts == ["today"]
        await world.advance("25h")
        assert bob.texts == ["today", "tomorrow"]


async def test_a_key_given_twice_is_one_message_and_with_other_words_an_error() -> None:
    with World(router) as world:
        keys = [await world.send("konnek", "bob", "one", channel="telegram", key="order 7") for _ in range(2)]
        assert keys[0] == keys[1]
        with pytest.raises(KeyTaken, match="order 7"):
            await world.send("konnek", "bob", "two", channel="telegram", key="order 7")
        with pytest.raises(KeyTaken):
            await world.send("konnek", "eve", "one", channel="telegram", key="order 7")
        ann = world.contact("konnek", "telegram", "ann")
        await ann.says("once k hello", "once k hello", "once k other")
        await world.settle()
        assert world.contact("konnek", "telegram", "bob").texts == ["one", "hello"]
        assert ann.texts == ["sent", "sent"]
        (letter,) = await world.inside(world.bridge.store.dead_letters())
        assert "given up at once: KeyTaken" in letter.reason


WRONG = [
    ("nobody", "bob", "telegram", "the account nobody is not configured"),
    ("konnek", "bob", None, "which channel"),
    ("konnek", "bob", "fax", "no channel 'fax'"),
    ("konnek", "bob", "whatsapp", "phone number"),
    ("konnek", "+62", "whatsapp", "no phone number"),
    ("konnek", "", "telegram", "1 to 512 characters"),
    ("konnek", "a\0b", "telegram", "1 to 512 characters"),
    ("relationlabs", "Kitchen", "group", "channelUuid"),
    ("relationlabs", PHONE, None, "relation id"),
    ("ginalne", "bob", None, "phone number"),
    ("ginalne", "k" * 256, "group", "255"),
    ("whautochat", "contact-7", None, "which channel"),
    ("whautochat", PHONE, "telegram", "no phone numbers"),
    ("aelyst", "bob", None, "CHANNEL:CONTACT"),
]


@pytest.mark.parametrize(("account", "to", "channel", "reason"), WRONG)
async def test_a_conversation_that_cannot_begin_is_an_error_that_says_what_to_give(
    account: str, to: str, channel: str | None, reason: str
) -> None:
    with World(router) as world:
        with pytest.raises(HandlerError, match=reason):
            await world.send(account, to, "hello", channel=channel)
        await world.settle()


async def test_messages_make_sense_before_anything_is_stored() -> None:
    with World(router) as world:
        with pytest.raises(HandlerError, match="a message at least"):
            await world.send("konnek", "bob", channel="telegram")
        with pytest.raises(HandlerError, match="time zone"):
            await world.send("konnek", "bob", "x", channel="telegram", at=world.now.replace(tzinfo=None))
        with pytest.raises(HandlerError, match="files are sent in turns alone"):
            await world.send("konnek", "bob", Image(path="photo.png"), channel="telegram")
        with pytest.raises(HandlerError, match="not configured"):
            await world.send("konnek", ThreadRef("gone", "konnek", "telegram", "bob"), "x")
        await world.send("konnek", Contact(id="bob"), "by contact", channel="telegram")
        await world.send("konnek", ThreadRef("konnek", "konnek", "telegram", "bob"), Text("by thread"))
        await world.settle()
        assert world.contact("konnek", "telegram", "bob").texts == ["by contact", "by thread"]


def test_whatever_happens_each_message_leaves_once_and_in_order() -> None:
    async def scenario(world: World) -> None:
        ann, bob = (world.contact("konnek", "telegram", name) for name in ("ann", "bob"))
        await ann.says("tell bob 1")
        await ann.says("tell bob 2")
        await bob.says("tell ann a")
        await world.settle()
        assert [text for text in bob.texts if text != "told"] == ["1", "2"]
        ann.saw_once("a")

    with World(router) as world:
        world.explore(scenario, seeds=seeds(60), faults={"duplicate", "crash", "lost_answer", "slow_store"})
