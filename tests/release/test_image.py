"""The image of docs/deploy/Dockerfile, built step by step without a container engine, and used."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.release.image import build, steps, try_out

if TYPE_CHECKING:
    from pathlib import Path


def test_each_instruction_of_the_dockerfile_is_one_that_is_carried_out() -> None:
    taken = [word for word, _ in steps()]
    assert taken[0] == "FROM"
    assert {"RUN", "COPY", "USER", "HEALTHCHECK", "ENTRYPOINT", "CMD"} <= {*taken}
    assert {*taken} <= {
        "FROM",
        "ENV",
        "RUN",
        "COPY",
        "WORKDIR",
        "USER",
        "VOLUME",
        "EXPOSE",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    }


@pytest.mark.soak
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("debootstrap") is None, reason="needs root and debootstrap")
def test_the_image_serves_read_only_as_a_user_without_rights_and_stops_when_told(tmp_path: Path) -> None:
    assert try_out(build(tmp_path), tmp_path) == [
        "healthy",
        "Uid: 10001 10001 10001 10001 CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1",
        "writable: /tmp /data",
        "webhook: 200",
        "status: 0",
        "backup: 0",
        "pip: 1",
        "stopped: 0",
    ]
