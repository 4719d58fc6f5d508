"""Ginalne Raven beyond the contract: what it tells people, and how strict its emulator is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from pydantic import SecretStr, ValidationError

from bridge.errors import NotSent, Rejected, SendError
from bridge.messages import Raw, Text
from bridge.planning.plan import plan
from bridge.providers.ginalne import Ginalne, GinalneSettings
from bridge.providers.ginalne.emulator import Emulator
from bridge.testing.contract.provider import CREATED_AT, answer, exchange, webhook
from bridge.units import micros
from tests.contract.provider.ginalne_cases import ADDRESS, CASES, DEWI, to

if TYPE_CHECKING:
    from bridge.providers.port import Hook, Response

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def emulator() -> Emulator:
    return Emulator(lambda: CREATED_AT, Random(7))


def refusal(answers: Any, message: Any = None) -> SendError:
    provider = CASES.build()
    _, outcome = exchange(provider.send(to("whatsapp", DEWI, message or Text("hi"), ADDRESS), None), answers)
    assert isinstance(outcome, SendError)
    return outcome


@pytest.mark.parametrize(
    "body",
    [
        {"notification": "Invalid ContactType at recipient index 0 and contact index 1."},
        {"message": "Invalid ContactType at recipient index 0 and contact index 1."},
        {"error": "Invalid ContactType at recipient index 0 and contact index 1.", "message": None},
        {"error": {"message": "Invalid ContactType at recipient index 0 and contact index 1."}},
        b"Invalid ContactType at recipient index 0 and contact index 1.",
    ],
)
def test_a_refusal_names_recipient_and_contact_wherever_its_text_stands(body: dict[str, Any] | bytes) -> None:
    given = answer(400, body=body) if isinstance(body, bytes) else answer(400, body)
    assert "Invalid ContactType at recipient index 0 and contact index 1." in refusal([given]).reason


def test_a_refused_account_is_told_what_to_check() -> None:
    outcome = refusal([answer(401, {"notification": "Pro is not active!"})])
    assert isinstance(outcome, NotSent)
    for words in ("the account is refused", "Pro is not active!", "the token", "the Pro subscription"):
        assert words in outcome.reason


def test_an_error_page_is_not_quoted() -> None:
    assert refusal([answer(404, body=b"<html>nginx</html>")]).reason == "HTTP 404"


def test_a_long_text_is_sent_in_pieces_by_the_planner() -> None:
    planned = plan(Text("word " * 2000), CASES.build().capabilities("whatsapp"), now=CREATED_AT, last_heard=None)
    raven = emulator()
    for piece in planned.parts:
        exchange(CASES.build().send(to("whatsapp", DEWI, piece, ADDRESS), None), raven.handle)
    assert len(raven.seen) == len(planned.parts) == 3
    assert " ".join(seen.text for seen in raven.seen).split() == ["word"] * 2000


@pytest.mark.parametrize(
    ("expires", "words"),
    [
        (None, None),
        (NOW + timedelta(days=14, seconds=1), None),
        (NOW + timedelta(days=14), "in 14 days"),
        (date(2026, 1, 16), None),
        (date(2026, 1, 3), "expires on 2026-01-03, in 1 days"),
        (datetime(2026, 1, 2, 12), "in 1 days"),  # noqa: DTZ001 - as a configuration file may say it
        (datetime(2026, 1, 1, 19, tzinfo=timezone(timedelta(hours=7))), "expired"),
        (NOW, "expired on 2026-01-01"),
        (date(2020, 1, 1), "expired on 2020-01-01"),
    ],
)
def test_a_token_is_warned_of_from_14_days_ahead(expires: date | None, words: str | None) -> None:
    provider = CASES.build({"token_expires": expires})
    assert isinstance(provider, Ginalne)
    warning = provider.token_warning(micros(NOW))
    assert (warning is None) == (words is None)
    assert (words or "") in (warning or "")
    assert "raven-demo-token" not in (warning or "")


def test_an_expiry_may_be_written_as_text() -> None:
    provider = CASES.build({"token_expires": "2026-01-03"})
    assert isinstance(provider, Ginalne)
    assert "2026-01-03" in (provider.token_warning(micros(NOW)) or "")


@pytest.mark.parametrize(
    "wrong", [{"token": SecretStr("two\nlines")}, {"username": ""}, {"topic": "x" * 256}, {"x": 1}]
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    right = {"provider": "ginalne", "token": SecretStr("t"), "username": "u"}
    GinalneSettings.model_validate(right)
    with pytest.raises(ValidationError):
        GinalneSettings.model_validate({**right, **wrong})


def recipient(*contacts: dict[str, Any], name: str = "Dewi") -> dict[str, Any]:
    return {"name": name, "contact": list(contacts)}


CONTACT = {"type": "whatsapp", "name": "Main", "key": DEWI}
BAD: list[tuple[dict[str, Any], int, str]] = [
    ({"recipient": [recipient(CONTACT), recipient(CONTACT)]}, 400, "Persona Topic-type recipients"),
    (
        {"topic": {"type": "group", "name": "x"}, "recipient": [recipient(CONTACT)] * 2},
        400,
        "Group as recipients are only allowed one.",
    ),
    ({"recipient": [recipient()]}, 400, "The Recipient index 0 must have at least one contact."),
    (
        {"recipient": [recipient(CONTACT, {**CONTACT, "type": "fax"})]},
        400,
        "Invalid ContactType at recipient index 0 and contact index 1.",
    ),
    ({"recipient": [recipient({**CONTACT, "type": ["whatsapp"]})]}, 400, "Invalid ContactType"),
    ({"recipient": [recipient({**CONTACT, "key": "Dewi"})]}, 400, "Invalid key"),
    ({"recipient": [recipient({**CONTACT, "more": 1})]}, 400, "Unknown field more"),
    ({"recipient": [recipient(CONTACT, name="n" * 256)]}, 400, "255"),
    ({"message": "x" * 4097}, 400, "4096"),
    ({"message": ""}, 400, "4096"),
    ({"username": "somebody"}, 404, "User is not found!"),
    ({"recipient": []}, 404, "Recipients must have at least one."),
    ({"topic": {"type": "chat", "name": "x"}}, 404, "Topic Type is invalid!"),
]


@pytest.mark.parametrize(("bent", "status", "text"), BAD, ids=[text for _, _, text in BAD])
def test_the_emulator_refuses_as_the_page_documents(bent: dict[str, Any], status: int, text: str) -> None:
    raven = emulator()
    outcome = refusal(raven.handle, Raw({"message": "hi", **bent}))
    assert isinstance(outcome, Rejected)
    assert outcome.code == str(status)
    assert text in outcome.reason
    assert raven.seen == []


def test_without_pro_the_emulator_refuses_everything() -> None:
    raven = emulator()
    raven.pro_active = False
    assert "Pro is not active!" in refusal(raven.handle).reason


def test_a_mass_topic_reaches_each_recipient() -> None:
    raven = emulator()
    told = {"topic": {"type": "mass", "name": "News"}, "message": "hi"}
    others = [recipient({**CONTACT, "key": f"+62812000{number}"}) for number in range(3)]
    exchange(CASES.build().send(to("mass", "News", Raw({**told, "recipient": others})), None), raven.handle)
    assert [seen.conversation_id for seen in raven.seen] == ["+628120000", "+628120001", "+628120002"]


def test_an_answer_to_a_group_reaches_the_group() -> None:
    raven, provider = emulator(), CASES.build()
    hook: Hook = raven.says("group", "Team", "hi")
    (asked,) = provider.parse(webhook(orjson.loads(hook.body)))
    assert (asked.channel, asked.conversation_id) == ("group", "Team")
    exchange(provider.send(to("group", "Team", Text("hello"), dict(asked.address)), None), raven.handle)
    assert [(seen.channel, seen.conversation_id) for seen in raven.seen] == [("group", "Team")]


def test_the_emulator_can_be_told_to_refuse() -> None:
    response: Response = emulator().refuse("404")
    assert response.status == 404
    with pytest.raises(ValueError, match="400 to 599"):
        emulator().refuse("200")
