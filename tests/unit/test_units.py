"""Pure conversions."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from bridge.units import SECOND, moment, stamp


@given(micros=st.integers(-(2**40), 2**56))
@example(micros=0)
@example(micros=SECOND)
@example(micros=-1)
def test_a_stamp_is_what_the_datetime_says(micros: int) -> None:
    assert stamp(micros) == moment(micros).isoformat(timespec="microseconds")
