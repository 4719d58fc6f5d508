"""A provider ends well on any input: samples bent at every place, arbitrary JSON, arbitrary answers."""

from __future__ import annotations

import copy
import json
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_type_hints

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pydantic_core import SchemaValidator, core_schema

from bridge.errors import NotSent, OutcomeUnknown, SendError, Unmappable
from bridge.events import EVENT_TYPES, Contact, Event, Media, Place, Status, decode_event, encode_event
from bridge.providers.port import Response, Sent, Webhook
from bridge.testing.contract.provider.cases import RECEIVED_AT, body_of, exchange, webhook
from bridge.testing.contract.provider.suite import Suite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bridge.providers.port import Inbound, Provider
    from bridge.testing.contract.provider.cases import ProviderCases, Received, Spoken

    Path = tuple[str | int, ...]

GONE: Final = object()
INSTEAD: Final[tuple[Any, ...]] = (
    GONE,
    None,
    "",
    " ",
    "x",
    "\0",
    "\ud83d",
    "9" * 30,
    "-1",
    0,
    -1,
    7,
    2**63,
    10**400,
    1e300,
    0.5,
    True,
    [],
    {},
    [1],
    [[]],
    [None],
    [{}],
    {"x": 1},
)
"""What replaces a field. The bridge hands all of it to `parse`, even half a character and numbers beyond a float."""

SCALARS: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
JSON: Final = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, here: Path = ()) -> Iterator[Path]:
    """The path of every field in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, field in inner:
        yield (*here, name)
        yield from places(field, (*here, name))


def bent(value: Any, path: Path, instead: object) -> Any:
    """A JSON value with one place replaced or taken out; all others are those of the value, which stays as it is."""
    whole = copy.copy(value)
    name, *rest = path
    if rest:
        whole[name] = bent(value[name], tuple(rest), instead)
    elif instead is GONE:
        del whole[name]
    else:
        whole[name] = instead
    return whole


PARTS: Final[frozenset[type[Any]]] = frozenset({Contact, Media, Place})
NOT_OURS: Final = frozenset({"raw", "missed"})
"""Any JSON; and what the engine fills in."""


class Typed(NamedTuple):
    """The fields of a class: the types of all at once, for it takes as long to ask for one; and which may be parts."""

    names: Sequence[str]
    types: SchemaValidator
    parts: Sequence[str]


def typed(cls: type[Any]) -> Typed:
    hints = get_type_hints(cls, localns={"Mapping": dict, "datetime": datetime})
    plain = {name: hint for name, hint in hints.items() if name in {f.name for f in fields(cls)} - NOT_OURS}
    types = {
        name: core_schema.typed_dict_field(TypeAdapter(hint).core_schema)
        for name, hint in plain.items()
        if not any(part in PARTS for part in getattr(hint, "__args__", ()))
    }
    strict = core_schema.typed_dict_schema(types, config=core_schema.CoreConfig(strict=True))
    may_be_parts = [name for name, hint in plain.items() if PARTS & {hint, *getattr(hint, "__args__", ())}]
    return Typed([*types], SchemaValidator(strict), may_be_parts)


TYPES: Final[Mapping[type[Any], Typed]] = {cls: typed(cls) for cls in (*EVENT_TYPES.values(), Contact, Media, Place)}


def assert_typed(value: Any) -> None:
    """Every field of an event, and of what is in it, has the type that is annotated."""
    names, types, parts = TYPES[type(value)]
    types.validate_python({name: getattr(value, name) for name in names})
    for name in parts:
        if (part := getattr(value, name)) is not None:
            assert type(part) in PARTS
            assert_typed(part)


def assert_sound(inbound: Inbound) -> None:
    event = inbound.event
    assert type(event) in EVENT_TYPES.values()
    assert isinstance(inbound.key, str)
    assert inbound.key
    assert isinstance(inbound.channel, str)
    assert inbound.channel
    assert isinstance(event, Status) if inbound.conversation_id is None else isinstance(inbound.conversation_id, str)
    assert inbound.conversation_id != ""
    assert all(isinstance(text, str) for pair in inbound.address.items() for text in pair)
    assert event.at.tzinfo is not None
    assert_typed(event)
    assert_storable(event)


def assert_storable(event: Event) -> None:
    """Stored and read back the same; only a NUL or a lone surrogate may be refused, and then before storing."""
    try:
        data = encode_event(event)
    except ValueError:
        texts = repr(event)
        assert "\\x00" in texts or "\\ud" in texts, event
    else:
        assert decode_event(event.tag, data) == event


def parsed(provider: Provider, content: Mapping[str, Any], channel: str | None) -> tuple[str | None, Sequence[Inbound]]:
    """What becomes of a webhook. No JSON is read for it: all that stands in it would come out as it went in."""
    webhook = Webhook(channel=channel, body=body_of(content), json={**content}, received_at=RECEIVED_AT)
    try:
        return None, provider.parse(webhook)
    except Unmappable as error:
        return str(error), ()


def assert_parses_or_quarantines(provider: Provider, content: Mapping[str, Any], channel: str | None) -> None:
    reason, found = parsed(provider, content, channel)
    assert reason != "", "a quarantined webhook has its reason"
    keys = [inbound.key for inbound in found]
    assert len(set(keys)) == len(keys)
    for inbound in found:
        assert_sound(inbound)


def assert_ends(cases: ProviderCases, case: Spoken, answers: Sequence[Response]) -> None:
    requests, outcome = exchange(cases.build(case.settings).send(case.outbound, cases.credential), answers)
    assert requests
    if isinstance(outcome, Sent):
        assert outcome.message_id is None or len(outcome.message_id) > 0
        return
    assert isinstance(outcome, SendError)
    assert isinstance(outcome.reason, str)
    assert isinstance(outcome.code, str)
    wait = outcome.retry_after if isinstance(outcome, NotSent | OutcomeUnknown) else None
    assert wait is None or 0 <= wait < float("inf")


def orjson_or_nothing(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return b""


inherited: Final = settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])
"""Several classes inherit these tests, and hypothesis runs them for each."""


class ProviderFuzz(Suite):
    """One provider never fails on any input; needs hypothesis."""

    def test_what_a_field_is_replaced_by_comes_out_of_json_as_it_went_in(self) -> None:
        content = {str(number): instead for number, instead in enumerate(INSTEAD) if instead is not GONE}
        assert repr(webhook(content).json) == repr(content)

    def test_a_sample_bent_at_any_place_gives_events_or_is_quarantined(self, received: Received) -> None:
        provider = self.cases.build(received.settings)
        for path in places(received.webhook):
            for instead in INSTEAD:
                assert_parses_or_quarantines(provider, bent(received.webhook, path, instead), received.channel)

    @settings(inherited, max_examples=60)
    @given(data=st.data())
    def test_arbitrary_json_gives_events_or_is_quarantined(self, data: st.DataObject) -> None:
        content = data.draw(st.dictionaries(st.text(max_size=6), JSON, max_size=4))
        assert_parses_or_quarantines(self.cases.build(), content, self.cases.received[0].channel)

    @settings(inherited, max_examples=100)
    @given(data=st.data())
    def test_a_sample_with_arbitrary_json_in_it_gives_events_or_is_quarantined(self, data: st.DataObject) -> None:
        case = data.draw(st.sampled_from(self.cases.received))
        content: Any = case.webhook
        for _ in range(data.draw(st.integers(1, 3))):
            path = data.draw(st.sampled_from(list(places(content)) or [("x",)]))
            content = bent(content, path, data.draw(JSON))
        assert_parses_or_quarantines(self.cases.build(case.settings), content, case.channel)

    @settings(inherited, max_examples=100)
    @given(data=st.data())
    def test_whatever_the_answer_a_send_ends_with_an_outcome(self, data: st.DataObject) -> None:
        body = data.draw(st.binary(max_size=40) | JSON.map(orjson_or_nothing))
        status = data.draw(
            st.sampled_from((200, 201, 202, 204, 301, 400, 401, 403, 404, 409, 418, 429, 449, 500, 503, 599))
        )
        header = st.text(st.characters(max_codepoint=255), max_size=12) | st.sampled_from(
            ("5", "-1", "1e9", "nan", "inf", "0.5")
        )
        headers = data.draw(
            st.dictionaries(st.sampled_from(("retry-after", "content-type", "x-ratelimit-limit")), header)
        )
        assert_ends(self.cases, self.cases.spoken[0], [Response(status=status, headers=headers, body=body)])

    def test_an_answer_bent_at_any_place_still_has_an_outcome(self) -> None:
        for given_answer in {answer.body: answer for case in self.cases.answered for answer in case.answers}.values():
            try:
                content = orjson.loads(given_answer.body)
            except orjson.JSONDecodeError:
                continue
            for path in places(content):
                for instead in INSTEAD:
                    body = json.dumps(bent(content, path, instead)).encode()
                    bad = Response(status=given_answer.status, headers=given_answer.headers, body=body)
                    assert_ends(self.cases, self.cases.spoken[0], [bad])
