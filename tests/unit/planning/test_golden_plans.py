"""The plans of every kind of message on every channel, as they were agreed on; and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.events import ThreadRef
from bridge.messages import MESSAGE_TYPES, Buttons, Cards, Menu, Raw, choices_of
from bridge.planning.plan import plan
from bridge.planning.split import graphemes
from bridge.providers.port import Outbound, Sent, Webhook
from bridge.providers.registry import emulator_type, provider_type
from bridge.testing.contract.provider import exchange
from bridge.units import SECOND
from tests.unit.planning.golden_plans import CHANNELS, FILE, NOW, SAMPLES, golden, planned
from tests.unit.planning.test_plan_properties import messages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.messages import Outgoing
    from bridge.planning.capabilities import Capabilities
    from bridge.planning.plan import Plan

plans = cache(planned)
ALWAYS: Final = {"text, worth nothing any more"}
"""Samples that are sent nowhere, and have no fallback."""


@pytest.mark.slow
def test_the_plans_are_those_agreed_on() -> None:
    assert FILE.read_text("utf-8") == golden(), "read the difference, then: python -m tests.unit.planning.golden_plans"


def test_every_kind_has_a_sample() -> None:
    assert {message.kind for message in SAMPLES.values()} == set(MESSAGE_TYPES)


def lengths(message: Outgoing) -> list[int]:
    """The lengths of all that is said in words, in characters."""
    return [len(getattr(message, name, "") or "") for name in ("text", "caption")]


def letters(text: str) -> list[str]:
    """What a reader sees as letters, without white space: seams may lose that, and nothing else."""
    return [each for each in graphemes(text) if not each.isspace()]


def assert_carried(message: Outgoing, made: Plan, carries: Capabilities) -> None:
    """Native parts within their lengths, every choice still there, none of its titles the same as another."""
    assert made.parts
    limit = carries.text
    for part in made.parts:
        assert part.kind in carries.kinds
        assert limit is None or max(lengths(part)) <= limit
        pressable = choices_of(part)
        if isinstance(part, Buttons):
            assert len(pressable) <= carries.buttons
        if isinstance(part, Menu):
            assert len(pressable) <= carries.rows
        room = carries.row_title if isinstance(part, Menu) else carries.button_title
        assert room is None or all(len(each.title) <= room for each in pressable)
        assert carries.button_key is None or all(len(each.key) <= carries.button_key for each in pressable)
    assert [each.key for each in made.choices] == [each.key for each in choices_of(message)]
    pressed = {each.key for part in made.parts for each in choices_of(part)}
    assert pressed == {each.key for each in made.choices if each.number is None}


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.slow
def test_a_golden_plan_loses_no_key_and_keeps_every_limit(channel: str) -> None:
    carries = CHANNELS[channel]
    for name, message in SAMPLES.items():
        made = plans()[name, channel]
        if made.dropped is not None:
            assert name in ALWAYS or message.kind in {"template", "raw"}, name
            assert made.parts == ()
        elif not message.fallback:
            assert_carried(message, made, carries)


@pytest.mark.parametrize("channel", CHANNELS)
def test_no_letter_of_a_long_text_is_cut_or_lost(channel: str) -> None:
    (said,) = [each for name, each in SAMPLES.items() if name == "text, long"]
    parts = plans()["text, long", channel].parts
    texts = [getattr(part, "text", "") for part in parts]
    assert [each for text in texts for each in letters(text)] == letters(getattr(said, "text", ""))


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(messages, st.sampled_from(sorted(CHANNELS)))
def test_whatever_is_said_no_channel_loses_a_key_or_breaks_a_limit(message: Outgoing, channel: str) -> None:
    carries = CHANNELS[channel]
    made = plan(message, carries, now=NOW, last_heard=NOW)
    assert made.dropped is None, made.dropped
    assert_carried(message, made, carries)
    assert made.given_up or made.parts == (message,) or isinstance(message, Buttons | Menu | Cards)


ACCOUNTS: Final[Mapping[str, Mapping[str, Any]]] = {"whautochat": {"template_as": "object"}}
"""What an account has to have beside the sample's keys to send every sample."""


@pytest.mark.parametrize("channel", [each for each in CHANNELS if not each.startswith(("playground", "ginalne:mass"))])
def test_every_part_of_a_golden_plan_is_taken_by_the_gateway(channel: str) -> None:
    name, _, relayed = channel.partition(":")
    kind, provider_class = emulator_type(name), provider_type(name)
    values = {"provider": name, "base_url": "https://gateway.example", **kind.sample_settings, **ACCOUNTS.get(name, {})}
    provider = provider_class("shop", provider_class.Settings.model_validate(values))
    for sample in SAMPLES:
        now = count(NOW, SECOND)
        emulator = kind(now.__next__, Random(1))
        hook = emulator.says(relayed, "+6281200012345", "hi")
        body: dict[str, Any] = orjson.loads(hook.body)
        (heard,) = provider.parse(Webhook(channel=hook.channel, body=hook.body, json=body, received_at=NOW))
        assert heard.channel == relayed
        thread = ThreadRef("shop", name, heard.channel, heard.conversation_id or "")
        # What stands in a Raw is its author's business: this one is nothing that any gateway would take.
        parts = [part for part in plans()[sample, channel].parts if not isinstance(part, Raw)]
        for at, part in enumerate(parts):
            # What a gateway cannot schedule is held here, and said when it is due.
            said = part if CHANNELS[channel].schedule else replace(part, at=None)
            key = f"00000000-0000-5000-8000-{at:012}"
            outbound = Outbound(key=key, thread=thread, message=said, address=heard.address, created_at=NOW)
            _, outcome = exchange(provider.send(outbound, None), emulator.handle)
            assert isinstance(outcome, Sent), f"{sample}: {part}: {outcome}"
        assert len(emulator.seen) == len(parts)
