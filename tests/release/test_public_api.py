"""What an author's code was written against stays: each public name, its signature, its public members."""

from __future__ import annotations

import pytest

from tests.release.public_api import RECORD, public_api

pytestmark = pytest.mark.usefixtures("counted")  # as authors have it: other tests change a default
RENEW = "run `python -m tests.release.public_api`, and commit the record"


def test_what_was_public_is_still_there_with_the_same_signature() -> None:
    public = set(public_api())
    gone = [line for line in RECORD.read_text("utf-8").splitlines() if line not in public]
    assert gone == [], (
        "these lines of tests/release/public_api.txt are gone or different. Code that calls them may break: "
        "bring them back, or keep the old call right (a new parameter has a default and stands behind a `*`). "
        f"If every old call is still right, or the break is meant and CHANGELOG.md tells what to do, {RENEW}"
    )


def test_what_is_new_is_on_record() -> None:
    on_record = set(RECORD.read_text("utf-8").splitlines())
    new = [line for line in public_api() if line not in on_record]
    assert new == [], f"these public names are new: give each a line in docs/reference/python.md, then {RENEW}"
