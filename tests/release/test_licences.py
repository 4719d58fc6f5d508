"""Each package of the locks has a licence that users of threadbridge may rely on."""

from __future__ import annotations

import pytest

from tests.release.licences import is_allowed, licence_of
from tests.release.locks import RUNTIME, TEST, pins


def test_each_locked_package_has_a_licence_on_the_list() -> None:
    licences = {name: licence_of(name) for name in pins(TEST)}
    assert set(pins(RUNTIME)) <= set(licences)
    refused = {name: licence for name, licence in licences.items() if not is_allowed(licence)}
    assert refused == {}, "read these licences: then add one to ALLOWED of tests/release/licences.py, or do without"


@pytest.mark.parametrize("licence", ["MIT", "MPL-2.0 AND (Apache-2.0 OR MIT)"])
def test_a_licence_is_allowed_when_each_of_its_parts_is(licence: str) -> None:
    assert is_allowed(licence)


@pytest.mark.parametrize("licence", ["GPL-3.0-or-later", "MIT OR GPL-2.0-only", ""])
def test_a_licence_with_another_part_or_none_is_refused(licence: str) -> None:
    assert not is_allowed(licence)
