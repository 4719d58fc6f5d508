"""What goes wrong at an emulated gateway, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHANCES: Final = ("drop", "dup", "reorder", "delay_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Probabilities from 0 to 1, and a delay.

    `drop`: the gateway takes the message, then cuts the connection without an answer. `fail`, by code: the gateway
    answers that error and does not take the message. `dup`: it posts a webhook twice. `reorder`: it holds a webhook
    back until another one has passed, or for 0.2 s. `delay_ms`: milliseconds before every answer.
    """

    drop: float = 0.0
    dup: float = 0.0
    reorder: float = 0.0
    delay_ms: float = 0.0
    fail: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a value outside its range at the line that wrote it."""
        for name, chance in (("drop", self.drop), ("dup", self.dup), ("reorder", self.reorder), *self.fail.items()):
            if not 0 <= chance <= 1:
                raise ValueError(f"{name}: a probability is from 0 to 1, not {chance}")
        if sum(self.fail.values()) > 1:
            raise ValueError("fail: the probabilities add up to more than 1")
        if not self.delay_ms >= 0:
            raise ValueError(f"delay_ms: {self.delay_ms} is no time to wait")


def read_faults(body: bytes) -> Faults:
    """Faults as JSON, like {"drop": 1, "delay_ms": 200, "fail": {"500": 0.5}}; what is left out does not happen.

    Raises:
        ValueError: it is no such thing.
    """
    try:
        values = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the body is no JSON: {error}") from None
    if not isinstance(values, dict) or values.keys() - {*_CHANCES, "fail"}:
        raise ValueError(f"want a JSON object with some of {', '.join((*_CHANCES, 'fail'))}")
    fail = values.pop("fail", {})
    if not isinstance(fail, dict) or not all(map(_is_number, (*values.values(), *fail.values()))):
        raise ValueError("want numbers, and for fail an object of them by code")
    return Faults(**values, fail=fail)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
