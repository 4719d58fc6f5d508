"""The REST API of a real `threadbridge run`, against all that schemathesis makes of its OpenAPI document."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.request import Request, urlopen

import pytest

from tests.docs.pages import ROOT
from tests.support.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN: Final = "a-token-of-24-bytes-or-more"
CONFIGURATION: Final = """
[server]
port = {port}
[handlers]
load = ["handlers.echo"]
[api]
tokens = ["env:TOKEN"]
rate = "1000000/min"
[accounts.demo]
provider = "playground"
"""
PRODUCES_422: Final = "positive_data_acceptance"
"""What a message needs beyond its fields (a text that is not blank, say) is told in words."""


class Api:
    """The API of a process."""

    def __init__(self, port: int, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._folder = folder

    def ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", "Origin": self.url}
        request = Request(f"{self.url}{path}", data, headers)  # noqa: S310 - http, to this machine
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
            return json.loads(answer.read())

    def lines(self) -> list[dict[str, Any]]:
        """What the process logged."""
        lines = (self._folder / "log").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@contextmanager
def running(folder: Path) -> Iterator[Api]:
    port = free_port()
    (folder / "threadbridge.toml").write_text(CONFIGURATION.format(port=port), "utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "run"],
            cwd=folder,
            env={**os.environ, "TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if "listening on" in line:
                    break
            yield Api(port, folder)
        finally:
            process.terminate()
            assert process.wait(30) == 0
            process.stdout.close()


def document(api: Api) -> dict[str, Any]:
    """The document, with ids of things that are there: generated ones would find nothing."""
    api.ask("/console/say", {"conversation": "ann", "no": "text"})
    sent = api.ask("/api/v1/messages", {"account": "demo", "to": "ann", "message": {"kind": "text", "text": "hi"}})
    (letter,) = api.ask("/api/v1/dead-letters")["items"]
    (thread,) = api.ask("/api/v1/threads")["items"]
    contact = api.ask("/api/v1/contacts")["items"][0]
    known = {
        "thread_id": thread["id"],
        "letter_id": letter["id"],
        "message_id": sent["id"],
        "contact_id": contact["id"],
    }
    described: dict[str, Any] = api.ask("/api/v1/openapi.json")
    for of_path in described["paths"].values():
        for operation in of_path.values():
            for parameter in operation["parameters"]:
                name = parameter["name"]
                if name in known:
                    parameter["schema"] = {"type": "string", "enum": [known[name]]}
                elif name == "account":
                    parameter["schema"] = {"type": "string", "enum": ["demo"]}
    schemas = described["components"]["schemas"]
    schemas["Send"]["properties"]["account"] = {"enum": ["demo"]}
    schemas["Choice"]["properties"]["account"] = {"enum": ["demo", None]}
    return described


ENVIRONMENT: Final = {
    **{name: value for name, value in os.environ.items() if name in {"HOME", "PATH", "PYTHONPATH", "SSL_CERT_FILE"}},
    "HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis"),
    "PYTHONWARNINGS": "ignore",
}
"""Each request looks through all variables for proxies, and each run would look at all letters that there are anew."""
KNOWN_IDS: Final = f"{PRODUCES_422},negative_data_rejection"
"""In the document as it is tried only the known ids are valid; a fuzzer makes conversations that have others."""


def run_schemathesis(api: Api, folder: Path, *arguments: str, excluded: str = PRODUCES_422) -> None:
    """Every check that it knows, but those `excluded`. Fails with its report."""
    file = folder / "openapi.json"
    file.write_text(json.dumps(document(api)), "utf-8")
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "run", str(file), "--url", api.url),
            *("--header", f"Authorization: Bearer {TOKEN}", "--no-color", "--no-shrink", "--warnings", "off"),
            *("--checks", "all", "--exclude-checks", excluded, *arguments),
        ],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    asked = [entry for entry in api.lines() if entry["action"] in {"request_failed", "loop_blocked"}]
    assert not asked


@pytest.mark.slow
def test_every_answer_is_one_that_the_document_has(tmp_path: Path) -> None:
    with running(tmp_path) as api:
        run_schemathesis(api, tmp_path, "--phases", "coverage", "--max-examples", "1")


@pytest.mark.soak
def test_every_answer_to_whatever_is_made_up_is_one_that_the_document_has(tmp_path: Path) -> None:
    with running(tmp_path) as api:
        seconds = os.environ.get("SOAK_SECONDS", "600")
        run_schemathesis(
            api, tmp_path, "--phases", "examples,coverage,fuzzing", "--max-time", seconds, excluded=KNOWN_IDS
        )
