"""The params of a template, and what goes in its place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from bridge.messages import (
    Template,
    Text,
)
from tests.support.channel_profiles import WINDOWED, planned

if TYPE_CHECKING:
    from bridge.planning.capabilities import Capabilities

PARAMS: Final = (
    ({"2": "b", "1": "a"}, {"1": "a", "2": "b"}),
    ({str(number): str(number) for number in range(12, 0, -1)}, {str(number): str(number) for number in range(1, 13)}),
    ({"name": "Ann", "day": "Monday"}, {"name": "Ann", "day": "Monday"}),
    ({"1": "Mill Street 4\nGhent\t\t9000     B"}, {"1": "Mill Street 4 Ghent 9000 B"}),
    ({"1": 12.5}, {"1": 12.5}),
    ({"body": ["a\nb"]}, {"body": ["a b"]}),
    ({"components": [{"text": "a\nb", "payload": "a\nb"}]}, {"components": [{"text": "a b", "payload": "a\nb"}]}),
)


@pytest.mark.parametrize(("params", "sent"), PARAMS)
def test_the_params_of_a_template_leave_in_order_and_clean(params: dict[str, Any], sent: dict[str, Any]) -> None:
    made = planned(Template("visit", params=params), WINDOWED)
    (part,) = made.parts
    assert isinstance(part, Template)
    assert [*part.params.items()] == [*sent.items()]
    assert bool(made.given_up) == (dict(part.params) != params)
    assert planned(part, WINDOWED).parts == (part,)


@pytest.mark.parametrize(
    ("template", "capabilities", "reason"),
    [
        (Template("visit", params={"1": " \n"}), WINDOWED, "template: param 1 is blank"),
        (Template("visit", params={"1": None}), WINDOWED, "template: param 1 is blank"),
        (Template("visit", params={"body": ["a", ""]}), WINDOWED, "template: param body is blank"),
        (Template("visit", params={"1": "a", "3": "c"}), WINDOWED, "template: param 3 does not follow the one before"),
        (
            Template("visit", params={"1": "a", "01": "b"}),
            WINDOWED,
            "template: param 01 does not follow the one before",
        ),
        (
            Template("visit", params={"1": "a"}),
            replace(WINDOWED, template_params=False),
            "template: its params are not carried here",
        ),
        (Template("visit"), replace(WINDOWED, template_language=True), "template: its language is needed here"),
    ],
)
def test_a_template_that_the_gateway_would_refuse_gives_way_to_its_fallback(
    template: Template, capabilities: Capabilities, reason: str
) -> None:
    assert planned(template, capabilities).dropped == reason
    assert planned(replace(template, fallback=[Text("hi")]), capabilities).parts == (Text("hi"),)
