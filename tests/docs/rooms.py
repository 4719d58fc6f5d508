"""The picture of the rooms in docs/explanation/design.md: boxes from the modules, arrows from the imports."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Final

import grimp

from tests.docs.pages import DOCS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE: Final = DOCS / "explanation" / "design.md"
PUBLIC: Final = "bridge"
GROUND: Final = "ground"
_PACKAGES: Final = ("bridge", "handlers", "storage")
_BLOCK: Final = re.compile(r"(<!-- rooms: [^\n]*\n).*?(<!-- end of rooms -->)", re.DOTALL)
PURPOSES: Final = {
    "__main__": "python -m bridge",
    "app": "the whole bridge, and its life",
    "bench": "threadbridge bench",
    "bridge": "public names",
    "cli": "commands",
    "config": "threadbridge.toml",
    "conversation": "turn, state, dialog",
    "emulation": "gateways on this machine",
    "engine": "ingest, turns, delivery",
    "ground": "events, messages, keys, errors",
    "handlers": "ready-made handlers",
    "log": "a line a transition",
    "planning": "a message on a channel",
    "providers": "one folder a gateway",
    "routing": "an event's handler",
    "storage": "the stores",
    "store": "the port and its rules",
    "telemetry": "metrics, traces, alerts",
    "testing": "the test kit",
    "text": "which texts are equal",
    "web": "the door in",
    "workers": "processes behind one socket",
}


def room_of(module: str) -> str:
    """The room of a module: a folder of bridge, a folder beside it, bridge's public names, or its ground."""
    package, _, rest = module.partition(".")
    if package != "bridge":
        return package
    if not rest:
        return PUBLIC
    name = rest.partition(".")[0]
    return name if name == "__main__" or (ROOT / "bridge" / name).is_dir() else GROUND


def arrows() -> dict[str, set[str]]:
    """The rooms that each room imports, without arrows that a longer way already shows."""
    graph = grimp.build_graph(*_PACKAGES, cache_dir=None)
    needs: dict[str, set[str]] = {room_of(module): set() for module in graph.modules}
    for module in graph.modules:
        needs[room_of(module)] |= {room_of(name) for name in graph.find_modules_directly_imported_by(module)}
    for room, needed in needs.items():
        needed.discard(room)
    return _reduced(needs)


def _reduced(needs: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Drop each arrow that a longer way shows; a circle has no such picture, and raises CycleError."""
    below: dict[str, set[str]] = {}
    reduced: dict[str, set[str]] = {}
    for room in TopologicalSorter(needs).static_order():
        beyond: set[str] = set().union(*(below[needed] for needed in needs[room]))
        below[room] = needs[room] | beyond
        reduced[room] = needs[room] - beyond
    return reduced


def _lines() -> Iterator[str]:
    reduced = arrows()
    yield "flowchart TD"
    for room in sorted(reduced):
        yield f'    {_identifier(room)}["<b>{room.strip("_")}</b><br/>{PURPOSES[room]}"]'
    for room in sorted(reduced):
        for needed in sorted(reduced[room]):
            yield f"    {_identifier(room)} --> {_identifier(needed)}"


def _identifier(room: str) -> str:
    return f"r_{room.strip('_')}"


def design_page() -> str:
    """docs/explanation/design.md, with the picture made anew."""
    page = PAGE.read_text("utf-8")
    picture = "\n".join(["```mermaid", *_lines(), "```\n"])
    made, places = _BLOCK.subn(lambda block: f"{block[1]}{picture}{block[2]}", page)
    assert places == 1, "the page has one place for the picture"
    return made
