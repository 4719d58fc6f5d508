"""What a turn does beside speaking, and which turns do nothing else."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

import pytest

from bridge.conversation.effects import Effects
from bridge.messages import Image, Text

IMAGE: Final = Image("https://files.example/1")
MORE: Final[dict[str, Any]] = {"replies": [Text("a"), IMAGE], "opts_out": False, "handoff": ""}
"""The least that is something, of the fields where that is no list with an item."""


@pytest.mark.parametrize("name", [field.name for field in fields(Effects)])
def test_a_turn_that_does_anything_beside_saying_texts_is_not_plain(name: str) -> None:
    effects = Effects(replies=[Text("a")])
    assert effects.is_plain()
    setattr(effects, name, MORE.get(name, [1]))
    assert not effects.is_plain()
