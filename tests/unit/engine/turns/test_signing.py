"""Sealed keys: they open in their own conversation and their own time, unchanged, and nowhere else."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest

from bridge import Button, Card, Cards, Menu, Postback, Row, Section, Text
from bridge.engine.turns.signing import Signer
from bridge.events import encode_event
from bridge.keys import PackedKey, pack
from bridge.messages import choices_of, decode_message, encode_message
from bridge.store.opening import open_store
from bridge.units import SECOND
from tests.support.key_bots import ANN, BOB, NOON, NOW, Refund, Track, key_in, offer, press

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bridge.messages import Outgoing
    from bridge.store.port import Store


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await open_store("sqlite://")
    yield opened
    await opened.close()


@pytest.fixture
async def signer(store: Store) -> Signer:
    return await signer_of(store)


async def signer_of(store: Store, seed: int = 1) -> Signer:
    made = Signer(store, Random(seed))
    await made.start()
    return made


async def test_a_sealed_key_is_short_and_opens_in_its_own_conversation_only(signer: Signer) -> None:
    sealed = key_in(signer.seal([offer(Track(no=7))], ANN.ref, 64, NOW)[0])
    assert re.fullmatch(r"~[\w-]{12}~Track\[7\]", sealed)
    opened = await signer.open(press(sealed), ANN)
    assert opened == replace(press("Track[7]"), sealed=sealed)
    assert await signer.open(press(sealed), BOB) == replace(press(sealed), stale="forged")
    for part in ({"account": "desk"}, {"channel": "line"}):
        elsewhere = replace(ANN, ref=replace(ANN.ref, **part))
        assert await signer.open(press(sealed), elsewhere) == replace(press(sealed), stale="forged")


async def test_whatever_is_changed_in_a_sealed_key_makes_it_forged(signer: Signer) -> None:
    sealed = key_in(signer.seal([offer(Refund(no=7))], ANN.ref, 64, NOW)[0])
    for at in range(1, len(sealed)):
        other = "0" if sealed[at] != "0" else "1"
        event = await signer.open(press(f"{sealed[:at]}{other}{sealed[at + 1 :]}"), ANN)
        assert isinstance(event, Postback)
        assert not event.sealed
        assert event.stale == "forged" or event.key == event.key


async def test_plain_keys_stay_as_they_are(signer: Signer) -> None:
    messages: list[Outgoing] = [offer("Track[7]"), Text("x")]
    assert signer.seal(messages, ANN.ref, 64, NOW) == (messages, {})
    for key in ("Track[7]", "~", "~x", "yes", "~~~"):
        assert await signer.open(press(key), ANN) == press(key)


async def test_keys_are_sealed_wherever_something_can_be_chosen(signer: Signer) -> None:
    key = Track(no=7)
    messages: list[Outgoing] = [
        Menu("m", "t", [Section("s", [Row(key, "a", "more")])]),
        Cards([Card("c", buttons=[Button(key, "a")], image="https://shop.example/a.jpg")]),
        Text("x", fallback=[offer(key)]),
    ]
    (menu, cards, text), _ = signer.seal(messages, ANN.ref, 64, NOW)
    sealed = [choices_of(menu)[0], choices_of(cards)[0], choices_of(text.fallback[0])[0]]
    assert len({each.key for each in sealed}) == 1
    assert sealed[0].key.startswith("~")
    assert encode_message(decode_message(encode_message(menu))) == encode_message(menu)


@pytest.mark.parametrize(("later", "stale"), [(0, None), (15 * 60, None), (15 * 60 + 1, "expired"), (10**8, "expired")])
async def test_a_key_expires_when_its_class_says_so(signer: Signer, later: int, stale: str | None) -> None:
    sealed = key_in(signer.seal([offer(Refund(no=7))], ANN.ref, 64, NOW)[0])
    event = await signer.open(press(sealed, NOON + timedelta(seconds=later)), ANN)
    assert isinstance(event, Postback)
    assert event.stale == stale
    assert len(sealed) == len('~123456789012123456~r[7,""]')


async def test_the_life_of_a_key_begins_when_its_message_leaves(signer: Signer) -> None:
    message = replace(offer(Refund(no=7)), at=NOON + timedelta(days=1))
    sealed = key_in(signer.seal([message], ANN.ref, 64, NOW)[0])
    event = await signer.open(press(sealed, NOON + timedelta(days=1, minutes=14)), ANN)
    assert isinstance(event, Postback)
    assert event.stale is None


async def test_a_key_too_long_for_the_channel_is_kept_and_a_short_one_goes_out(store: Store, signer: Signer) -> None:
    key = Refund(no=7, why="ü" * 40)
    messages, long_keys = signer.seal([offer(key)], ANN.ref, None, NOW)
    assert key_in(messages).endswith('ü"]')
    assert not long_keys
    messages, long_keys = signer.seal([offer(key)], ANN.ref, 64, NOW)
    short = key_in(messages)
    assert len(short.encode()) <= 64
    assert list(long_keys.values()) == [pack(key)]
    await signer.keep(long_keys)
    again = await signer_of(store, seed=2)
    opened = await again.open(press(short), ANN)
    assert opened == replace(press(pack(key)), sealed=short)
    assert await again.open(press(short), BOB) == replace(press(short), stale="forged")


async def test_a_kept_key_that_is_gone_is_unknown(signer: Signer) -> None:
    short = key_in(signer.seal([offer(Refund(no=7, why="x" * 60))], ANN.ref, 64, NOW)[0])
    assert await signer.open(press(short), ANN) == replace(press(short), stale="unknown")


async def test_the_secret_outlives_the_process_and_is_another_in_another_store(store: Store, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    first = await open_store(url)
    sealed = key_in((await signer_of(first, seed=1)).seal([offer(Track(no=7))], ANN.ref, 64, NOW)[0])
    await first.close()
    again = await open_store(url)
    event = await (await signer_of(again, seed=2)).open(press(sealed), ANN)
    await again.close()
    assert event == replace(press("Track[7]"), sealed=sealed)
    assert await (await signer_of(store, seed=3)).open(press(sealed), ANN) == replace(press(sealed), stale="forged")


def test_what_a_turn_learns_of_a_press_is_not_stored() -> None:
    event = press("Track[7]")
    assert encode_event(replace(event, sealed="~x", stale="forged")) == encode_event(event)


def test_a_packed_key_is_a_text_with_a_lifetime() -> None:
    assert isinstance(pack(Refund(no=7)), PackedKey)
    assert (pack(Refund(no=7)).lifetime, pack(Track(no=7)).lifetime) == (15 * 60 * SECOND, None)
