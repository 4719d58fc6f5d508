"""What is printed and drawn of a benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bridge.bench.closed_loop import ClosedLoop
from bridge.bench.picture import picture
from bridge.bench.processes import Process, Subject
from bridge.bench.report import Report, number, surroundings
from bridge.bench.slices import Running, Slice
from bridge.bench.webhooks import konnek


def measured(name: str, rates: list[float], *, load: float = 0.2) -> Running:
    process = Process(pids=(1,), ports=(1,), folder=Path())
    server = Running(Subject(name=name, module=""), process, ClosedLoop(konnek()))
    server.slices = [
        Slice(messages=1, rate=rate, micros=1, p50=1, p99=1, ack_p50=1, ack_p99=1, load=load) for rate in rates
    ]
    return server


def report() -> Report:
    ours, base = measured("ours", [20.0, 30.0, 40.0]), measured("<plain> & simple", [10.0, 10.0, 10.0], load=0.9)
    made = Report("e2e")
    made.add("ours", "replies", "/s", [20.0, 30.0, 40.0])
    made.compare(ours, base, "rate", "replies")
    made.heard_of([ours, base])
    return made


def test_a_ratio_names_what_it_is_a_ratio_of() -> None:
    row = report().as_dict()["rows"][1]
    assert row == {
        "subject": "<plain> & simple",
        "measure": "replies, ours / this",
        "unit": "ratio",
        "median": 3.0,
        "quartiles": [2.5, 3.5],
    }


def test_the_share_of_an_idle_load_is_noted_too() -> None:
    made = Report("e2e")
    made.heard_of([measured("ours", [1.0])])
    assert made.notes == ["the load took 20% of its core at most, with ours"]


def test_a_busy_load_is_noted() -> None:
    assert report().notes == ["the load took 90% of its core at most, with <plain> & simple; it may be the bottleneck"]


def test_what_is_wrong_with_a_server_is_in_the_report() -> None:
    server = measured("ours", [1.0])
    server.problems.append("ours: 1 of 2 webhooks had no reply")
    made = Report("e2e")
    made.heard_of([server])
    made.heard_of([measured("ours", [1.0])])
    assert made.problems == ["ours: 1 of 2 webhooks had no reply"]
    assert (server.problems, server.slices) == ([], [])


def test_json_text_and_table_have_every_row() -> None:
    made = report()
    assert len(json.loads(json.dumps(made.as_dict()))["rows"]) == len(made.rows) == 2
    assert [line.split()[0] for line in made.lines()] == ["e2e", "ours", "<plain>", "note:"]
    assert [*made.markdown()][:4] == [
        "| e2e | ours | <plain> & simple |",
        "|---|---|---|",
        "| replies | 30.0 /s (25.0 to 35.0) |  |",
        "| replies, ours / this |  | 3.00 (2.50 to 3.50) |",
    ]


def test_the_picture_is_well_formed_and_has_a_bar_a_row() -> None:
    drawn = ET.fromstring(picture([report(), report()]))  # noqa: S314 - our own
    space = "{http://www.w3.org/2000/svg}"
    bars = [bar for bar in drawn.iter(f"{space}rect") if bar.get("width") != "100%"]
    assert len(bars) == 4
    assert max(float(str(bar.get("width"))) for bar in bars) <= 420
    assert "<plain> & simple" in [text.text for text in drawn.iter(f"{space}text")]


def test_the_picture_of_nothing_is_well_formed() -> None:
    assert ET.fromstring(picture([Report("e2e")])).tag.endswith("svg")  # noqa: S314 - our own


@pytest.mark.parametrize(("value", "text"), [(0.0, "0.00"), (1.234, "1.23"), (12.34, "12.3"), (12345.6, "12,346")])
def test_a_number_has_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_figures_belong_to_a_day_a_machine_and_versions() -> None:
    assert {"date", "machine", "python", "threadbridge", "aiohttp"} <= surroundings().keys()
