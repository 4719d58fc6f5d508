"""One person under many ids: nothing of theirs is lost, and no word for them reaches another person."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest

from bridge import Dialog, HandlerError, Merged, Message, Router, Turn
from bridge.testing import World
from bridge.testing.blueprint import blueprint_of
from tests.support.searches import IS_WHOLE

SETTINGS: Final = {"consent": {"stop": ["stop"], "start": ["start"], "confirm": "bye"}}
PHONE: Final = "6281234567890"


router = Router("shop")


@router.message(text="ask")
async def ask(turn: Turn) -> None:
    await turn.begin(order)


@router.dialog(version=1)
async def order(d: Dialog) -> str:
    return f"{d.turn.contact.fields['whose']} ordered {await d.ask('What?')}"


@router.message(regex=r"i am (?P<whose>\w+)", anytime=True)
async def whose(turn: Turn, whose: str) -> str:
    turn.contact.fields["whose"] = whose
    turn.contact.tags.add("known")
    return f"hello {whose}"


@router.message(text="remind", anytime=True)
async def remind(turn: Turn) -> str:
    turn.after("1h", reminder, whose=turn.contact.fields["whose"])
    return "later"


async def reminder(_turn: Turn, whose: str) -> str:
    return f"remember, {whose}"


@router.message(text="person", anytime=True)
async def person(turn: Turn) -> str:
    turn.handoff()
    return "a person comes"


@router.message(text="who", anytime=True)
async def who(turn: Turn) -> str:
    return f"you are {turn.contact.fields.get('whose', 'nobody')}"


@router.default()
async def echo(turn: Turn) -> str:
    return (
        f"{turn.contact.fields.get('whose', 'nobody')} said {turn.event.text}"
        if isinstance(turn.event, Message)
        else "?"
    )


async def test_a_person_whose_number_is_hidden_goes_on_where_they_were() -> None:
    with World(router, settings=SETTINGS) as world:
        ann = world.contact("konnek", "whatsapp", PHONE)
        await ann.says("i am ann", "remind", "ask")
        await world.settle()
        ann.goes_by("ID.1", identities={"phone": f"+{PHONE}"})
        await ann.says("pizza")
        await world.settle()
        ann.goes_by("ID.1")
        await ann.says("who")
        await world.advance("2h")
        assert ann.texts == ["hello ann", "later", "What?", "ann ordered pizza", "you are ann", "remember, ann"]
        assert [seen.conversation_id for seen in ann.seen] == [PHONE] * 3 + ["ID.1"] * 3


async def test_whoever_gets_a_number_gets_nothing_that_was_for_its_former_owner() -> None:
    with World(router, settings=SETTINGS) as world:
        ann = world.contact("konnek", "whatsapp", PHONE, identities={"user_id": "ID.1"})
        await ann.says("i am ann", "remind", "ask")
        await world.settle()
        ann.goes_by("ID.1")
        ann.loses(PHONE)
        eve = world.contact("konnek", "whatsapp", PHONE, identities={"user_id": "ID.2"})
        await eve.says("who")
        await world.advance("2h")
        assert [seen.text for seen in eve.seen][-1:] == ["you are nobody"]
        letters = await world.inside(world.bridge.store.dead_letters())
        assert [letter.reason for letter in letters] == [
            "the gateway names another person under this conversation's id now"
        ]
        await ann.says("pizza")
        await world.settle()
        assert ann.texts[-1] == "ann ordered pizza"


@pytest.mark.parametrize("account", ["konnek", "whautochat", "aelyst", "ginalne", "relationlabs"])
async def test_each_provider_keeps_fields_for_a_person(account: str) -> None:
    channel = "peer" if account == "relationlabs" else "whatsapp"
    with World(router) as world:
        ann = world.contact(account, channel, "ann")
        await ann.says("i am ann", "who")
        await world.settle()
        ann.saw("you are ann")


async def test_who_answers_a_message_to_their_number_goes_on_in_that_conversation() -> None:
    with World(router) as world:
        await world.send("whautochat", f"+{PHONE}", "how was it?")
        ann = world.contact("whautochat", "whatsapp", "c-1", identities={"phone": f"+{PHONE}"})
        await ann.says("fine")
        await world.settle()
        (thread,) = await world.inside(world.bridge.store.threads())
        assert thread.ref.conversation_id == f"+{PHONE}"
        assert [seen.conversation_id for seen in world.emulator("whautochat").seen] == [f"+{PHONE}", "c-1"]


async def test_opting_out_on_one_channel_holds_on_all() -> None:
    with World(router, settings=SETTINGS) as world:
        here = world.contact("aelyst", "whatsapp", "ann")
        there = world.contact("aelyst", "telegram", "ann")
        await here.says("i am ann", "remind")
        await there.says("who", "remind")
        await world.settle()
        assert there.texts == ["you are ann", "later"]
        await there.says("stop")
        await world.advance("2h")
        assert (here.texts, there.texts) == (["hello ann", "later"], ["you are ann", "later", "bye"])


async def test_what_the_bot_says_later_goes_where_the_person_wrote_last() -> None:
    with World(router) as world:
        ann = world.contact("konnek", "whatsapp", PHONE, identities={"user_id": "ID.1"})
        await ann.says("i am ann", "remind")
        await world.settle()
        ann.goes_by("ID.1")
        await ann.says("who")
        await world.settle()
        ann.goes_by(PHONE, identities={"user_id": "ID.1"})
        await ann.says("who")
        await world.advance("2h")
        assert [seen.conversation_id for seen in ann.seen][-3:] == ["ID.1", PHONE, PHONE]
        assert ann.texts[-1] == "remember, ann"


async def test_a_group_has_no_contact() -> None:
    with World(router) as world:
        ann = world.contact("relationlabs", "group", "ann")
        await ann.says("i am ann")
        await world.settle()
        assert any(isinstance(error, HandlerError) for error in world.errors)


async def test_a_person_is_reached_where_a_message_may_go_now() -> None:
    reaching = Router("reaching")

    @reaching.message(text="tell me")
    async def tell(turn: Turn) -> None:
        turn.send(turn.contact, "found you")

    @reaching.message(text="tell me by telegram")
    async def by_telegram(turn: Turn) -> None:
        turn.send(turn.contact, "found you", channel="telegram")

    @reaching.message(text="where")
    async def where(turn: Turn) -> str:
        return " ".join(thread.ref.channel for thread in await turn.contact.threads())

    @reaching.default()
    async def quiet(turn: Turn) -> None:
        del turn

    with World(reaching, settings={"channels": {"order": ["whatsapp", "telegram"]}}) as world:
        here = world.contact("aelyst", "whatsapp", "ann")
        there = world.contact("aelyst", "telegram", "ann")
        await here.says("hi")
        await world.advance("1min")
        await there.says("tell me", "where")
        await world.settle()
        assert (here.texts, there.texts) == (["found you"], ["telegram whatsapp"])
        await world.advance("2d")  # the window of WhatsApp has closed
        await there.says("tell me")
        await world.settle()
        assert there.texts[1:] == ["found you"]
        await here.says("tell me by telegram")
        await world.settle()
        assert there.texts[1:] == ["found you", "found you"]


async def test_a_person_who_lost_their_number_is_reached_and_told_in_their_conversation_still() -> None:
    reaching = Router("reaching")

    @reaching.message(text="tell me")
    async def tell(turn: Turn) -> None:
        turn.send(turn.contact, "found you")

    @reaching.message(text="where")
    async def where(turn: Turn) -> str:
        return " ".join(thread.ref.conversation_id for thread in await turn.contact.threads())

    @reaching.on(Merged)
    async def merged(_turn: Turn) -> str:
        return "merged"

    @reaching.default()
    async def quiet(turn: Turn) -> None:
        del turn

    with World(reaching) as world:
        ann = world.contact("konnek", "whatsapp", PHONE, identities={"user_id": "ID.1"})
        await ann.says("hi")
        await world.settle()
        ann.goes_by("ID.1")
        await ann.says("where")  # the id leads to the conversation, and is none of its own
        await world.settle()
        ann.loses(PHONE)
        eve = world.contact("konnek", "whatsapp", PHONE, identities={"user_id": "ID.2"})
        await eve.says("hi")
        await world.settle()
        await ann.says("tell me", "where")
        await world.settle()
        assert ann.texts == [PHONE, "found you", PHONE]
        zoe = world.contact("aelyst", "telegram", "zoe")
        await zoe.says("hi")
        await world.settle()
        cards = await world.inside(world.bridge.store.contacts())
        of = {thread.ref: card.id for card in cards for thread in card.threads}
        hers = next(card for card in cards if card.id == of[ann.thread])
        assert {thread.ref.conversation_id: thread.is_alias for thread in hers.threads} == {PHONE: False, "ID.1": True}
        await world.inside(world.bridge.store.merge_contacts(of[ann.thread], of[zoe.thread], world.bridge.clock.now()))
        await world.settle()
        assert ann.texts[-1] == "merged"


async def test_without_a_conversation_there_is_an_error() -> None:
    reaching = Router("reaching")

    @reaching.message()
    async def tell(turn: Turn) -> None:
        turn.send(turn.contact, "hello", channel="line")

    with World(reaching) as world:
        ann = world.contact("aelyst", "whatsapp", "ann")
        await ann.says("hi")
        await world.settle()
        (error, *_) = world.errors
        assert "contact 1 has no conversation on line" in str(error)


async def test_a_handler_of_errors_reaches_a_person_too() -> None:
    failing = Router("failing")

    @failing.message()
    async def fails(_turn: Turn) -> None:
        raise ValueError("no")

    @failing.error(ValueError)
    async def tell(turn: Turn, _error: ValueError) -> None:
        turn.send(turn.contact, "something broke")

    with World(failing) as world:
        ann = world.contact("aelyst", "whatsapp", "ann")
        await ann.says("hi")
        await world.settle()
        assert ann.texts == ["something broke"]


class Life:
    """A person in a random schedule, and what must hold for them."""

    def __init__(self, world: World, number: int) -> None:
        self.name = f"p{number}"
        self.phone = f"62812000000{number:02}"
        self.user_id = f"ID.{number}"
        self.contact = world.contact("konnek", "whatsapp", self.phone, identities={"user_id": self.user_id})
        self.asked = self.held = self.stopped = False

    def by_user_id(self) -> None:
        self.contact.goes_by(self.user_id, identities={"phone": f"+{self.phone}"})

    def by_phone(self) -> None:
        self.contact.goes_by(self.phone, identities={"user_id": self.user_id})


async def random_life(world: World, rng: Random) -> list[Life]:
    """People who change their ids, swap numbers, ask, hand over, stop, and are taken for one person for a while."""
    lives = [Life(world, number) for number in range(rng.randint(2, 3))]
    for life in lives:
        await life.contact.says(f"i am {life.name}")
    await world.settle()
    for _ in range(rng.randint(4, 10)):
        await _something(world, rng, rng.choice(lives), lives)
        if rng.random() < 0.6:
            await world.settle()
        if rng.random() < 0.15:
            await world.crash()
    await world.settle()
    return lives


async def _something(world: World, rng: Random, life: Life, lives: list[Life]) -> None:
    what = rng.choice(["user id", "phone", "swap", "ask", "remind", "person", "stop", "who", "merge"])
    if what in {"user id", "phone"}:
        await world.settle()
        (life.by_user_id if what == "user id" else life.by_phone)()
        await life.contact.says("who")
    elif what == "swap" and (other := rng.choice(lives)) is not life:
        await _swapped(world, life, other)
    elif what == "merge":
        await _merged_for_a_while(world, rng)
    elif what == "ask" and not (life.asked or life.held or life.stopped):
        life.asked = True
        await life.contact.says("ask")
    elif what == "person" and not (life.held or life.stopped):
        life.held = True
        await life.contact.says("person")
    elif what == "stop" and not life.held:
        life.stopped, life.asked = True, False
        await world.settle()
        await life.contact.says("stop")
        await world.settle()
    elif not life.held:
        await life.contact.says("remind" if what == "remind" else "who")


async def _swapped(world: World, life: Life, other: Life) -> None:
    """Two people swap their numbers; the first word of each is under the new one, or under the lasting id."""
    await world.settle()
    for each in (life, other):
        each.by_user_id()
        each.contact.loses(each.phone)
    life.phone, other.phone = other.phone, life.phone
    for each in (life, other):
        each.by_phone()
        await each.contact.says("who")
    await world.settle()


async def _merged_for_a_while(world: World, rng: Random) -> None:
    await world.settle()
    cards = await world.inside(world.bridge.store.contacts())
    if len(cards) < 2:
        return
    one, other = rng.sample([card.id for card in cards], 2)
    at = round(world.now.timestamp() * 1_000_000)
    await world.inside(world.bridge.store.merge_contacts(one, other, at))
    await world.inside(world.bridge.store.unmerge_contact(other, at))


def strangers_words(life: Life, lives: list[Life]) -> list[str]:
    """What a person saw that was for another."""
    others = {other.name for other in lives if other is not life}
    return [text for text in life.contact.texts if others & set(text.replace(",", " ").split())]


async def check(world: World, life: Life) -> None:
    """What a person began is still there, in whatever conversation they are now."""
    assert (await life.contact.handoff() is not None) == life.held
    assert (await life.contact.dialog() is not None) == life.asked
    life.contact.clears()
    await world.send("konnek", life.phone, f"{life.name} news", channel="whatsapp")
    await world.settle()
    assert life.contact.texts == ([] if life.stopped or life.held else [f"{life.name} news"])
    if life.asked and not life.held:
        await life.contact.says("pizza")
        await world.settle()
        assert life.contact.texts[-1] == f"{life.name} ordered pizza"


@pytest.mark.parametrize("block", range(4))
async def test_in_random_lives_nothing_is_lost_and_nobody_hears_what_is_for_another(block: int) -> None:
    count = 2_500 if IS_WHOLE else 25
    blueprint = blueprint_of(router, settings=SETTINGS)
    for seed in range(block * count, (block + 1) * count):
        faults = ("duplicate", "reorder", "crash")
        with World(blueprint=blueprint, faults=faults, replay=seed, counts=False) as world:
            lives = await random_life(world, Random(f"lives {seed}"))
            try:
                for life in lives:
                    assert strangers_words(life, lives) == []
                    await check(world, life)
                await world.advance("3h")
                for life in lives:
                    assert strangers_words(life, lives) == []
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}\n{world.story(60)}") from None
