"""What RelationLabs does beyond the contract of all providers: settings, names, marks and addresses."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from bridge.errors import NotSent
from bridge.providers.port import Credential
from bridge.providers.relationlabs import wire
from bridge.testing.contract.provider import KEY, answer, exchange
from tests.contract.provider.relationlabs_cases import SAID
from tests.contract.provider.relationlabs_outbound import GROUP, OWN, RIVER, WEEK_TOKEN, jwt
from tests.support.relationlabs_setup import account, body_of, keyed, said_to


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"token": None}, "neither is there"),
        ({"address_token": SecretStr("a")}, "both are there"),
        ({"token": SecretStr("a\nb")}, "control character"),
        ({"token": "written out"}, "never written here"),
        ({"api_key": SecretStr("a\r")}, "control character"),
        ({"relation": "x"}, "Extra inputs"),
        ({"base_url": "http://gateway.example"}, "use https"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        account(**changes)


@pytest.mark.parametrize(
    ("token", "configured", "known"),
    [
        (WEEK_TOKEN, None, OWN),
        (WEEK_TOKEN, "mine-cai", "mine-cai"),
        ("opaque", None, None),
        ("opaque", "mine-cai", "mine-cai"),
        (jwt({"sub": 7}), None, None),
    ],
)
def test_our_name_is_configured_or_read_from_the_token(token: str, configured: str | None, known: str | None) -> None:
    provider = account(token=SecretStr(token), relation_id=configured)
    assert provider.relation_id == known
    assert body_of(said_to(), provider)["sendUuid"].startswith(f"{known or 'threadbridge'}-{GROUP}-")


def test_an_account_without_its_token_yet_asks_for_one_before_any_request() -> None:
    requests, outcome = exchange(keyed().send(said_to(), None), [answer(200)])
    assert requests == []
    assert isinstance(outcome, NotSent)
    assert outcome.unauthorised
    assert not outcome.pause


def test_a_renewable_token_that_is_refused_does_not_hold_the_account() -> None:
    _, outcome = exchange(keyed().send(said_to(), Credential(token="old")), [answer(200, {"code": "10100"})])
    assert isinstance(outcome, NotSent)
    assert (outcome.unauthorised, outcome.pause) == (True, False)


# Marks and addresses


@given(
    sender=st.none() | st.from_regex(r"[a-z2-7]{5}(-[a-z2-7]{5}){0,3}-cai", fullmatch=True),
    receiver=st.sampled_from([GROUP, RIVER, "", "0-1", f"1-{KEY.replace('-', '')}"]),
    millis=st.integers(0, 2**45),
    key=st.uuids(),
)
@settings(max_examples=50, deadline=None)
def test_a_send_uuid_tells_its_key_whoever_and_wherever(
    sender: str | None, receiver: str, millis: int, key: Any
) -> None:
    assert wire.key_of(wire.send_uuid(sender, receiver, millis, str(key))) == str(key)


@pytest.mark.parametrize(
    "mark",
    ["", "x", SAID["sendUuid"], f"a-1-{KEY}", f"a-1-{KEY.replace('-', '')}\n", f"a-b-{'f' * 32}", f"a-1-{'F' * 32}"],
)
def test_a_mark_of_somebody_else_tells_no_key(mark: str) -> None:
    assert wire.key_of(mark) is None


@pytest.mark.parametrize(
    ("channel", "conversation", "address", "uuid", "peer"),
    [
        ("group", GROUP, {}, GROUP, None),
        ("group", "team-1", {}, "team-1", None),
        ("peer", RIVER, {}, None, RIVER),
        ("peer", GROUP, {}, GROUP, None),
        ("peer", "0C9F5E1A-B2C3-4D5E-8F90-A1B2C3D4E5F6", {}, "0C9F5E1A-B2C3-4D5E-8F90-A1B2C3D4E5F6", None),
        ("peer", "room-of-two", {"channelUuid": "room-of-two"}, "room-of-two", None),
        ("peer", RIVER, {"channelUuid": GROUP}, None, RIVER),
    ],
)
def test_a_message_goes_to_a_channel_or_to_a_relation_id_and_never_to_both(
    channel: str, conversation: str, address: dict[str, str], uuid: str | None, peer: str | None
) -> None:
    body = body_of(said_to(conversation, channel, address=address))
    assert (body["channelUuid"], body["toRelationId"]) == (uuid, peer)


@given(
    url=st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map("https://files.example/".__add__),
    plain=st.booleans(),
    comma=st.sampled_from(",;"),
)
@settings(max_examples=60, deadline=None)
def test_a_url_survives_a_structured_content(url: str, plain: bool, comma: str) -> None:  # noqa: FBT001 - drawn
    inside = url.strip() if plain else quote(url, safe="")
    found = wire.pieces(f"type:image;action:x;p1(Text):{inside}{comma}p2(Text):key{comma}p3(Text):")
    expected = url.strip() if plain else url
    assert found == {"type": "image", "action": "x", "p1(text)": expected, "p2(text)": "key", "p3(text)": ""}
