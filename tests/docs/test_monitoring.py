"""The dashboard and the alert rules ask for metrics that are scraped, by labels that these have."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import pytest

from bridge.telemetry.families import EXTENSIONS, FAMILIES
from bridge.telemetry.findings import Kind
from tests.docs.pages import DOCS, section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.telemetry.families import Family

LABELS: Final = {f"{family.name}{end}": family.labels for family in FAMILIES for end in EXTENSIONS[family.kind]}
TARGET: Final = {"instance", "job", "le", "worker"}
"""What Prometheus adds, and workers and histograms."""
OF_PROCESSES: Final = {"process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes", "up"}
WORDS: Final = re.compile(r"\b[a-z_][a-z0-9_]*\b(?!\s*\()")
GROUPED: Final = re.compile(r"\bby \(([^)]*)\)")
SELECTED: Final = re.compile(r"([a-z_]+)\{([^}]*)\}")
DASHBOARD: Final = json.loads((DOCS / "grafana" / "threadbridge.json").read_text("utf-8"))
RULES: Final = (DOCS / "prometheus" / "threadbridge.rules.yml").read_text("utf-8")


def queries() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    yield from re.findall(r"^ +expr: (.+)$", RULES, re.MULTILINE)


def metrics_of(query: str) -> set[str]:
    """The names in a query that are no functions, labels or keywords."""
    bare = GROUPED.sub("", re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", query))
    return {name for name in WORDS.findall(bare) if name not in {"by", "or", "and", "sum", "max", "min"}}


@pytest.mark.parametrize("query", [*dict.fromkeys(queries())])
def test_a_query_asks_for_what_is_scraped(query: str) -> None:
    names = metrics_of(query)
    assert names
    assert names <= {*LABELS, *OF_PROCESSES}
    asked = {label.strip() for group in GROUPED.findall(query) for label in group.split(",")}
    known = {label for name in names for label in LABELS.get(name, ())}
    assert asked <= known | TARGET
    for name, selectors in SELECTED.findall(query):
        labels = set(re.findall(r"([a-z_]+)\s*=", selectors))
        assert labels <= {*LABELS.get(name, ()), *TARGET}, name


def test_the_queries_are_found() -> None:
    assert len(list(queries())) > 35
    assert metrics_of('sum by (a) (rate(threadbridge_x_total{account="a"}[5m])) > 0') == {"threadbridge_x_total"}


def test_each_rule_has_a_name_of_its_own_and_says_what_to_do() -> None:
    names = re.findall(r"- alert: (\w+)", RULES)
    assert len(names) == len(set(names)) == RULES.count("summary:") == RULES.count("severity:")


def test_the_panels_of_the_dashboard_lie_side_by_side() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        own = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not own & cells, panel["title"]
        assert at["x"] + at["w"] <= 24
        cells |= own
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_metric_is_documented(family: Family) -> None:
    name, labels = family.name, family.labels
    text = section(DOCS / "reference" / "http.md", "## GET /metrics")
    row = next((line for line in text.splitlines() if line.startswith(f"| `{name}` |")), "")
    assert set(re.findall(r"`(\w+)`", row.split("|")[3])) == set(labels)


def test_every_kind_of_alert_is_documented() -> None:
    page = (DOCS / "how-to" / "monitoring.md").read_text("utf-8")
    assert re.findall(
        r"^\| `(\w+)` \|", section(DOCS / "how-to" / "monitoring.md", "## Alerts without anything else"), re.MULTILINE
    ) == [*Kind]
    assert "alert_not_sent" in page
