"""A link to a file of ours: the next version of the bridge still knows what this one gave out."""

from __future__ import annotations

from typing import Final

from bridge.engine.media.sending import _read, _token

SECRET: Final = bytes(range(32))
DIGEST: Final = "ab" * 32
LINK: Final = "YRuwyMunVEJ4Qz-l4c4ViABqsTuAq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6ttZW7DvC5wZGY"


def test_a_link_that_was_given_out_leads_to_its_file_also_after_an_update() -> None:
    told = (1_790_000_000, DIGEST, "menü.pdf")
    assert _token(*told, SECRET) == LINK
    assert _read(LINK, SECRET) == told
    assert _read(LINK, bytes(32)) is None
    assert _read(LINK[:-4], SECRET) is None
