"""The names of statuses, which Python changed from one version to the next."""

from __future__ import annotations

import pytest

from bridge.web.refusals import phrase_of


@pytest.mark.parametrize(
    ("status", "phrase"), [(404, "Not Found"), (413, "Content Too Large"), (422, "Unprocessable Content")]
)
def test_a_status_has_the_name_of_rfc_9110_on_every_python(status: int, phrase: str) -> None:
    assert phrase_of(status) == phrase
