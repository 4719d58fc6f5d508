"""Which store a looking command looks into."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.acceptance.cli.test_serve import finished, project, running
from tests.support.free_ports import free_port

if TYPE_CHECKING:
    from pathlib import Path


def test_the_store_in_use_is_looked_into_and_any_other_by_an_option(tmp_path: Path) -> None:
    project(tmp_path, free_port())
    port = free_port()
    with running(tmp_path, "demo", "--port", str(port), until="Chat here"):
        code, out, err = finished(tmp_path, "status", "--json")
        assert (code, json.loads(out)["process"]["ready"]) == (0, True)
        assert err.strip() == (
            f"no bridge runs on the configured store; this is {tmp_path}/threadbridge-demo.db, which one uses"
        )
        assert json.loads(finished(tmp_path, "status", "--demo", "--json")[1])["process"]["ready"]
        assert finished(tmp_path, "threads", "--demo") == (0, "", "no conversations yet\n")
        code, out, err = finished(tmp_path, "status", "--store", "sqlite:///threadbridge-demo.db", "--json")
        assert (code, json.loads(out)["process"]["ready"], err) == (0, True, "")
    for option in ("--dev", "--demo", "--store=sqlite:///nothing.db"):
        code, out, _ = finished(tmp_path, "status", option, "--json")
        assert (code, json.loads(out)["process"]) == (0, None)
    code, _, err = finished(tmp_path, "dead", "list", "--store", "nothing.db")
    assert (code, "storage.url" in err) == (78, True)
