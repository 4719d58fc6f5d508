"""A contact who opts out: nothing leaves but direct answers to what they say later, whatever sends it and whenever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge import CallNext, Dialog, Event, HandlerError, Job, Message, Router, Text, Turn
from bridge.testing import Contact, World
from tests.support.searches import seeds

SETTINGS = {"consent": {"stop": ["stop", "berhenti"], "start": ["start", "mulai"], "confirm": "Bye."}}
NIGHT = {"consent": {**SETTINGS["consent"], "quiet_hours": "21:00-08:00", "timezone": "Asia/Jakarta"}}
EVENING = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
router = Router("shop")


@router.outer_middleware
async def swallows(turn: Turn[Event], call_next: CallNext) -> None:
    if not (isinstance(turn.event, Message) and turn.event.text == "berhenti"):
        await call_next()


@router.message(text="remind")
async def remind(turn: Turn) -> str:
    turn.after("1h", reminder)
    turn.reply(Text("scheduled", at=turn.now + timedelta(hours=2)))
    return "later"


async def reminder(_turn: Turn) -> str:
    return "do not forget"


@router.message(text="ask")
async def ask(turn: Turn) -> None:
    await turn.begin(size)


@router.dialog(version=1)
async def size(d: Dialog) -> str:
    return f"size {await d.ask('Which size?', timeout='30min', on_timeout='Still there?')}"


@router.every("6h", name="news")
async def news(turn: Turn[Job]) -> None:
    turn.send("ann", "news", channel="telegram", account="konnek")


@router.default()
async def echo(turn: Turn) -> str:
    return f"you said {turn.event.text}" if isinstance(turn.event, Message) else "?"


async def stopped(world: World, *before: str, word: str = "stop") -> Contact:
    ann = world.contact("konnek", "telegram", "ann")
    for text in before:
        await ann.says(text)
        await world.settle()
    await ann.says(word)
    await world.settle()
    return ann


@pytest.mark.parametrize("word", ["stop", "STOP!", " Stop ", "ｓｔｏｐ", "berhenti"])  # noqa: RUF001 - full width
async def test_nothing_leaves_after_it_but_one_confirmation(word: str) -> None:
    with World(router, settings=SETTINGS) as world:
        ann = await stopped(world, "remind", word=word)
        await world.advance("1d")
        await world.send("konnek", "ann", "sale", channel="telegram")
        await world.settle()
        assert ann.texts == ["later", "Bye."]
        letters = await world.inside(world.bridge.store.dead_letters())
        assert {letter.reason for letter in letters} == {"the contact opted out"}
        assert len(letters) >= 3


async def test_what_is_said_later_is_answered_and_confirmed_no_second_time() -> None:
    with World(router, settings=SETTINGS) as world:
        ann = await stopped(world)
        await ann.says("hello")
        await world.settle()
        await ann.says("stop", "hi")
        await world.settle()
        assert ann.texts == ["Bye.", "you said hello", "you said hi"]


async def test_the_question_of_a_dialog_is_over() -> None:
    with World(router, settings=SETTINGS) as world:
        ann = await stopped(world, "ask")
        await world.advance("2h")
        await ann.says("large")
        await world.settle()
        assert ann.texts == ["Which size?", "Bye.", "you said large"]


async def test_start_takes_it_back_and_stays_without_an_answer_of_its_own() -> None:
    with World(router, settings=SETTINGS) as world:
        ann = await stopped(world)
        await ann.says("Mulai")
        await world.settle()
        await world.send("konnek", "ann", "sale", channel="telegram")
        await world.settle()
        assert ann.texts == ["Bye.", "sale"]


async def test_what_waits_in_the_outbox_does_not_leave_and_a_replay_changes_nothing() -> None:
    with World(router, settings=SETTINGS) as world:
        ann = world.contact("konnek", "telegram", "ann")
        await ann.says("one")
        await world.settle()
        world.down("konnek")
        await ann.says("two")
        await ann.says("stop")
        assert not await world.until(lambda: len(ann.seen) > 1)
        world.up("konnek")
        await world.settle()
        assert ann.texts == ["you said one", "Bye."]
        for letter in await world.inside(world.bridge.store.dead_letters()):
            assert await world.inside(world.bridge.parts.letters.replay(letter.id))
        await world.settle()
        assert ann.texts == ["you said one", "Bye."]


async def test_it_holds_while_a_person_has_the_conversation() -> None:
    with World(router, settings=SETTINGS) as world:
        ann = world.contact("konnek", "telegram", "ann")
        await ann.says("hello")
        await world.settle()
        await world.agent(ann).takes()
        await ann.says("stop")
        await world.settle()
        await world.agent(ann).returns()
        await world.send("konnek", "ann", "sale", channel="telegram")
        await world.settle()
        assert ann.texts == ["you said hello", "Bye."]


async def test_in_a_group_one_word_does_not_speak_for_all() -> None:
    with World(router, settings=SETTINGS) as world:
        ann = world.contact("relationlabs", "group", "ann")
        await ann.says("stop")
        await world.settle()
        assert ann.texts == ["you said stop"]


async def test_without_words_in_the_configuration_a_handler_gets_them() -> None:
    with World(router) as world:
        ann = await stopped(world)
        assert ann.texts == ["you said stop"]


async def test_at_night_answers_leave_and_what_the_bot_begins_waits_for_the_morning() -> None:
    with World(router, settings=NIGHT, at=EVENING) as world:
        ann = world.contact("konnek", "telegram", "ann")
        await ann.says("remind")
        await world.send("konnek", "ann", "sale", channel="telegram")
        await world.advance("3h")
        await ann.says("awake")
        await world.settle()
        assert ann.texts == ["later", "you said awake"]
        await world.advance("8h")
        assert sorted(ann.texts[2:]) == ["do not forget", "news", "news", "sale", "scheduled"]


def test_fuzzed_senders_send_nothing_after_a_committed_stop() -> None:
    async def scenario(world: World) -> None:
        ann = world.contact("konnek", "telegram", "ann")
        texts = world.rng.sample(["remind", "ask", "hello", "remind", "what"], 4)
        await ann.says(*texts)
        await world.send("konnek", "ann", "sale 1", channel="telegram")
        await ann.says("stop")
        await world.send("konnek", "ann", "sale 2", channel="telegram")
        await world.advance("30min")
        ann.saw_once("Bye.")
        ann.clears()
        await world.send("konnek", "ann", "sale 3", channel="telegram")
        await world.advance("13h")
        await ann.says("hello")
        await world.settle()
        assert ann.texts == ["you said hello"]

    with World(router, settings=SETTINGS) as world:
        world.explore(scenario, seeds=seeds(60), faults={"crash", "lost_answer", "slow_store", "provider_down"})


async def test_an_account_may_have_words_of_its_own() -> None:
    accounts = {"konnek": {"stop": ["quit"], "confirm": "gone"}}
    with World(router, settings=SETTINGS, accounts=accounts) as world:
        ann = await stopped(world, word="stop")
        assert ann.texts == ["you said stop"]
        await ann.says("quit")
        await world.settle()
        assert ann.texts[1:] == ["gone"]
        bob = world.contact("aelyst", "telegram", "bob")
        await bob.says("quit", "stop")
        await world.settle()
        assert bob.texts == ["you said quit", "Bye."]


async def test_a_handler_may_opt_a_contact_out_and_in() -> None:
    own = Router("own")

    @own.message(text="no more")
    async def out(turn: Turn) -> str:
        turn.contact.opt_out()
        return "fine"

    @own.message(text="more")
    async def again(turn: Turn) -> str:
        turn.contact.opt_in()
        return "good"

    with World(own) as world:
        ann = world.contact("konnek", "telegram", "ann")
        await ann.says("no more")
        await world.settle()
        await world.send("konnek", "ann", "sale", channel="telegram")
        await world.settle()
        await ann.says("more")
        await world.settle()
        await world.send("konnek", "ann", "news", channel="telegram")
        await world.settle()
        assert ann.texts == ["fine", "good", "news"]


async def test_quiet_hours_are_those_of_the_contact_who_has_a_time_zone() -> None:
    own = Router("own")

    @own.message(regex="^zone (?P<zone>.*)")
    async def zone(turn: Turn, zone: str) -> str:
        turn.contact.timezone = zone
        return "kept"

    with World(own, settings=NIGHT, at=EVENING) as world:  # 22:00 in Jakarta, 15:00 in London
        ann = world.contact("konnek", "telegram", "ann")
        await ann.says("zone Europe/London")
        await world.settle()
        await world.send("konnek", "ann", "news", channel="telegram")
        await world.settle()
        assert ann.texts == ["kept", "news"]


def worded() -> Router:
    """A bot whose parts bring words of their own."""
    outer, inner = Router("outer"), Router("inner")
    inner.consent({"halt": "Halted.", "stop": "Not this."}, start="go on")
    outer.include(inner)
    outer.consent(["quit", "enough"], confirm="Gone.")

    @outer.default()
    async def heard(turn: Turn) -> str:
        return f"heard {turn.event.text}" if isinstance(turn.event, Message) else "?"

    return outer


@pytest.mark.parametrize(
    ("settings", "word", "answer"),
    [
        ({}, "Halt!", "Halted."),
        ({}, "enough", "Gone."),
        ({}, "stop", "Not this."),
        (SETTINGS, "stop", "Bye."),
        (SETTINGS, "halt", "Halted."),
    ],
)
async def test_a_bot_brings_words_of_its_own(settings: dict[str, dict[str, object]], word: str, answer: str) -> None:
    with World(worded(), settings=settings) as world:
        ann = await stopped(world, word=word)
        assert ann.texts == [answer]
        await world.send("konnek", "ann", "Sale!", channel="telegram")
        await ann.says("go on")
        await world.settle()
        await world.send("konnek", "ann", "News!", channel="telegram")
        await world.settle()
        assert ann.texts == [answer, "News!"]


@pytest.mark.parametrize(("stop", "start"), [(["stop", " "], "go"), (["stop"], "!\u200b".strip("!"))])
def test_a_blank_word_is_refused_where_it_is_written(stop: list[str], start: str) -> None:
    with pytest.raises(HandlerError, match=r"test_consent\.py:\d+: a word to opt out or in by is blank"):
        Router().consent(stop, start)


async def test_what_a_person_writes_leaves_at_night_and_not_to_who_opted_out() -> None:
    with World(router, settings=NIGHT, at=EVENING) as world:
        ann = world.contact("konnek", "telegram", "ann")
        await ann.says("hello")
        await world.settle()
        await world.agent(ann).writes("Bob here")
        await world.settle()
        assert ann.texts == ["you said hello", "Bob here"]
        bob = world.contact("konnek", "telegram", "bob")
        await bob.says("stop")
        await world.settle()
        await world.agent(bob).writes("Bob here")
        await world.settle()
        assert bob.texts == ["Bye."]


async def test_what_a_person_writes_answers_what_the_contact_said_after_opting_out() -> None:
    with World(router, settings=SETTINGS) as world:
        ann = await stopped(world)
        agent = world.agent(ann)
        await agent.takes()
        await ann.says("one question")
        await world.settle()
        await agent.writes("Which?")
        await agent.writes("I am Bob.")
        await world.settle()
        assert ann.texts == ["Bye.", "Which?", "I am Bob."]
        await ann.says("stop")
        await world.settle()
        await agent.writes("Are you sure?")
        await world.settle()
        assert ann.texts == ["Bye.", "Which?", "I am Bob."]
        await agent.returns()
        await world.send("konnek", "ann", "sale", channel="telegram")
        await ann.says("yes")
        await world.settle()
        await world.send("konnek", "ann", "sale", channel="telegram")
        await world.settle()
        assert ann.texts == ["Bye.", "Which?", "I am Bob.", "you said yes"]


async def test_what_a_person_wrote_before_the_contact_stopped_does_not_leave_after_it() -> None:
    with World(router, settings=SETTINGS) as world:
        ann = await stopped(world, "hello")
        await ann.says("one question")
        await world.settle()
        world.down("konnek")
        await world.agent(ann).writes("Which?")
        await ann.says("stop")
        assert not await world.until(lambda: len(ann.texts) > 3)
        world.up("konnek")
        await world.settle()
        assert ann.texts == ["you said hello", "Bye.", "you said one question"]
        (letter,) = await world.inside(world.bridge.store.dead_letters())
        assert letter.reason == "the contact opted out"
        await ann.says("sorry, go on")
        assert await world.inside(world.bridge.parts.letters.replay(letter.id))
        await world.settle()
        assert "Which?" not in ann.texts


async def test_it_is_found_behind_many_messages_that_did_not_leave() -> None:
    with World(router, settings=SETTINGS) as world:
        ann = await stopped(world)
        await ann.says("one question")
        await world.settle()
        for number in range(130):
            await world.send("konnek", "ann", f"sale {number}", channel="telegram")
        await world.settle()
        await world.agent(ann).writes("Which?")
        await world.settle()
        assert ann.texts == ["Bye.", "you said one question", "Which?"]
